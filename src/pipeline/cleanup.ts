import type { FamilyPlan } from "../apply/apply.ts";
import { createRunner } from "../apply/exec.ts";
import { findCanaries, findTables, type Leftover } from "../apply/kubeProxy.ts";
import { backends } from "../backends/index.ts";
import { UserError } from "../errors.ts";
import { carryOut, plan } from "../pipeline.ts";
import type { Settings } from "../settings/settings.ts";
import type { ApplyResult, BackendName, CommandResult, Family, Runner } from "../types.ts";
import { type Machine, NFT } from "./node.ts";

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/** What one backend has left in the kernel. */
interface BackendRest {
  readonly backend: BackendName;
  /** Families in which the kernel holds something of ours. */
  readonly plans: readonly FamilyPlan[];
}

/** Everything that is to go. */
export interface Rest {
  readonly rules: readonly BackendRest[];
  readonly leftovers: readonly Leftover[];
}

/** Looks for all that is ours, in all variants of the tools, and if asked for what only kube-proxy leaves. */
export async function findRest(
  settings: Settings,
  machine: Machine,
  names: readonly BackendName[],
  kubeProxy: boolean,
): Promise<Rest> {
  const run = createRunner(machine.searchPath);
  return {
    rules: await findAllRules(settings, machine, names, run),
    leftovers: kubeProxy ? await findKubeProxy(settings, machine, run) : [],
  };
}

/**
 * What must not stand beside the rules of a backend: those of our other one, and a kube-proxy. The latter is looked
 * for where there is something to do, and each listing asked for once.
 */
export async function findOthers(settings: Settings, machine: Machine, isBusy: boolean): Promise<Rest> {
  const other = settings.backend === "iptables" ? "nftables" : "iptables";
  const run = remembering(createRunner(machine.searchPath));
  const rules = await findAllRules(settings, machine, [other], run);
  return { rules, leftovers: isBusy || rules.length > 0 ? await findKubeProxy(settings, machine, run) : [] };
}

/** A runner that starts no program twice with the same arguments: for listings only. */
function remembering(run: Runner): Runner {
  const known = new Map<string, Promise<CommandResult>>();
  return (command) => {
    const key = JSON.stringify([command.program, ...command.args]);
    const result = known.get(key) ?? run(command);
    known.set(key, result);
    return result;
  };
}

async function findAllRules(
  settings: Settings,
  machine: Machine,
  names: readonly BackendName[],
  run: Runner,
): Promise<readonly BackendRest[]> {
  const rules: BackendRest[] = [];
  for (const backend of names) {
    const plans = await orNone(() => findRules(settings, machine, backend, run));
    if (plans.length > 0) rules.push({ backend, plans });
  }
  return rules;
}

/** What only a kube-proxy makes on a node: its canary chains, and the tables of its nftables mode. */
async function findKubeProxy(settings: Settings, machine: Machine, run: Runner): Promise<readonly Leftover[]> {
  const leftovers: Leftover[] = [];
  for (const flavour of flavoursOf("iptables", settings, machine)) {
    for (const family of settings.families ?? FAMILIES) {
      leftovers.push(...(await orNone(() => findCanaries(run, backends.iptables, family, flavour))));
    }
  }
  return [...leftovers, ...(await orNone(() => findTables(run)))];
}

async function findRules(
  settings: Settings,
  machine: Machine,
  name: BackendName,
  run: Runner,
): Promise<readonly FamilyPlan[]> {
  const plans: FamilyPlan[] = [];
  for (const flavour of flavoursOf(name, settings, machine)) {
    const wishes = (settings.families ?? FAMILIES).map((family) => ({ family, wanted: [], optional: true }));
    plans.push(...(await plan(wishes, backends[name], { run, flavour, records: undefined })));
  }
  return plans.filter(({ changes }) => changes.length > 0);
}

/** Both variants of iptables, but legacy only where it has tables: asking would create them. */
function flavoursOf(backend: BackendName, { iptablesVariant }: Settings, { legacyTables }: Machine): readonly string[] {
  if (backend === "nftables") return [NFT];
  if (iptablesVariant !== undefined) return [iptablesVariant];
  return legacyTables.ipv4.length + legacyTables.ipv6.length > 0 ? ["nft", "legacy"] : ["nft"];
}

/** Where a tool is missing, it can have left nothing. */
async function orNone<T>(find: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await find();
  } catch (error) {
    if (error instanceof UserError) return [];
    throw error;
  }
}

/** Our rules go first, each backend's all or none; then what kube-proxy left, piece by piece. */
export async function removeRest(
  { rules, leftovers }: Rest,
  { stateDir }: Settings,
  { searchPath }: Machine,
): Promise<ApplyResult> {
  const run = createRunner(searchPath);
  const removed: ApplyResult[] = [];
  for (const { backend, plans } of rules) {
    const result = await carryOut(plans, backends[backend], { run, records: stateDir });
    if (result.kind === "refused") return result;
    removed.push(result);
  }
  const refusal = await removeLeftovers(leftovers, run);
  if (refusal !== undefined) return refusal;
  const changes = removed.flatMap((result) => (result.kind === "applied" ? result.changes : []));
  return changes.length === 0 ? { kind: "unchanged" } : { kind: "applied", changes };
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
