import { hasRecord, isRecorded, replaceAccepted } from "../apply/accepted.ts";
import { readIndex } from "../apply/itemIndex.ts";
import { readTableRecord, type TablePatch, type TableRecord } from "../apply/record.ts";
import { nftables } from "../backends/nftables/index.ts";
import { isInPart, ownedBy, readPart, withServices } from "../backends/nftables/part.ts";
import { diff } from "../diff.ts";
import type { Pieces } from "../gradual.ts";
import { type AcceptedPart, acceptedPart, type ChangedPart, changedPart } from "../input/changedPart.ts";
import { type ItemIndex, indexing, onlyText } from "../input/items.ts";
import { joinAddress } from "../ip.ts";
import { type Decision, decide, type FamilyPlan, type Input, judge, type Sources } from "../pipeline.ts";
import { familiesOf, type Settings } from "../settings/settings.ts";
import type { Manifest, Table } from "../types.ts";
import { type Footprint, footprintOf, isStamped, noteAsLeft, type RulesOrigin } from "./asLeft.ts";
import { NFT, type ThisNode } from "./node.ts";
import { type Completed, complete } from "./standalone.ts";
import { merged, patched, patchesOf } from "./tablePatch.ts";

/**
 * The short way for a large cluster in which a few Services, or their endpoints, changed: of the input only what changed
 * is parsed, of the tables only what these Services have is read, decided and compared. Where that might lead
 * elsewhere than the long way does, there is no short way.
 */

/** Services and slices that may come, go or differ. */
const MOST_ITEMS = 500;
/** Elements that may be recorded as changed; then the record is written anew. */
const MOST_PATCHES = 25_000;
/** Endpoints on this node that may go: for each the whole record is searched. */
const MOST_LOCAL_GONE = 20;

export interface FewChanges {
  /** The Services that changed, or of which an EndpointSlice did, with all that belongs to them. */
  readonly input: Input;
  /** What was accepted of it: without what was filled in. */
  readonly manifests: readonly Manifest[];
  readonly accepted: AcceptedPart;
  /** Whether there is a record of what was accepted to be continued. */
  readonly isRecorded: boolean;
  readonly decisions: readonly Decision[];
  readonly plans: readonly FamilyPlan[];
  readonly left: Footprint;
}

/** The index of an input of which everything was accepted, if the short way can be gone from there. */
export function* indexFor(sources: Sources, input: Input, completed: Completed): Pieces<ItemIndex | undefined> {
  const bytes = onlyText(sources);
  // Who has an address that two claim depends on both.
  const isShared = input.diagnostics.some(({ code }) => code === "address-shared");
  if (bytes === undefined || isShared || completed.assignments.length + completed.fromPods > 0) return undefined;
  return yield* indexing(bytes, input.manifests);
}

/** Whether it is worth trying. */
export async function mayBeFew({ digest }: RulesOrigin, { stateDir }: Settings): Promise<boolean> {
  const left = await footprintOf(stateDir);
  return left !== undefined && left.from === digest && left.index !== null;
}

/** What to do about an input in which little changed since the last run; undefined if the long way has to be gone. */
export async function planFewChanges(
  sources: Sources,
  origin: RulesOrigin,
  settings: Settings,
  { kernel: { run }, host }: ThisNode,
): Promise<FewChanges | undefined> {
  const left = await footprintOf(settings.stateDir);
  const bytes = onlyText(sources);
  if (bytes === undefined || left === undefined || left.from !== origin.digest || left.index === null) return undefined;
  const index = (await readIndex(settings.stateDir, left.index)) as ItemIndex | undefined;
  const part = index === undefined ? undefined : changedPart(index, bytes, MOST_ITEMS, settings.namespace);
  if (index === undefined || part === undefined || !(await isStamped(left, settings, run))) return undefined;
  const wasRecorded = await isRecorded(settings.stateDir, left.inputHash);
  // That of another input, since a run was killed, would not be continued, and be of no use from then on.
  if (!wasRecorded && (await hasRecord(settings.stateDir))) return undefined;
  const judged = judgedPart(part, sources, settings);
  const accepted = judged === undefined ? undefined : acceptedPart(index, part, judged.manifests);
  const input = judged === undefined ? undefined : await completedPart(judged, settings);
  if (judged === undefined || accepted === undefined || input === undefined) return undefined;
  const families = part.changes === 0 ? [] : familiesOf(settings);
  const decisions = families.map((family) => decide(input.manifests, settings, host, family));
  const plans: FamilyPlan[] = [];
  for (const decision of decisions) {
    const { family, servicePorts } = decision;
    const stamp = left.stamps[family];
    if (stamp === undefined && servicePorts.length === 0) continue;
    const record = stamp === undefined ? undefined : await readTableRecord(settings.stateDir, family);
    const plan =
      record?.stamp === stamp && record !== undefined ? planFamily(decision, record, accepted.formerClaims) : undefined;
    if (plan === undefined) return undefined;
    plans.push(plan);
  }
  return { input, manifests: judged.manifests, accepted, isRecorded: wasRecorded, decisions, plans, left };
}

