import { CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, endOfString, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./json.ts";

/** Where the items of one List in JSON stand, in bytes, before anything is parsed. */

export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Bytes before the first item. */
export const LONGEST_HEAD = 65_536;

/** The items of the one List that this text is, one after the other; returns whether it is nothing else. */
export function* itemRanges(bytes: Buffer): Generator<Range, boolean> {
  const open = startOfItems(bytes);
  if (open === undefined) return false;
  for (let start = afterSpace(bytes, open + 1); ; ) {
    const end = endOfObject(bytes, start);
    if (end < 0) return false;
    yield { start, end };
    const next = startBehindComma(bytes, end);
    if (next === undefined) return bytes[afterSpace(bytes, end)] === CLOSE_BRACKET;
    start = next;
  }
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

/** Where the next value starts; undefined if no comma leads there. */
export function startBehindComma(bytes: Buffer, from: number): number | undefined {
  const comma = afterSpace(bytes, from);
  return bytes[comma] === COMMA ? afterSpace(bytes, comma + 1) : undefined;
}

/** What numbers, true, false and null are made of. */
const LITERAL = new Set(Buffer.from("+-.0123456789Eaeflnrstu"));

/**
 * Offset behind the object that starts here; -1 if none does, or it does not end, or holds a token that is not
 * JSON's. What passes for YAML as well ends where it ends in YAML: strings stand where YAML, too, starts one.
 */
export function endOfObject(bytes: Buffer, start: number): number {
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
