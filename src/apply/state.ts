import { mkdir, open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { replaceWith } from "./stateFile.ts";

/**
 * What one run leaves for the next, in one file of the state directory. It only saves work and keeps allocated
 * addresses stable: the kernel itself is the record of what was applied, so a lost file loses no rule.
 */
export interface StateRecord {
  /** Version of this format. */
  readonly version: 1;
  /** Sections by name; each is read by the part that wrote it, which must bear any value. */
  readonly sections: Readonly<Record<string, unknown>>;
}

/** Name of the file in the state directory. */
export const STATE_FILE = "state.json";
const EMPTY: StateRecord = { version: 1, sections: {} };

export type StateReading =
  | { readonly kind: "read" | "absent"; readonly record: StateRecord }
  /** The file is there but cannot be used; the record is empty. */
  | { readonly kind: "unusable"; readonly record: StateRecord; readonly reason: string };

/** Reads the record; never fails: a missing, foreign or damaged file gives an empty record. */
export async function readState(stateDir: string): Promise<StateReading> {
  try {
    const value: unknown = JSON.parse(await readFile(join(stateDir, STATE_FILE), "utf8"));
    if (isRecord(value)) return { kind: "read", record: value };
    return { kind: "unusable", record: EMPTY, reason: "it was not written by this version" };
  } catch (error) {
    if (isMissing(error)) return { kind: "absent", record: EMPTY };
    return { kind: "unusable", record: EMPTY, reason: error instanceof Error ? error.message : "unreadable" };
  }
}

/**
 * Replaces the record: a reader, or a machine that loses power, sees the old file or the new one, never a part.
 * @throws the system's error when the directory cannot be written
 */
export async function writeState(stateDir: string, record: StateRecord): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await replaceWith(join(stateDir, STATE_FILE), async (draft) => {
    await draft.writeFile(`${JSON.stringify(record)}\n`);
    await draft.sync();
  });
  const directory = await open(stateDir, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

function isRecord(value: unknown): value is StateRecord {
  if (typeof value !== "object" || value === null) return false;
  if (!("version" in value) || value.version !== 1 || !("sections" in value)) return false;
  return typeof value.sections === "object" && value.sections !== null && !Array.isArray(value.sections);
}
