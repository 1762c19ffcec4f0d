import { access, open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "../errors.ts";
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
/** Stands from before a change of the rules until it is recorded what they were made from. */
const UNSETTLED_FILE = "accepted.unsettled";
const VERSION = "4";
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

/** What is accepted instead, or besides, and what is no more. */
interface Changes {
  readonly manifests: readonly Manifest[];
  readonly gone: readonly string[];
}

/** The record; undefined when there is none, or it is not as it was written. */
export async function readAccepted(stateDir: string): Promise<Accepted | undefined> {
  const whole = await readPart(join(stateDir, FILE));
  const head = await headOf(join(stateDir, CHANGES_FILE));
  if (whole === undefined || head === "damaged") return undefined;
  if (head?.of !== whole.head.digest) return { hash: whole.head.hash, manifests: whole.manifests };
  const changes = await readPart(join(stateDir, CHANGES_FILE));
  if (changes === undefined) return undefined;
  return { hash: changes.head.hash, manifests: replaced(whole.manifests, changes) };
}

/** Whether there is a record, of whatever input. */
export async function hasRecord(stateDir: string): Promise<boolean> {
  return (await headOf(join(stateDir, FILE))) !== undefined;
}

/** Whether the record is that of this input. */
export async function isRecorded(stateDir: string, hash: string): Promise<boolean> {
  const whole = await headOf(join(stateDir, FILE));
  const changes = await headOf(join(stateDir, CHANGES_FILE));
  if (whole === undefined || whole === "damaged" || changes === "damaged") return false;
  const last = changes?.of === whole.digest ? changes : whole;
  return last.hash === hash;
}

/** @throws the system's error when the directory cannot be written; then no record is left, rather than an old one */
export async function writeAccepted(stateDir: string, { hash, manifests }: Accepted): Promise<void> {
  await unsettle(stateDir);
  // First, since they might fit the new record, too, and were made for the old one.
  await rm(join(stateDir, CHANGES_FILE), { force: true });
  await writePart(stateDir, FILE, { hash, of: null }, { manifests, gone: [] });
  await settle(stateDir);
}

/**
 * Puts these in the place of objects of the same kind and name, or beside the others, and takes out what is gone; where
 * there is no record, none is made.
 * @param gone as "Service default/web"
 */
export async function replaceAccepted(
  stateDir: string,
  hash: string,
  manifests: readonly Manifest[],
  gone: readonly string[],
): Promise<void> {
  const whole = await headOf(join(stateDir, FILE));
  if (whole === undefined || whole === "damaged") return;
  const head = await headOf(join(stateDir, CHANGES_FILE));
  const isContinued = head === "damaged" || head?.of === whole.digest;
  const before = isContinued ? await readPart(join(stateDir, CHANGES_FILE)) : undefined;
  // What damaged changes said is lost, and with it what was accepted.
  if (isContinued && before === undefined) return forgetAccepted(stateDir);
  const changes = merged(before ?? { manifests: [], gone: [] }, { manifests, gone });
  if (changes.manifests.length + changes.gone.length <= MOST_CHANGES) {
    await writePart(stateDir, CHANGES_FILE, { hash, of: whole.digest }, changes);
    return settle(stateDir);
  }
  const all = await readAccepted(stateDir);
  if (all !== undefined)
    await writeAccepted(stateDir, { hash, manifests: replaced(all.manifests, { manifests, gone }) });
}

export async function forgetAccepted(stateDir: string): Promise<void> {
  await rm(join(stateDir, CHANGES_FILE), { force: true });
  await rm(join(stateDir, FILE), { force: true });
  await settle(stateDir);
}

// ── Between a change and its record ──────────────────────────────────────────────────────────────

/**
 * Marks the record as perhaps older than the rules; where that cannot be written, the record goes.
 * @returns whether it was not marked before
 */
export async function unsettle(stateDir: string): Promise<boolean> {
  try {
    await writeFile(join(stateDir, UNSETTLED_FILE), "", { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (isSystemError(error) && error.code === "EEXIST") return false;
    await forgetAccepted(stateDir);
    return true;
  }
}

export async function settle(stateDir: string): Promise<void> {
  await rm(join(stateDir, UNSETTLED_FILE), { force: true });
}

/** Whether the rules may be others than those of the record. */
export async function isUnsettled(stateDir: string): Promise<boolean> {
  return access(join(stateDir, UNSETTLED_FILE)).then(
    () => true,
    () => false,
  );
}

function nameOf({ kind, metadata }: Manifest): string {
  return `${kind} ${metadata.namespace}/${metadata.name}`;
}

function replaced(manifests: readonly Manifest[], { manifests: others, gone }: Changes): readonly Manifest[] {
  const changed = new Map(others.map((manifest) => [nameOf(manifest), manifest]));
  const removed = new Set(gone);
  const kept: Manifest[] = [];
  for (const one of manifests) {
    const name = nameOf(one);
    if (!removed.has(name)) kept.push(changed.get(name) ?? one);
    changed.delete(name);
  }
  return [...kept, ...changed.values()];
}

/** Two changes, one after the other, as one. */
function merged(before: Changes, after: Changes): Changes {
  const now = new Set(after.manifests.map(nameOf));
  const gone = new Set(after.gone);
  return {
    manifests: [
      ...before.manifests.filter((one) => !now.has(nameOf(one)) && !gone.has(nameOf(one))),
      ...after.manifests,
    ],
    gone: [...new Set([...before.gone, ...gone])].filter((one) => !now.has(one)),
  };
}

// ── One file ─────────────────────────────────────────────────────────────────────────────────────

/** Undefined where there is no such file. */
async function headOf(file: string): Promise<Head | "damaged" | undefined> {
  try {
    const opened = await open(file, "r");
    try {
      const { buffer, bytesRead } = await opened.read(Buffer.alloc(LONGEST_HEAD), 0, LONGEST_HEAD, 0);
      return headIn(buffer.toString("utf8", 0, bytesRead)) ?? "damaged";
    } finally {
      await opened.close();
    }
  } catch (error) {
    return isSystemError(error) && error.code === "ENOENT" ? undefined : "damaged";
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

async function readPart(file: string): Promise<(Changes & { readonly head: Head }) | undefined> {
  try {
    const text = await readFile(file, "utf8");
    const head = headIn(text);
    const content = text.slice(text.indexOf("\n") + 1);
    if (head === undefined || head.digest !== digestOf(content)) return undefined;
    return { head, ...(JSON.parse(content) as Changes) };
  } catch {
    return undefined;
  }
}

/** @throws the system's error when the directory cannot be written; then nothing of the record is left */
async function writePart(
  stateDir: string,
  name: string,
  { hash, of }: Pick<Head, "hash" | "of">,
  { manifests, gone }: Changes,
): Promise<void> {
  const content = JSON.stringify({ manifests, gone });
  const head: Head = { version: VERSION, hash, digest: digestOf(content), of };
  try {
    await replaceFile(join(stateDir, name), `${JSON.stringify(head)}\n${content}`);
  } catch (error) {
    await forgetAccepted(stateDir);
    throw error;
  }
}
