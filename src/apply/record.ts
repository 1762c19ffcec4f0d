import { createHash } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Pieces } from "../gradual.ts";
import type { Family } from "../types.ts";
import { DIGEST, digestOf, replaceFile } from "./stateFile.ts";

/**
 * What a family's tables held when they were written last, as text that the backend reads like a listing. Where the
 * kernel's stamp is still the record's, the tables are these, and need not be listed, which takes seconds for many
 * Services. Rules do not outlive the machine's uptime, so nothing is lost with a lost record.
 */
export interface TableRecord {
  readonly stamp: string;
  /** The tables when they were recorded whole. */
  readonly text: string;
  readonly digest: string;
  /** What small changes have altered since. */
  readonly patches: readonly TablePatch[];
}

/** What a change does to one object of a table, as plain JSON. */
export type TablePatch =
  | {
      readonly name: string;
      readonly removed: readonly string[];
      readonly added: readonly (readonly [string, string])[];
    }
  /** An unhooked chain as it is now; its rules are null when it is gone. */
  | { readonly name: string; readonly comment: string | undefined; readonly rules: readonly string[] | null };

/** Tables that were written whole. */
export type WholeRecord = Pick<TableRecord, "stamp" | "text" | "digest">;

/** @param stamp asked for last: it is made from the whole table, too */
export function* wholeRecord(text: Iterable<string>, stamp: () => string | undefined): Pieces<WholeRecord | undefined> {
  const hash = createHash(DIGEST);
  const pieces: string[] = [];
  for (const piece of text) {
    hash.update(piece);
    pieces.push(piece);
    yield;
  }
  const made = stamp();
  return made === undefined ? undefined : { stamp: made, text: pieces.join(""), digest: hash.digest("base64url") };
}

function fileOf(stateDir: string, family: Family): string {
  return join(stateDir, `nftables-${family}.tables`);
}

function patchesFileOf(stateDir: string, family: Family): string {
  return join(stateDir, `nftables-${family}.patches`);
}

/** The record; undefined when there is none, or it is damaged. */
export async function readTableRecord(stateDir: string, family: Family): Promise<TableRecord | undefined> {
  try {
    const content = await readFile(fileOf(stateDir, family), "utf8");
    const end = content.indexOf("\n");
    const [stamp = "", digest = ""] = content.slice(0, end).split(" ");
    const text = content.slice(end + 1);
    if (digest !== digestOf(text)) return undefined;
    return { stamp, text, digest, patches: [], ...(await readPatches(stateDir, family, digest)) };
  } catch {
    return undefined;
  }
}

/** The later stamp and the patches that lead to it; undefined if there are none for this text. */
async function readPatches(
  stateDir: string,
  family: Family,
  digest: string,
): Promise<Pick<TableRecord, "stamp" | "patches"> | undefined> {
  const content = await readFile(patchesFileOf(stateDir, family), "utf8").catch(() => undefined);
  if (content === undefined) return undefined;
  const end = content.indexOf("\n");
  const [stamp = "", of, own] = content.slice(0, end).split(" ");
  const text = content.slice(end + 1);
  // Patches of an older text were left behind by a run that was killed.
  if (of !== digest) return undefined;
  if (own !== digestOf(text)) throw new Error("damaged");
  return { stamp, patches: JSON.parse(text) as readonly TablePatch[] };
}

/**
 * Replaces the record, or removes it when there is none to keep.
 * @throws the system's error when the directory cannot be written
 */
export async function writeTableRecord(
  stateDir: string,
  family: Family,
  record: WholeRecord | undefined,
): Promise<void> {
  const file = fileOf(stateDir, family);
  if (record === undefined) await rm(file, { force: true });
  else await replaceFile(file, `${record.stamp} ${record.digest}\n${record.text}`);
  await rm(patchesFileOf(stateDir, family), { force: true });
}

/**
 * Records what small changes have altered, beside the text that they alter.
 * @throws the system's error when the directory cannot be written
 */
export async function writePatches(
  stateDir: string,
  family: Family,
  { stamp, digest, patches }: Pick<TableRecord, "stamp" | "digest" | "patches">,
): Promise<void> {
  const text = JSON.stringify(patches);
  await replaceFile(patchesFileOf(stateDir, family), `${stamp} ${digest} ${digestOf(text)}\n${text}`);
}
