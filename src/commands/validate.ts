import { ExitCode, UserError } from "../errors.ts";
import { explanations, type Input } from "../pipeline.ts";
import { explanationText, foreignText, summaryText } from "../report/diagnostics.ts";
import { githubText } from "../report/github.ts";
import { findingsJson, jsonText } from "../report/json.ts";
import { junitText } from "../report/junit.ts";
import { sarifJson } from "../report/sarif.ts";
import { styleFor } from "../report/style.ts";
import type { Diagnostic } from "../types.ts";
import { type Flags, isSet, listFlag, settingsFrom, textFlag } from "./flags.ts";
import { asError, humanFindings, inputFrom, ofSeverity } from "./input.ts";
import type { Io } from "./io.ts";

/** Says what the API server would say to the input, and fails if that is bad enough. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const code = textFlag(flags, "explain");
  if (code !== undefined) return explain(code, io);

  const settings = await settingsFrom(flags, io);
  // Nothing is written here, so a chosen family can only be that of the cluster.
  const input = await inputFrom(flags, settings, io, settings.families);
  const diagnostics = judged(input.diagnostics, flags);
  show(diagnostics, input, textFlag(flags, "output") ?? "human", io);
  return fails(diagnostics, textFlag(flags, "failOn") ?? "error") ? ExitCode.found : ExitCode.done;
}

/** Without what is ignored, and as strict as asked. Errors cannot be ignored: the API server would not, either. */
function judged(diagnostics: readonly Diagnostic[], flags: Flags): readonly Diagnostic[] {
  const ignored = new Set(listFlag(flags, "ignore"));
  for (const code of ignored) knownFinding(code);
  const kept = diagnostics.filter(({ severity, code }) => severity === "error" || !ignored.has(code));
  return isSet(flags, "strict") ? kept.map(asError) : kept;
}

function fails(diagnostics: readonly Diagnostic[], failOn: string): boolean {
  switch (failOn) {
    case "never":
      return false;
    case "warning":
      return diagnostics.length > 0;
    default:
      return ofSeverity(diagnostics, "error").length > 0;
  }
}

function show(diagnostics: readonly Diagnostic[], input: Input, output: string, io: Io): void {
  switch (output) {
    case "json":
      io.out(jsonText(findingsJson(diagnostics, input.documents.length, input.foreign)));
      return;
    case "github":
      io.out(githubText(diagnostics));
      return;
    case "sarif":
      io.out(jsonText(sarifJson(diagnostics, explanations)));
      return;
    case "junit":
      io.out(
        junitText(
          diagnostics,
          input.documents.map(({ source }) => source),
        ),
      );
      return;
    default:
      io.out(humanFindings(diagnostics, input, io));
      if (input.foreign.size > 0) io.note(`note: ${foreignText(input.foreign)}\n`);
      io.note(`${summaryText(diagnostics, input.documents.length)}\n`);
  }
}

function explain(code: string, io: Io): ExitCode {
  io.out(explanationText(knownFinding(code), styleFor(io.color)));
  return ExitCode.done;
}

function knownFinding(code: string): (typeof explanations)[number] {
  const finding = explanations.find((one) => one.code === code);
  if (finding !== undefined) return finding;
  const start = `${code.split("-")[0] ?? ""}-`;
  const alike = explanations.filter((one) => one.code.startsWith(start)).map((one) => one.code);
  const hint = alike.length === 0 ? "docs/diagnostics.md has them all" : `there are ${alike.join(", ")}`;
  throw new UserError(`there is no finding of the code ${JSON.stringify(code)}`, hint);
}
