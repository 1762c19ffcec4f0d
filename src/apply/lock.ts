import { mkdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { UserError } from "../errors.ts";
import type { Locker } from "./exec.ts";

/** One run at a time per state directory and per network namespace, by flock(2) locks of two files. */

/** Directory of the locks of network namespaces: root's own, so that nobody else can hold one. */
const RUNTIME_DIRECTORY = "/run/svctables";

const STATE_HINT = "choose another with --state-dir, or run as root";
const RUNTIME_HINT = "run as root, where /run can be written";

export interface LockOptions {
  readonly stateDir: string;
  /** Seconds to wait for another run to end. */
  readonly timeoutSeconds: number;
  readonly runtimeDir?: string;
}

/**
 * Takes both locks and returns what frees them.
 * @throws UserError naming the lock file if another run holds it, or if it cannot be made
 */
export async function lock(take: Locker, options: LockOptions): Promise<() => Promise<void>> {
  const runtimeDir = options.runtimeDir ?? RUNTIME_DIRECTORY;
  const stateLock = join(options.stateDir, "lock");
  const namespaceLock = join(runtimeDir, `netns-${await networkNamespace()}.lock`);
  await makeDirectory(options.stateDir, STATE_HINT);
  await makeDirectory(runtimeDir, RUNTIME_HINT);

  const { timeoutSeconds } = options;
  const releaseState = await takeOne(take, stateLock, { what: "state directory", hint: STATE_HINT }, timeoutSeconds);
  try {
    const namespace = { what: "network namespace", hint: RUNTIME_HINT };
    const releaseNamespace = await takeOne(take, namespaceLock, namespace, timeoutSeconds);
    return async () => {
      await releaseNamespace();
      await releaseState();
    };
  } catch (error) {
    await releaseState();
    throw error;
  }
}

/** What a lock is for, and what to do where it cannot be made. */
interface Purpose {
  readonly what: string;
  readonly hint: string;
}

async function takeOne(
  take: Locker,
  path: string,
  { what, hint }: Purpose,
  seconds: number,
): Promise<() => Promise<void>> {
  const locking = await take(path, seconds);
  switch (locking.kind) {
    case "held":
      return locking.release;
    case "busy":
      throw lockedBy(path, what);
    case "failed":
      throw new UserError(`cannot lock ${path}: ${locking.reason}`, hint);
  }
}

function lockedBy(file: string, what: string): UserError {
  return new UserError(
    `another run holds the lock of this ${what}: ${file}`,
    `wait for it to end, or wait longer with --lock-timeout; \`fuser ${file}\` shows who it is`,
  );
}

/** The kernel's number of this process's network namespace; "none" where there are none. */
async function networkNamespace(): Promise<string> {
  try {
    return (await readlink("/proc/self/ns/net")).replace(/\D/g, "");
  } catch {
    return "none";
  }
}

async function makeDirectory(path: string, hint: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new UserError(`cannot make the directory ${path}: ${error instanceof Error ? error.message : ""}`, hint);
  }
}
