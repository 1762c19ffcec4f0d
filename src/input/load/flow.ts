import { type Event, parseEvents, YAMLException } from "js-yaml";

/** A text as the parser takes it. */
export interface Laid {
  readonly text: string;
  readonly events: Event[];
  /** How many spaces were put in front of a line, by its 0-based number. */
  readonly paddings: ReadonlyMap<number, number>;
}

export const MAX_DEPTH = 100;
/** More than any object needs to be indented; a line that needs more is padded again. */
const PADDING = " ".repeat(256);
/** Each step reads the text again, so what may be spent has to be in proportion to it. */
const MOST_STEPS = 200;
const FEWEST_STEPS = 20;
const MOST_CHARACTERS = 8 * 1024 * 1024;

/**
 * Reads a text into events. Inside brackets and quotes kubectl does not look at indentation, but this parser does.
 * White space in front of a line means nothing there, so the lines that the parser complains about get more of it.
 * Throws what the parser throws at the text as it was written.
 */
export function layOut(text: string): Laid {
  try {
    return { text, events: eventsOf(text), paddings: new Map() };
  } catch (error) {
    const laid = layWider(text, error);
    if (laid === undefined) throw error;
    return laid;
  }
}

function eventsOf(text: string): Event[] {
  return parseEvents(text, { maxDepth: MAX_DEPTH });
}

function layWider(written: string, first: unknown): Laid | undefined {
  let text = written;
  let error = first;
  const paddings = new Map<number, number>();
  const most = Math.min(MOST_STEPS, Math.max(FEWEST_STEPS, MOST_CHARACTERS / text.length));
  for (let step = 0; step < most; step++) {
    const at = deficientAt(error);
    const wider = at === undefined ? undefined : (padded(text, at, paddings) ?? withoutTab(text, at));
    if (wider === undefined) return undefined;
    text = wider;
    try {
      return { text, events: eventsOf(text), paddings };
    } catch (next) {
      error = next;
    }
  }
  return undefined;
}

function deficientAt(error: unknown): number | undefined {
  const isDeficient = error instanceof YAMLException && error.reason === "deficient indentation";
  return isDeficient ? error.mark?.position : undefined;
}

/** Pads the line if it starts inside brackets or quotes, and those behind it up to one that could close them. */
function padded(text: string, at: number, paddings: Map<number, number>): string | undefined {
  const start = text.lastIndexOf("\n", at - 1) + 1;
  const closer = text.slice(at).search(/[\]}"']/);
  if (closer < 0 || /[^ \t]/.test(text.slice(start, at))) return undefined;
  const before = linesOf(text.slice(0, start)).length - 1;
  const lines = linesOf(text.slice(start, at + closer));
  for (let line = before; line < before + lines.length; line++) {
    paddings.set(line, (paddings.get(line) ?? 0) + PADDING.length);
  }
  return text.slice(0, start) + lines.map((line) => PADDING + line).join("\n") + text.slice(at + closer);
}

/** A tab between two words of a line is minded as well: in front of the place, or of the bracket before it. */
function withoutTab(text: string, at: number): string | undefined {
  const line = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
  const space = /[ \t]+(?:[[{][ \t]*)?$/.exec(line)?.[0] ?? "";
  return space.includes("\t")
    ? text.slice(0, at - space.length) + space.replaceAll("\t", " ") + text.slice(at)
    : undefined;
}

/** Where an offset in the laid out text is in the text as it was written. */
export function writtenOffset({ text, paddings }: Laid, offset: number): number {
  if (paddings.size === 0) return offset;
  const lines = linesOf(text.slice(0, offset));
  return lines.reduce((left, { length }, line) => left - Math.min(length, paddings.get(line) ?? 0), offset);
}

function linesOf(text: string): string[] {
  return text.split("\n");
}
