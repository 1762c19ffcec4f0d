/**
 * Cuts YAML text into documents, and a document that is a List into its items, without parsing it: parsing a
 * large file in one go costs several times the memory. Works on bytes and never cuts inside a node, because a
 * line at column 0 (or at the dash column of the items) ends every scalar that YAML knows.
 */

/** The items of a block-style `items:` at the top level. Offsets are bytes of the file, lines are 1-based. */
export interface ItemRanges {
  readonly starts: readonly number[];
  readonly lines: readonly number[];
  /** End of the last item: what follows belongs to the List itself again. */
  readonly end: number;
}

export interface YamlRange {
  readonly start: number;
  readonly end: number;
  readonly line: number;
  readonly items: ItemRanges | undefined;
}

/** A line that is not where it may be. */
export interface SplitProblem {
  readonly kind: "separator" | "behind-end" | "directive";
  readonly offset: number;
}

export interface SplitResult {
  readonly documents: readonly YamlRange[];
  readonly problem: SplitProblem | undefined;
}

const DASH = 45;
const DOT = 46;
const HASH = 35;
const PERCENT = 37;
const SPACE = 32;
const TAB = 9;
const LF = 10;
const CR = 13;
const LETTER_I = 105;
const ITEMS = Buffer.from("items:");

function isBlank(byte: number | undefined): boolean {
  return byte === SPACE || byte === TAB || byte === CR || byte === LF || byte === undefined;
}

/** Whether only white space and a comment follow on this line. */
function restIsComment(bytes: Buffer, from: number, end: number): boolean {
  for (let at = from; at < end; at++) {
    const byte = bytes[at];
    if (byte === HASH) return at === from || isBlank(bytes[at - 1]);
    if (!isBlank(byte)) return false;
  }
  return true;
}

/** One document while its lines go by. */
class Draft {
  private content = false;
  /** A line that starts with a tab: kubectl refuses it even where there is nothing else. */
  hasTab = false;
  private dashColumn = -1;
  private state: "before" | "expected" | "inside" | "after" = "before";
  private readonly starts: number[] = [];
  private readonly lines: number[] = [];
  private itemsEnd = 0;
  private cuttable = true;

  constructor(
    private readonly bytes: Buffer,
    private readonly start: number,
    private readonly line: number,
  ) {}

  get isEmpty(): boolean {
    return !this.content;
  }

  addLine(lineStart: number, lineEnd: number, line: number): void {
    let at = lineStart;
    while (at < lineEnd && this.bytes[at] === SPACE) at++;
    const byte = this.bytes[at];
    if (byte === TAB) this.hasTab = true;
    if (byte === HASH || restIsComment(this.bytes, at, lineEnd)) return;
    this.content = true;
    const column = at - lineStart;
    const isDash = byte === DASH && isBlank(this.bytes[at + 1]);
    if (this.state === "expected") this.state = this.openItems(column, isDash);
    if (this.state === "inside") {
      if (column === this.dashColumn && isDash) {
        this.starts.push(lineStart);
        this.lines.push(line);
      } else if (column <= this.dashColumn) {
        this.state = "after";
        this.itemsEnd = lineStart;
        if (column !== 0) this.cuttable = false;
      }
    } else if (column === 0 && byte === LETTER_I && this.isItemsLine(lineStart, lineEnd)) {
      if (this.state === "before") this.state = "expected";
      else this.cuttable = false;
    }
  }

  private openItems(column: number, isDash: boolean): "inside" | "after" {
    if (!isDash) {
      this.cuttable = false;
      return "after";
    }
    this.dashColumn = column;
    return "inside";
  }

  private isItemsLine(start: number, end: number): boolean {
    const after = start + ITEMS.length;
    return (
      this.bytes.compare(ITEMS, 0, ITEMS.length, start, Math.min(after, end)) === 0 &&
      restIsComment(this.bytes, after, end)
    );
  }

  finish(end: number): YamlRange {
    const { start, line, starts, lines } = this;
    const whole = !this.cuttable || starts.length === 0;
    const itemsEnd = this.state === "inside" ? end : this.itemsEnd;
    return { start, end, line, items: whole ? undefined : { starts, lines, end: itemsEnd } };
  }
}

/** Documents of a YAML text in order; those that hold nothing are left out. Stops at the first problem. */
export function splitYaml(bytes: Buffer): SplitResult {
  const documents: YamlRange[] = [];
  let draft = new Draft(bytes, 0, 1);
  let hasEnded = false;
  const close = (end: number) => {
    if (!draft.isEmpty || (draft.hasTab && !hasEnded)) documents.push(draft.finish(end));
  };
  for (let at = 0, line = 1; at < bytes.length; line++) {
    const lineStart = at;
    while (at < bytes.length && bytes[at] !== LF) at++;
    const next = at + 1;
    const marker = separatorAt(bytes, lineStart);
    if (marker !== undefined) {
      // At the very start kubectl cuts nothing off, and YAML wants a space in front of a comment.
      const isText = lineStart === 0 && bytes[3] === HASH;
      if (isText || !restIsComment(bytes, lineStart + 3, at))
        return { documents, problem: { kind: "separator", offset: lineStart } };
      close(lineStart);
      hasEnded = marker === "end";
      draft = new Draft(bytes, next, line + 1);
    } else if (bytes[lineStart] === PERCENT && draft.isEmpty) {
      return { documents, problem: { kind: "directive", offset: lineStart } };
    } else {
      draft.addLine(lineStart, at, line);
      if (hasEnded && !draft.isEmpty) return { documents, problem: { kind: "behind-end", offset: lineStart } };
    }
    at = next;
  }
  close(bytes.length);
  return { documents, problem: undefined };
}

function separatorAt(bytes: Buffer, at: number): "start" | "end" | undefined {
  const byte = bytes[at];
  if (byte !== DASH && byte !== DOT) return undefined;
  if (bytes[at + 1] !== byte || bytes[at + 2] !== byte) return undefined;
  // `---foo` would be text for YAML and a separator for kubectl: it counts here, and is then refused.
  return byte === DASH ? "start" : isBlank(bytes[at + 3]) ? "end" : undefined;
}
