import type { Diagnostic, Document, Source } from "../../types.ts";
import { itemDocument, listHeader, takeApart } from "./apart.ts";
import { positionAt } from "./encoding.ts";
import { textError } from "./finding.ts";
import type { TextResult } from "./record.ts";
import { type ItemRanges, splitYaml, type YamlRange } from "./split.ts";
import { parseYaml, type YamlProblem } from "./yaml.ts";

/** Above this size a List is never parsed in one go, even when one of its items cannot be read alone. */
const LARGEST_WHOLE = 8 * 1024 * 1024;

interface Reader {
  readonly file: string;
  readonly bytes: Buffer;
  readonly maxAliases: number;
  readonly documents: Document[];
  readonly diagnostics: Diagnostic[];
  readonly ranges: YamlRange[];
}

/** Reads YAML: document by document, and item by item where a document is a List. */
export function readYaml(file: string, bytes: Buffer, keep: Buffer | undefined, maxAliases: number): TextResult {
  const reader: Reader = { file, bytes, maxAliases, documents: [], diagnostics: [], ranges: [] };
  const { documents, problem } = splitYaml(bytes);
  for (const range of documents) readRange(reader, range);
  if (problem !== undefined) {
    const source: Source = { file, document: documents.length, ...positionAt(bytes, problem.offset) };
    const describe = { separator: badSeparator, "behind-end": behindEnd, directive }[problem.kind];
    reader.diagnostics.push(describe(source));
  }
  const record = { name: file, format: "yaml", documents: reader.ranges, bytes: keep } as const;
  return { documents: reader.documents, diagnostics: reader.diagnostics, record };
}

function badSeparator(source: Source): Diagnostic {
  const message = "a line that starts with --- or ... may hold nothing else but a comment";
  return textError("separator-junk", source, message, "put what follows on a line of its own");
}

function behindEnd(source: Source): Diagnostic {
  const message = "kubectl reads nothing behind a line with ... until the next ---";
  return textError("separator-junk", source, message, "write --- instead of ..., or in front of what follows");
}

function directive(source: Source): Diagnostic {
  return textError("yaml-directive", source, "YAML directives (%YAML, %TAG) are not read", "remove the line");
}

function readRange(reader: Reader, range: YamlRange): void {
  const source: Source = { file: reader.file, document: reader.ranges.length };
  // An alias may point from one item into another, so with aliases allowed the document stays whole.
  const apart =
    range.items === undefined || reader.maxAliases > 0 ? undefined : readItems(reader, range, range.items, source);
  const canBeWhole = range.end - range.start <= LARGEST_WHOLE;
  if (apart !== undefined && (apart.diagnostics.length === 0 || !canBeWhole)) {
    keepItems(reader, range, apart);
    return;
  }
  const result = parseYaml(reader.bytes.toString("utf8", range.start, range.end), reader.maxAliases);
  if ("problem" in result && apart !== undefined) {
    keepItems(reader, range, apart);
    return;
  }
  reader.ranges.push({ ...range, items: undefined });
  if ("problem" in result) reader.diagnostics.push(problemDiagnostic(source, result.problem, range.line));
  else takeApart(result.value, source, (document) => reader.documents.push(document));
}

interface Items {
  readonly documents: Document[];
  readonly diagnostics: Diagnostic[];
}

function keepItems(reader: Reader, range: YamlRange, items: Items): void {
  reader.ranges.push(range);
  for (const document of items.documents) reader.documents.push(document);
  for (const diagnostic of items.diagnostics) reader.diagnostics.push(diagnostic);
}

/** Reads a List piece by piece; undefined when it is no List after all. */
function readItems({ bytes }: Reader, range: YamlRange, items: ItemRanges, source: Source): Items | undefined {
  const firstStart = items.starts[0] ?? range.end;
  const shell = bytes.toString("utf8", range.start, firstStart) + bytes.toString("utf8", items.end, range.end);
  const parsed = parseYaml(shell, 0);
  // A line `items:` may be part of a quoted text that stands at column 0; then nothing may be cut.
  const header = "value" in parsed && !parsed.isOdd ? listHeader(parsed.value) : undefined;
  if (header === undefined) return undefined;
  const found: Items = { documents: [], diagnostics: [] };
  for (let item = 0; item < items.starts.length; item++) {
    const text = bytes.toString("utf8", items.starts[item], items.starts[item + 1] ?? items.end);
    const result = parseYaml(text, 0);
    const itemSource: Source = { ...source, item };
    if ("problem" in result) {
      found.diagnostics.push(problemDiagnostic(itemSource, result.problem, items.lines[item] ?? range.line));
    } else if (Array.isArray(result.value) && result.value.length === 1) {
      found.documents.push(itemDocument(header, result.value[0], itemSource));
    } else return undefined;
  }
  return found;
}

function problemDiagnostic(source: Source, problem: YamlProblem, firstLine: number): Diagnostic {
  const position = { ...source, line: firstLine + problem.line, column: problem.column + 1 };
  return textError(problem.code, position, problem.message, problem.hint);
}
