import { type Child, type Children, follower, type PathOffset } from "./path.ts";

/**
 * JSON beyond what JSON.parse tells: where an error is, which keys are given twice, where a field stands, and
 * several values one after the other. Only the pre-scan runs on every input; the rest runs when something is wrong.
 */

/** Objects and lists inside one another: no Kubernetes object is this deep. */
export const MAX_DEPTH = 100;

export interface JsonShape {
  /** Colons outside strings: the number of keys as written. */
  readonly keys: number;
  readonly depth: number;
}

const SPACE_BYTE = 32;
/** Bytes that mean something in JSON. */
export const QUOTE = 34;
export const BACKSLASH = 92;
export const COMMA = 44;
export const COLON = 58;
export const OPEN_BRACE = 123;
export const OPEN_BRACKET = 91;
export const CLOSE_BRACE = 125;
export const CLOSE_BRACKET = 93;

/** Counts keys and depth in one pass over the bytes, without parsing; strings are leapt over. */
export function jsonShape(bytes: Uint8Array): JsonShape {
  const { length } = bytes;
  let keys = 0;
  let depth = 0;
  let deepest = 0;
  let at = 0;
  while (at < length) {
    const byte = bytes[at++] ?? 0;
    if (byte <= SPACE_BYTE) continue;
    if (byte === QUOTE) at = endOfString(bytes, at);
    else if (byte === COLON) keys++;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      depth++;
      if (depth > deepest) deepest = depth;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
  }
  return { keys, depth: deepest };
}

/** Offset behind the quote that ends a string; one with an odd number of backslashes before it does not. */
export function endOfString(bytes: Uint8Array, start: number): number {
  let at = start;
  for (;;) {
    const quote = bytes.indexOf(QUOTE, at);
    if (quote < 0) return bytes.length;
    let before = quote - 1;
    while (before >= at && bytes[before] === BACKSLASH) before--;
    at = quote + 1;
    if (((quote - 1 - before) & 1) === 0) return at;
  }
}

/** Keys in a parsed value, fewer than were written when a key was given twice; undefined if it is too deep. */
export function countKeys(value: unknown, levels = MAX_DEPTH): number | undefined {
  if (typeof value !== "object" || value === null) return 0;
  if (levels === 0) return undefined;
  let count = 0;
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) {
      const keys = countKeys(value[at], levels - 1);
      if (keys === undefined) return undefined;
      count += keys;
    }
    return count;
  }
  const fields = value as Readonly<Record<string, unknown>>;
  for (const key in fields) {
    count++;
    const inner = fields[key];
    if (typeof inner !== "object") continue;
    const keys = countKeys(inner, levels - 1);
    if (keys === undefined) return undefined;
    count += keys;
  }
  return count;
}

/**
 * Whether some key of this valid JSON is given twice, when its parsed value has `keys` keys. Most texts are cleared
 * by counting colons behind quotes, which takes a fourth of the time of leaping over every string.
 */
export function hasDuplicateKeys(text: string, bytes: Buffer, keys: number): boolean {
  // Such a quote may end a string, and would not be counted.
  const isCertain = colonsBehindQuotes(text) === keys && !text.includes('\\\\"');
  return !isCertain && jsonShape(bytes).keys !== keys;
}

/**
 * The number of keys, if no string ends with a backslash; more if some string starts with a colon. -1 if some colon
 * stands behind white space, as programs do not write keys.
 */
function colonsBehindQuotes(text: string): number {
  let count = 0;
  for (let at = text.indexOf(":"); at >= 0; at = text.indexOf(":", at + 1)) {
    const before = text.charCodeAt(at - 1);
    if (before === QUOTE) {
      if (text.charCodeAt(at - 2) !== BACKSLASH) count++;
    } else if (before <= SPACE_BYTE) return -1;
  }
  return count;
}

/** What is wrong at an offset of the text. */
export interface JsonProblem {
  readonly kind: "syntax" | "duplicate";
  readonly offset: number;
  readonly found: string;
}

/** One value of the text: [start, end). */
export interface JsonRange {
  readonly start: number;
  readonly end: number;
}

export type JsonScan = { readonly values: readonly JsonRange[]; readonly problem: JsonProblem | undefined };

const LITERAL = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w.+-])/y;
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y;
const SPACE = /[ \t\r\n]*/y;
const SEPARATOR = /---[ \t]*(?:\r?\n|$)/y;

