import { constructFromEvents, EVENT_ID, type Event, getScalarValue, SCALAR_STYLE, YAMLException } from "js-yaml";
import { quote, visible } from "../quote.ts";
import { type Laid, layOut, MAX_DEPTH, writtenOffset } from "./flow.ts";
import { type Child, type Children, follower, type PathOffset } from "./path.ts";
import { NotFiniteError, nameOf } from "./scalars.ts";
import { INEXACT_KEY, KUBECTL_SCHEMA, MERGED_OVER } from "./schema.ts";
import { SPACE_BEHIND_DASH, spaceHint, templateHint } from "./slips.ts";
import { refusedTab } from "./tabs.ts";

/** Why one piece of YAML could not be read; line and column are 0-based inside the piece. */
export interface YamlProblem {
  readonly code: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly hint: string;
}

/** `isOdd`: lines inside brackets or quotes stand further to the left than YAML wants them; kubectl does not mind. */
export type YamlResult = { readonly value: unknown; readonly isOdd: boolean } | { readonly problem: YamlProblem };

/** The parser puts parts of the text into its reasons. */
const LONGEST_REASON = 160;

/** Parses text that holds one document. Never throws, whatever the text. */
export function parseYaml(text: string, maxAliases: number): YamlResult {
  let laid: Laid = { text, events: [], paddings: new Map() };
  try {
    laid = layOut(text);
    const tab = refusedTab(text, laid);
    if (tab !== undefined) YAMLException.throwAt(laid.text, tab, "a tab where kubectl takes spaces only", "");
    const options = { source: laid.text, schema: KUBECTL_SCHEMA, maxAliases };
    const values = constructFromEvents(laid.events, options);
    if (values.length > 1)
      return { problem: problemAt(text, 0, "more than one document", "put --- between documents") };
    const value = values[0] ?? null;
    if (maxAliases > 0 && isCyclic(value, new Set())) {
      return { problem: problemAt(text, 0, "an alias contains itself", "write the value out", "alias-forbidden") };
    }
    return { value, isOdd: laid.text !== text };
  } catch (error) {
    const problem = describe(laid.text, laid.events, error);
    return { problem: { ...problem, column: Math.max(0, problem.column - (laid.paddings.get(problem.line) ?? 0)) } };
  }
}

function isCyclic(value: unknown, above: Set<object>): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (above.has(value)) return true;
  above.add(value);
  const found = Object.values(value).some((inner) => isCyclic(inner, above));
  above.delete(value);
  return found;
}

function problemAt(text: string, offset: number, message: string, hint: string, code = "yaml-syntax"): YamlProblem {
  const before = text.slice(0, offset);
  const lineStart = before.lastIndexOf("\n") + 1;
  const line = lineStart === 0 ? 0 : (before.match(/\n/g)?.length ?? 0);
  return { code, line, column: offset - lineStart, message, hint };
}

function describe(text: string, events: readonly Event[], error: unknown): YamlProblem {
  if (error instanceof NotFiniteError) return notFinite(text, events, error);
  if (!(error instanceof YAMLException)) {
    const reason = visible(error instanceof Error ? error.message : String(error), LONGEST_REASON);
    return problemAt(text, 0, `the document cannot be read: ${reason}`, "simplify the document");
  }
  const { code, message, hint } = explain(visible(error.reason, LONGEST_REASON), text, error.mark?.position ?? 0);
  const offset = code === "null-key" ? oddKeyOffset(text, events) : beforeQuote(text, error.mark?.position ?? 0);
  return problemAt(text, offset, message, templateHint(text, offset) ?? hint, code);
}

function notFinite(text: string, events: readonly Event[], error: NotFiniteError): YamlProblem {
  const scalar = events.find(
    (event) =>
      event.type === EVENT_ID.SCALAR &&
      (event.style === SCALAR_STYLE.PLAIN || event.tagStart >= 0) &&
      getScalarValue(text, event) === error.text,
  );
  const offset = scalar?.type === EVENT_ID.SCALAR ? scalar.valueStart : 0;
  const message = `number ${quote(error.text)} is not finite`;
  return problemAt(text, offset, message, "put the value in quotes if it is meant as text", "number-out-of-range");
}

/** The parser counts a quoted text from behind its quote. */
function beforeQuote(text: string, offset: number): number {
  const before = text[offset - 1];
  return before === '"' || before === "'" ? offset - 1 : offset;
}

/** Offset of the first key that is null, a list or a mapping; of what follows it, when it is empty. */
function oddKeyOffset(text: string, events: readonly Event[]): number {
  const open: { readonly mapping: boolean; children: number }[] = [];
  for (const [index, event] of events.entries()) {
    const parent = open.at(-1);
    const isKey = parent?.mapping === true && event.type !== EVENT_ID.POP && parent.children++ % 2 === 0;
    const isScalar = event.type === EVENT_ID.SCALAR;
    const isNull =
      isScalar && event.style === SCALAR_STYLE.PLAIN && /^(?:~|null|Null|NULL)?$/.test(getScalarValue(text, event));
    if (isKey && (isNull || !isScalar)) return offsetOf(event, text) ?? offsetOf(events[index + 1], text) ?? 0;
    if (event.type === EVENT_ID.POP) open.pop();
    else if (!isScalar && event.type !== EVENT_ID.ALIAS)
      open.push({ mapping: event.type === EVENT_ID.MAPPING, children: 0 });
  }
  return 0;
}

