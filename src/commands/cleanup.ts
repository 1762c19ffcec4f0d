import { ExitCode } from "../errors.ts";
import { findRest, type Rest, removeRest } from "../pipeline/cleanup.ts";
import { exclusively, type Machine } from "../pipeline/node.ts";
import { forgetAccepted } from "../pipeline/skip.ts";
import { restoreRouteLocalnet } from "../pipeline.ts";
import { changesText, countsText } from "../report/changes.ts";
import { styleFor } from "../report/style.ts";
import type { Settings } from "../settings/settings.ts";
import type { BackendName } from "../types.ts";
import { type Flags, isSet, settingsFrom, textFlag } from "./flags.ts";
import { thisMachine } from "./host.ts";
import type { Io } from "./io.ts";
import { uninterrupted } from "./signals.ts";
import { reportRefusal } from "./syncReport.ts";

/** Removes all rules that are ours from this node; with --kube-proxy also what only kube-proxy leaves. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const settings = await settingsFrom(flags, io);
  const machine = await thisMachine();
  const chosen = textFlag(flags, "backend");
  const isAll = chosen === undefined || chosen === "auto";
  const names = (["iptables", "nftables"] as const).filter((name) => isAll || name === chosen);
  const find = () => findRest(settings, machine, names, isSet(flags, "kubeProxy"));
  if (!isSet(flags, "dryRun")) {
    return exclusively(settings, machine, async () => {
      const rest = await find();
      noteUnseen(rest, io);
      return uninterrupted(io, () => remove(rest, names, settings, machine, io));
    });
  }
  const rest = await find();
  noteUnseen(rest, io);
  const { rules, leftovers } = rest;
  const changes = rules.flatMap(({ plans }) => plans.flatMap((one) => one.changes));
  io.out(changesText(changes, styleFor(io.color)));
  for (const { name } of leftovers) io.out(`  - ${name}\n`);
  io.note(`dry run: ${changes.length === 0 ? "" : `${countsText(changes)}; `}nothing was changed\n`);
  return ExitCode.done;
}

/** What was not looked for is not said to be gone. */
function noteUnseen({ unseen }: Rest, io: Io): void {
  for (const { message } of unseen) io.note(`note: ${message}: what it may have left is neither seen nor removed\n`);
}

async function remove(
  rest: Rest,
  names: readonly BackendName[],
  settings: Settings,
  machine: Machine,
  io: Io,
): Promise<ExitCode> {
  const result = await removeRest(rest, settings, machine);
  if (result.kind === "refused") {
    reportRefusal(result, undefined, io);
    return ExitCode.kernelRefused;
  }
  const { families = ["ipv4", "ipv6"], stateDir } = settings;
  // What stays needs both: the record of what was accepted, and packets for 127.0.0.1.
  if (names.length > 1 && families.length > 1) await forgetAccepted(stateDir);
  const isRid = names.includes("iptables") && families.includes("ipv4");
  if (isRid && (await restoreRouteLocalnet(stateDir))) io.note("set net.ipv4.conf.all.route_localnet = 0\n");
  for (const { name } of rest.leftovers) io.note(`removed ${name}\n`);
  if (result.kind === "applied") io.note(`removed our rules: ${countsText(result.changes)}\n`);
  else if (rest.leftovers.length === 0) io.note("nothing to remove\n");
  return ExitCode.done;
}
