import type { Diagnostic, Document, Source } from "../../types.ts";
import { quote } from "../quote.ts";
import { takeApart } from "./apart.ts";
import { positionAt } from "./encoding.ts";
import { textError } from "./finding.ts";
import { countKeys, hasDuplicateKeys, type JsonProblem, jsonShape, MAX_DEPTH, scanJson } from "./json.ts";
import type { TextResult } from "./record.ts";
import { jsonTemplateHint } from "./slips.ts";
import type { YamlRange } from "./split.ts";

/** Above this size a text that is broken JSON is not tried as YAML as well. */
const LARGEST_RETRY = 8 * 1024 * 1024;

/**
 * Reads JSON: one value, or several one after the other. A text that is not JSON but may be YAML in flow style
 * (`{kind: Service}`) is handed to `asYaml`, unless the file's name says JSON.
 */
export function readJson(file: string, bytes: Buffer, keep: Buffer | undefined, asYaml: () => TextResult): TextResult {
  const text = bytes.toString("utf8");
  const whole = parse(text);
  if (whole !== undefined) {
    const keys = countKeys(whole.value);
    if (keys === undefined) return failed(file, keep, tooDeep(file));
    const duplicate = hasDuplicateKeys(text, bytes, keys) ? scanJson(text).problem : undefined;
    if (duplicate !== undefined) return failed(file, keep, problemDiagnostic(file, bytes, text, duplicate));
    return collect(file, keep, [
      { value: whole.value, range: { start: 0, end: bytes.length, line: 1, items: undefined } },
    ]);
  }
  if (jsonShape(bytes).depth > MAX_DEPTH) return failed(file, keep, tooDeep(file));
  const scan = scanJson(text);
  if (scan.problem === undefined) {
    const values = [];
    let offset = 0;
    let start = 0;
    for (const range of scan.values) {
      start += Buffer.byteLength(text.slice(offset, range.start));
      offset = range.start;
      const piece = text.slice(range.start, range.end);
      const end = start + Buffer.byteLength(piece);
      const value: unknown = JSON.parse(piece);
      values.push({ value, range: { start, end, line: positionAt(bytes, start).line, items: undefined } });
    }
    return collect(file, keep, values);
  }
  const isNamedJson = /\.json$/i.test(file);
  if (scan.problem.kind === "syntax" && !isNamedJson && bytes.length <= LARGEST_RETRY) {
    const yaml = asYaml();
    if (yaml.diagnostics.length === 0 || !/^\s*[{[]\s*["{\]}]/.test(text)) return yaml;
  }
  return failed(file, keep, problemDiagnostic(file, bytes, text, scan.problem));
}

function parse(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch {
    return undefined;
  }
}

function collect(
  file: string,
  keep: Buffer | undefined,
  values: readonly { readonly value: unknown; readonly range: YamlRange }[],
): TextResult {
  const documents: Document[] = [];
  for (const [document, { value }] of values.entries()) {
    takeApart(value, { file, document }, (found) => documents.push(found));
  }
  const record = { name: file, format: "json", documents: values.map(({ range }) => range), bytes: keep } as const;
  return { documents, diagnostics: [], record };
}

function failed(file: string, keep: Buffer | undefined, diagnostic: Diagnostic): TextResult {
  return {
    documents: [],
    diagnostics: [diagnostic],
    record: { name: file, format: "json", documents: [], bytes: keep },
  };
}

function tooDeep(file: string): Diagnostic {
  const source: Source = { file, document: 0, line: 1, column: 1 };
  const message = `nested deeper than ${MAX_DEPTH} levels`;
  return textError("nesting-too-deep", source, message, "no Kubernetes object is this deep");
}

function problemDiagnostic(file: string, bytes: Buffer, text: string, problem: JsonProblem): Diagnostic {
  const position = positionAt(bytes, Buffer.byteLength(text.slice(0, problem.offset)));
  const source: Source = { file, document: 0, ...position };
  if (problem.kind === "duplicate") {
    const message = `key ${quote(problem.found)} is already set in this object`;
    return textError("duplicate-key", source, message, "keep one of the two");
  }
  const message = problem.found === "" ? "JSON: the text ends too early" : `JSON: unexpected ${quote(problem.found)}`;
  const hint =
    problem.found === ""
      ? "a bracket or a quote is not closed"
      : (jsonTemplateHint(text, problem.offset) ?? "check commas, quotes and brackets before this place");
  return textError("json-syntax", source, message, hint);
}
