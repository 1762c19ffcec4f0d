import { hash } from "node:crypto";
import { servedServiceOf } from "../labels.ts";
import type { Manifest } from "../types.ts";
import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, endOfString, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./load/json.ts";
import type { Sources } from "./load.ts";

/**
 * An index of the items of one List in JSON, so that a later run reads no more of a large input than what changed.
 * The items it speaks of may be taken for what they were; everything else is a reason to read all.
 */
export interface ItemIndex {
  /** The text before the first item and behind the last. */
  readonly head: string;
  readonly tail: string;
  readonly items: readonly IndexedItem[];
}

export interface IndexedItem {
  /** Bytes of the object. */
  readonly length: number;
  readonly hash: string;
  readonly who: Who;
}

/** Who an item is, and whose: what has to stay for a change to concern one Service only. */
export type Who =
  | { readonly kind: "Service" | "EndpointSlice"; readonly name: string; readonly service: string }
  /** Must not change, and is needed to decide about any Service. */
  | { readonly kind: "Node" }
  /** Must not change, and decides nothing. */
  | { readonly kind: "other" };

/** What of an input has to be read to know all that changed since the index was made. */
export interface ChangedPart {
  /** How many items changed. */
  readonly changes: number;
  /** A List of its own: the items of every Service of which a slice changed, and all Nodes. */
  readonly text: Buffer;
  /** Where the items of that List stand in the whole, and who they have to be. */
  readonly places: readonly number[];
  readonly who: readonly Who[];
  /** The index of the whole input as it is now. */
  readonly index: ItemIndex;
}

const LONGEST_HEAD = 65_536;

/** The one text of an input that may have an index. */
export function onlyText({ inputs }: Sources): Buffer | undefined {
  const [first, ...others] = inputs;
  return first !== undefined && others.length === 0 && "bytes" in first ? first.bytes : undefined;
}

/**
 * The index of one List in JSON; undefined for any other text, and for one whose Services may be served by anything
 * but EndpointSlices.
 * @param manifests all that was accepted of this text
 */
export function indexOf(bytes: Buffer, manifests: readonly Manifest[]): ItemIndex | undefined {
  const ranges = itemsIn(bytes);
  const [first, last] = [ranges?.[0], ranges?.at(-1)];
  if (ranges === undefined || first === undefined || last === undefined) return undefined;
  if (first.start + bytes.length - last.end > LONGEST_HEAD) return undefined;
  const [head, tail] = [bytes.toString("utf8", 0, first.start), bytes.toString("utf8", last.end)];
  if (!isEmptyList(head + tail)) return undefined;
  const known = new Map<number, Who>();
  for (const manifest of manifests) {
    const who = whoIs(manifest);
    if (who === undefined || manifest.source.item === undefined || manifest.source.document !== 0) return undefined;
    known.set(manifest.source.item, who);
  }
  const items = ranges.map(
    ({ start, end }, item): IndexedItem => ({
      length: end - start,
      hash: hashOf(bytes, start, end),
      who: known.get(item) ?? { kind: "other" },
    }),
  );
  return { head, tail, items };
}

/** Whether a List without its items is one object, and nothing beside it. */
function isEmptyList(text: string): boolean {
  const list = parsed(text.startsWith("\ufeff") ? text.slice(1) : text);
  return typeof list === "object" && list !== null && "items" in list && Array.isArray(list.items);
}

/** The value of a text in JSON; undefined for any other. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function whoIs({ kind, metadata }: Manifest): Who | undefined {
  const name = `${metadata.namespace}/${metadata.name}`;
  switch (kind) {
    case "Service":
      return { kind, name, service: name };
    case "EndpointSlice":
      return { kind, name, service: servedServiceOf(metadata) };
    case "Node":
      return { kind };
    default:
      return undefined;
  }
}

/**
 * What changed, if it is no more than the contents of `limit` EndpointSlices; undefined if it is anything else. One
 * pass over the bytes, and only the items that changed are looked into.
 */
export function changedPart(index: ItemIndex, bytes: Buffer, limit: number): ChangedPart | undefined {
  const walk = walked(index, bytes, limit);
  if (walk === undefined) return undefined;
  const concerned = new Set<string>();
  for (const item of walk.changed) {
    const who = index.items[item]?.who;
    if (who?.kind !== "EndpointSlice") return undefined;
    concerned.add(who.service);
  }
  const pieces: Buffer[] = [];
  const places: number[] = [];
  const items = index.items.map((item, at): IndexedItem => {
    const { start, end } = walk.ranges[at] ?? { start: 0, end: 0 };
    if (item.who.kind === "Node" || ("service" in item.who && concerned.has(item.who.service))) {
      pieces.push(Buffer.from(pieces.length === 0 ? "" : ","), bytes.subarray(start, end));
      places.push(at);
    }
    return walk.changed.has(at) ? { ...item, length: end - start, hash: hashOf(bytes, start, end) } : item;
  });
  const text = Buffer.concat([Buffer.from(index.head), ...pieces, Buffer.from(index.tail)]);
  const who = places.map((at) => items[at]?.who ?? { kind: "other" as const });
  return { changes: walk.changed.size, text, places, who, index: { ...index, items } };
}

