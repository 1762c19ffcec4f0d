import type { Diagnostic } from "../types.ts";
import { harmless } from "./style.ts";

/** Workflow commands that GitHub Actions turns into annotations, one line per finding. */
export function githubText(diagnostics: readonly Diagnostic[]): string {
  return diagnostics.map((diagnostic) => `${annotation(diagnostic)}\n`).join("");
}

function annotation({ severity, source, object, message, hint, code }: Diagnostic): string {
  const place = [`file=${property(source.file)}`];
  if (source.line !== undefined) place.push(`line=${source.line}`);
  if (source.column !== undefined) place.push(`col=${source.column}`);
  place.push(`title=${property(code)}`);
  const text = [object === undefined ? message : `${object}: ${message}`, hint].filter((part) => part !== undefined);
  return `::${severity} ${place.join(",")}::${escaped(text.join("\n"))}`;
}

function escaped(text: string): string {
  return harmless(text).replace(/%/g, "%25").replace(/\r/g, "%0D").replace(/\n/g, "%0A");
}

/** Values of properties end at a comma or colon. */
function property(text: string): string {
  return escaped(text).replace(/:/g, "%3A").replace(/,/g, "%2C");
}
