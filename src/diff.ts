import { elementLine } from "./change.ts";
import type { Backend, Change, Element, Line, Table, TableObject } from "./types.ts";

type Comparable = Backend["comparable"];
type ChainObject = Extract<TableObject, { kind: "chain" }>;
type SharedChain = Extract<TableObject, { kind: "sharedChain" }>;
type ElementObject = Extract<TableObject, { kind: "set" | "map" }>;

/**
 * What would have to change for the kernel to hold what is wanted, object by object: wanted ones in their order,
 * then those to be taken away. Linear in the number of lines; texts are taken apart only where they differ.
 */
export function diff(
  backend: Pick<Backend, "comparable">,
  held: readonly Table[],
  wanted: readonly Table[],
): readonly Change[] {
  const heldByName = new Map(held.map((table) => [table.name, table]));
  const wantedNames = new Set(wanted.map(({ name }) => name));
  const changes: Change[] = [];
  for (const table of wanted) {
    diffTable(changes, backend.comparable, table, heldByName.get(table.name)?.objects ?? new Map(), table.objects);
  }
  for (const table of held) {
    if (!wantedNames.has(table.name)) diffTable(changes, backend.comparable, table, table.objects, new Map());
  }
  return changes;
}

function diffTable(
  changes: Change[],
  comparable: Comparable,
  { family, name: table }: Table,
  held: ReadonlyMap<string, TableObject>,
  wanted: ReadonlyMap<string, TableObject>,
): void {
  const wholeTable = held.size === 0 ? "comes" : wanted.size === 0 ? "goes" : undefined;
  const add = (name: string, found: Difference | undefined) => {
    if (found !== undefined) changes.push({ family, table, name, ...found, wholeTable });
  };
  for (const [name, after] of wanted) {
    const before = held.get(name);
    if (before !== undefined || !isElements(after)) add(name, differenceOf(comparable, before, after));
    else changes.push(arrivalOf({ family, table, name, before, wholeTable }, after));
  }
  for (const [name, before] of held) {
    if (!wanted.has(name)) add(name, removalOf(before));
  }
}

type Difference = Pick<Change, "before" | "after" | "removed" | "added">;

function differenceOf(
  comparable: Comparable,
  before: TableObject | undefined,
  after: TableObject,
): Difference | undefined {
  if (before === undefined) return { before, after, removed: [], added: linesOf(after) };
  if (before.kind === "chain" && after.kind === "chain") return chainDifference(comparable, before, after);
  if (before.kind === "sharedChain" && after.kind === "sharedChain") return sharedDifference(before, after);
  if (before.kind === after.kind && isElements(before) && isElements(after)) return elementDifference(before, after);
  return { before, after, removed: linesOf(before), added: linesOf(after) };
}

/** A set or map that comes. Its elements may be hundreds of thousands, and are lines only for who asks. */
function arrivalOf(
  of: Pick<Change, "family" | "table" | "name" | "before" | "wholeTable">,
  after: ElementObject,
): Change {
  let added: readonly Line[] | undefined;
  return {
    ...of,
    after,
    removed: [],
    get added() {
      added ??= linesOf(after);
      return added;
    },
  };
}

/** What it takes to be rid of an object; chains of others stay, and so does what others rely on. */
function removalOf(before: TableObject): Difference | undefined {
  if (before.kind === "sharedChain") {
    const removed = before.lines.filter(({ tolerated }) => !tolerated);
    const kept = before.lines.filter(({ tolerated }) => tolerated);
    const stays = before.foreign === true || kept.length > 0;
    if (stays && removed.length === 0) return undefined;
    const after = stays ? { ...before, lines: kept } : undefined;
    return { before, after, removed, added: [] };
  }
  if (before.kind === "chain" && before.pinned === true) {
    if (linesOf(before).length === 0) return undefined;
    return { before, after: { ...before, lines: [], tail: [] }, removed: linesOf(before), added: [] };
  }
  return { before, after: undefined, removed: linesOf(before), added: [] };
}

function isElements(object: TableObject): object is ElementObject {
  return object.kind === "set" || object.kind === "map";
}

/** An object's lines; an element is written as a line of its own. */
export function linesOf(object: TableObject): readonly Line[] {
  if (isElements(object)) return [...object.elements.values()].map(elementLine);
  return object.kind === "chain" && object.tail !== undefined ? [...object.lines, ...object.tail] : object.lines;
}

// ── Chains ───────────────────────────────────────────────────────────────────────────────────────

