import { UserError } from "../errors.ts";
import { type Sifted, sift } from "../pipeline/skip.ts";
import { type Completed, complete, type Extent } from "../pipeline/standalone.ts";
import { type Input, readInput, readSources, type Sources } from "../pipeline.ts";
import { diagnosticsText, foreignText, summaryText } from "../report/diagnostics.ts";
import { count, oneLine, styleFor } from "../report/style.ts";
import type { Settings } from "../settings/settings.ts";
import type { Diagnostic, Family, Severity } from "../types.ts";
import { type Flags, isSet, listFlag } from "./flags.ts";
import type { Io } from "./io.ts";

/** Findings shown to people; the rest is counted. Programs get all. */
const LIMIT = 100;

/** @throws UserError if no input was named */
function filesFrom(flags: Flags): readonly string[] {
  const files = listFlag(flags, "file");
  if (files.length > 0) return files;
  throw new UserError(
    "no input: nothing was named with -f",
    "name manifests with -f FILE, -f DIRECTORY, or -f - for standard input",
  );
}

/** Reads what -f names. */
export function sourcesFrom(flags: Flags, io: Io): Promise<Sources> {
  return readSources(filesFrom(flags), () => io.stdin());
}

/** Reads what -f names, and judges it; `served` are the families of the cluster, if they are known. */
export function inputFrom(flags: Flags, settings: Settings, io: Io, served?: readonly Family[]): Promise<Input> {
  return readInput(filesFrom(flags), () => io.stdin(), settings, served);
}

/**
 * Prints the findings and gives what may be used: everything, or with --skip-invalid everything but the invalid
 * Services; undefined if the input is rejected.
 */
export async function accept(input: Input, flags: Flags, settings: Settings, io: Io): Promise<Sifted | undefined> {
  const diagnostics = isSet(flags, "strict") ? input.diagnostics.map(asError) : input.diagnostics;
  const errors = ofSeverity(diagnostics, "error");
  if (errors.length > 0) io.error(humanFindings(errors, input, io));
  const sifted = isSet(flags, "skipInvalid") || errors.length === 0 ? await sift(input, errors, settings) : undefined;
  if (sifted === undefined) {
    const why = isSet(flags, "skipInvalid") ? " (an error that belongs to no Service cannot be skipped)" : "";
    io.error(`${summaryText(errors, input.documents.length)}; nothing was changed${why}\n`);
    return undefined;
  }
  if (sifted.clashes.length > 0) io.error(humanFindings(sifted.clashes, input, io));
  if (sifted.skipped.length > 0) io.error(skippedText(sifted.skipped));
  io.note(humanFindings(ofSeverity(diagnostics, "warning"), input, io));
  if (input.foreign.size > 0) io.note(`note: ${foreignText(input.foreign)}\n`);
  return sifted;
}

/**
 * Fills in what manifests that never saw a cluster lack, and says so. Undefined if there is nothing left to give out;
 * what is wrong was said then.
 */
export async function completeInput(
  input: Input,
  settings: Settings,
  extent: Extent,
  io: Io,
): Promise<Completed | undefined> {
  const completed = await completeQuietly(input, settings, extent, io);
  const unusable = completed?.unusable;
  if (unusable !== undefined) io.error(`warning: what was given out before cannot be read: ${oneLine(unusable)}\n`);
  return completed;
}

/** The same where a record that cannot be read is no concern unless something is needed from it. */
async function completeQuietly(
  input: Input,
  settings: Settings,
  extent: Extent,
  io: Io,
): Promise<Completed | undefined> {
  const completed = await complete(input, settings, extent);
  const errors = ofSeverity(completed.findings, "error");
  if (errors.length > 0) {
    io.error(humanFindings(errors, input, io));
    io.error(`${summaryText(errors, input.documents.length)}; nothing was changed\n`);
    return undefined;
  }
  io.note(filledInText(completed, io.errorIsTTY));
  return completed;
}

/**
 * What -f names, judged and completed, for commands that only tell of it; undefined if it is rejected. Who runs them is
 * often not root, who alone may read the record.
 */
export async function completeInputFrom(flags: Flags, settings: Settings, io: Io): Promise<Input | undefined> {
  const input = await inputFrom(flags, settings, io);
  if ((await accept(input, flags, settings, io)) === undefined) return undefined;
  return (await completeQuietly(input, settings, { isWhole: true }, io))?.input;
}

/** Invalid Services are left out of the input, but not gone. */
export function extentOf({ skipped }: Sifted): Extent {
  return { isWhole: skipped.length === 0 };
}

/** What is new; what was filled in before only where somebody looks on, so that cron has nothing to mail. */
function filledInText({ assignments, fromPods }: Completed, someoneLooksOn: boolean): string {
  const fresh = assignments.filter(({ isNew }) => isNew);
  const lines = fresh
    .slice(0, LIMIT)
    .map(({ service, path, value }) => `filled in: Service ${service}: ${path}: ${value}\n`);
  if (fresh.length > LIMIT) lines.push(`and ${fresh.length - LIMIT} more\n`);
  if (fresh.length > 0 || (assignments.length > 0 && someoneLooksOn)) {
    const values = count(assignments.length, "value");
    lines.push(`note: ${values} filled in that a cluster would choose otherwise; \`svctables allocate\` shows them\n`);
  }
  if (fromPods > 0 && (fresh.length > 0 || someoneLooksOn))
    lines.push(`note: endpoints of ${count(fromPods, "Service")} derived from Pods\n`);
  return lines.join("");
}

function skippedText(services: readonly string[]): string {
  // The names are as they were written, and the objects invalid.
  const shown = services
    .slice(0, LIMIT)
    .map((name) => name.replace(/[^!-~]/g, "?"))
    .join(", ");
  const more = services.length > LIMIT ? `, and ${services.length - LIMIT} more` : "";
  return `left as ${services.length === 1 ? "it was" : "they were"}: ${count(services.length, "invalid Service")}: ${shown}${more}\n`;
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
