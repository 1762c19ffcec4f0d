import { elementLine, reversed } from "../../change.ts";
import type { Change, Family, Line, TableObject, Transaction, TransactionStep } from "../../types.ts";
import { isEndpointsMap, TABLE } from "./names.ts";
import { STAMP, UNFINISHED } from "./stamp.ts";
import { blockOf, type ChainObject, isElements, Script, TABLE_COMMENT, tableOf } from "./text.ts";

/**
 * Up to three `nft -f` inputs, but for a large table that comes whole. The first makes chains that nothing leads to yet,
 * the second changes everything at once, the third deletes chains that nothing leads to any more. A chain that comes or
 * goes in the very transaction that changes the way to it can be seen half by a packet; one that stands before and after
 * cannot.
 */
export function transaction(family: Family, changes: readonly Change[]): Transaction {
  const ours = changes.filter(({ table }) => table === TABLE);
  return {
    backend: "nftables",
    family,
    steps: stepsOf(family, ours),
    get undo() {
      return stepsOf(family, ours.map(reversed));
    },
  };
}

function stepsOf(family: Family, changes: readonly Change[]): readonly TransactionStep[] {
  if (changes.length === 0) return [];
  const table = tableOf(family);
  const wholeTable = changes[0]?.wholeTable;
  if (wholeTable === "comes") {
    return creation(
      table,
      changes.flatMap(({ after }) => after ?? []),
    );
  }
  if (wholeTable === "goes") return [{ text: `delete table ${table}\n`, origins: [undefined] }];
  const steps: TransactionStep[] = [];
  const push = (write: (script: Script) => void) => {
    const step = stepOf({ isDependent: steps.length > 0 }, write);
    if (step.text !== "") steps.push(step);
  };
  const unfinished = unfinishedMark(table);
  const isMarked = isStampKept(changes);
  push((script) => {
    const isAny = writeNewChains(script, table, changes);
    // Killed here, the next run must look at everything: numbers that these chains have are taken.
    if (isMarked && isAny) script.add(`add ${unfinished}`);
  });
  const isUnfinished = isMarked && steps.length > 0;
  push((script) => {
    if (isUnfinished) script.add(`delete ${unfinished}`);
    writeMain(script, table, changes);
  });
  push((script) => writeDeletions(script, table, changes));
  return steps;
}

// ── From nothing ─────────────────────────────────────────────────────────────────────────────────

/** nft needs more than two kilobytes of memory for each, all at once for those of a step. */
const ENDPOINTS_PER_STEP = 25_000;

/** From here on there is more to gain from steps than they cost. */
const MANY_ENDPOINTS = 50_000;

/**
 * The whole table, whatever stood there. Where endpoints are many they come in steps of their own, before there is a
 * chain from which a packet could reach them.
 */
function creation(table: string, objects: readonly TableObject[]): readonly TransactionStep[] {
  const early = endpointsInAdvance(objects);
  const isInSteps = early.length > 0;
  const last = writtenLater({ isDependent: isInSteps }, (script) => {
    if (isInSteps) script.add(`delete ${unfinishedMark(table)}`);
    else writeBeginning(script, table, objects);
    declareChains(script, table, objects);
    for (const object of objects) if (object.kind === "chain") appendRules(script, table, object);
    for (const { name, elements } of objects.filter(isElements)) {
      const isThere = isInSteps && isEndpointsMap(name);
      if (!isThere) writeElements(script, "add", table, name, [...elements.values()].map(elementLine));
    }
  });
  if (!isInSteps) return [last];
  const first = writtenLater({}, (script) => {
    writeBeginning(script, table, objects);
    script.add(`add ${unfinishedMark(table)}`);
  });
  const portions = early.map(({ name, endpoints }) =>
    writtenLater({ isDependent: true, isUnordered: true }, (script) => {
      writeElements(script, "add", table, name, endpoints());
    }),
  );
  return [first, ...portions, last];
}

interface Portion {
  /** Of the endpoints map. */
  readonly name: string;
  readonly endpoints: () => readonly Line[];
}

