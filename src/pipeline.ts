import {
  apply,
  type FamilyPlan,
  isRefusal,
  isUnsupported,
  readKernel,
  readStamp,
  type Surroundings,
} from "./apply/apply.ts";
import { readTableRecord, type WholeRecord, wholeRecord, writePatches, writeTableRecord } from "./apply/record.ts";
import { save, type Unsaved } from "./apply/stateFile.ts";
import { backends } from "./backends/index.ts";
import { compile } from "./compile.ts";
import { diff } from "./diff.ts";
import { dnsRecords } from "./discovery/dns.ts";
import { InternalError, UserError } from "./errors.ts";
import { explain } from "./explain.ts";
import { Gradual, type Pieces } from "./gradual.ts";
import { findings } from "./input/checks/index.ts";
import { type Loaded, loadSources, readSources, type Sources } from "./input/load.ts";
import { type ValidateOptions, validate } from "./input/validate.ts";
import { patched } from "./pipeline/tablePatch.ts";
import { resolve } from "./resolve/servicePorts.ts";
import { servicesWithSlices } from "./resolve/slices.ts";
import { compileOptions, type HostFacts, type Node, nodeOf, renderOptions } from "./settings/node.ts";
import type { Settings } from "./settings/settings.ts";
import type {
  ApplyResult,
  Backend,
  Diagnostic,
  DnsRecords,
  Document,
  Family,
  KernelCommands,
  Manifest,
  NodeManifest,
  Packet,
  Ruleset,
  Runner,
  ServicePort,
  Table,
  Trace,
} from "./types.ts";

export { type FamilyPlan, reasonOf } from "./apply/apply.ts";
export { enableRouteLocalnet, isRouteLocalnetOn, restoreRouteLocalnet } from "./apply/routeLocalnet.ts";
export { save, type Unsaved } from "./apply/stateFile.ts";
export { environmentOf } from "./discovery/env.ts";
export { labelProblem, subdomainProblem } from "./input/grammar.ts";

/**
 * The recipe. Reading and deciding know nothing of the kernel; planning reads it; only `carryOut` changes it.
 */

// ── text → Document[] → Manifest[] + Diagnostic[] ────────────────────────────────────────────────

export type Position = ReturnType<Loaded["locate"]>;

export interface Input {
  readonly documents: readonly Document[];
  readonly manifests: readonly Manifest[];
  /** All findings, those about the text first, with line and column. */
  readonly diagnostics: readonly Diagnostic[];
  /** How many objects of kinds that have no meaning here were passed over, by kind. */
  readonly foreign: ReadonlyMap<string, number>;
  locate(source: Document["source"]): Position;
  /** Findings with line and column. */
  positioned(found: readonly Diagnostic[]): readonly Diagnostic[];
}

export { readSources, type Sources } from "./input/load.ts";

/**
 * What was read, judged. Which families shall be written says nothing about the cluster: a Service of both is right for
 * a node that writes one. `served` says what the cluster serves; left out: the families of its Service networks, or both.
 */
export function judge(sources: Pick<Sources, "inputs">, settings: Settings, served?: readonly Family[]): Input {
  const loaded = loadSources(sources);
  const options = validateOptions(settings);
  const checked = validate(loaded.documents, served === undefined ? options : { ...options, families: served });
  return {
    documents: loaded.documents,
    manifests: checked.manifests,
    diagnostics: loaded.positioned([...loaded.diagnostics, ...checked.diagnostics]),
    foreign: checked.foreign,
    locate: loaded.locate,
    positioned: loaded.positioned,
  };
}

/** The rules by which an input is judged. */
export function validateOptions(settings: Settings): ValidateOptions {
  const { kubeVersion, serviceCIDRs, nodePortRange, namespace, allowedExternalIPs, nodeName } = settings;
  return {
    kubeVersion,
    serviceCIDRs,
    nodePortRange,
    defaultNamespace: namespace,
    ...(allowedExternalIPs === undefined ? {} : { allowedExternalIPs }),
    // Whether an endpoint is local can be judged only for a node that was meant.
    ...(nodeName === undefined ? {} : { nodeName }),
  };
}

