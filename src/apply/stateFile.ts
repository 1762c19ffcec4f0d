import { hash } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { isSystemError } from "../errors.ts";

/**
 * Replaces a file of the state directory, which is made if need be: a reader sees the old file or the new one.
 * @throws the system's error when the directory cannot be written
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const draft = `${path}.new`;
  try {
    await writeFile(draft, content, { mode: 0o600 });
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

/** What tells a damaged text from the one that was written. */
export function digestOf(text: string): string {
  return hash("sha512", text, "base64url");
}