/** Endpoints in portions of one step each; none where all of them fit into the last step. */
function endpointsInAdvance(objects: readonly TableObject[]): readonly Portion[] {
  const lists = objects.filter(isElements).filter(({ name }) => isEndpointsMap(name));
  if (lists.reduce((sum, { elements }) => sum + elements.size, 0) <= MANY_ENDPOINTS) return [];
  return lists.flatMap(({ name, elements }) => {
    const portionAt = inPortions(elements.values(), ENDPOINTS_PER_STEP);
    const count = Math.ceil(elements.size / ENDPOINTS_PER_STEP);
    return Array.from({ length: count }, (_, index) => ({ name, endpoints: () => portionAt(index).map(elementLine) }));
  });
}

/** Portions of this size by number, each read when it is asked for, with those before it. */
function inPortions<T>(all: Iterator<T>, size: number): (index: number) => readonly T[] {
  const portions: T[][] = [];
  return (index) => {
    while (portions.length <= index) {
      const portion: T[] = [];
      while (portion.length < size) {
        const { done, value } = all.next();
        if (done === true) break;
        portion.push(value);
      }
      portions.push(portion);
    }
    return portions[index] ?? [];
  };
}

type Standing = Pick<TransactionStep, "isDependent" | "isUnordered">;

/** A step of which the text is made when it is asked for: the tool can take the one before meanwhile. */
function writtenLater(standing: Standing, write: (script: Script) => void): TransactionStep {
  let step: TransactionStep | undefined;
  const written = (): TransactionStep => {
    step ??= stepOf(standing, write);
    return step;
  };
  return {
    ...standing,
    get text() {
      return written().text;
    },
    get origins() {
      return written().origins;
    },
  };
}

function stepOf(standing: Standing, write: (script: Script) => void): TransactionStep {
  const script = new Script();
  write(script);
  return { ...standing, text: script.text(), origins: script.origins };
}

function writeBeginning(script: Script, table: string, objects: readonly TableObject[]): void {
  writeRemoval(script, table);
  script.add(`add table ${table} { comment "${TABLE_COMMENT}"; }`);
  declareElements(script, table, objects);
}

/** In a stamp: what it says is not all there yet. */
function unfinishedMark(table: string): string {
  return `element ${table} ${STAMP} { ${UNFINISHED} : ${UNFINISHED} }`;
}

/** Deletes a table that may not be there; `destroy` is not known to nft 1.0.6. */
export function writeRemoval(script: Script, table: string): void {
  script.add(`add table ${table}`);
  script.add(`delete table ${table}`);
}

function isRegular(object: TableObject | undefined): object is ChainObject {
  return object?.kind === "chain" && object.hook === undefined;
}

// ── Before ───────────────────────────────────────────────────────────────────────────────────────

/** Whether the stamp stands and is not marked yet. */
function isStampKept(changes: readonly Change[]): boolean {
  const stamp = changes.find(({ name }) => name === STAMP);
  if (stamp?.before === undefined || stamp.after === undefined || !isElements(stamp.before)) return false;
  return !stamp.before.elements.has(UNFINISHED);
}

/** Returns whether there were any. */
function writeNewChains(script: Script, table: string, changes: readonly Change[]): boolean {
  const objects: TableObject[] = [];
  for (const { before, after } of changes) {
    if (before === undefined && after !== undefined && (isElements(after) || isRegular(after))) objects.push(after);
  }
  declareElements(script, table, objects);
  declareChains(script, table, objects);
  let isAny = objects.length > 0;
  for (const { before, after } of changes) {
    if (!isRegular(after) || !isIdle(before)) continue;
    // Should it be there all the same, its rules must not stand twice.
    script.add(`flush chain ${table} ${after.name}`);
    appendRules(script, table, after);
    isAny = true;
  }
  return isAny;
}

/** A chain that is not there, or without rules: nothing that matters leads to it. */
function isIdle(before: TableObject | undefined): boolean {
  return before === undefined || (isRegular(before) && before.lines.length === 0);
}

/** Sets and maps come before chains, so that rules find what they name. */
function declareElements(script: Script, table: string, objects: readonly TableObject[]): void {
  for (const object of objects) {
    if (isElements(object)) script.add(`add ${object.kind} ${table} ${object.name}${blockOf(object)}`);
  }
}

