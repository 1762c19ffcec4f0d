import type { FamilyPlan } from "../apply/apply.ts";
import { createRunner } from "../apply/exec.ts";
import { findCanaries, findTables, type Leftover } from "../apply/kubeProxy.ts";
import { UserError } from "../errors.ts";
import { backendOf, carryOut, plan } from "../pipeline.ts";
import type { Settings } from "../settings/settings.ts";
import type { ApplyResult, Family, Runner } from "../types.ts";
import type { Machine } from "./node.ts";

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/** Everything that is to go. */
export interface Rest {
  /** Families in which the kernel holds something of ours. */
  readonly plans: readonly FamilyPlan[];
  readonly leftovers: readonly Leftover[];
}

/** Looks for all that is ours, in all variants of the tool, and if asked for what only kube-proxy leaves. */
export async function findRest(settings: Settings, machine: Machine, kubeProxy: boolean): Promise<Rest> {
  const run = createRunner(machine.searchPath);
  const backend = backendOf(settings);
  const plans: FamilyPlan[] = [];
  const leftovers: Leftover[] = [];
  const families = settings.families ?? FAMILIES;
  for (const flavour of flavoursOf(settings, machine)) {
    const wishes = families.map((family) => ({ family, wanted: [], optional: true }));
    plans.push(...(await plan(wishes, backend, { run, flavour })));
    if (!kubeProxy) continue;
    for (const family of families) leftovers.push(...(await findCanaries(run, backend, family, flavour)));
  }
  if (kubeProxy) leftovers.push(...(await findTables(run).catch(nothingWithoutNft)));
  return { plans: plans.filter(({ changes }) => changes.length > 0), leftovers };
}

/** Both variants of iptables, but legacy only where it has tables: asking would create them. */
function flavoursOf({ iptablesVariant }: Settings, { legacyTables }: Machine): readonly string[] {
  if (iptablesVariant !== undefined) return [iptablesVariant];
  return legacyTables.ipv4.length + legacyTables.ipv6.length > 0 ? ["nft", "legacy"] : ["nft"];
}

function nothingWithoutNft(error: unknown): readonly Leftover[] {
  if (error instanceof UserError) return [];
  throw error;
}

/** Our rules go first, all or none; then what kube-proxy left, piece by piece. */
export async function removeRest(
  { plans, leftovers }: Rest,
  settings: Settings,
  { searchPath }: Machine,
): Promise<ApplyResult> {
  const run = createRunner(searchPath);
  const result = await carryOut(plans, backendOf(settings), { run });
  return result.kind === "refused" ? result : ((await removeLeftovers(leftovers, run)) ?? result);
}

async function removeLeftovers(leftovers: readonly Leftover[], run: Runner): Promise<ApplyResult | undefined> {
  for (const { name, removal } of leftovers) {
    const { exitCode, stderr } = await run(removal);
    if (exitCode === 0) continue;
    const reason = `${name} could not be removed: ${stderr.trim()}`;
    return { kind: "refused", reason, origin: undefined, rolledBack: false };
  }
  return undefined;
}
