import { type BigIntStats, readFileSync } from "node:fs";
import { open, readdir, realpath, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Diagnostic } from "../../types.ts";
import { quote, visible } from "../quote.ts";
import { textError } from "./finding.ts";

/** One input, read whole. */
export interface InputFile {
  /** As it will be shown: the user's path, or "-". */
  readonly name: string;
  readonly bytes: Buffer;
  /** Found by looking through a directory rather than named by the user. */
  readonly fromDirectory: boolean;
  /** A regular file: it can be read again when a position is wanted. */
  readonly rereadable: boolean;
}

export type ReadResult = InputFile | Diagnostic;

/** Node cannot hold a longer text in one string. */
const LARGEST_FILE = 512 * 1024 * 1024 - 64;
/** Of what the system says. */
const LONGEST_REASON = 160;
const CHUNK = 4 * 1024 * 1024;
const MANIFEST_NAME = /\.(?:ya?ml|json)$/i;

/**
 * Reads the inputs one after the other: files, directories (recursively, entries in bytewise order, hidden ones and
 * what is no regular file passed over, no directory twice) and "-" for standard input. What cannot be read comes out as a diagnostic.
 */
export async function* readInputs(
  inputs: readonly string[],
  stdin: (() => Promise<string | Uint8Array>) | undefined,
): AsyncGenerator<ReadResult> {
  for await (const found of findInputs(inputs)) {
    if (found.kind === "problem") yield found.diagnostic;
    else yield found.kind === "stdin" ? await readStdin(stdin) : await readFound(found);
  }
}

/** How long a file must be as it is, in milliseconds, before its times tell one content from another. */
const SETTLED = 3_000;

/**
 * What the file system says about the inputs, without reading them: equal for equal bytes, as far as anybody can
 * tell who does not read them (make and git rely on the same). Undefined where that says nothing: standard input,
 * pipes, problems, and files that changed just now.
 */
export async function glanceAt(inputs: readonly string[], now: number): Promise<string | undefined> {
  const seen: string[] = [];
  for await (const found of findInputs(inputs)) {
    if (found.kind !== "file" || !found.status.isFile()) return undefined;
    const { dev, ino, size, mtimeNs, ctimeNs, ctimeMs } = found.status;
    if (Number(ctimeMs) > now - SETTLED) return undefined;
    seen.push(`${found.path} ${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`);
  }
  return seen.join("\n");
}

type Found =
  | { readonly kind: "stdin" }
  | {
      readonly kind: "file";
      readonly path: string;
      readonly status: BigIntStats;
      /** Found by looking through a directory rather than named by the user. */
      readonly fromDirectory: boolean;
    }
  | { readonly kind: "problem"; readonly diagnostic: Diagnostic };

async function* findInputs(inputs: readonly string[]): AsyncGenerator<Found> {
  const seen: Seen = new Map();
  for (const input of inputs) {
    if (input === "-") yield { kind: "stdin" };
    else yield* findPath(input, false, seen);
  }
}

async function readStdin(stdin: (() => Promise<string | Uint8Array>) | undefined): Promise<ReadResult> {
  if (stdin === undefined) {
    return textError("input-unreadable", at("-"), "standard input is not available here", "name a file instead");
  }
  const content = await stdin();
  const bytes = typeof content === "string" ? Buffer.from(content) : Buffer.from(content);
  return { name: "-", bytes, fromDirectory: false, rereadable: false };
}

async function readFound({ path, status, fromDirectory }: Extract<Found, { kind: "file" }>): Promise<ReadResult> {
  try {
    return { name: path, bytes: await readCapped(path), fromDirectory, rereadable: status.isFile() };
  } catch (error) {
    return unreadable(path, error);
  }
}

/** Directories by their real paths, and whether anything was found below; nothing is, as long as we are in there. */
type Seen = Map<string, boolean>;

/** Returns whether there is anything. */
async function* findPath(path: string, fromDirectory: boolean, seen: Seen): AsyncGenerator<Found, boolean> {
  let real: string;
  try {
    const status = await stat(path, { bigint: true });
    if (!status.isDirectory()) {
      // A FIFO that lies about would be waited for without end; one that the user named is meant.
      if (fromDirectory && !status.isFile()) return false;
      yield { kind: "file", path, status, fromDirectory };
      return true;
    }
    real = await realpath(path);
    const before = seen.get(real);
    if (before !== undefined) return before;
    seen.set(real, false);
  } catch (error) {
    yield problem(unreadable(path, error));
    return true;
  }
  const found = yield* findInDirectory(path, seen);
  seen.set(real, found);
  // Only where the user looks for manifests must there be any; docs/ beside them may hold none.
  if (found || fromDirectory) return found;
  const message = `no .yaml, .yml or .json file in directory ${quote(path)}`;
  yield problem(textError("input-empty", at(path), message, "name the directory that holds the manifests"));
  return true;
}

async function* findInDirectory(path: string, seen: Seen): AsyncGenerator<Found, boolean> {
  let found = false;
  try {
    const entries = await readdir(path, { withFileTypes: true });
    entries.sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const entry of entries) {
      // Hidden entries are version control, editor swap files and the targets of mounted ConfigMaps.
      if (entry.name.startsWith(".")) continue;
      const child = join(path, entry.name);
      const directory = entry.isDirectory() || (entry.isSymbolicLink() && (await leadsToDirectory(child)));
      if (!directory && !MANIFEST_NAME.test(entry.name)) continue;
      found = (yield* findPath(child, true, seen)) || found;
    }
    return found;
  } catch (error) {
    yield problem(unreadable(path, error));
    return true;
  }
}

function problem(diagnostic: Diagnostic): Found {
  return { kind: "problem", diagnostic };
}

async function leadsToDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // A dangling link is read as a file, which then reports why it cannot be.
  }
}

/** Reads to the end, also from pipes and devices whose size is not known before, but never without bound. */
async function readCapped(path: string): Promise<Buffer> {
  const file = await open(path, "r");
  try {
    const size = (await file.stat()).size;
    if (size > LARGEST_FILE) throw new RangeError("file is larger than 512 MiB");
    // At once: the promise of the same reads in small pieces, which takes twice as long.
    if (size > 0) return readFileSync(file.fd);
    const chunks: Buffer[] = [];
    for (let total = 0; ; ) {
      const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(CHUNK), 0, CHUNK, null);
      if (bytesRead === 0) return Buffer.concat(chunks);
      chunks.push(buffer.subarray(0, bytesRead));
      total += bytesRead;
      if (total > LARGEST_FILE) throw new RangeError("input is larger than 512 MiB");
    }
  } finally {
    await file.close();
  }
}

function unreadable(path: string, error: unknown): Diagnostic {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: "there is no such file or directory",
    EACCES: "permission denied",
    ELOOP: "symbolic links lead in a circle",
    ENAMETOOLONG: "the name is too long",
  };
  // The system's own words hold the path as it is.
  const reason = reasons[code] ?? visible(error instanceof Error ? error.message : String(error), LONGEST_REASON);
  const hint = /^https?:\/\//.test(path)
    ? "addresses are not fetched: download the manifest and name the file"
    : "check the path and its permissions";
  return textError("input-unreadable", at(path), `cannot read ${quote(path)}: ${reason}`, hint);
}

function at(file: string): { readonly file: string; readonly document: number } {
  return { file, document: 0 };
}
