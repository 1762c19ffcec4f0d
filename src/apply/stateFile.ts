import { hash } from "node:crypto";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Replaces a file of the state directory, which is made if need be: a reader sees the old file or the new one.
 * @throws the system's error when the directory cannot be written
 */
export async function replaceFile(path: string, content: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await writeFile(`${path}.new`, content, { mode: 0o600 });
  await rename(`${path}.new`, path);
}

/** What tells a damaged text from the one that was written. */
export function digestOf(text: string): string {
  return hash("sha512", text, "base64url");
}
