import type { Element, Line, Table, TableObject } from "../../types.ts";
import { numberOf } from "./affinity.ts";
import { LOCAL_OFFSET } from "./layout.ts";
import { isAffinityChain, isAffinityEndpointChain, isEndpointsMap, isSharedChain, TABLE } from "./names.ts";
import { comparable } from "./read.ts";
import { nextEndpointOf, stamped } from "./stamp.ts";
import { type ChainObject, type ElementObject, isElements } from "./text.ts";
import { constantIn, withConstant } from "./words.ts";

/**
 * What is wanted, written with the indices and numbers that the kernel holds already, so that the difference is as
 * small as it can be: an endpoint keeps its index while the list is long enough for it, and its number for session
 * affinity as long as it stays. Chains that nobody needs any more are emptied first and deleted by a later change.
 */
export function settle(wanted: readonly Table[], held: readonly Table[]): readonly Table[] {
  return wanted.map((table) => {
    const there = held.find(({ family, name }) => family === table.family && name === table.name);
    return table.name !== TABLE || there === undefined ? table : settleTable(table, there);
  });
}

function settleTable(wanted: Table, held: Table): Table {
  const objects = new Map<string, TableObject>();
  for (const [name, object] of wanted.objects) {
    const there = held.objects.get(name);
    const isList = isElements(object) && isEndpointsMap(name) && there !== undefined && isElements(there);
    objects.set(name, isList ? settleIndices(object, there) : object);
  }
  const nextEndpoint = settleNumbers(objects, wanted, held);
  const { kept, spare } = retiredChains(objects, held);
  const withKept = withChains({ ...wanted, objects }, kept);
  if (spare.length > 0) {
    const unchanged = stamped(withChains(withKept, spare), nextEndpoint);
    if (hasSameObjects(unchanged, held)) return unchanged;
  }
  return stamped(withKept, nextEndpoint);
}

function withChains(table: Table, chains: readonly ChainObject[]): Table {
  const objects = new Map(table.objects);
  for (const chain of chains) objects.set(chain.name, chain);
  return { ...table, objects };
}

interface RetiredChains {
  /** To which something leads until this change: to be left as they are, or empty. */
  readonly kept: readonly ChainObject[];
  /** To which nothing leads since an earlier change: they go with the next one, and are no reason for one. */
  readonly spare: readonly ChainObject[];
}

/** Chains of ours that the kernel holds and nobody needs any more. Those of Services with affinity lose their rules
 * at once, since an endpoint that comes back must not know its clients. */
function retiredChains(wanted: ReadonlyMap<string, TableObject>, held: Table): RetiredChains {
  const kept: ChainObject[] = [];
  const spare: ChainObject[] = [];
  let targets: ReadonlySet<string> | undefined;
  for (const object of held.objects.values()) {
    if (object.kind !== "chain" || object.hook !== undefined || wanted.has(object.name)) continue;
    if (isAffinityChain(object.name)) {
      if (object.lines.length === 0) spare.push(object);
      else kept.push({ ...object, lines: [] });
    } else if (isSharedChain(object.name)) {
      targets ??= targetsIn(held);
      if (targets.has(object.name)) kept.push(object);
      else spare.push(object);
    }
  }
  return { kept, spare };
}

/** Names of all chains that something leads to. */
export function targetsIn({ objects }: Table): ReadonlySet<string> {
  const targets = new Set<string>();
  for (const object of objects.values()) {
    if (isElements(object)) {
      if (isEndpointsMap(object.name)) continue;
      for (const { value } of object.elements.values()) if (value.startsWith("goto ")) targets.add(value.slice(5));
    } else {
      for (const { text } of object.lines) {
        const target = /\b(?:goto|jump) (\S+)/.exec(text)?.[1];
        if (target !== undefined) targets.add(target);
      }
    }
  }
  return targets;
}

// ── Indices of endpoints ─────────────────────────────────────────────────────────────────────────

/** One list of endpoints: what all its keys begin with, and the index of the first. */
interface EndpointList {
  readonly prefix: string;
  readonly first: number;
}

function settleIndices(wanted: ElementObject, held: ElementObject): ElementObject {
  const changed = new Map<string, EndpointList>();
  for (const key of keysThatDiffer(wanted.elements, held.elements)) {
    const list = listOf(key);
    changed.set(`${list.prefix}${list.first}`, list);
  }
  if (changed.size === 0) return wanted;
  const elements = new Map(wanted.elements);
  for (const list of changed.values()) settleList(elements, wanted, held, list);
  return { ...wanted, elements };
}

/**
 * Keys of wanted elements that are not held with this value. What is held comes in the same order when it is the
 * record of an earlier run; then comparing in step saves looking up hundreds of thousands of keys.
 */
