import { apply, type FamilyPlan, isRefusal, readKernel, type Surroundings } from "./apply/apply.ts";
import { concernsProtocol, flushStaleFlows } from "./apply/conntrack.ts";
import { backends } from "./backends/index.ts";
import { compile } from "./compile.ts";
import { diff } from "./diff.ts";
import { InternalError, UserError } from "./errors.ts";
import { findings } from "./input/checks/index.ts";
import { load } from "./input/load.ts";
import { validate } from "./input/validate.ts";
import { resolve } from "./resolve/servicePorts.ts";
import { compileOptions, type HostFacts, type Node, nodeOf, renderOptions } from "./settings/node.ts";
import type { Settings } from "./settings/settings.ts";
import type {
  ApplyResult,
  Backend,
  Diagnostic,
  Document,
  Family,
  Manifest,
  NodeManifest,
  Ruleset,
  Runner,
  ServicePort,
  Table,
} from "./types.ts";

export type { FamilyPlan } from "./apply/apply.ts";
export { enableRouteLocalnet, isRouteLocalnetOn, restoreRouteLocalnet } from "./apply/routeLocalnet.ts";

/**
 * The recipe. Reading and deciding know nothing of the kernel; planning reads it; only `carryOut` changes it.
 */

// ── text → Document[] → Manifest[] + Diagnostic[] ────────────────────────────────────────────────

export type Position = ReturnType<Awaited<ReturnType<typeof load>>["locate"]>;

export interface Input {
  readonly documents: readonly Document[];
  readonly manifests: readonly Manifest[];
  /** All findings, those about the text first, with line and column. */
  readonly diagnostics: readonly Diagnostic[];
  /** How many objects of kinds that have no meaning here were passed over, by kind. */
  readonly foreign: ReadonlyMap<string, number>;
  /** SHA-256 of all that was read. */
  readonly hash: string;
  locate(source: Document["source"]): Position;
}

export async function readInput(
  files: readonly string[],
  stdin: () => Promise<Uint8Array>,
  settings: Settings,
): Promise<Input> {
  const { families, kubeVersion, serviceCIDRs, nodePortRange, namespace } = settings;
  const options = { kubeVersion, serviceCIDRs, nodePortRange, defaultNamespace: namespace };
  const loaded = await load(files, { stdin });
  const checked = validate(loaded.documents, families === undefined ? options : { ...options, families });
  return {
    documents: loaded.documents,
    manifests: checked.manifests,
    diagnostics: loaded.positioned([...loaded.diagnostics, ...checked.diagnostics]),
    foreign: checked.foreign,
    hash: loaded.hash,
    locate: loaded.locate,
  };
}

/** Everything that validation may find, with explanations. */
export const explanations = findings;

/**
 * Reads one object that is no manifest.
 * @throws UserError naming the place if the text cannot be read, or holds another number of objects
 */
export async function readObject(file: string, stdin: () => Promise<Uint8Array>): Promise<unknown> {
  const { documents, diagnostics } = await load([file], { stdin });
  const [finding] = diagnostics;
  if (finding !== undefined) {
    const { line = 1, column = 1 } = finding.source;
    throw new UserError(`${file}:${line}:${column}: ${finding.message}`, finding.hint ?? "mend the file");
  }
  const [document] = documents;
  if (document === undefined || documents.length > 1) {
    throw new UserError(`${file}: one document is expected, found ${documents.length}`, "keep one in the file");
  }
  return document.value;
}

// ── Manifest[] → ServicePort[] → Ruleset → Table[] ───────────────────────────────────────────────

/** Everything decided for one family. */
export interface Decision {
  readonly family: Family;
  readonly servicePorts: readonly ServicePort[];
  readonly ruleset: Ruleset;
  readonly wanted: readonly Table[];
}

export function nodeFor(manifests: readonly Manifest[], settings: Settings, host: HostFacts): Node {
  const nodes = manifests.filter((manifest): manifest is NodeManifest => manifest.kind === "Node");
  return nodeOf(settings, nodes, host);
}

