import { hash } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Family } from "../types.ts";

/**
 * What a family's tables held when they were written last, as text that the backend reads like a listing. Where the
 * kernel's stamp is still the record's, the tables are these, and need not be listed, which takes seconds for many
 * Services. Rules do not outlive the machine's uptime, so nothing is lost with a lost record.
 */
export interface TableRecord {
  readonly stamp: string;
  readonly text: string;
}

function fileOf(stateDir: string, family: Family): string {
  return join(stateDir, `nftables-${family}.tables`);
}

/** The record; undefined when there is none, or it is damaged. */
export async function readTableRecord(stateDir: string, family: Family): Promise<TableRecord | undefined> {
  try {
    const content = await readFile(fileOf(stateDir, family), "utf8");
    const end = content.indexOf("\n");
    const [stamp = "", digest = ""] = content.slice(0, end).split(" ");
    const text = content.slice(end + 1);
    return digest === hash("sha256", text) ? { stamp, text } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Replaces the record, or removes it when there is none to keep.
 * @throws the system's error when the directory cannot be written
 */
export async function writeTableRecord(
  stateDir: string,
  family: Family,
  record: TableRecord | undefined,
): Promise<void> {
  const file = fileOf(stateDir, family);
  if (record === undefined) {
    await rm(file, { force: true });
    return;
  }
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  await writeFile(`${file}.new`, `${record.stamp} ${hash("sha256", record.text)}\n${record.text}`, { mode: 0o600 });
  await rename(`${file}.new`, file);
}