export async function readInput(
  files: readonly string[],
  stdin: () => Promise<Uint8Array>,
  settings: Settings,
  served?: readonly Family[],
): Promise<Input> {
  return judge(await readSources(files, stdin), settings, served);
}

/** Everything that validation may find, with explanations. */
export const explanations = findings;

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

/** What becomes of a packet on this node, told without a kernel. */
export function trace(manifests: readonly Manifest[], settings: Settings, host: HostFacts, packet: Packet): Trace {
  const { family } = packet;
  const node = nodeFor(manifests, settings, host);
  const ruleset = compile(resolve(manifests, family, node.facts), compileOptions(settings, node, family));
  const options = renderOptions(settings, node, host, family);
  return explain(ruleset, packet, { ...options, backend: backendOf(settings).name, node: node.facts });
}

/** What a cluster's DNS server would answer about these Services. */
export function dnsOf(manifests: readonly Manifest[], clusterDomain: string): DnsRecords {
  return dnsRecords(servicesWithSlices(manifests, { seesHeadless: true }), clusterDomain);
}

/** What the tool takes on a node that holds none of our rules. */
export function compileText({ family, wanted }: Decision, settings: Settings): string {
  const backend = backendOf(settings);
  const changes = diff(backend, [], wanted);
  const { steps } =
    backend.replacement?.(family, wanted, []) ??
    backend.transaction(family, changes, settings.iptablesVariant ?? "nft");
  return steps.map(({ text }) => text).join("");
}

export function backendOf({ backend }: Settings): Backend {
  if (backend === "auto") throw new InternalError("the backend was not chosen");
  return backends[backend];
}

// ── Table[] + kernel → Change[] → Transaction ────────────────────────────────────────────────────

