import { readFileSync } from "node:fs";
import type { Diagnostic, Source } from "../../types.ts";
import { withoutBom } from "./encoding.ts";
import { offsetInJson } from "./json.ts";
import { otherPath, parsePath } from "./path.ts";
import type { FileRecord } from "./record.ts";
import type { YamlRange } from "./split.ts";
import { offsetInYaml } from "./yaml.ts";

/** A place in a file with the lines around it; a long line is cut to the part around the place. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly frame: readonly { readonly number: number; readonly text: string }[];
  /** 1-based column of the place in the frame's text of its line. */
  readonly frameColumn: number;
}

const CONTEXT_LINES = 2;
const FRAME_WIDTH = 100;

/** Finds positions when they are asked for: reads a file again and walks only the piece that the source names. */
export class Locator {
  /** The last file only: findings come sorted by file, and files may be large. */
  private last: { readonly name: string; readonly bytes: Buffer | undefined } | undefined;

  constructor(private readonly records: ReadonlyMap<string, FileRecord>) {}

  locate(source: Source): Position | undefined {
    const record = this.records.get(source.file);
    const bytes = record === undefined ? undefined : this.bytesOf(record);
    if (record === undefined || bytes === undefined) return undefined;
    const place =
      source.line === undefined ? find(record, bytes, source) : placeOf(bytes, source.line, source.column ?? 1);
    return place === undefined ? undefined : withFrame(bytes, place);
  }

  positioned(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
    const order = new Map([...this.records.keys()].map((name, index) => [name, index]));
    const rank = (file: string) => order.get(file) ?? -1;
    const byFile = [...diagnostics].sort((a, b) => rank(a.source.file) - rank(b.source.file));
    const placed = byFile.map((diagnostic) => {
      if (diagnostic.source.line !== undefined) return diagnostic;
      const record = this.records.get(diagnostic.source.file);
      const bytes = record === undefined ? undefined : this.bytesOf(record);
      const place = record === undefined || bytes === undefined ? undefined : find(record, bytes, diagnostic.source);
      if (place === undefined) return diagnostic;
      return { ...diagnostic, source: { ...diagnostic.source, line: place.line, column: place.column } };
    });
    return placed.sort((a, b) => rank(a.source.file) - rank(b.source.file) || compare(a, b));
  }

  private bytesOf(record: FileRecord): Buffer | undefined {
    if (record.bytes !== undefined) return record.bytes;
    if (this.last?.name !== record.name) this.last = { name: record.name, bytes: readAgain(record.name) };
    return this.last.bytes;
  }
}

function compare(a: Diagnostic, b: Diagnostic): number {
  return (
    a.source.document - b.source.document ||
    (a.source.line ?? 0) - (b.source.line ?? 0) ||
    (a.source.item ?? -1) - (b.source.item ?? -1) ||
    (a.source.column ?? 0) - (b.source.column ?? 0) ||
    (a.code < b.code ? -1 : a.code > b.code ? 1 : 0)
  );
}

function readAgain(name: string): Buffer | undefined {
  try {
    return withoutBom(readFileSync(name));
  } catch {
    return undefined; // Gone since: the finding then stands without a line.
  }
}

interface Place {
  readonly line: number;
  readonly column: number;
  /** Byte offset of the start of the line. */
  readonly lineStart: number;
}

/** The text of the piece that holds an object, and how to get to the object inside it. */
interface Piece {
  readonly start: number;
  readonly line: number;
  readonly text: string;
  readonly prefix: readonly (string | number)[];
}

function find(record: FileRecord, bytes: Buffer, source: Source): Place | undefined {
  const range = record.documents[source.document];
  if (range === undefined) return undefined;
  const { start, line, text, prefix } = pieceOf(bytes, range, source.item);
  const look = (path: readonly (string | number)[]) =>
    record.format === "json" ? offsetInJson(text, [...prefix, ...path]) : offsetInYaml(text, [...prefix, ...path]);
  const path = parsePath(source.path ?? "");
  let found = look(path);
  const other = found !== undefined && found.steps < prefix.length + path.length ? otherPath(path) : undefined;
  const instead = other === undefined ? undefined : look(other);
  if (found !== undefined && instead !== undefined && instead.steps > found.steps) found = instead;
  return found === undefined ? undefined : placeIn(bytes, start, line, text, found.offset);
}

function pieceOf(bytes: Buffer, range: YamlRange, item: number | undefined): Piece {
  const start = item === undefined ? undefined : range.items?.starts[item];
  if (item === undefined || range.items === undefined || start === undefined) {
    const text = bytes.toString("utf8", range.start, range.end);
    return { start: range.start, line: range.line, text, prefix: item === undefined ? [] : ["items", item] };
  }
  const text = bytes.toString("utf8", start, range.items.starts[item + 1] ?? range.items.end);
  return { start, line: range.items.lines[item] ?? range.line, text, prefix: [0] };
}

/** The place of a character offset in a piece that starts at a byte offset of the file. */
function placeIn(bytes: Buffer, start: number, firstLine: number, text: string, offset: number): Place {
  const before = text.slice(0, offset);
  const newline = before.lastIndexOf("\n");
  if (newline >= 0) {
    const line = firstLine + (before.match(/\n/g)?.length ?? 0);
    return { line, column: offset - newline, lineStart: start + Buffer.byteLength(before.slice(0, newline + 1)) };
  }
  const lineStart = start === 0 ? 0 : bytes.lastIndexOf(10, start - 1) + 1;
  return { line: firstLine, column: bytes.toString("utf8", lineStart, start).length + offset + 1, lineStart };
}

function placeOf(bytes: Buffer, line: number, column: number): Place {
  let lineStart = 0;
  for (let passed = 1; passed < line; passed++) {
    const next = bytes.indexOf(10, lineStart);
    if (next < 0) break;
    lineStart = next + 1;
  }
  return { line, column, lineStart };
}

function withFrame(bytes: Buffer, place: Place): Position {
  const lines: { number: number; text: string }[] = [];
  let start = place.lineStart;
  let number = place.line;
  while (number > 1 && number > place.line - CONTEXT_LINES) {
    start = start < 2 ? 0 : bytes.lastIndexOf(10, start - 2) + 1;
    number--;
  }
  // A window around the column, so that a manifest written on one line does not fill the screen.
  const from = Math.max(0, place.column - 1 - FRAME_WIDTH / 2);
  for (; number <= place.line + CONTEXT_LINES && start < bytes.length; number++) {
    const newline = bytes.indexOf(10, start);
    const end = newline < 0 ? bytes.length : newline;
    // Four bytes per character at most: enough of the line without decoding megabytes.
    const text = bytes.toString("utf8", start, Math.min(end, start + (from + FRAME_WIDTH) * 4));
    lines.push({ number, text: text.replace(/\r$/, "").slice(from, from + FRAME_WIDTH) });
    start = end + 1;
  }
  return { line: place.line, column: place.column, frame: lines, frameColumn: place.column - from };
}