function declareChains(script: Script, table: string, objects: readonly TableObject[]): void {
  for (const object of objects) {
    if (object.kind === "chain") script.add(`add chain ${table} ${object.name}${blockOf(object)}`);
  }
}

function appendRules(script: Script, table: string, { name, lines }: ChainObject): void {
  for (const { text, origin } of lines) script.add(`add rule ${table} ${name} ${text}`, origin);
}

// ── At once ──────────────────────────────────────────────────────────────────────────────────────

function writeMain(script: Script, table: string, changes: readonly Change[]): void {
  for (const { name, before, after, removed } of changes) {
    if (before !== undefined && isElements(before) && after !== undefined) {
      writeElements(script, "delete", table, name, removed);
    }
  }
  const chains = changes.filter(({ before, after }) => (after ?? before)?.kind === "chain");
  for (const { name, before } of chains) {
    if (before?.kind === "chain" && before.lines.length > 0) script.add(`flush chain ${table} ${name}`);
  }
  for (const change of chains) writeBaseChain(script, table, change);
  for (const { before, after } of chains) {
    if (after?.kind === "chain" && !(isRegular(after) && isIdle(before))) appendRules(script, table, after);
  }
  for (const change of changes) writeGone(script, table, change);
  for (const { name, after, added } of changes) {
    if (after !== undefined && isElements(after)) writeElements(script, "add", table, name, added);
  }
}

/** Base chains come and go at once; one on another hook is made anew. */
function writeBaseChain(script: Script, table: string, { name, before, after }: Change): void {
  const old = before?.kind === "chain" ? before.hook : undefined;
  const hook = after?.kind === "chain" ? after.hook : undefined;
  if (old !== undefined && old !== hook) script.add(`delete chain ${table} ${name}`);
  if (after?.kind === "chain" && hook !== undefined && old !== hook) {
    script.add(`add chain ${table} ${name}${blockOf(after)}`);
  }
}

/** Chains that were empty before, so that nothing leads to them, and sets and maps that no rule names any more. */
function writeGone(script: Script, table: string, { name, before, after }: Change): void {
  if (after !== undefined || before === undefined) return;
  if (isRegular(before) && before.lines.length === 0) script.add(`delete chain ${table} ${name}`);
  // An object of a kind that is not ours has its kind in its name.
  if (!isElements(before)) return;
  const space = name.lastIndexOf(" ");
  const kind = space < 0 ? before.kind : name.slice(0, space);
  script.add(`delete ${kind} ${table} ${name.slice(space + 1)}`);
}

// ── After ────────────────────────────────────────────────────────────────────────────────────────

function writeDeletions(script: Script, table: string, changes: readonly Change[]): void {
  for (const { name, before, after } of changes) {
    if (after !== undefined || !isRegular(before) || before.lines.length === 0) continue;
    script.add(`delete chain ${table} ${name}`);
  }
}

// ── Elements ─────────────────────────────────────────────────────────────────────────────────────

/** Of a command that needs more than one netlink message (64 KiB) nft blames a wrong line. */
const ELEMENTS_PER_COMMAND = 128;

/** One element a line, so that a message of nft leads to the Service that caused it. */
function writeElements(
  script: Script,
  verb: "add" | "delete",
  table: string,
  name: string,
  lines: readonly Line[],
): void {
  const last = lines.length - 1;
  lines.forEach(({ text, origin }, index) => {
    const place = index % ELEMENTS_PER_COMMAND;
    const head = place === 0 ? `${verb} element ${table} ${name} { ` : "";
    const isEnd = place === ELEMENTS_PER_COMMAND - 1 || index === last;
    script.add(`${head}${verb === "delete" ? keyOf(text) : text}${isEnd ? " }" : ","}`, origin);
  });
}

/** The key of an element without its comment. */
function keyOf(text: string): string {
  const comment = text.indexOf(' comment "');
  if (comment >= 0) return text.slice(0, comment);
  const value = text.indexOf(" : ");
  return value < 0 ? text : text.slice(0, value);
}