/** The kernel of this node, as one flavour of the backend's tools sees it. */
export interface Kernel {
  readonly run: Runner;
  readonly flavour: string;
  /** Directory of the records of what was written last; undefined: always list everything. */
  readonly records: string | undefined;
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
export async function plan(wishes: readonly Wish[], backend: Backend, kernel: Kernel): Promise<readonly FamilyPlan[]> {
  const plans: FamilyPlan[] = [];
  for (const { family, wanted, optional } of wishes) {
    const commands = backend.commands(family, kernel.flavour);
    const recorded = await recordedTables(commands, family, backend, kernel);
    const held = recorded ?? (await readKernel(commands, family, { run: kernel.run, backend }));
    if (isRefusal(held)) {
      if (optional && isUnsupported(held)) continue;
      throw new UserError(
        `cannot read the ${family} rules: ${held.reason}`,
        "mend what the tool complains about, or leave the family out with --ip-family",
      );
    }
    if (optional && wanted.length > 0 && !held.some(holdsChains)) continue;
    const known = { family, flavour: kernel.flavour, commands, held, isRecorded: recorded !== undefined };
    plans.push(planFamily(backend, known, wanted, kernel));
  }
  return plans;
}

function planFamily(
  backend: Backend,
  known: Pick<FamilyPlan, "family" | "flavour" | "commands" | "held" | "isRecorded">,
  wished: readonly Table[],
  { records }: Kernel,
): FamilyPlan {
  const { family, flavour, held } = known;
  const wanted = backend.settle?.(wished, held) ?? wished;
  const changes = diff(backend, held, wanted);
  const mustReplace = backend.mustReplace?.(changes) === true;
  const transaction =
    mustReplace && backend.replacement !== undefined
      ? backend.replacement(family, wanted, held)
      : backend.transaction(family, changes, flavour);
  const verify = records === undefined || !isCostlyToList(backend, wanted);
  return {
    ...known,
    wanted,
    changes,
    transaction,
    // Made from all of the table, and not needed before it stands.
    get stamp() {
      return backend.stamp?.(wanted);
    },
    verify,
  };
}

/** Lines and elements from which on listing takes longer than all else (0.1 s to 0.3 s), so that the stamp must do. */
const LARGE = 5_000;

/** Packets may have written far more into a table than we did. */
function isCostlyToList(backend: Backend, tables: readonly Table[]): boolean {
  if (backend.isWrittenByPackets?.(tables) === true) return true;
  let size = 0;
  for (const { objects } of tables) {
    for (const object of objects.values()) {
      size += "elements" in object ? object.elements.size : object.lines.length;
      // The stamp comes after all else, and is made from it.
      if (size > LARGE) return true;
    }
  }
  return false;
}

/** What was written last, if it is costly to list and the kernel's stamp says that it is still there. */
async function recordedTables(
  commands: KernelCommands,
  family: Family,
  backend: Backend,
  { run, records }: Kernel,
): Promise<readonly Table[] | undefined> {
  if (records === undefined || commands.stamp === undefined) return undefined;
  const record = await readTableRecord(records, family);
  if (record === undefined) return undefined;
  const tables = patched(backend.read(record.text, family), record.patches);
  if (!isCostlyToList(backend, tables)) return undefined;
  const stamp = await readStamp(commands, family, { run, backend });
  return record.stamp === stamp ? tables : undefined;
}

function holdsChains({ objects }: Table): boolean {
  for (const object of objects.values()) {
    if (object.kind !== "sharedChain") return true;
  }
  return false;
}

// ── Transaction → kernel ─────────────────────────────────────────────────────────────────────────

interface Aside {
  /** Does a piece of what else can be done while the kernel's tools write, and tells whether there was any; may never be called. */
  readonly meanwhile?: (() => boolean) | undefined;
  /** Told when the tables stand and could not be recorded. */
  readonly unsaved?: Unsaved;
}

export async function carryOut(
  plans: readonly FamilyPlan[],
  backend: Backend,
  { run, records }: Pick<Kernel, "run" | "records">,
  { meanwhile = () => false, unsaved = () => undefined }: Aside = {},
): Promise<ApplyResult> {
  const recordings =
    records === undefined || backend.stamp === undefined ? [] : plans.map((plan) => recordingOf(plan, backend));
  const world: Surroundings = {
    run,
    backend,
    diff,
    meanwhile: () => meanwhile() || recordings.some(({ whole }) => whole.step()),
  };
  const result = await apply(plans, world);
  if (result.kind !== "refused" && records !== undefined) await remember(recordings, records, unsaved);
  return result;
}

/** How a family's tables are to be recorded once they stand. */
interface Recording {
  readonly plan: FamilyPlan;
  /** The tables whole; undefined where they are not recorded so. */
  readonly whole: Gradual<WholeRecord | undefined>;
}

function recordingOf(plan: FamilyPlan, backend: Backend): Recording {
  const { changes, isRecorded, continued } = plan;
  const isLast = isRecorded && changes.length === 0;
  function* pieces(): Pieces<WholeRecord | undefined> {
    if (isLast || continued !== undefined || backend.written === undefined) return undefined;
    return yield* wholeRecord(backend.written(plan.wanted), () => plan.stamp);
  }
  return { plan, whole: new Gradual(pieces()) };
}

/** Keeps what the kernel holds now for the next run; without it, that run lists everything. */
async function remember(recordings: readonly Recording[], records: string, unsaved: Unsaved): Promise<void> {
  for (const { plan, whole } of recordings) {
    const { family, changes, isRecorded, stamp, continued } = plan;
    if (isRecorded && changes.length === 0) continue;
    const write = async () => {
      if (continued !== undefined && stamp !== undefined) return writePatches(records, family, { stamp, ...continued });
      return writeTableRecord(records, family, whole.value);
    };
    await save(async () => {
      try {
        await write();
      } catch (error) {
        // The old one is of no use any more, and gives its room back.
        await writeTableRecord(records, family, undefined);
        throw error;
      }
    }, unsaved);
  }
}