function keysThatDiffer(wanted: ReadonlyMap<string, Element>, held: ReadonlyMap<string, Element>): readonly string[] {
  const keys: string[] = [];
  const others = held.values();
  let other = others.next();
  let inStep = true;
  for (const { key, value } of wanted.values()) {
    while (inStep && !other.done && other.value.key !== key && !wanted.has(other.value.key)) other = others.next();
    const isNext = inStep && !other.done && other.value.key === key;
    const there = isNext ? other.value : held.get(key);
    if (there?.value !== value) keys.push(key);
    if (isNext) other = others.next();
    else if (there !== undefined) inStep = false;
  }
  return keys;
}

function listOf(key: string): EndpointList {
  const end = key.lastIndexOf(" ") + 1;
  const index = Number(key.slice(end));
  return { prefix: key.slice(0, end), first: index < LOCAL_OFFSET ? 0 : LOCAL_OFFSET };
}

/** Endpoints that the kernel holds below the new length stay; the others fill the gaps in their order. */
function settleList(
  elements: Map<string, Element>,
  wanted: ElementObject,
  held: ElementObject,
  list: EndpointList,
): void {
  const { prefix, first } = list;
  const byValue = new Map<string, Element>();
  let end = first;
  for (let element = wanted.elements.get(prefix + end); element !== undefined; ) {
    byValue.set(element.value, element);
    element = wanted.elements.get(prefix + ++end);
  }
  const gaps: number[] = [];
  for (let index = first; index < end; index++) {
    const key = prefix + index;
    const stays = byValue.get(held.elements.get(key)?.value ?? "");
    if (stays === undefined) gaps.push(index);
    else {
      elements.set(key, { ...stays, key });
      byValue.delete(stays.value);
    }
  }
  let gap = 0;
  for (const element of byValue.values()) {
    const key = `${prefix}${gaps[gap++]}`;
    elements.set(key, { ...element, key });
  }
}

// ── Numbers for session affinity ─────────────────────────────────────────────────────────────────

/** Numbers above this one are not given out; the count starts again. */
const HIGHEST_NUMBER = 0xffff_0000;

/**
 * Gives endpoints that the kernel knows their number back, and new ones numbers that were never used. Returns the
 * next number. An endpoint whose chain was emptied counts as new: its clients are forgotten.
 */
function settleNumbers(objects: Map<string, TableObject>, wanted: Table, held: Table): number {
  const taken = new Map<string, number>();
  const used = new Set<number>();
  let highest = 0;
  for (const object of held.objects.values()) {
    if (object.kind !== "chain" || !isAffinityEndpointChain(object.name)) continue;
    const number = numberOf(object.lines);
    // A number that two have is one's alone from now on.
    if (number === 0 || used.has(number)) continue;
    taken.set(object.name, number);
    used.add(number);
    highest = Math.max(highest, number);
  }
  let next = Math.max(nextEndpointOf(held), highest + 1);
  if (next > HIGHEST_NUMBER) next = 1;
  const settled = new Map<number, number>();
  for (const [name, object] of wanted.objects) {
    if (object.kind !== "chain" || !isAffinityEndpointChain(name)) continue;
    let number = taken.get(name);
    if (number === undefined) {
      while (used.has(next)) next++;
      number = next++;
    }
    settled.set(numberOf(object.lines), number);
  }
  if (settled.size > 0) renumber(objects, settled);
  return next;
}

function renumber(objects: Map<string, TableObject>, settled: ReadonlyMap<number, number>): void {
  for (const [name, object] of objects) {
    if (object.kind !== "chain" || !isAffinityChain(name)) continue;
    objects.set(name, { ...object, lines: object.lines.map((line) => renumbered(line, settled)) });
  }
}

function renumbered(line: Line, settled: ReadonlyMap<number, number>): Line {
  const before = constantIn(line.text);
  const after = settled.get(before);
  return after === undefined || after === before ? line : { ...line, text: withConstant(line.text, after) };
}

// ── Equality ─────────────────────────────────────────────────────────────────────────────────────

function hasSameObjects(one: Table, other: Table): boolean {
  if (one.objects.size !== other.objects.size) return false;
  for (const [name, object] of one.objects) {
    const there = other.objects.get(name);
    if (there === undefined || !isSame(object, there)) return false;
  }
  return true;
}

function isSame(one: TableObject, other: TableObject): boolean {
  if (isElements(one)) return isElements(other) && hasSameElements(one, other);
  if (isElements(other) || one.lines.length !== other.lines.length) return false;
  return one.lines.every(({ text }, index) => isSameRule(one.name, text, other.lines[index]?.text ?? ""));
}

/** nft prints some rules in other words than they are written in. */
function isSameRule(chain: string, text: string, other: string): boolean {
  return text === other || comparable(chain, text) === comparable(chain, other);
}

function hasSameElements(one: ElementObject, other: ElementObject): boolean {
  if (one.elements.size !== other.elements.size || one.declaration !== other.declaration) return false;
  for (const { key, value } of one.elements.values()) {
    if (other.elements.get(key)?.value !== value) return false;
  }
  return true;
}