/** Continues the record of what was accepted, where there is one: only this asks for the hash of the whole input. */
export async function noteFewAccepted(
  { manifests, accepted, isRecorded: wasRecorded }: FewChanges,
  sources: Sources,
  { stateDir }: Settings,
): Promise<void> {
  if (wasRecorded) await replaceAccepted(stateDir, sources.hash, manifests, accepted.gone);
}

/** Leaves what makes the next run quick. */
export async function noteFewChanges(
  { accepted: { index }, isRecorded: wasRecorded, left, plans }: FewChanges,
  sources: Sources,
  origin: RulesOrigin,
  settings: Settings,
): Promise<void> {
  const inputHash = wasRecorded ? sources.hash : "";
  const made = { origin, inputHash, index, otherStamps: left.stamps };
  await noteAsLeft(() => made, plans, settings);
}

/** The part as input of its own; undefined if there is anything to say about it. */
function judgedPart({ text, places }: ChangedPart, { inputs }: Sources, settings: Settings): Input | undefined {
  const name = inputs[0] !== undefined && "name" in inputs[0] ? inputs[0].name : "-";
  const judged = judge({ inputs: [{ name, bytes: text, fromDirectory: false, rereadable: false }] }, settings);
  if (judged.diagnostics.length > 0) return undefined;
  const manifests = judged.manifests.map(
    (manifest, at): Manifest => ({ ...manifest, source: { ...manifest.source, item: places[at] ?? at } }),
  );
  return { ...judged, manifests };
}

/** Undefined if anything had to be filled in that depends on the whole. */
async function completedPart(input: Input, settings: Settings): Promise<Input | undefined> {
  const completed = await complete(input, settings);
  if (completed.findings.length + completed.assignments.length + completed.fromPods > 0) return undefined;
  return completed.input;
}

function planFamily(
  { family, wanted }: Decision,
  record: TableRecord,
  formerClaims: ReadonlySet<string>,
): FamilyPlan | undefined {
  const owned = ownedBy(wanted, formerClaims);
  const [part] = readPart(record.text, family, owned);
  const [held] = part === undefined ? [] : patched([part], record.patches, isInPart(owned));
  const [services] = wanted;
  if (part === undefined || held === undefined || services === undefined) return undefined;
  let gone = 0;
  const table = withServices(held, services, owned, (ip, port) => {
    gone += 1;
    return gone > MOST_LOCAL_GONE || isUsedElsewhere(record, part, isInPart(owned), ip, port);
  });
  if (table === undefined) return undefined;
  const changes = diff(nftables, [held], [table]);
  const patches = merged([...record.patches, ...patchesOf(changes)]);
  if (nftables.mustReplace(changes) || sizeOf(patches) > MOST_PATCHES) return undefined;
  const whole = (changed: TableRecord["patches"]) => patched(nftables.read(record.text, family), changed);
  return {
    family,
    flavour: NFT,
    commands: nftables.commands(family, NFT),
    // Asked for only when something goes wrong.
    get held() {
      return whole(record.patches);
    },
    get wanted() {
      return whole(patches);
    },
    changes,
    transaction: nftables.transaction(family, changes),
    stamp: nftables.stamp([table]),
    verify: false,
    isRecorded: true,
    continued: { digest: record.digest, patches },
  };
}

function sizeOf(patches: TableRecord["patches"]): number {
  return patches.reduce(
    (sum, patch) => sum + ("rules" in patch ? (patch.rules?.length ?? 0) : patch.added.length + patch.removed.length),
    0,
  );
}

/** Whether an endpoint may serve a Service beside those of the part; rather yes than no. */
function isUsedElsewhere(
  { text, patches }: TableRecord,
  part: Table,
  isOwn: (object: string, key: string) => boolean,
  ip: string,
  port: string,
): boolean {
  const value = `${ip} . ${port}`;
  const translation = ` dnat to ${joinAddress(ip, Number(port))}`;
  const leadsThere = (patch: TablePatch) =>
    "rules" in patch
      ? patch.rules?.some((rule) => ` ${rule}`.includes(translation)) === true
      : patch.added.some(([key, to]) => to === value && !isOwn(patch.name, key));
  if (text.includes(translation) || patches.some(leadsThere)) return true;
  let own = 0;
  for (const object of part.objects.values()) {
    if (!("elements" in object)) continue;
    for (const element of object.elements.values()) if (element.value === value) own++;
  }
  return text.split(` : ${value}`).filter((rest, at) => at > 0 && /^(?:,| })/.test(rest)).length > own;
}
