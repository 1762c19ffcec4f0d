import type { Diagnostic, Document } from "../../types.ts";
import type { YamlRange } from "./split.ts";

/** Where the documents of one file stand, so that a position can be found later without keeping the text. */
export interface FileRecord {
  readonly name: string;
  readonly format: "yaml" | "json";
  /** Byte ranges by document index, without the byte order mark. */
  readonly documents: readonly YamlRange[];
  /** Bytes that cannot be read a second time: standard input and pipes. */
  readonly bytes: Buffer | undefined;
}

/** What one text gives. */
export interface TextResult {
  readonly documents: readonly Document[];
  readonly diagnostics: readonly Diagnostic[];
  readonly record: FileRecord;
}
