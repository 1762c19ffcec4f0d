import { readFileSync } from "node:fs";
import type { Diagnostic, Source } from "../../types.ts";
import { withoutBom } from "./encoding.ts";
import { type Place, type Position, withFrame } from "./frame.ts";
import { jsonPaths } from "./json.ts";
import { jsonItems } from "./jsonItems.ts";
import { otherPath, type PathOffset, parsePath } from "./path.ts";
import type { FileRecord } from "./record.ts";
import type { ItemRanges } from "./split.ts";
import { yamlPaths } from "./yaml.ts";

export type { Position } from "./frame.ts";

type Path = readonly (string | number)[];

/**
 * Finds positions when they are asked for: reads a file again and walks only the piece that the source names. Keeps
 * the last file and piece at hand, and findings are asked for in order, so that many of them cost one pass.
 */
export class Locator {
  private last: OpenFile | undefined;

  constructor(private readonly records: ReadonlyMap<string, FileRecord>) {}

  locate(source: Source): Position | undefined {
    const file = this.open(source.file);
    if (file === undefined) return undefined;
    const isKnown = source.line !== undefined && source.path === undefined;
    const place = isKnown ? placeOf(file.bytes, source.line ?? 1, source.column ?? 1) : file.find(source);
    return place === undefined ? undefined : withFrame(file.bytes, place);
  }

  positioned(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
    const order = new Map([...this.records.keys()].map((name, index) => [name, index]));
    const rank = ({ source }: Diagnostic) => order.get(source.file) ?? -1;
    const inOrder = [...diagnostics].sort((a, b) => rank(a) - rank(b) || compareSources(a.source, b.source));
    const placed = inOrder.map((diagnostic) => {
      if (diagnostic.source.line !== undefined) return diagnostic;
      const place = this.open(diagnostic.source.file)?.find(diagnostic.source);
      if (place === undefined) return diagnostic;
      return { ...diagnostic, source: { ...diagnostic.source, line: place.line, column: place.column } };
    });
    return placed.sort((a, b) => rank(a) - rank(b) || compareSources(a.source, b.source) || (a.code < b.code ? -1 : 1));
  }

  private open(name: string): OpenFile | undefined {
    if (this.last?.record.name === name) return this.last;
    const record = this.records.get(name);
    const bytes = record === undefined ? undefined : (record.bytes ?? readAgain(name));
    if (record === undefined || bytes === undefined) return undefined;
    this.last = new OpenFile(record, bytes);
    return this.last;
  }
}

/** By document, then line; items in their order where lines are not known, or the same. */
function compareSources(a: Source, b: Source): number {
  return (
    a.document - b.document ||
    (a.line ?? 0) - (b.line ?? 0) ||
    (a.item ?? -1) - (b.item ?? -1) ||
    (a.column ?? 0) - (b.column ?? 0)
  );
}

function readAgain(name: string): Buffer | undefined {
  try {
    return withoutBom(readFileSync(name));
  } catch {
    return undefined; // Gone since: the finding then stands without a line.
  }
}

/** The text that holds one object. */
interface Piece {
  readonly key: string;
  readonly start: number;
  readonly line: number;
  /** 0-based column of the start. */
  readonly column: number;
  readonly lineStart: number;
  readonly text: string;
  /** Where a path leads inside it. */
  readonly look: (path: Path) => PathOffset | undefined;
  /** What was counted up to every so many characters. */
  readonly marks: Counted[];
}

class OpenFile {
  private piece: Piece | undefined;
  private readonly items = new Map<number, ItemRanges | undefined>();
  /** The last start of a piece whose column was counted. */
  private counted = { offset: 0, lineStart: 0, column: 0 };

  constructor(
    readonly record: FileRecord,
    readonly bytes: Buffer,
  ) {}

  find(source: Source): Place | undefined {
    const piece = this.pieceOf(source);
    if (piece === undefined) return undefined;
    const path = parsePath(source.path ?? "");
    let found = piece.look(path);
    const other = found !== undefined && found.steps < path.length ? otherPath(path) : undefined;
    const instead = other === undefined ? undefined : piece.look(other);
    if (found !== undefined && instead !== undefined && instead.steps > found.steps) found = instead;
    return found === undefined ? undefined : placeIn(piece, found.offset);
  }