function chainDifference(comparable: Comparable, before: ChainObject, after: ChainObject): Difference | undefined {
  if (before.hook !== after.hook) return { before, after, removed: linesOf(before), added: linesOf(after) };
  const judged = before.lines.filter(({ tolerated }) => !tolerated);
  const { name } = after;
  const body = after.ordered
    ? orderedDifference(comparable, name, judged, after.lines)
    : unorderedDifference(comparable, name, judged, after.lines);
  const tail = unorderedDifference(comparable, name, before.tail ?? [], after.tail ?? []);
  if (body === undefined && tail === undefined) return undefined;
  return {
    before,
    after,
    removed: [...(body?.removed ?? []), ...(tail?.removed ?? [])],
    added: [...(body?.added ?? []), ...(tail?.added ?? [])],
  };
}

interface LineDifference {
  readonly removed: readonly Line[];
  readonly added: readonly Line[];
}

function orderedDifference(
  comparable: Comparable,
  chain: string,
  before: readonly Line[],
  after: readonly Line[],
): LineDifference | undefined {
  const same =
    before.length === after.length &&
    before.every(({ text }, index) => {
      const wanted = after[index]?.text ?? "";
      return text === wanted || comparable(chain, text) === comparable(chain, wanted);
    });
  // Same lines in another order are a difference, too: one without lines that come or go.
  return same ? undefined : (unorderedDifference(comparable, chain, before, after) ?? { removed: [], added: [] });
}

function unorderedDifference(
  comparable: Comparable,
  chain: string,
  before: readonly Line[],
  after: readonly Line[],
): LineDifference | undefined {
  if (before.length === after.length && before.every(({ text }, index) => text === after[index]?.text))
    return undefined;
  const exact = withoutPairs(before, after, (text) => text);
  if (exact.removed.length === 0 && exact.added.length === 0) return undefined;
  const rest = withoutPairs(exact.removed, exact.added, (text) => comparable(chain, text));
  return rest.removed.length === 0 && rest.added.length === 0 ? undefined : rest;
}

/** Two multisets of lines without what they have in common. */
function withoutPairs(
  before: readonly Line[],
  after: readonly Line[],
  formOf: (text: string) => string,
): LineDifference {
  const unmatched = new Map<string, number>();
  const forms = before.map(({ text }) => formOf(text));
  for (const form of forms) unmatched.set(form, (unmatched.get(form) ?? 0) + 1);
  const added = after.filter(({ text }) => {
    const form = formOf(text);
    const count = unmatched.get(form) ?? 0;
    if (count > 0) unmatched.set(form, count - 1);
    return count === 0;
  });
  const removed = before.filter((_, index) => {
    const form = forms[index] ?? "";
    const count = unmatched.get(form) ?? 0;
    if (count > 0) unmatched.set(form, count - 1);
    return count > 0;
  });
  return { removed, added };
}

function sharedDifference(before: SharedChain, after: SharedChain): Difference | undefined {
  const { removed, added } = withoutPairs(before.lines, after.lines, (text) => text);
  const mayGo = removed.filter(({ tolerated }) => !tolerated);
  return mayGo.length === 0 && added.length === 0 ? undefined : { before, after, removed: mayGo, added };
}

// ── Sets and maps ────────────────────────────────────────────────────────────────────────────────

function elementDifference(before: ElementObject, after: ElementObject): Difference | undefined {
  if (before.declaration !== after.declaration) {
    return { before, after, removed: linesOf(before), added: linesOf(after) };
  }
  const [gone, come] = outOfStep(before.elements, after.elements);
  const removed = gone.filter(({ key, value }) => after.elements.get(key)?.value !== value).map(elementLine);
  const added = come.filter(({ key, value }) => before.elements.get(key)?.value !== value).map(elementLine);
  return removed.length === 0 && added.length === 0 ? undefined : { before, after, removed, added };
}

type Elements = ElementObject["elements"];

/** Elements that do not stand at the same place in both; where little changes, few need to be looked up. */
function outOfStep(before: Elements, after: Elements): readonly [gone: readonly Element[], come: readonly Element[]] {
  const gone: Element[] = [];
  const come: Element[] = [];
  const held = before.values();
  for (const element of after.values()) {
    const there = held.next().value;
    if (there?.key === element.key && there.value === element.value) continue;
    come.push(element);
    if (there !== undefined) gone.push(there);
  }
  for (const element of held) gone.push(element);
  return [gone, come];
}
