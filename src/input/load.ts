import { createHash } from "node:crypto";
import type { Diagnostic, Document, Source } from "../types.ts";
import { isObject } from "./load/apart.ts";
import { encodingError, withoutBom } from "./load/encoding.ts";
import { type InputFile, type ReadResult, readInputs } from "./load/files.ts";
import { textError } from "./load/finding.ts";
import { Locator, type Position } from "./load/locate.ts";
import { protoPath } from "./load/proto.ts";
import { readJson } from "./load/readJson.ts";
import { readYaml } from "./load/readYaml.ts";
import type { FileRecord, TextResult } from "./load/record.ts";
import { quote } from "./quote.ts";

export interface LoadOptions {
  /** Reads all of standard input; asked only when "-" is among the inputs. */
  readonly stdin?: () => Promise<string | Uint8Array>;
  /** YAML aliases allowed per document. Default 0: a handful of them can stand for gigabytes. */
  readonly maxAliases?: number;
}

/** Inputs as they were read, before anything is known about them. */
export interface Sources {
  readonly inputs: readonly ReadResult[];
  /** In hex: equal for inputs that mean the same. SHA-512, since without help of the processor it is the quicker. */
  readonly hash: string;
}

export interface Loaded {
  readonly documents: readonly Document[];
  /** Errors in the text itself, with line and column. */
  readonly diagnostics: readonly Diagnostic[];
  /** Line, column and surrounding lines of a source; reads its file once more. */
  locate(source: Source): Position | undefined;
  /** The same diagnostics with line and column, sorted by file, document, item and position. */
  positioned(diagnostics: readonly Diagnostic[]): readonly Diagnostic[];
}

/** Reads files, directories and standard input, each byte once; only this file and its folder do so. */
export async function readSources(inputs: readonly string[], stdin: LoadOptions["stdin"]): Promise<Sources> {
  const read: ReadResult[] = [];
  for await (const input of readInputs(inputs, stdin)) read.push(input);
  let hash: string | undefined;
  return {
    inputs: read,
    get hash() {
      hash ??= hashOf(read);
      return hash;
    },
  };
}

function hashOf(inputs: readonly ReadResult[]): string {
  const hash = createHash("sha512");
  for (const input of inputs) {
    const isRead = "bytes" in input;
    // One text cut in two means something else; what could not be read is told by its message.
    const head = isRead ? `${input.bytes.length} ${isNamedJson(input.name)}` : input.message;
    hash.update(`${head}\n`).update(isRead ? input.bytes : "");
  }
  return hash.digest("hex");
}

function isNamedJson(name: string): boolean {
  return /\.json$/i.test(name);
}

/** Reads manifests from files, directories and standard input into documents: `loadSources` of `readSources`. */
export async function load(inputs: readonly string[], options: LoadOptions = {}): Promise<Loaded> {
  return loadSources(await readSources(inputs, options.stdin), options.maxAliases);
}

/**
 * Takes texts apart into documents, Lists into their items. A text that cannot be read is a diagnostic, and the
 * others are still read. Only this file and its folder know YAML.
 */
export function loadSources({ inputs }: Pick<Sources, "inputs">, maxAliases = 0): Loaded {
  const documents: Document[] = [];
  const diagnostics: Diagnostic[] = [];
  const records = new Map<string, FileRecord>();
  for (const input of inputs) {
    if (!("bytes" in input)) {
      diagnostics.push(input);
      continue;
    }
    const result = readText(input, maxAliases);
    for (const document of result.documents) documents.push(document);
    for (const diagnostic of result.diagnostics) diagnostics.push(diagnostic);
    records.set(input.name, result.record);
  }
  const locator = new Locator(records);
  return {
    documents,
    diagnostics: locator.positioned(diagnostics),
    locate: (source) => locator.locate(source),
    positioned: (found) => locator.positioned(found),
  };
}

function readText(input: InputFile, maxAliases: number): TextResult {
  const bytes = withoutBom(input.bytes);
  const keep = input.rereadable ? undefined : bytes;
  const failed = (diagnostic: Diagnostic): TextResult => ({
    documents: [],
    diagnostics: [diagnostic],
    record: { name: input.name, format: "yaml", documents: [], bytes: keep },
  });
  const isJson = looksLikeJson(input.name, bytes);
  const invalid = encodingError(input.name, bytes, isJson);
  if (invalid !== undefined) return failed(invalid);
  const asYaml = () => readYaml(input.name, bytes, keep, maxAliases);
  const afterAll = () => {
    const odd = encodingError(input.name, bytes, false);
    return odd === undefined ? asYaml() : failed(odd);
  };
  const result = isJson ? readJson(input.name, bytes, keep, afterAll) : asYaml();
  if (result.documents.length === 0 && result.diagnostics.length === 0 && result.record.documents.length === 0) {
    return failed(emptyInput(input));
  }
  const shaped = withShapeErrors(result, mayHoldProto(bytes));
  const isAllNull = shaped.documents.length + shaped.diagnostics.length < Math.min(1, result.documents.length);
  return isAllNull ? failed(emptyInput(input)) : shaped;
}

const WHITE_SPACE = new Set([9, 10, 13, 32]);

function looksLikeJson(name: string, bytes: Buffer): boolean {
  if (isNamedJson(name)) return true;
  let at = 0;
  while (WHITE_SPACE.has(bytes[at] ?? 0)) at++;
  return bytes[at] === 0x7b || bytes[at] === 0x5b;
}

function emptyInput(input: InputFile): Diagnostic {
  const source = { file: input.name, document: 0, line: 1, column: 1 };
  const found = textError(
    "input-empty",
    source,
    "there is no document in this input",
    "check that the right file was named",
  );
  // A file that was found by itself may well be a placeholder.
  return input.fromDirectory ? { ...found, severity: "warning" } : found;
}

/** Whether `__proto__` may be written somewhere in the text, escapes included. */
function mayHoldProto(bytes: Buffer): boolean {
  if (bytes.includes("__proto__")) return true;
  return bytes.includes("\\") && ["\\u005", "\\x5", "\\U0000005"].some((text) => bytes.includes(text));
}

/** Documents that are no objects, or that try to reach an object's prototype, are taken out and reported. */
function withShapeErrors(result: TextResult, searchProto: boolean): TextResult {
  if (!searchProto && result.documents.every(({ value }) => isObject(value))) return result;
  const documents: Document[] = [];
  const diagnostics = [...result.diagnostics];
  for (const document of result.documents) {
    const path = searchProto ? protoPath(document.value) : undefined;
    if (path !== undefined) diagnostics.push(protoKey({ ...document.source, path }));
    else if (isObject(document.value)) documents.push(document);
    // What a template leaves when there is nothing to write; kubectl passes over it too.
    else if (document.value === null && document.source.item === undefined) continue;
    else diagnostics.push(notAnObject(document));
  }
  return { documents, diagnostics, record: result.record };
}

function protoKey(source: Source): Diagnostic {
  return textError("proto-key", source, "__proto__ is not a field of any object", "remove the field");
}

function notAnObject({ source, value }: Document): Diagnostic {
  const message = `a Kubernetes object is expected, found ${Array.isArray(value) ? "a list" : quote(value)}`;
  const hint = Array.isArray(value)
    ? "put the objects into a List (kind: List, items: [...]) or into documents of their own"
    : "an object starts with apiVersion: and kind:";
  return textError("document-not-object", source, message, hint);
}
