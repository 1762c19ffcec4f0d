/** A place in a file with the lines around it; a long line is cut to the part around the place. */
export interface Position {
  readonly line: number;
  readonly column: number;
  readonly frame: readonly { readonly number: number; readonly text: string }[];
  /** 1-based column of the place in the frame's text of its line. */
  readonly frameColumn: number;
}

export interface Place {
  readonly line: number;
  readonly column: number;
  /** Byte offsets of the start of the line, and of the place itself. */
  readonly lineStart: number;
  readonly offset: number;
}

const CONTEXT_LINES = 2;
const FRAME_WIDTH = 100;
const MOST_BYTES_PER_CHARACTER = 4;

/** The place with up to two lines before and after it. Decodes only what is shown, however long a line is. */
export function withFrame(bytes: Buffer, place: Place): Position {
  const { line, column } = place;
  const from = Math.max(0, column - 1 - FRAME_WIDTH / 2);
  const before = linesBefore(bytes, place);
  const after = linesAfter(bytes, place);
  const frame = [...before, { number: line, text: aroundPlace(bytes, place, column - 1 - from) }, ...after];
  return {
    line,
    column,
    frame: frame.map((one) => (one.number === line ? one : { ...one, text: one.text.slice(from) })),
    frameColumn: column - from,
  };
}

function endOfLine(bytes: Buffer, start: number): number {
  const end = bytes.indexOf(10, start);
  return end < 0 ? bytes.length : end;
}

/** The place's own line, `before` characters in front of the place and as many behind as fit. */
function aroundPlace(bytes: Buffer, { lineStart, offset }: Place, before: number): string {
  const start = characterStart(bytes, Math.max(lineStart, offset - before * MOST_BYTES_PER_CHARACTER));
  const head = bytes.toString("utf8", start, offset).slice(before === 0 ? Number.MAX_SAFE_INTEGER : -before);
  const room = FRAME_WIDTH - before;
  const tailEnd = Math.min(endOfLine(bytes, offset), offset + room * MOST_BYTES_PER_CHARACTER);
  return head + bytes.toString("utf8", offset, tailEnd).slice(0, room).replace(/\r$/, "");
}

/** The offset, or the next one at which a character starts. */
function characterStart(bytes: Buffer, offset: number): number {
  let at = offset;
  while (((bytes[at] ?? 0) & 0xc0) === 0x80) at++;
  return at;
}

/** The part of another line that can be in view: lines beyond the width of a screen or two are not decoded. */
function shownLine(bytes: Buffer, start: number, column: number): string {
  const most = column > FRAME_WIDTH * 10 ? 0 : (column + FRAME_WIDTH) * MOST_BYTES_PER_CHARACTER;
  const end = Math.min(endOfLine(bytes, start), start + most);
  return bytes
    .toString("utf8", start, end)
    .slice(0, column + FRAME_WIDTH / 2)
    .replace(/\r$/, "");
}

function linesBefore(bytes: Buffer, { line, column, lineStart }: Place): { number: number; text: string }[] {
  const lines: { number: number; text: string }[] = [];
  let start = lineStart;
  for (let number = line - 1; number >= 1 && lines.length < CONTEXT_LINES && start > 0; number--) {
    start = start < 2 ? 0 : bytes.lastIndexOf(10, start - 2) + 1;
    lines.unshift({ number, text: shownLine(bytes, start, column) });
  }
  return lines;
}

function linesAfter(bytes: Buffer, { line, column, offset }: Place): { number: number; text: string }[] {
  const lines: { number: number; text: string }[] = [];
  let start = endOfLine(bytes, offset) + 1;
  for (let number = line + 1; lines.length < CONTEXT_LINES && start < bytes.length; number++) {
    lines.push({ number, text: shownLine(bytes, start, column) });
    start = endOfLine(bytes, start) + 1;
  }
  return lines;
}
