import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "../types.ts";
import { digestOf, replaceFile } from "./stateFile.ts";

/**
 * The objects that the kernel's rules were made from, kept so that a Service which is invalid today can be served
 * as it was yesterday. First line: version, hash and what tells damage, so that nothing else need be read to know what
 * it is.
 */
export interface Accepted {
  /** Of the input, in hex. */
  readonly hash: string;
  readonly manifests: readonly Manifest[];
}

const FILE = "accepted.json";
const VERSION = "2";

/** The first line up to the digest: whose record it is. */
function startOf(hash: string): string {
  return `${JSON.stringify({ version: VERSION, hash }).slice(0, -1)},"digest":`;
}

function headOf(hash: string, content: string): string {
  return `${startOf(hash)}${JSON.stringify(digestOf(content))}}\n`;
}

/** The record; undefined when there is none, or it is not as it was written. */
export async function readAccepted(stateDir: string): Promise<Accepted | undefined> {
  try {
    const text = await readFile(join(stateDir, FILE), "utf8");
    const end = text.indexOf("\n") + 1;
    const hash = /"hash":"([^"]*)"/.exec(text.slice(0, end))?.[1] ?? "";
    const content = text.slice(end);
    if (text.slice(0, end) !== headOf(hash, content)) return undefined;
    return { hash, manifests: JSON.parse(content) as readonly Manifest[] };
  } catch {
    return undefined;
  }
}

/** Whether the record is that of this input. */
export async function isRecorded(stateDir: string, hash: string): Promise<boolean> {
  const wanted = Buffer.from(startOf(hash));
  try {
    const file = await open(join(stateDir, FILE), "r");
    try {
      const { buffer } = await file.read(Buffer.alloc(wanted.length), 0, wanted.length, 0);
      return buffer.equals(wanted);
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

/** @throws the system's error when the directory cannot be written; then no record is left, rather than an old one */
export async function writeAccepted(stateDir: string, { hash, manifests }: Accepted): Promise<void> {
  const content = JSON.stringify(manifests);
  try {
    await replaceFile(join(stateDir, FILE), headOf(hash, content) + content);
  } catch (error) {
    await forgetAccepted(stateDir);
    throw error;
  }
}

/** Puts these in the place of objects of the same kind and name. */
export async function replaceAccepted(stateDir: string, hash: string, manifests: readonly Manifest[]): Promise<void> {
  const nameOf = ({ kind, metadata }: Manifest) => `${kind} ${metadata.namespace}/${metadata.name}`;
  const before = await readAccepted(stateDir);
  const changed = new Map(manifests.map((manifest) => [nameOf(manifest), manifest]));
  if (before === undefined) return;
  await writeAccepted(stateDir, { hash, manifests: before.manifests.map((one) => changed.get(nameOf(one)) ?? one) });
}

export async function forgetAccepted(stateDir: string): Promise<void> {
  await rm(join(stateDir, FILE), { force: true });
}
