import { ExitCode, UserError } from "../errors.ts";
import { dnsOf, subdomainProblem } from "../pipeline.ts";
import { hostsText, zoneText } from "../report/discovery.ts";
import { jsonText } from "../report/json.ts";
import { oneLine } from "../report/style.ts";
import type { DnsRecord } from "../types.ts";
import { type Flags, settingsFrom, textFlag } from "./flags.ts";
import { completeInputFrom } from "./input.ts";
import type { Io } from "./io.ts";

/** Prints the names under which Services and their endpoints are found. Needs no root, and asks no server. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const settings = await settingsFrom(flags, io);
  const clusterDomain = (textFlag(flags, "clusterDomain") ?? "cluster.local").replace(/\.$/, "");
  const problem = subdomainProblem(clusterDomain);
  if (problem !== undefined) {
    throw new UserError(`--cluster-domain ${clusterDomain}: ${problem}`, "write it as kubelet's clusterDomain");
  }
  const input = await completeInputFrom(flags, settings, io);
  if (input === undefined) return ExitCode.inputRejected;
  const { records, leftOut } = dnsOf(input.manifests, clusterDomain);
  for (const what of leftOut) io.note(`note: no record: ${oneLine(what)}\n`);
  io.out(textOf(records, clusterDomain, textFlag(flags, "output") ?? "zone"));
  return ExitCode.done;
}

function textOf(records: readonly DnsRecord[], clusterDomain: string, output: string): string {
  switch (output) {
    case "json":
      return jsonText({ clusterDomain, records });
    case "hosts":
      return hostsText(records, clusterDomain);
    default:
      return zoneText(records);
  }
}