function explain(reason: string, text: string, offset: number): { code: string; message: string; hint: string } {
  if (reason === "duplicated mapping key") {
    const key = /^(?:"[^"\n]*"|'[^'\n]*'|[^:\n]*)/.exec(text.slice(beforeQuote(text, offset)))?.[0].trim() ?? "";
    return {
      code: "duplicate-key",
      message: `key ${quote(key)} is already set in this mapping`,
      hint: /^-[A-Za-z]/.test(key) ? SPACE_BEHIND_DASH : "keep one of the two",
    };
  }
  if (reason.startsWith(MERGED_OVER)) {
    const key = quote(reason.slice(MERGED_OVER.length));
    const message = `key ${key} is already set in this mapping, and << sets it again`;
    return { code: "duplicate-key", message, hint: "keep one of the two, or put << in front of what replaces it" };
  }
  if (reason.startsWith("aliases exceeded")) {
    const message = "YAML aliases (*name) are not followed, since a few of them can stand for gigabytes";
    return { code: "alias-forbidden", message, hint: "write the value out in both places" };
  }
  if (reason.startsWith("nesting exceeded")) {
    return {
      code: "nesting-too-deep",
      message: `nested deeper than ${MAX_DEPTH} levels`,
      hint: "no Kubernetes object is this deep",
    };
  }
  if (reason === INEXACT_KEY) {
    const message = "a field name is a number that is too large to be exact";
    return { code: "number-out-of-range", message, hint: "put the name in quotes" };
  }
  if (reason === "null is not a field name") {
    return { code: "null-key", message: "a field name is empty or null", hint: "name the field, or quote the name" };
  }
  if (reason.includes("complex keys")) {
    return { code: "null-key", message: "a list or mapping cannot be a field name", hint: "use a plain name" };
  }
  if (reason.startsWith("unknown") && reason.includes("tag")) {
    return { code: "yaml-tag", message: `YAML ${reason}`, hint: "remove the tag (the word with !)" };
  }
  return { code: "yaml-syntax", message: `YAML: ${reason}`, hint: syntaxHint(reason, text, offset) };
}

function syntaxHint(reason: string, text: string, offset: number): string {
  const before = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset);
  if (before.includes("\t") || text[offset] === "\t") return "indent with spaces, not with tabs";
  const missing = spaceHint(text, offset);
  if (missing !== undefined) return missing;
  if (reason === "deficient indentation")
    return "a quote or bracket that was opened before is not closed, or the line needs more spaces";
  if (text.startsWith("//", offset)) return "a comment starts with #";
  if (/indent/.test(reason) && !before.includes(": ")) return "line up the fields of one object with spaces";
  return "check quotes, colons and indentation on this line and the one before";
}

/** Reads the text once and then finds where paths of field names and list indices lead in it. */
export function yamlPaths(text: string): (path: readonly (string | number)[]) => PathOffset | undefined {
  let laid: Laid;
  try {
    laid = layOut(text);
  } catch {
    return () => undefined;
  }
  const { events } = laid;
  const at = events[0]?.type === EVENT_ID.DOCUMENT ? 1 : 0;
  const walk = follower({ offset: offsetOf(events[at], laid.text) ?? 0, at }, (from) =>
    childrenOf({ events, at: from }, laid.text),
  );
  return (path) => {
    const found = walk(path);
    return { ...found, offset: writtenOffset(laid, found.offset) };
  };
}

interface Walker {
  readonly events: readonly Event[];
  at: number;
}

function offsetOf(event: Event | undefined, text: string): number | undefined {
  if (event === undefined) return undefined;
  if (event.type === EVENT_ID.SCALAR) return event.valueStart >= 0 ? beforeQuote(text, event.valueStart) : undefined;
  if (event.type === EVENT_ID.MAPPING || event.type === EVENT_ID.SEQUENCE) return event.start;
  return undefined;
}

/** The children of the value here; of two with one key the first. */
function childrenOf(walker: Walker, text: string): Children {
  const children = new Map<string | number, Child>();
  const event = walker.events[walker.at++];
  const add = (key: string | number, named: Event | undefined) => {
    const offset = offsetOf(named, text);
    if (offset !== undefined && !children.has(key)) children.set(key, { offset, at: walker.at });
  };
  if (event?.type === EVENT_ID.SEQUENCE) {
    for (let index = 0; !isPop(walker); index++) {
      add(index, walker.events[walker.at]);
      skip(walker);
    }
  } else if (event?.type === EVENT_ID.MAPPING) {
    while (!isPop(walker)) {
      const key = walker.events[walker.at];
      skip(walker);
      if (key?.type === EVENT_ID.SCALAR) {
        const written = getScalarValue(text, key);
        const isPlain = key.style === SCALAR_STYLE.PLAIN && key.tagStart < 0;
        add(isPlain ? nameOf(written) : written, key);
      }
      skip(walker);
    }
  }
  return children;
}

function isPop(walker: Walker): boolean {
  const event = walker.events[walker.at];
  return event === undefined || event.type === EVENT_ID.POP;
}

function skip(walker: Walker): void {
  for (let depth = 0; walker.at < walker.events.length; ) {
    const type = walker.events[walker.at++]?.type;
    if (type === EVENT_ID.MAPPING || type === EVENT_ID.SEQUENCE || type === EVENT_ID.DOCUMENT) depth++;
    else if (type === EVENT_ID.POP) depth--;
    if (depth === 0) return;
  }
}
