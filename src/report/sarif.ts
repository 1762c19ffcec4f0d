import type { Diagnostic, Source } from "../types.ts";
import type { Explanation } from "./diagnostics.ts";

const SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json";

/** A SARIF 2.1.0 log with one run: what code-scanning services read. Rules are the codes that were found. */
export function sarifJson(diagnostics: readonly Diagnostic[], explanations: readonly Explanation[]): object {
  const codes = [...new Set(diagnostics.map(({ code }) => code))].sort();
  const known = new Map(explanations.map((explanation) => [explanation.code, explanation]));
  return {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: [
      {
        tool: { driver: { name: "svctables", rules: codes.map((code) => rule(code, known.get(code))) } },
        results: diagnostics.map((diagnostic) => result(diagnostic, codes)),
      },
    ],
  };
}

function rule(id: string, explanation: Explanation | undefined): object {
  if (explanation === undefined) return { id };
  return {
    id,
    shortDescription: { text: explanation.title },
    fullDescription: { text: explanation.paragraph },
    defaultConfiguration: { level: explanation.severity },
  };
}

function result({ code, severity, source, object, message, hint }: Diagnostic, codes: readonly string[]): object {
  const text = object === undefined ? message : `${object}: ${message}`;
  return {
    ruleId: code,
    ruleIndex: codes.indexOf(code),
    level: severity,
    message: { text: hint === undefined ? text : `${text}\n${hint}` },
    locations: [{ physicalLocation: physicalLocation(source) }],
  };
}

function physicalLocation({ file, line, column }: Source): object {
  const artifactLocation = { uri: file === "-" ? "stdin" : encodeURI(file) };
  if (line === undefined) return { artifactLocation };
  return { artifactLocation, region: { startLine: line, ...(column === undefined ? {} : { startColumn: column }) } };
}