export function decide(manifests: readonly Manifest[], settings: Settings, host: HostFacts, family: Family): Decision {
  const node = nodeFor(manifests, settings, host);
  const servicePorts = resolve(manifests, family, node.facts);
  const ruleset = compile(servicePorts, compileOptions(settings, node, family));
  const wanted = backendOf(settings).render(ruleset, renderOptions(settings, node, host, family));
  return { family, servicePorts, ruleset, wanted };
}

/** What the tool takes on a node that holds none of our rules. */
export function compileText({ family, wanted }: Decision, settings: Settings): string {
  const backend = backendOf(settings);
  const { steps } = backend.transaction(family, diff(backend, [], wanted), settings.iptablesVariant ?? "nft");
  return steps.map(({ text }) => text).join("");
}

export function backendOf(settings: Settings): Backend {
  const backend = backends[settings.backend];
  if (backend === undefined) throw new InternalError(`no backend ${settings.backend}`);
  return backend;
}

// ── Table[] + kernel → Change[] → Transaction ────────────────────────────────────────────────────

/** The kernel of this node, as one flavour of the backend's tools sees it. */
export interface Kernel {
  readonly run: Runner;
  readonly flavour: string;
}

/** What one family's rules shall be. */
export interface Wish {
  readonly family: Family;
  readonly wanted: readonly Table[];
  /** Not wanted for its own sake: counts only where the kernel holds something of ours. */
  readonly optional: boolean;
}

/** Families that the user did not choose, and in which there are no Services, only matter if there are rules. */
export function wishesOf(decisions: readonly Decision[], settings: Settings): readonly Wish[] {
  const anyServices = decisions.some(({ servicePorts }) => servicePorts.length > 0);
  return decisions.map(({ family, wanted, servicePorts }) => {
    const isDefault = family === "ipv4" && !anyServices;
    return { family, wanted, optional: settings.families === undefined && servicePorts.length === 0 && !isDefault };
  });
}

/**
 * What it takes to make the kernel hold what is wished, family by family.
 * @throws UserError if the kernel cannot be read
 */
export async function plan(
  wishes: readonly Wish[],
  backend: Backend,
  { run, flavour }: Kernel,
): Promise<readonly FamilyPlan[]> {
  const plans: FamilyPlan[] = [];
  for (const { family, wanted, optional } of wishes) {
    const commands = backend.commands(family, flavour);
    const held = await readKernel(commands, family, { run, backend });
    if (isRefusal(held)) {
      if (optional) continue;
      throw new UserError(`cannot read the ${family} rules: ${held.reason}`, "leave the family out with --ip-family");
    }
    if (optional && wanted.length > 0 && !held.some(holdsChains)) continue;
    const changes = diff(backend, held, wanted);
    const transaction = backend.transaction(family, changes, flavour);
    plans.push({ family, flavour, commands, held, wanted, changes, transaction });
  }
  return plans;
}

function holdsChains({ objects }: Table): boolean {
  for (const object of objects.values()) {
    if (object.kind !== "sharedChain") return true;
  }
  return false;
}

// ── Transaction → kernel ─────────────────────────────────────────────────────────────────────────

export function carryOut(
  plans: readonly FamilyPlan[],
  backend: Backend,
  { run }: Pick<Kernel, "run">,
): Promise<ApplyResult> {
  const world: Surroundings = { run, backend, diff };
  return apply(plans, world);
}

/** What became of connections that led to endpoints which are gone. */
export interface FlowCleanup {
  readonly deleted: number;
  /** Why entries may be left, one per family. */
  readonly failures: readonly string[];
}

/** Ends the UDP flows that still lead where no rule leads any more; UDP has no end of its own. */
export async function endStaleFlows(
  plans: readonly FamilyPlan[],
  decisions: readonly Decision[],
  { run }: Pick<Kernel, "run">,
): Promise<FlowCleanup> {
  let deleted = 0;
  const failures: string[] = [];
  for (const { family, changes } of plans) {
    const decision = decisions.find((one) => one.family === family);
    if (decision === undefined || !concernsProtocol(changes, "udp")) continue;
    const result = await flushStaleFlows(run, family, decision.servicePorts);
    if (result.kind === "flushed") deleted += result.flows.length;
    else failures.push(result.reason);
  }
  return { deleted, failures };
}
