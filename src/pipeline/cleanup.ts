import type { FamilyPlan } from "../apply/apply.ts";
import { createRunner } from "../apply/exec.ts";
import { findCanaries, findTables, type Leftover, mayHoldServices } from "../apply/kubeProxy.ts";
import { backends } from "../backends/index.ts";
import { MissingProgramError, UnreadableTableError, UserError } from "../errors.ts";
import { carryOut, plan } from "../pipeline.ts";
import { familiesOf, type Settings } from "../settings/settings.ts";
import type { ApplyResult, BackendName, CommandResult, Family, Runner } from "../types.ts";
import { type Machine, NFT } from "./node.ts";

/** What one backend has left in the kernel. */
export interface BackendRest {
  readonly backend: BackendName;
  /** Families in which the kernel holds something of ours. */
  readonly plans: readonly FamilyPlan[];
}

/** Everything that is to go. */
export interface Rest {
  readonly rules: readonly BackendRest[];
  readonly leftovers: readonly Leftover[];
  /** Why rules of a backend may stand that nothing here can show. */
  readonly unseen: readonly MissingProgramError[];
}

/**
 * Looks for all that is ours, in all variants of the tools, and if asked for what only kube-proxy leaves.
 * @throws UserError if the chains are those of a kube-proxy, and that was not asked for; or if no tool is there to look
 */
export async function findRest(
  settings: Settings,
  machine: Machine,
  names: readonly BackendName[],
  kubeProxy: boolean,
): Promise<Rest> {
  const run = remembering(createRunner(machine.searchPath));
  const { rules, unseen } = await findAllRules(settings, machine, names, run);
  const [missing] = unseen;
  if (missing !== undefined && unseen.length === names.length) throw missing;
  const hasChains = rules.some(({ backend }) => backend === "iptables");
  const leftovers = kubeProxy || hasChains ? await findKubeProxy(settings, machine, run) : [];
  const owner = leftovers.find(({ ownsChains }) => ownsChains);
  if (owner !== undefined && !kubeProxy && hasChains) {
    throw keptByKubeProxy(owner, "if it is gone for good, give --kube-proxy, which removes all that it left");
  }
  return { rules, leftovers: kubeProxy ? removable(leftovers) : [], unseen };
}

/** The refusal to touch what a kube-proxy keeps. */
function keptByKubeProxy({ name }: Leftover, hint: string): UserError {
  return new UserError(`a kube-proxy keeps the rules of this node (${name})`, hint);
}

/** @throws UserError if there is something that only kube-proxy can remove */
function removable(leftovers: readonly Leftover[]): readonly Leftover[] {
  const own = leftovers.find(({ removal }) => removal === undefined);
  if (own === undefined) return leftovers;
  throw keptByKubeProxy(
    own,
    "stop it and let it take its rules, ipsets and virtual servers away: `kube-proxy --cleanup`",
  );
}

/**
 * Begins to list what must not stand beside new rules. Whoever is given this runner later finds the listings done:
 * tools run beside this process, which may have a large input to read.
 */
export function beginListing(settings: Settings, machine: Machine): Runner {
  const run = remembering(createRunner(machine.searchPath));
  const other = otherThan(settings);
  for (const flavour of flavoursOf(other, settings, machine)) {
    for (const family of familiesOf(settings)) {
      // Who asks for a listing is told why there is none.
      for (const list of backends[other].commands(family, flavour).list) run(list).catch(() => undefined);
    }
  }
  return run;
}

function otherThan({ backend }: Settings): BackendName {
  return backend === "iptables" ? "nftables" : "iptables";
}

/**
 * What must not stand beside new rules: those of our other backend, and kube-proxy's. The latter are looked for where
 * there is something to do, and each listing is asked for once.
 * @throws UserError if a kube-proxy keeps this node and may not be replaced
 */
