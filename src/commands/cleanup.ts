import type { FamilyPlan } from "../apply/apply.ts";
import { findCanaries, findTables, type Leftover } from "../apply/kubeProxy.ts";
import { ExitCode, UserError } from "../errors.ts";
import { backendOf, carryOut, plan } from "../pipeline.ts";
import { changesText, countsText } from "../report/changes.ts";
import { failureText } from "../report/failure.ts";
import { styleFor } from "../report/style.ts";
import type { Settings } from "../settings/settings.ts";
import type { Backend, Family, Runner } from "../types.ts";
import { type Flags, isSet, settingsFrom } from "./flags.ts";
import { disableRouteLocalnet, legacyTables } from "./host.ts";
import type { Io } from "./io.ts";
import { exclusively, runner } from "./kernel.ts";
import { reportRefusal } from "./sync.ts";
import { didWeSetRouteLocalnet, rememberRouteLocalnet } from "./sysctl.ts";

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/** Everything that is to go. */
interface Rest {
  readonly plans: readonly FamilyPlan[];
  readonly leftovers: readonly Leftover[];
}

/** Removes all rules that are ours from this node; with --kube-proxy also what only kube-proxy leaves. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const settings = await settingsFrom(flags, io);
  const backend = backendOf(settings);
  const tools = runner();
  const find = () => findRest(tools, backend, settings, isSet(flags, "kubeProxy"));
  if (!isSet(flags, "dryRun")) return exclusively(settings, async () => remove(await find(), tools, settings, io));
  const { plans, leftovers } = await find();
  io.out(
    changesText(
      plans.flatMap(({ changes }) => changes),
      styleFor(io.color),
    ),
  );
  for (const { name } of leftovers) io.out(`  - ${name}\n`);
  io.note("dry run: nothing was changed\n");
  return ExitCode.done;
}

async function findRest(tools: Runner, backend: Backend, settings: Settings, kubeProxy: boolean): Promise<Rest> {
  const plans: FamilyPlan[] = [];
  const leftovers: Leftover[] = [];
  for (const flavour of await flavoursOf(settings)) {
    const wishes = (settings.families ?? FAMILIES).map((family) => ({ family, wanted: [], optional: true }));
    plans.push(...(await plan(wishes, backend, { run: tools, flavour })));
    if (!kubeProxy) continue;
    for (const { family } of wishes) leftovers.push(...(await findCanaries(tools, backend, family, flavour)));
  }
  if (kubeProxy) leftovers.push(...(await findTables(tools).catch(nothingWithoutNft)));
  return { plans: plans.filter(({ changes }) => changes.length > 0), leftovers };
}

function nothingWithoutNft(error: unknown): readonly Leftover[] {
  if (error instanceof UserError) return [];
  throw error;
}

/** Both variants of iptables, but legacy only where it has tables: asking would create them. */
async function flavoursOf({ iptablesVariant }: Settings): Promise<readonly string[]> {
  if (iptablesVariant !== undefined) return [iptablesVariant];
  const { ipv4, ipv6 } = await legacyTables();
  return ipv4.length + ipv6.length > 0 ? ["nft", "legacy"] : ["nft"];
}

async function remove({ plans, leftovers }: Rest, tools: Runner, settings: Settings, io: Io): Promise<ExitCode> {
  const backend = backendOf(settings);
  const result = await carryOut(plans, backend, { run: tools });
  if (result.kind === "refused") {
    reportRefusal(result, undefined, io);
    return ExitCode.kernelRefused;
  }
  for (const { name, removal } of leftovers) {
    const { exitCode, stderr } = await tools(removal);
    if (exitCode !== 0) {
      const hint = "all other rules of kube-proxy's kind are gone; is kube-proxy still running?";
      io.error(failureText(`could not remove ${name}: ${stderr.trim()}`, hint, styleFor(io.color)));
      return ExitCode.kernelRefused;
    }
    io.note(`removed ${name}\n`);
  }
  if (await didWeSetRouteLocalnet(settings.stateDir)) {
    if (await disableRouteLocalnet()) io.note("set net.ipv4.conf.all.route_localnet = 0\n");
    await rememberRouteLocalnet(settings.stateDir, false, io);
  }
  if (result.kind === "applied") io.note(`removed our rules: ${countsText(result.changes)}\n`);
  else if (leftovers.length === 0) io.note("nothing to remove\n");
  return ExitCode.done;
}