/** Reads JSON strictly and finds the first problem, duplicate keys included. Depth must have been checked. */
class Scanner {
  at = 0;
  problem: JsonProblem | undefined;

  constructor(private readonly text: string) {}

  space(): void {
    SPACE.lastIndex = this.at;
    SPACE.exec(this.text);
    this.at = SPACE.lastIndex;
  }

  token(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const token = pattern.exec(this.text)?.[0];
    if (token !== undefined) this.at += token.length;
    return token;
  }

  /** A string with its quotes. A loop: a pattern would need a stack as long as the string. */
  string(): string | undefined {
    const start = this.at;
    if (this.text[start] !== '"') return undefined;
    this.at++;
    for (;;) {
      const code = this.text.charCodeAt(this.at);
      if (code === QUOTE) {
        this.at++;
        return this.text.slice(start, this.at);
      }
      if (code === BACKSLASH) {
        if (this.token(ESCAPE) === undefined) return undefined;
      } else if (!(code >= 32)) return undefined;
      else this.at++;
    }
  }

  fail(kind: JsonProblem["kind"] = "syntax", offset = this.at, found = this.text.slice(offset, offset + 1)): false {
    this.problem ??= { kind, offset, found };
    return false;
  }

  /** Skips one value; false at a problem. */
  value(): boolean {
    this.space();
    const first = this.text[this.at];
    if (first === "{") return this.object();
    if (first === "[") return this.array();
    return (first === '"' ? this.string() : this.token(LITERAL)) !== undefined || this.fail();
  }

  private array(): boolean {
    this.at++;
    this.space();
    if (this.text[this.at] === "]") return this.close();
    do {
      if (!this.value()) return false;
      this.space();
    } while (this.text[this.at] === "," && this.close());
    return this.text[this.at] === "]" ? this.close() : this.fail();
  }

  private object(): boolean {
    const keys = new Set<string>();
    return this.members((key, offset) => {
      if (keys.has(key)) this.fail("duplicate", offset, key);
      keys.add(key);
      return this.value();
    });
  }

  /** Calls back after each colon; stops when that returns false. */
  members(onMember: (key: string, offset: number) => boolean): boolean {
    this.at++;
    this.space();
    if (this.text[this.at] === "}") return this.close();
    do {
      this.space();
      const offset = this.at;
      const token = this.string();
      if (token === undefined) return this.fail();
      this.space();
      if (this.text[this.at] !== ":") return this.fail();
      this.at++;
      if (!onMember(JSON.parse(token) as string, offset)) return false;
      this.space();
    } while (this.text[this.at] === "," && this.close());
    return this.text[this.at] === "}" ? this.close() : this.fail();
  }

  private close(): true {
    this.at++;
    return true;
  }

  /** The members or elements of the value here, up to the first problem; of two with one key the first. */
  children(): Children {
    const children = new Map<string | number, Child>();
    this.space();
    if (this.text[this.at] === "[") this.elements(children);
    else if (this.text[this.at] === "{") {
      this.members((key, offset) => {
        if (!children.has(key)) children.set(key, { offset, at: this.at });
        return this.value();
      });
    }
    return children;
  }

  private elements(children: Map<string | number, Child>): void {
    do {
      this.at++;
      this.space();
      if (this.text[this.at] === "]") return;
      children.set(children.size, { offset: this.at, at: this.at });
      if (!this.value()) return;
      this.space();
    } while (this.text[this.at] === ",");
  }
}

/** All values of a text that holds one or more, with nothing or a line `---` between them. */
export function scanJson(text: string): JsonScan {
  const scanner = new Scanner(text);
  const values: JsonRange[] = [];
  for (;;) {
    scanner.space();
    while (text[scanner.at] === "-" && scanner.token(SEPARATOR) !== undefined) scanner.space();
    if (scanner.at >= text.length) return { values, problem: scanner.problem };
    const start = scanner.at;
    if (!scanner.value()) return { values, problem: scanner.problem };
    values.push({ start, end: scanner.at });
  }
}

/** Where paths lead in the first value of the text. */
export function jsonPaths(text: string): (path: readonly (string | number)[]) => PathOffset {
  const scanner = new Scanner(text);
  scanner.space();
  return follower({ offset: scanner.at, at: scanner.at }, (at) => {
    scanner.at = at;
    return scanner.children();
  });
}
