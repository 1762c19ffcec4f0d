import type { Diagnostic, Source } from "../types.ts";
import { count, harmless, oneLine, type Style } from "./style.ts";

/** A place in a text and what stands around it. */
export interface Frame {
  readonly frame: readonly { readonly number: number; readonly text: string }[];
  readonly line: number;
  /** 1-based column of the place in the frame's text of its line. */
  readonly frameColumn: number;
}

export interface DiagnosticsOptions {
  readonly style: Style;
  /** Finds what stands around a place; undefined: no code frames. */
  readonly locate: ((source: Source) => Frame | undefined) | undefined;
  /** Findings to show; the others are counted. */
  readonly limit: number;
}

/** All findings for people, in the order given. */
export function diagnosticsText(
  diagnostics: readonly Diagnostic[],
  { style, locate, limit }: DiagnosticsOptions,
): string {
  const blocks = diagnostics.slice(0, limit).map((diagnostic) => {
    const frame = locate?.(diagnostic.source);
    const lines = [headOf(diagnostic, style)];
    if (frame !== undefined) lines.push(...frameOf(frame, style));
    if (diagnostic.hint !== undefined) lines.push(`  ${style.info("hint:")} ${harmless(diagnostic.hint)}`);
    return `${lines.join("\n")}\n`;
  });
  if (diagnostics.length > limit) blocks.push(`... and ${diagnostics.length - limit} more\n`);
  return blocks.join("");
}

/** file:line:column: severity: object: message [code]; the message names the field. */
function headOf({ source, severity, object, message, code }: Diagnostic, style: Style): string {
  const word = severity === "error" ? style.bad("error:") : style.warn("warning:");
  const about = object === undefined ? "" : `${object}: `;
  return `${style.bold(`${placeOf(source)}:`)} ${word} ${oneLine(about + message)} ${style.dim(`[${code}]`)}`;
}

export function placeOf({ file, line, column }: Source): string {
  const name = file === "-" ? "<stdin>" : oneLine(file);
  if (line === undefined) return name;
  return column === undefined ? `${name}:${line}` : `${name}:${line}:${column}`;
}

function frameOf({ frame, line, frameColumn }: Frame, style: Style): readonly string[] {
  const width = String(frame.at(-1)?.number ?? line).length;
  return frame.flatMap(({ number, text }) => {
    const shown = `  ${style.dim(`${String(number).padStart(width)} |`)} ${harmless(text.replace(/\r$/, ""))}`;
    if (number !== line) return [shown];
    // Tabs stay tabs, so that the caret stands below its place however wide they are.
    const indent = text.slice(0, frameColumn - 1).replace(/[^\t]/g, " ");
    return [shown, `  ${style.dim(`${" ".repeat(width)} |`)} ${indent}${style.bad("^")}`];
  });
}

/** "2 errors and 1 warning in 3 objects", "no findings in 3 objects". */
export function summaryText(diagnostics: readonly Diagnostic[], objects: number): string {
  const errors = diagnostics.filter(({ severity }) => severity === "error").length;
  const warnings = diagnostics.length - errors;
  const parts = [errors > 0 ? count(errors, "error") : "", warnings > 0 ? count(warnings, "warning") : ""];
  const found = parts.filter((part) => part !== "").join(" and ");
  return `${found === "" ? "no findings" : found} in ${count(objects, "object")}`;
}

/** "passed over: 2 Deployment, 1 ConfigMap" */
export function foreignText(foreign: ReadonlyMap<string, number>): string {
  const kinds = [...foreign].map(([kind, number]) => `${number} ${oneLine(kind)}`);
  return `passed over objects of other kinds: ${kinds.join(", ")}`;
}

/** What is known about a code. */
export interface Explanation {
  readonly code: string;
  readonly severity: "error" | "warning";
  readonly title: string;
  readonly paragraph: string;
  readonly bad: string;
  readonly good: string;
}

const WIDTH = 90;

/** A paragraph on a code, with a manifest that has the problem and one that has not. */
export function explanationText({ code, severity, title, paragraph, bad, good }: Explanation, style: Style): string {
  return [
    `${style.bold(code)} (${severity}): ${title}`,
    "",
    ...wrapped(paragraph, WIDTH),
    "",
    style.bad("Has the problem:"),
    indented(bad),
    style.good("Has not:"),
    indented(good),
  ].join("\n");
}

function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/)) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

function indented(text: string): string {
  return `${text.trimEnd().replace(/^/gm, "    ")}\n`;
}
