import type { Element, Table, TableObject } from "../../types.ts";
import { mark } from "./words.ts";

/**
 * The stamp: a map of three numbers that goes with every change. Two are a hash of all else in the table, so that
 * one cheap listing tells whether the table is the one that was written last; the third is the next endpoint
 * number for session affinity. Chains that nothing leads to any more are a part of it: a record that does not know them
 * as they are would lead to them, or delete what is not there. Elements that packets write are no part of it.
 *
 * Another way to hash takes other keys for its numbers: a stamp of the former is then none, which leads to one run
 * that looks at everything. Keys 1 and 2 are used up.
 */

export const STAMP = "stamp";

const FIRST_HASH = mark(4);
const SECOND_HASH = mark(5);
const NEXT_ENDPOINT = mark(3);
/** There from the step that makes new chains until the one that uses them: such a table is none that was written. */
export const UNFINISHED = mark(6);

/** The table with the stamp that fits it. */
export function stamped(table: Table, nextEndpoint: number): Table {
  return withHash(table, () => hashOf(table), nextEndpoint);
}

/**
 * A part of a table with the stamp that the whole has when this part of it changes.
 * @param part stamped for itself
 * @param before the part as it was, stamped for itself
 * @param held the same, with the stamp of the whole
 */
export function restamped(part: Table, before: Table, held: Table): Table | undefined {
  const hashes: number[] = [];
  for (const key of [FIRST_HASH, SECOND_HASH]) {
    const [whole, old, now] = [held, before, part].map((table) => stampElement(table, key));
    if (whole === undefined || old === undefined || now === undefined) return undefined;
    hashes.push((Number(whole) - Number(old) + Number(now)) >>> 0);
  }
  const [first = 0, second = 0] = hashes;
  return withHash(part, () => [first, second], nextEndpointOf(part));
}

/** Whoever needs the numbers looks at the whole table: they are made when they are asked for. */
function withHash(table: Table, hash: () => readonly [number, number], nextEndpoint: number): Table {
  const stamp = table.objects.get(STAMP);
  if (stamp?.kind !== "map") return table;
  let elements: ReadonlyMap<string, Element> | undefined;
  const { kind, name, declaration, comment } = stamp;
  const made: TableObject = {
    kind,
    name,
    declaration,
    ...(comment === undefined ? {} : { comment }),
    get elements() {
      elements ??= stampElements(hash(), nextEndpoint);
      return elements;
    },
  };
  return { ...table, objects: new Map(table.objects).set(STAMP, made) };
}

function stampElements([first, second]: readonly [number, number], nextEndpoint: number): ReadonlyMap<string, Element> {
  const values = [
    [FIRST_HASH, first],
    [SECOND_HASH, second],
    [NEXT_ENDPOINT, nextEndpoint],
  ] as const;
  return new Map(values.map(([key, value]): [string, Element] => [key, { key, value: mark(value) }]));
}

/** The stamp as text; undefined when there is none or it is incomplete. */
export function stampOf(table: Table): string | undefined {
  const first = stampElement(table, FIRST_HASH);
  const second = stampElement(table, SECOND_HASH);
  const isUnfinished = stampElement(table, UNFINISHED) !== undefined;
  if (first === undefined || second === undefined || isUnfinished) return undefined;
  // A number that was given to an endpoint and taken back leaves no other trace.
  return `${first}${second}${stampElement(table, NEXT_ENDPOINT) ?? ""}`;
}

export function nextEndpointOf(table: Table): number {
  return Number(stampElement(table, NEXT_ENDPOINT) ?? 1);
}

function stampElement({ objects }: Table, key: string): string | undefined {
  const stamp = objects.get(STAMP);
  return stamp?.kind === "map" ? stamp.elements.get(key)?.value : undefined;
}

// ── Hash ─────────────────────────────────────────────────────────────────────────────────────────

/** Sums of hashes, so that the order of elements and objects is of no account; that of rules is. */
function hashOf({ objects }: Table): readonly [number, number] {
  const sum: Pair = [0, 0];
  for (const object of objects.values()) {
    if (object.name === STAMP) continue;
    if ("elements" in object) addElements(sum, object);
    else addText(sum, `${object.name}\n${object.lines.map(({ text }) => text).join("\n")}`);
  }
  return [sum[0] >>> 0, sum[1] >>> 0];
}

/** Two numbers of 32 bits. */
type Pair = [number, number];

function addElements(sum: Pair, object: Extract<TableObject, { kind: "set" | "map" }>): void {
  addText(sum, `${object.name}\n${object.declaration}`);
  const start: Pair = [...START];
  absorb(start, object.name);
  const state: Pair = [0, 0];
  for (const { key, value } of object.elements.values()) {
    state[0] = start[0];
    state[1] = start[1];
    absorb(state, key);
    absorb(state, value);
    add(sum, state);
  }
}

function addText(sum: Pair, text: string): void {
  const state: Pair = [...START];
  absorb(state, text);
  add(sum, state);
}

function add(sum: Pair, [first, second]: Readonly<Pair>): void {
  sum[0] = (sum[0] + mixed(first)) | 0;
  sum[1] = (sum[1] + mixed(second)) | 0;
}

const START: Readonly<Pair> = [0x2545_f491, 0x6c07_8965];

/**
 * Two hashes in one pass over the UTF-16 units. They differ in rotation, multiplier and how a unit comes in, so that
 * texts which are equal to one are not to the other. Rotation lets high bits act on low ones, which a product alone
 * never does. The length ends a text, so that a key and its value cannot be cut in two ways.
 */
function absorb(state: Pair, text: string): void {
  let first = state[0];
  let second = state[1];
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    first = Math.imul(((first << 13) | (first >>> 19)) ^ unit, 0x9e37_79b1);
    second = Math.imul(((second << 7) | (second >>> 25)) + unit, 0x85eb_ca77);
  }
  state[0] = first ^ text.length;
  state[1] = (second + text.length) | 0;
}

/** The finalizer of MurmurHash3: spreads every bit, so that sums do not cancel out. */
function mixed(value: number): number {
  let state = value ^ (value >>> 16);
  state = Math.imul(state, 0x85eb_ca6b);
  state ^= state >>> 13;
  state = Math.imul(state, 0xc2b2_ae35);
  return state ^ (state >>> 16);
}
