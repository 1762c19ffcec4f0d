import { hash } from "node:crypto";
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { isSystemError } from "../errors.ts";

/**
 * Replaces a file of the state directory, which is made if need be: a reader sees the old file or the new one.
 * @throws the system's error when the directory cannot be written
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await replaceWith(path, (draft) => draft.writeFile(content));
}

/**
 * Replaces a file by a draft beside it, which is always a new file: through a link that somebody else put in its place,
 * another file would be written.
 * @throws the system's error when the directory cannot be written
 */
export async function replaceWith(path: string, write: (draft: FileHandle) => Promise<void>): Promise<void> {
  const draft = `${path}.new`;
  await rm(draft, { force: true });
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await write(file);
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** Is told why something could not be written that only later runs would miss. */
export type Unsaved = (reason: string) => void;

/**
 * Runs what leaves something to later runs: once the rules stand, a directory that cannot be written is no reason
 * to stop half-way.
 */
export async function save(work: () => Promise<void>, unsaved: Unsaved): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isSystemError(error)) throw error;
    unsaved(error.message);
  }
}

/** The hash that `digestOf` takes, as base64url. */
export const DIGEST = "sha512";

/** What tells a damaged text from the one that was written. */
export function digestOf(text: string): string {
  return hash(DIGEST, text, "base64url");
}