export async function restOfOthers(
  plans: readonly FamilyPlan[],
  settings: Settings,
  machine: Machine,
  mayReplace: boolean,
  run: Runner = beginListing(settings, machine),
): Promise<Rest> {
  const { rules, unseen } = await findAllRules(settings, machine, [otherThan(settings)], run);
  const isBusy = rules.length > 0 || plans.some(({ changes }) => changes.length > 0);
  const leftovers = removable(isBusy ? await findKubeProxy(settings, machine, run) : []);
  const [first] = leftovers;
  if (first === undefined || mayReplace) return { rules, leftovers, unseen };
  throw keptByKubeProxy(first, "stop it, and give --replace-kube-proxy to take over from it");
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
): Promise<Pick<Rest, "rules" | "unseen">> {
  const rules: BackendRest[] = [];
  const unseen: MissingProgramError[] = [];
  for (const backend of names) {
    const plans = await orNone(
      () => findRules(settings, machine, backend, run),
      (missing) => unseen.push(missing),
    );
    if (plans.length > 0) rules.push({ backend, plans });
  }
  return { rules, unseen };
}

/** What only a kube-proxy makes on a node: its canary chains, and the tables of its nftables mode. */
async function findKubeProxy(settings: Settings, machine: Machine, run: Runner): Promise<readonly Leftover[]> {
  const leftovers: Leftover[] = [];
  for (const flavour of flavoursOf("iptables", settings, machine)) {
    for (const family of familiesOf(settings)) {
      leftovers.push(...(await orNone(() => findCanaries(run, backends.iptables, family, flavour))));
    }
  }
  return [...leftovers, ...(await orNone(() => findTables(run, backends.nftables.commands("ipv4", NFT))))];
}

async function findRules(
  settings: Settings,
  machine: Machine,
  name: BackendName,
  run: Runner,
): Promise<readonly FamilyPlan[]> {
  const plans: FamilyPlan[] = [];
  for (const flavour of flavoursOf(name, settings, machine)) {
    const wishes = familiesOf(settings).map((family) => ({ family, wanted: [], optional: true }));
    for (const wish of wishes) {
      const found = () => plan([wish], backends[name], { run, flavour, records: undefined });
      plans.push(...(await (flavour === "legacy" ? found() : readable(found, wish, run))));
    }
  }
  return plans.filter(({ changes }) => changes.length > 0);
}

/** Both variants of iptables, but legacy only where it has tables: asking would create them. */
function flavoursOf(backend: BackendName, { iptablesVariant }: Settings, { legacyTables }: Machine): readonly string[] {
  if (backend === "nftables") return [NFT];
  if (iptablesVariant !== undefined) return [iptablesVariant];
  return legacyTables.ipv4.length + legacyTables.ipv6.length > 0 ? ["nft", "legacy"] : ["nft"];
}

/**
 * A table that iptables cannot show, or an iptables that is not there (any more), is no reason to stop where nft can tell
 * that there are no chains for Services.
 */
async function readable<T>(
  find: () => Promise<readonly T[]>,
  { family }: { readonly family: Family },
  run: Runner,
): Promise<readonly T[]> {
  try {
    return await find();
  } catch (error) {
    const isMissing = error instanceof MissingProgramError;
    if (!isMissing && !(error instanceof UnreadableTableError)) throw error;
    if (!(await mayHoldServices(run, family, backends.nftables.commands(family, NFT)))) return [];
    if (!isMissing) throw error;
    throw new UserError(`${error.message}, and ${family} rules for Services that it made still act`, error.hint);
  }
}

/** Where neither a tool is there nor another that sees as much, it has most likely left nothing. */
async function orNone<T>(
  find: () => Promise<readonly T[]>,
  note?: (missing: MissingProgramError) => void,
): Promise<readonly T[]> {
  try {
    return await find();
  } catch (error) {
    if (!(error instanceof MissingProgramError)) throw error;
    note?.(error);
    return [];
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
    if (removal === undefined) continue;
    const { exitCode, stderr } = await run(removal);
    if (exitCode === 0) continue;
    const reason = `${name} could not be removed: ${stderr.trim()}`;
    return { kind: "refused", reason, origin: undefined, rolledBack: false };
  }
  return undefined;
}
