import { BACKSLASH, CLOSE_BRACE, CLOSE_BRACKET, COLON, COMMA, OPEN_BRACE, OPEN_BRACKET, QUOTE } from "./json.ts";
import type { ItemRanges } from "./split.ts";

const LF = 10;
const KEY = Buffer.from('"items"');

/**
 * Where the elements of `items` stand in a JSON List, as bytes and lines of the file: one pass, so that a thousand
 * findings in a large List do not mean a thousand passes. Undefined when the object has no such list. The text has
 * been parsed before, so it is known to be JSON.
 */
export function jsonItems(bytes: Buffer, start: number, end: number, firstLine: number): ItemRanges | undefined {
  const starts: number[] = [];
  const lines: number[] = [];
  let depth = 0;
  let line = firstLine;
  let isKeyNext = false;
  let inItems = false;
  let isElementNext = false;
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte <= 32) {
      if (byte === LF) line++;
      continue;
    }
    if (isElementNext && byte !== CLOSE_BRACKET) {
      starts.push(at);
      lines.push(line);
      isElementNext = false;
    }
    if (byte === QUOTE) {
      if (depth === 1 && !inItems)
        isKeyNext = bytes.compare(KEY, 0, KEY.length, at, Math.min(at + KEY.length, end)) === 0;
      for (at++; at < end && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      depth++;
      if (isKeyNext && depth === 2 && byte === OPEN_BRACKET) {
        inItems = true;
        isElementNext = true;
      }
      isKeyNext = false;
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) {
      depth--;
      if (inItems && depth === 1) return { starts, lines, end: at };
    } else if (byte === COMMA) {
      if (inItems && depth === 2) isElementNext = true;
      isKeyNext = false;
    } else if (byte !== COLON) isKeyNext = false;
  }
  return undefined;
}
