import type { Element, Table, TableObject } from "../../types.ts";
import { mark } from "./words.ts";

/**
 * The stamp: a map of three numbers that goes with every change. Two are a hash of all else in the table, so that
 * one cheap listing tells whether the table is the one that was written last; the third is the next endpoint
 * number for session affinity. Elements that packets write are no part of it.
 */

export const STAMP = "stamp";

const FIRST_HASH = mark(1);
const SECOND_HASH = mark(2);
const NEXT_ENDPOINT = mark(3);

/** The table with the stamp that fits it. */
export function stamped(table: Table, nextEndpoint: number): Table {
  return withHash(table, hashOf(table), nextEndpoint);
}

/**
 * A part of a table, stamped for itself, with the stamp that the whole has when this part of it changes.
 * @param held the part as it was, with the stamp of the whole
 * @param hashed what the stamp speaks of in it
 */
export function restamped(part: Table, held: Table, hashed: Table): Table | undefined {
  const [first, second] = [stampElement(held, FIRST_HASH), stampElement(held, SECOND_HASH)];
  const [partFirst, partSecond] = [stampElement(part, FIRST_HASH), stampElement(part, SECOND_HASH)];
  if (first === undefined || second === undefined || partFirst === undefined || partSecond === undefined)
    return undefined;
  const [before, beforeSecond] = hashOf(hashed);
  const hash = [
    Number(first) - before + Number(partFirst),
    Number(second) - beforeSecond + Number(partSecond),
  ] as const;
  return withHash(part, [hash[0] >>> 0, hash[1] >>> 0], nextEndpointOf(part));
}

function withHash(table: Table, [first, second]: readonly [number, number], nextEndpoint: number): Table {
  const stamp = table.objects.get(STAMP);
  if (stamp?.kind !== "map") return table;
  const values = [
    [FIRST_HASH, first],
    [SECOND_HASH, second],
    [NEXT_ENDPOINT, nextEndpoint],
  ] as const;
  const elements = new Map(values.map(([key, value]): [string, Element] => [key, { key, value: mark(value) }]));
  return { ...table, objects: new Map(table.objects).set(STAMP, { ...stamp, elements }) };
}

/** The stamp's hash as text; undefined when there is none or it is incomplete. */
export function stampOf(table: Table): string | undefined {
  const first = stampElement(table, FIRST_HASH);
  const second = stampElement(table, SECOND_HASH);
  return first === undefined || second === undefined ? undefined : `${first}${second}`;
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
  const sum: Sum = [0, 0];
  for (const object of objects.values()) {
    if (object.name === STAMP) continue;
    if ("elements" in object) addElements(sum, object);
    else addText(sum, `${object.name}\n${object.lines.map(({ text }) => text).join("\n")}`, 0);
  }
  return [sum[0] >>> 0, sum[1] >>> 0];
}

type Sum = [number, number];

function addElements(sum: Sum, object: Extract<TableObject, { kind: "set" | "map" }>): void {
  addText(sum, `${object.name}\n${object.declaration}`, 0);
  const seed = hash(object.name, 0);
  for (const { key, value } of object.elements.values()) addText(sum, value, hash(key, seed));
}

function addText(sum: Sum, text: string, seed: number): void {
  const one = hash(text, seed);
  sum[0] = (sum[0] + mixed(one ^ 0x2545_f491)) | 0;
  sum[1] = (sum[1] + mixed(Math.imul(one, 0x9e37_79b1) + seed)) | 0;
}

/** FNV-1a over UTF-16 units. */
function hash(text: string, seed: number): number {
  let state = seed ^ 0x811c_9dc5;
  for (let index = 0; index < text.length; index++) state = Math.imul(state ^ text.charCodeAt(index), 0x0100_0193);
  return state;
}

/** The finalizer of MurmurHash3: spreads every bit, so that sums do not cancel out. */
function mixed(value: number): number {
  let state = value ^ (value >>> 16);
  state = Math.imul(state, 0x85eb_ca6b);
  state ^= state >>> 13;
  state = Math.imul(state, 0xc2b2_ae35);
  return state ^ (state >>> 16);
}
