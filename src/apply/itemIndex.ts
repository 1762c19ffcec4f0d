import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { digestOf, replaceFile } from "./stateFile.ts";

/** The index of a large input, in a file of its own: it is read only when the input changed. */

const FILE = "input.index";
/** First line of the file. To be changed with all that an index says: what an older one does not say is not known. */
const VERSION = "2\n";

/** The index that was written with this digest; undefined when there is none, it is damaged, or of another version. */
export async function readIndex(stateDir: string, digest: string): Promise<unknown> {
  try {
    const text = await readFile(join(stateDir, FILE), "utf8");
    return digestOf(text) === digest && text.startsWith(VERSION) ? JSON.parse(text.slice(VERSION.length)) : undefined;
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
  const text = VERSION + JSON.stringify(index);
  await replaceFile(file, text);
  return digestOf(text);
}
