import { UserError } from "../errors.ts";
import { type Input, readInput } from "../pipeline.ts";
import { diagnosticsText, foreignText, summaryText } from "../report/diagnostics.ts";
import { styleFor } from "../report/style.ts";
import type { Settings } from "../settings/settings.ts";
import type { Diagnostic, Severity } from "../types.ts";
import { type Flags, isSet, listFlag } from "./flags.ts";
import type { Io } from "./io.ts";

/** Findings shown to people; the rest is counted. Programs get all. */
const LIMIT = 100;

/**
 * Reads what -f names.
 * @throws UserError if no input was named
 */
export function inputFrom(flags: Flags, settings: Settings, io: Io): Promise<Input> {
  const files = listFlag(flags, "file");
  if (files.length === 0) {
    throw new UserError(
      "no input: nothing was named with -f",
      "name manifests with -f FILE, -f DIRECTORY, or -f - for standard input",
    );
  }
  return readInput(files, () => io.stdin(), settings);
}

/** Prints the findings; false if the input must not be used. */
export function isAccepted(input: Input, flags: Flags, io: Io): boolean {
  const diagnostics = isSet(flags, "strict") ? input.diagnostics.map(asError) : input.diagnostics;
  const errors = ofSeverity(diagnostics, "error");
  if (errors.length > 0) {
    io.error(humanFindings(errors, input, io));
    io.error(`${summaryText(errors, input.documents.length)}; nothing was changed\n`);
    return false;
  }
  io.note(humanFindings(ofSeverity(diagnostics, "warning"), input, io));
  if (input.foreign.size > 0) io.note(`note: ${foreignText(input.foreign)}\n`);
  return true;
}

export function asError(diagnostic: Diagnostic): Diagnostic {
  return { ...diagnostic, severity: "error" };
}

export function ofSeverity(diagnostics: readonly Diagnostic[], severity: Severity): readonly Diagnostic[] {
  return diagnostics.filter((diagnostic) => diagnostic.severity === severity);
}

export function humanFindings(diagnostics: readonly Diagnostic[], input: Input, io: Io): string {
  const locate = io.errorIsTTY ? input.locate : undefined;
  return diagnosticsText(diagnostics, { style: styleFor(io.color), locate, limit: LIMIT });
}
