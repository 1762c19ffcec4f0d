import { COLLECTION_STYLE, EVENT_ID, type Event, SCALAR_STYLE } from "js-yaml";
import type { Laid } from "./flow.ts";

/**
 * Finds the tab that kubectl refuses, which the parser here takes for white space. Outside of brackets kubectl takes
 * no tab where a field name could start: in front of anything on a line, on a line of its own, behind a dash; nor in
 * front of the text of a block. Behind a plain text, also inside brackets, it takes one only where the text could go on.
 */

/** What is not looked into for marks: a scalar, an anchor, a tag or an alias. */
interface Leap {
  readonly kind: "plain" | "block" | "other";
  readonly start: number;
  readonly end: number;
  /** Of a plain text: the column that lines which carry it on must reach. Of a block: that of its text. */
  readonly column: number;
}

/** Offset, in the laid out text, of the first tab that kubectl refuses. */
export function refusedTab(written: string, laid: Laid): number | undefined {
  if (!written.includes("\t")) return undefined;
  const text = widened(written, laid);
  const walk = new Walk(text, laid.paddings);
  for (const leap of leapsOf(laid.events, text)) {
    const refused = walk.between(leap.start) ?? walk.over(leap);
    if (refused !== undefined) return refused;
  }
  return walk.between(text.length);
}

/** The text as it was written, at the offsets of the laid out one: that has spaces in place of some tabs. */
function widened(written: string, { paddings }: Laid): string {
  if (paddings.size === 0) return written;
  const lines = written.split("\n");
  return lines.map((line, number) => " ".repeat(paddings.get(number) ?? 0) + line).join("\n");
}

function leapsOf(events: readonly Event[], text: string): readonly Leap[] {
  const leaps: Leap[] = [];
  const other = (start: number, end: number) => {
    if (end >= 0) leaps.push({ kind: "other", start, end, column: 0 });
  };
  /** For every collection that is open, the column of the innermost block. */
  const blocks: number[] = [];
  for (const event of events) {
    const block = blocks.at(-1) ?? -1;
    if (event.type === EVENT_ID.POP) blocks.pop();
    else if (event.type === EVENT_ID.DOCUMENT) blocks.push(block);
    else other(event.anchorStart, event.anchorEnd);
    if (!("tagStart" in event)) continue;
    other(event.tagStart, event.tagEnd);
    if (event.type === EVENT_ID.SCALAR) {
      const { style, valueStart: start, valueEnd: end, indent } = event;
      if (start < 0) continue;
      if (style === SCALAR_STYLE.PLAIN) leaps.push({ kind: "plain", start, end, column: block + 1 });
      else if (style === SCALAR_STYLE.SINGLE_QUOTED || style === SCALAR_STYLE.DOUBLE_QUOTED) other(start - 1, end + 1);
      else leaps.push({ kind: "block", start, end, column: indent });
    } else {
      const column = event.start - text.lastIndexOf("\n", event.start - 1) - 1;
      blocks.push(event.style === COLLECTION_STYLE.BLOCK ? Math.max(block, column) : block);
    }
  }
  return leaps.sort((a, b) => a.start - b.start);
}

class Walk {
  at = 0;
  private line = 0;
  private lineStart = 0;
  /** How many brackets are open. */
  private open = 0;
  /** Whether a field name could start here, outside of brackets. */
  private mayStart = true;
  /** The plain text that could go on here. */
  private plain: Leap | undefined;
  /** Whether there is only white space between here and the end of the last line. */
  private hasBroken = false;
  /** Whether the block that comes says itself how far it is indented. */
  private isIndentGiven = false;

  constructor(
    private readonly text: string,
    private readonly paddings: ReadonlyMap<number, number>,
  ) {}

  /** Goes on to an offset, with nothing but white space, comments and marks in between. */
  between(end: number): number | undefined {
    for (; this.at < end; this.at++) {
      const mark = this.text[this.at] ?? "";
      if (mark === "\t" && this.isRefused()) return this.at;
      if (mark === "\n") this.breakLine();
      if (mark === "\t" || mark === "\n" || mark === " " || mark === "\r") continue;
      this.endPlain();
      if (mark === "#" || mark === "|" || mark === ">") this.restOfLine(mark, end);
      else this.pass(mark);
    }
    return undefined;
  }

  private isRefused(): boolean {
    if (this.plain === undefined) return this.open === 0 && this.mayStart;
    return this.hasBroken && this.column() < this.plain.column;
  }

  private breakLine(): void {
    this.line++;
    this.lineStart = this.at + 1;
    this.hasBroken = true;
    if (this.open === 0 && this.plain === undefined) this.mayStart = true;
  }

  private endPlain(): void {
    if (this.plain !== undefined && this.hasBroken) this.mayStart = true;
    this.plain = undefined;
  }

  private restOfLine(mark: string, end: number): void {
    const newline = this.text.indexOf("\n", this.at);
    const rest = this.text.slice(this.at, newline < 0 ? end : Math.min(newline, end));
    if (mark !== "#") {
      this.isIndentGiven = /^.[-+]?[1-9]/.test(rest);
      this.mayStart = true;
    }
    this.at += rest.length - 1;
  }

  private pass(mark: string): void {
    if (mark === "[" || mark === "{") this.open++;
    else if (mark === "]" || mark === "}") this.open--;
    if (mark === "-" || mark === "?") this.mayStart = true;
    else if (mark !== ":") this.mayStart = false;
  }

  /** Goes over a text, an anchor, a tag or an alias. */
  over(leap: Leap): number | undefined {
    const { kind, start, end, column } = leap;
    this.endPlain();
    this.plain = kind === "plain" ? leap : undefined;
    this.hasBroken = kind === "block";
    // Until its first text comes, a block is as far indented as its spaces go.
    let least = kind === "block" && !this.isIndentGiven ? Number.POSITIVE_INFINITY : column;
    for (this.at = start; this.at < end; this.at++) {
      const mark = this.text[this.at] ?? "";
      if (mark === "\t" && this.hasBroken && this.column() < least) return this.at;
      if (mark === "\n") this.breakLine();
      if (mark === "\n" || mark === " " || mark === "\r") continue;
      this.hasBroken = false;
      least = column;
    }
    this.hasBroken = false;
    this.mayStart = kind === "block";
    return undefined;
  }

  private column(): number {
    return this.at - this.lineStart - (this.paddings.get(this.line) ?? 0);
  }
}