function hashOf(bytes: Buffer, start: number, end: number): string {
  return hash("sha512", bytes.subarray(start, end), "base64url").slice(0, 43);
}

// ── Where items stand ────────────────────────────────────────────────────────────────────────────

interface Range {
  readonly start: number;
  readonly end: number;
}

/** Finds every item again, at the length that it had or, where it changed, by its brackets. */
function walked(
  { head, tail, items }: ItemIndex,
  bytes: Buffer,
  limit: number,
): { readonly ranges: readonly Range[]; readonly changed: ReadonlySet<number> } | undefined {
  const start = Buffer.from(head);
  let at = start.length;
  if (!bytes.subarray(0, at).equals(start)) return undefined;
  const ranges: Range[] = [];
  const changed = new Set<number>();
  for (const [item, { length, hash: before }] of items.entries()) {
    if (item > 0) at = startBehindComma(bytes, at);
    let end = at + length;
    if (end > bytes.length || hashOf(bytes, at, end) !== before) {
      changed.add(item);
      end = changed.size > limit ? -1 : endOfObject(bytes, at);
      // The whole may not be read as YAML, which takes more, where a small part would be.
      if (end < 0 || parsed(bytes.toString("utf8", at, end)) === undefined) return undefined;
    }
    ranges.push({ start: at, end });
    at = end;
  }
  return bytes.subarray(at).equals(Buffer.from(tail)) ? { ranges, changed } : undefined;
}

/** The items of the one List that this text is; undefined if it is anything else. */
function itemsIn(bytes: Buffer): readonly Range[] | undefined {
  const open = startOfItems(bytes);
  if (open === undefined) return undefined;
  const ranges: Range[] = [];
  let start = afterSpace(bytes, open + 1);
  while (bytes[start] === OPEN_BRACE) {
    const end = endOfObject(bytes, start);
    if (end < 0) return undefined;
    ranges.push({ start, end });
    const next = afterSpace(bytes, end);
    if (bytes[next] === CLOSE_BRACKET) return ranges;
    start = startBehindComma(bytes, end);
  }
  return undefined;
}

/** Offset of the bracket behind the `items` of the outermost object. */
function startOfItems(bytes: Buffer): number | undefined {
  const from = bytes.subarray(0, LONGEST_HEAD);
  for (let at = from.indexOf('"items"'); at >= 0; at = from.indexOf('"items"', at + 1)) {
    const colon = afterSpace(bytes, at + 7);
    const open = afterSpace(bytes, colon + 1);
    if (bytes[colon] === COLON && bytes[open] === OPEN_BRACKET && depthAt(bytes, at) === 1) return open;
  }
  return undefined;
}

/** How many brackets are open at an offset; -1 inside a text. */
function depthAt(bytes: Buffer, offset: number): number {
  let depth = 0;
  for (let at = 0; at < offset; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at + 1) - 1;
      if (at >= offset) return -1;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return depth;
}

function afterSpace(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] === 32 || bytes[at] === 10 || bytes[at] === 13 || bytes[at] === 9) at++;
  return at;
}

/** Where the next value starts; the end of the text if no comma leads there. */
function startBehindComma(bytes: Buffer, from: number): number {
  const comma = afterSpace(bytes, from);
  return bytes[comma] === COMMA ? afterSpace(bytes, comma + 1) : bytes.length;
}

/** What numbers, true, false and null are made of. */
const LITERAL = new Set(Buffer.from("+-.0123456789Eaeflnrstu"));

/**
 * Offset behind the object that starts here; -1 if none does, or it does not end, or holds a token that is not
 * JSON's. What passes for YAML as well ends where it ends in YAML: strings stand where YAML, too, starts one.
 */
function endOfObject(bytes: Buffer, start: number): number {
  if (bytes[start] !== OPEN_BRACE) return -1;
  let depth = 0;
  let last: "mark" | "string" | "literal" = "mark";
  for (let at = start; at < bytes.length; ) {
    const byte = bytes[at++] ?? 0;
    if (byte === QUOTE) {
      if (last !== "mark") return -1;
      at = endOfString(bytes, at);
      last = "string";
    } else if (byte === COMMA || byte === COLON) {
      if (byte === COLON && last !== "string") return -1;
      last = "mark";
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      last = "mark";
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (--depth === 0) return at;
      last = "mark";
    } else if (byte > 32) {
      if (!LITERAL.has(byte)) return -1;
      last = "literal";
    }
  }
  return -1;
}
