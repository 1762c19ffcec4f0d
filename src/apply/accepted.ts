import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "../types.ts";
import { digestOf, replaceFile } from "./stateFile.ts";

/**
 * The objects that the kernel's rules were made from, kept so that a Service which is invalid today can be served
 * as it was yesterday. What small changes have altered since stands in a file of its own, so that they need not write
 * all of it again. First line of both: what tells whose record it is, and damage, so that nothing else need be read
 * to know what it is.
 */
export interface Accepted {
  /** Of the input, in hex. */
  readonly hash: string;
  readonly manifests: readonly Manifest[];
}

const FILE = "accepted.json";
const CHANGES_FILE = "accepted.changes.json";
const VERSION = "3";
/** Objects that may be recorded as altered; then all is written anew. */
const MOST_CHANGES = 1_000;
const LONGEST_HEAD = 1_024;

/** The first line of a file. */
interface Head {
  readonly version: string;
  readonly hash: string;
  /** Of all that follows. */
  readonly digest: string;
  /** Digest of the whole record that these changes continue; null for a whole one. */
  readonly of: string | null;
}

/** The record; undefined when there is none, or it is not as it was written. */
export async function readAccepted(stateDir: string): Promise<Accepted | undefined> {
  const whole = await readPart(join(stateDir, FILE));
  if (whole === undefined) return undefined;
  const head = await headOf(join(stateDir, CHANGES_FILE));
  if (head?.of !== whole.head.digest) return { hash: whole.head.hash, manifests: whole.manifests };
  const changes = await readPart(join(stateDir, CHANGES_FILE));
  if (changes === undefined) return undefined;
  return { hash: changes.head.hash, manifests: replaced(whole.manifests, changes.manifests) };
}

/** Whether the record is that of this input. */
export async function isRecorded(stateDir: string, hash: string): Promise<boolean> {
  const whole = await headOf(join(stateDir, FILE));
  const changes = await headOf(join(stateDir, CHANGES_FILE));
  const last = changes !== undefined && changes.of === whole?.digest ? changes : whole;
  return last?.hash === hash;
}

/** @throws the system's error when the directory cannot be written; then no record is left, rather than an old one */
export async function writeAccepted(stateDir: string, { hash, manifests }: Accepted): Promise<void> {
  // First, since they might fit the new record, too, and were made for the old one.
  await rm(join(stateDir, CHANGES_FILE), { force: true });
  await writePart(stateDir, FILE, { hash, of: null }, manifests);
}

/** Puts these in the place of objects of the same kind and name; where there is no record, none is made. */
export async function replaceAccepted(stateDir: string, hash: string, manifests: readonly Manifest[]): Promise<void> {
  const whole = await headOf(join(stateDir, FILE));
  if (whole === undefined) return;
  const isContinued = (await headOf(join(stateDir, CHANGES_FILE)))?.of === whole.digest;
  const before = isContinued ? await readPart(join(stateDir, CHANGES_FILE)) : undefined;
  // What damaged changes said is lost, and with it what was accepted.
  if (isContinued && before === undefined) return forgetAccepted(stateDir);
  const names = new Set(manifests.map(nameOf));
  const changes = [...(before?.manifests ?? []).filter((one) => !names.has(nameOf(one))), ...manifests];
  if (changes.length <= MOST_CHANGES) return writePart(stateDir, CHANGES_FILE, { hash, of: whole.digest }, changes);
  const all = await readAccepted(stateDir);
  if (all !== undefined) await writeAccepted(stateDir, { hash, manifests: replaced(all.manifests, manifests) });
}

export async function forgetAccepted(stateDir: string): Promise<void> {
  await rm(join(stateDir, CHANGES_FILE), { force: true });
  await rm(join(stateDir, FILE), { force: true });
}

function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

function replaced(manifests: readonly Manifest[], changes: readonly Manifest[]): readonly Manifest[] {
  const changed = new Map(changes.map((manifest) => [nameOf(manifest), manifest]));
  return manifests.map((one) => changed.get(nameOf(one)) ?? one);
}

// ── One file ─────────────────────────────────────────────────────────────────────────────────────

async function headOf(file: string): Promise<Head | undefined> {
  try {
    const opened = await open(file, "r");
    try {
      const { buffer, bytesRead } = await opened.read(Buffer.alloc(LONGEST_HEAD), 0, LONGEST_HEAD, 0);
      return headIn(buffer.toString("utf8", 0, bytesRead));
    } finally {
      await opened.close();
    }
  } catch {
    return undefined;
  }
}

/** @throws SyntaxError if the first line is none of ours */
function headIn(text: string): Head | undefined {
  const { version, hash, digest, of } = JSON.parse(text.slice(0, text.indexOf("\n"))) as Readonly<
    Record<string, unknown>
  >;
  if (version !== VERSION || typeof hash !== "string" || typeof digest !== "string") return undefined;
  return of === null || typeof of === "string" ? { version, hash, digest, of } : undefined;
}

async function readPart(
  file: string,
): Promise<{ readonly head: Head; readonly manifests: readonly Manifest[] } | undefined> {
  try {
    const text = await readFile(file, "utf8");
    const head = headIn(text);
    const content = text.slice(text.indexOf("\n") + 1);
    if (head === undefined || head.digest !== digestOf(content)) return undefined;
    return { head, manifests: JSON.parse(content) as readonly Manifest[] };
  } catch {
    return undefined;
  }
}

/** @throws the system's error when the directory cannot be written; then nothing of the record is left */
async function writePart(
  stateDir: string,
  name: string,
  { hash, of }: Pick<Head, "hash" | "of">,
  manifests: readonly Manifest[],
): Promise<void> {
  const content = JSON.stringify(manifests);
  const head: Head = { version: VERSION, hash, digest: digestOf(content), of };
  try {
    await replaceFile(join(stateDir, name), `${JSON.stringify(head)}\n${content}`);
  } catch (error) {
    await forgetAccepted(stateDir);
    throw error;
  }
}
