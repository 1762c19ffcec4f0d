import { access, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Manifest } from "../types.ts";

/**
 * The objects that the kernel's rules were made from, kept so that a Service which is invalid today can be served
 * as it was yesterday. Only runs that may skip Services write it, and any other run that changes rules removes it.
 */
export interface Accepted {
  /** SHA-256 of the input. */
  readonly hash: string;
  readonly manifests: readonly Manifest[];
}

const VERSION = 1;
const FILE = "accepted.json";

/** The record; undefined when there is none, or it is damaged. */
export async function readAccepted(stateDir: string): Promise<Accepted | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(join(stateDir, FILE), "utf8"));
    return isAccepted(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export async function hasAccepted(stateDir: string): Promise<boolean> {
  return access(join(stateDir, FILE)).then(
    () => true,
    () => false,
  );
}

/** @throws the system's error when the directory cannot be written */
export async function writeAccepted(stateDir: string, accepted: Accepted): Promise<void> {
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  const draft = join(stateDir, `${FILE}.new`);
  await writeFile(draft, JSON.stringify({ version: VERSION, ...accepted }), { mode: 0o600 });
  await rename(draft, join(stateDir, FILE));
}

export async function forgetAccepted(stateDir: string): Promise<void> {
  await rm(join(stateDir, FILE), { force: true });
}

function isAccepted(value: unknown): value is Accepted {
  if (typeof value !== "object" || value === null) return false;
  if (!("version" in value) || value.version !== VERSION) return false;
  return "hash" in value && typeof value.hash === "string" && "manifests" in value && Array.isArray(value.manifests);
}
