import type { Diagnostic, Source } from "../types.ts";
import { placeOf } from "./diagnostics.ts";
import { oneLine } from "./style.ts";

/**
 * JUnit XML: a suite per file, a case per object, failed by its errors; warnings go to the case's output.
 * @param objects sources of all objects, in the order of the input
 */
export function junitText(diagnostics: readonly Diagnostic[], objects: readonly Source[]): string {
  const suites = new Map<string, Map<string, Diagnostic[]>>();
  for (const source of objects) caseOf(suites, source);
  for (const diagnostic of diagnostics) caseOf(suites, diagnostic.source).push(diagnostic);
  const parts = [...suites].map(([file, cases]) => suiteText(oneLine(file), cases));
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="svctables">\n${parts.join("")}</testsuites>\n`;
}

function caseOf(suites: Map<string, Map<string, Diagnostic[]>>, source: Source): Diagnostic[] {
  const cases = suites.get(source.file) ?? new Map<string, Diagnostic[]>();
  suites.set(source.file, cases);
  const name = `document ${source.document + 1}${source.item === undefined ? "" : `, item ${source.item + 1}`}`;
  const found = cases.get(name) ?? [];
  cases.set(name, found);
  return found;
}

function suiteText(file: string, cases: ReadonlyMap<string, readonly Diagnostic[]>): string {
  const failures = [...cases.values()].filter((found) => found.some(isError)).length;
  const body = [...cases].map(([name, found]) => caseText(file, name, found)).join("");
  const counts = `tests="${cases.size}" failures="${failures}"`;
  return `  <testsuite name="${xml(file)}" ${counts}>\n${body}  </testsuite>\n`;
}

function caseText(file: string, name: string, found: readonly Diagnostic[]): string {
  const object = found.find((diagnostic) => diagnostic.object !== undefined)?.object;
  const head = `    <testcase classname="${xml(file)}" name="${xml(object === undefined ? name : `${name}: ${object}`)}"`;
  if (found.length === 0) return `${head}/>\n`;
  const errors = found.filter(isError);
  const warnings = found.filter((diagnostic) => !isError(diagnostic));
  const failure =
    errors.length === 0
      ? ""
      : `      <failure type="${xml(errors.map(({ code }) => code).join(" "))}" message="${xml(errors[0]?.message ?? "")}">${xml(linesOf(errors))}</failure>\n`;
  const output = warnings.length === 0 ? "" : `      <system-out>${xml(linesOf(warnings))}</system-out>\n`;
  return `${head}>\n${failure}${output}    </testcase>\n`;
}

function isError({ severity }: Diagnostic): boolean {
  return severity === "error";
}

function linesOf(diagnostics: readonly Diagnostic[]): string {
  return diagnostics
    .map(
      ({ source, message, code, hint }) =>
        `${placeOf(source)}: ${message} [${code}]${hint === undefined ? "" : ` (${hint})`}`,
    )
    .join("\n");
}

/** Characters that XML 1.0 cannot hold at all become a replacement character. */
function xml(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu, "\ufffd")
    .replace(/&/g, "&amp;")
    .replace(/</g, "&lt;")
    .replace(/>/g, "&gt;")
    .replace(/"/g, "&quot;");
}
