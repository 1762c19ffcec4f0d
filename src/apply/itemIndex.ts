import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, replaceFile } from "./stateFile.ts";

/** The index of a large input, in a file of its own: it is read only when the input changed. */

const FILE = "input.index";

/** The index that was written with this digest; undefined when there is none, or it is damaged. */
export async function readIndex(stateDir: string, digest: string): Promise<unknown> {
  try {
    const text = await readFile(join(stateDir, FILE), "utf8");
    return digestOf(text) === digest ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Replaces the index, or removes it when there is none to keep. Returns its digest.
 * @throws the system's error when the directory cannot be written
 */
export async function writeIndex(stateDir: string, index: object | undefined): Promise<string | null> {
  const file = join(stateDir, FILE);
  if (index === undefined) {
    await rm(file, { force: true });
    return null;
  }
  const text = JSON.stringify(index);
  await replaceFile(file, text);
  return digestOf(text);
}