  private pieceOf({ document, item }: Source): Piece | undefined {
    const key = `${document}/${item ?? ""}`;
    if (this.piece?.key === key) return this.piece;
    const range = this.record.documents[document];
    if (range === undefined) return undefined;
    const items = item === undefined ? undefined : this.itemsOf(document);
    const itemStart = item === undefined ? undefined : items?.starts[item];
    const isCut = item !== undefined && items !== undefined && itemStart !== undefined;
    const start = isCut ? itemStart : range.start;
    const end = isCut ? (items.starts[item + 1] ?? items.end) : range.end;
    const line = (isCut ? items.lines[item] : undefined) ?? range.line;
    const text = this.bytes.toString("utf8", start, end);
    const isJson = this.record.format === "json";
    // A cut YAML item is a list of one; an uncut one stands in the List.
    const prefix: Path = item === undefined ? [] : !isCut ? ["items", item] : isJson ? [] : [0];
    const walk = isJson ? jsonPaths(text) : yamlPaths(text);
    const look = (path: Path) => {
      const found = walk([...prefix, ...path]);
      return found === undefined ? undefined : { offset: found.offset, steps: found.steps - prefix.length };
    };
    const { lineStart, column } = this.columnOf(start);
    this.piece = { key, start, line, column, lineStart, text, look, marks: [] };
    return this.piece;
  }

  private itemsOf(document: number): ItemRanges | undefined {
    const range = this.record.documents[document];
    if (range === undefined || this.record.format === "yaml") return range?.items;
    if (!this.items.has(document)) this.items.set(document, jsonItems(this.bytes, range.start, range.end, range.line));
    return this.items.get(document);
  }

  /** Counts on from the piece before, since all of a large file may stand on one line. */
  private columnOf(offset: number): { readonly lineStart: number; readonly column: number } {
    const from = this.counted.offset <= offset ? this.counted : { offset: 0, lineStart: 0, column: 0 };
    const newline = this.bytes.subarray(from.offset, offset).lastIndexOf(10);
    const lineStart = newline < 0 ? from.lineStart : from.offset + newline + 1;
    const column =
      newline < 0
        ? from.column + this.bytes.toString("utf8", from.offset, offset).length
        : this.bytes.toString("utf8", lineStart, offset).length;
    this.counted = { offset, lineStart, column };
    return this.counted;
  }
}

/** What was counted up to an offset of a piece: its bytes and its lines. */
interface Counted {
  readonly offset: number;
  readonly bytes: number;
  readonly lines: number;
  /** Of the last line that starts in the piece; undefined before the first one. */
  readonly start: { readonly offset: number; readonly bytes: number } | undefined;
}

/** How many characters lie between two offsets that are kept. */
const STRIDE = 4096;

/** Counts from the nearest offset before, in whatever order the findings come. */
function countedTo(text: string, offset: number, marks: Counted[]): Counted {
  const index = Math.floor(offset / STRIDE);
  let last = marks[Math.min(index, marks.length - 1)] ?? { offset: 0, bytes: 0, lines: 0, start: undefined };
  if (marks.length === 0) marks.push(last);
  while (marks.length <= index) {
    last = countedOn(text, marks.length * STRIDE, last);
    marks.push(last);
  }
  return countedOn(text, offset, last);
}

function countedOn(text: string, offset: number, from: Counted): Counted {
  let { lines, start, bytes, offset: at } = from;
  const end = isInsidePair(text, offset) ? offset - 1 : offset;
  for (let newline = text.indexOf("\n", at); newline >= 0 && newline < end; newline = text.indexOf("\n", at)) {
    bytes += Buffer.byteLength(text.slice(at, newline + 1));
    at = newline + 1;
    lines++;
    start = { offset: at, bytes };
  }
  return { offset: end, bytes: bytes + Buffer.byteLength(text.slice(at, end)), lines, start };
}

/** Whether an offset parts the two halves of one character, which have no bytes of their own. */
function isInsidePair(text: string, offset: number): boolean {
  return offset > 0 && (text.codePointAt(offset - 1) ?? 0) > 0xffff;
}

/** The place of a character offset in a piece. */
function placeIn(piece: Piece, offset: number): Place {
  const { bytes, lines, start } = countedTo(piece.text, offset, piece.marks);
  const byteOffset = piece.start + bytes;
  if (start === undefined) {
    return { line: piece.line, column: piece.column + offset + 1, lineStart: piece.lineStart, offset: byteOffset };
  }
  const lineStart = piece.start + start.bytes;
  return { line: piece.line + lines, column: offset - start.offset + 1, lineStart, offset: byteOffset };
}

function placeOf(bytes: Buffer, line: number, column: number): Place {
  let lineStart = 0;
  for (let passed = 1; passed < line; passed++) {
    const next = bytes.indexOf(10, lineStart);
    if (next < 0) break;
    lineStart = next + 1;
  }
  const most = Math.min(bytes.length, lineStart + column * 4);
  const head = bytes.toString("utf8", lineStart, most).slice(0, column - 1);
  return { line, column, lineStart, offset: Math.min(bytes.length, lineStart + Buffer.byteLength(head)) };
}
