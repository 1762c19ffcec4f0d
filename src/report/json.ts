import type { ApplyResult, BackendName, Change, Diagnostic, Line, Source } from "../types.ts";
import { countChanges, kindOf, servicePortText } from "./changes.ts";
import { harmlessJson } from "./style.ts";

/** Everything for programs: stable names, two-space indent, one value per document. */
export function jsonText(value: unknown): string {
  return `${harmlessJson(JSON.stringify(value, null, 2))}\n`;
}

function diagnosticJson({ code, severity, source, object, message, hint }: Diagnostic): unknown {
  return { code, severity, object, ...sourceJson(source), message, hint };
}

function sourceJson({ file, document, item, path, line, column }: Source): object {
  return { file, document, item, path, line, column };
}

/** What differs; `otherBackends` are those whose rules of before would go besides. */
export function changesJson(changes: readonly Change[], otherBackends: readonly BackendName[] = []): object {
  const inSync = changes.length + otherBackends.length === 0;
  return { inSync, counts: countChanges(changes), otherBackends, changes: changes.map(changeJson) };
}

/** What `sync` brought about, in the words of what `diff` would have said before. */
export function resultJson(result: ApplyResult, otherBackends: readonly BackendName[] = []): object {
  switch (result.kind) {
    case "unchanged":
      return { result: result.kind, ...changesJson([], otherBackends) };
    case "applied":
      return { result: result.kind, ...changesJson(result.changes, otherBackends) };
    case "refused": {
      const { kind, reason, origin, rolledBack } = result;
      const servicePort = origin === undefined ? undefined : servicePortText(origin.servicePort);
      return { result: kind, reason, servicePort, source: origin?.source, rolledBack };
    }
  }
}

function changeJson({ family, table, name, before, after, removed, added }: Change): unknown {
  const action = before === undefined ? "create" : after === undefined ? "delete" : "change";
  return {
    family,
    table,
    name,
    kind: kindOf(after ?? before),
    action,
    removed: removed.map(lineJson),
    added: added.map(lineJson),
  };
}

function lineJson({ text, origin }: Line): unknown {
  if (origin === undefined) return { text };
  return { text, servicePort: servicePortText(origin.servicePort), source: sourceJson(origin.source) };
}

/** The findings of `validate`. */
export function findingsJson(
  diagnostics: readonly Diagnostic[],
  objects: number,
  foreign: ReadonlyMap<string, number>,
): object {
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  return {
    counts: { objects, errors, warnings: diagnostics.length - errors },
    foreign: Object.fromEntries(foreign),
    findings: diagnostics.map(diagnosticJson),
  };
}
