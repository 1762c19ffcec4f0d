import { isUtf8 } from "node:buffer";
import type { Diagnostic } from "../../types.ts";
import { textError } from "./finding.ts";

/** 1-based line and column (in characters) of a byte offset. */
export function positionAt(bytes: Buffer, offset: number): { readonly line: number; readonly column: number } {
  let line = 1;
  let lineStart = 0;
  for (let at = bytes.indexOf(10); at >= 0 && at < offset; at = bytes.indexOf(10, at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return { line, column: bytes.toString("utf8", lineStart, offset).length + 1 };
}

/** The bytes without a UTF-8 byte order mark. */
export function withoutBom(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}

/** Why these bytes are not a text that can be read, or undefined. JSON's own grammar refuses control characters. */
export function encodingError(file: string, bytes: Buffer, isJson: boolean): Diagnostic | undefined {
  const fail = (code: string, offset: number, message: string, hint: string) =>
    textError(code, { file, document: 0, ...positionAt(bytes, offset) }, message, hint);
  const [a, b] = bytes;
  if ((a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff)) {
    return fail("encoding-utf16", 0, "the file is UTF-16; only UTF-8 is read", "save the file as UTF-8");
  }
  if (a === 0x1f && b === 0x8b) {
    return fail("binary-input", 0, "the file is gzip-compressed", "unpack it first: gunzip -c FILE | … -f -");
  }
  const nul = bytes.indexOf(0);
  if (nul >= 0) {
    return fail(
      "binary-input",
      nul,
      "the file holds a NUL byte, so it is no manifest",
      "check that the right file was named",
    );
  }
  if (!isUtf8(bytes)) {
    const hint = "save the file as UTF-8, or check that the right file was named";
    return fail("encoding-invalid", firstInvalid(bytes), "the file is not valid UTF-8", hint);
  }
  return isJson ? undefined : controlCharacter(bytes, fail);
}

type Fail = (code: string, offset: number, message: string, hint: string) => Diagnostic;

function controlCharacter(bytes: Buffer, fail: Fail): Diagnostic | undefined {
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    if (byte >= 128) {
      const name = byte === 0xc2 || byte === 0xe2 || byte === 0xef ? unwanted(bytes, at) : undefined;
      if (name === undefined) continue;
      return fail("control-character", at, `the file holds a ${name}`, "remove it; lines end with LF or CRLF");
    }
    if (byte >= 32 ? byte !== 127 : byte === 10 || byte === 9) continue;
    // A carriage return alone ends a line for some parsers and not for others: two readers, two manifests.
    if (byte === 13 && bytes[at + 1] === 10) continue;
    const name =
      byte === 13 ? "carriage return without line feed" : `control character 0x${byte.toString(16).padStart(2, "0")}`;
    return fail("control-character", at, `the file holds a ${name}`, "remove it; lines end with LF or CRLF");
  }
  return undefined;
}

/** Characters that end a line for kubectl and not for the parser here, so that a comment could hide fields, and such that kubectl refuses. */
function unwanted(bytes: Buffer, at: number): string | undefined {
  const [first, second = 0, third = 0] = bytes.subarray(at, at + 3);
  if (first === 0xc2 && second <= 0x9f) return `control character U+00${second.toString(16).toUpperCase()}`;
  if (first === 0xe2 && second === 0x80 && third === 0xa8) return "line separator U+2028";
  if (first === 0xe2 && second === 0x80 && third === 0xa9) return "paragraph separator U+2029";
  if (first === 0xef && second === 0xbf && third >= 0xbe) return `noncharacter U+FFF${third === 0xbe ? "E" : "F"}`;
  return undefined;
}

/** Offset of the first byte that is not part of valid UTF-8, found by halving. */
function firstInvalid(bytes: Buffer): number {
  let good = 0;
  let end = bytes.length;
  while (end - good > 4) {
    let middle = good + ((end - good) >> 1);
    // Never cut inside a character: step back over at most three continuation bytes.
    for (let back = 0; back < 3 && ((bytes[middle] ?? 0) & 0xc0) === 0x80; back++) middle--;
    if (middle <= good) break;
    if (isUtf8(bytes.subarray(good, middle))) good = middle;
    else end = middle;
  }
  for (let length = 1; good < end; ) {
    const lead = bytes[good] ?? 0;
    length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (!isUtf8(bytes.subarray(good, Math.min(good + length, bytes.length)))) return good;
    good += length;
  }
  return good;
}
