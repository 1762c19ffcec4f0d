import { randomUUID } from "node:crypto";
import { constants, type FileHandle, open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { MissingProgramError, UserError } from "../errors.ts";
import type { Command, CommandResult, Runner } from "../types.ts";

/**
 * The only file that starts processes. No shell, arguments as they are, messages in English, and every child in
 * a session of its own, so that Ctrl-C at the terminal cannot kill a tool in the middle of a transaction.
 */

/** More than the listing of the largest cluster; a JavaScript string cannot hold more than 512 Mi characters. */
const MAX_OUTPUT = 500_000_000;

/** cron and systemd often leave these out, and the firewall tools live there. */
const SYSTEM_PATHS = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/bin", "/bin"];

const DEBIAN_PACKAGES: readonly (readonly [prefix: string, name: string])[] = [
  ["iptables", "iptables"],
  ["ip6tables", "iptables"],
  ["nft", "nftables"],
  ["conntrack", "conntrack"],
  ["flock", "util-linux"],
  ["ip", "iproute2"],
];

export type Locking =
  | { readonly kind: "held"; release(): Promise<void> }
  | { readonly kind: "busy" }
  | { readonly kind: "failed"; readonly reason: string };

/** Takes the lock of one file, which is made if need be, waiting no longer than this many seconds. */
export type Locker = (path: string, timeoutSeconds: number) => Promise<Locking>;

/**
 * Locks that this process holds. What it starts inherits them: a tool that still writes when we are killed keeps the
 * next run waiting, which would otherwise plan from rules that are about to change.
 */
const heldLocks = new Set<FileHandle>();

/**
 * Makes the runner of this process.
 * @param searchPath the PATH to search
 * @param systemPaths directories that are added to it
 * @throws UserError (when run) if the program is missing or says that it needs root
 */
export function createRunner(searchPath: string, systemPaths: readonly string[] = SYSTEM_PATHS): Runner {
  const environment = childEnvironment(searchPath, systemPaths);
  return async (command) => {
    const { execa } = await import("execa");
    const input = command.input === undefined ? undefined : await openInput(command.input);
    try {
      const child = execa(command.program, command.args, {
        env: environment,
        stdio: [
          input === undefined ? "ignore" : descriptorOf(input),
          "pipe",
          "pipe",
          ...[...heldLocks].map(descriptorOf),
        ],
        reject: false,
        stripFinalNewline: false,
        maxBuffer: MAX_OUTPUT,
        detached: true,
      });
      let isRunning = true;
      const ended = child.finally(() => {
        isRunning = false;
      });
      try {
        while (isRunning && command.meanwhile?.() === true) await setImmediate();
      } finally {
        // Whoever is told that it failed may start another tool.
        await ended;
      }
      const result = await ended;
      if (result.exitCode === undefined) throw notStarted(command, result);
      return mustBeAllowed(command, { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr });
    } finally {
      await input?.close();
    }
  };
}

/** execa passes any descriptor on; its types only know the first ten. */
function descriptorOf({ fd }: FileHandle): 3 {
  return fd as 3;
}

/**
 * The text as an open file without a name. Not a pipe: if we are killed while writing into one, nft takes the part
 * that it got for the whole transaction.
 */
async function openInput(text: string): Promise<FileHandle> {
  const path = join(tmpdir(), `svctables-${randomUUID()}`);
  try {
    const draft = await open(path, "wx", 0o600);
    try {
      await draft.writeFile(text);
    } finally {
      await draft.close();
    }
    return await open(path, "r");
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    throw new UserError(`cannot write a temporary file: ${reason}`, "make room, or choose another place with TMPDIR");
  } finally {
    await rm(path, { force: true });
  }
}

/** Exit code by which flock tells that somebody else holds the lock. */
const CONFLICT = 75;

/**
 * Makes what takes flock(2) locks. flock(1) locks a file that we opened and ends; the lock then lives as long as the
 * file is open anywhere, here or in a tool that we started, so that the kernel frees it however we end.
 * @throws UserError (when asked) if flock is missing
 */
export function createLocker(searchPath: string): Locker {
  const environment = childEnvironment(searchPath, SYSTEM_PATHS);
  return async (path, timeoutSeconds) => {
    const { execa } = await import("execa");
    const file = await openLock(path);
    if ("reason" in file) return { kind: "failed", ...file };
    const args = ["--wait", String(timeoutSeconds), "--conflict-exit-code", String(CONFLICT), "3"];
    const result = await execa("flock", args, {
      env: environment,
      stdio: ["ignore", "ignore", "pipe", descriptorOf(file)],
      reject: false,
      detached: true,
    });
    if (result.exitCode === 0) {
      heldLocks.add(file);
      return { kind: "held", release: () => releaseLock(file) };
    }
    await file.close();
    if (result.exitCode === undefined) throw notStarted({ program: "flock", args }, result);
    if (result.exitCode === CONFLICT) return { kind: "busy" };
    return { kind: "failed", reason: result.stderr.trim() || `flock: exit code ${result.exitCode} without a message` };
  };
}

async function releaseLock(file: FileHandle): Promise<void> {
  heldLocks.delete(file);
  await file.close();
}

const LOCK_FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW;

/** Nobody else may open it: who can, can hold it and keep every run waiting. Nor may it be a link to a file that others need. */
async function openLock(path: string): Promise<FileHandle | { readonly reason: string }> {
  try {
    const file = await open(path, LOCK_FLAGS, 0o600);
    await file.chmod(0o600);
    return file;
  } catch (error) {
    return { reason: error instanceof Error ? error.message : String(error) };
  }
}

function childEnvironment(searchPath: string, systemPaths: readonly string[]): Record<string, string> {
  const given = searchPath.split(":").filter((directory) => directory !== "");
  const missing = systemPaths.filter((directory) => !given.includes(directory));
  return { PATH: [...given, ...missing].join(":"), LC_ALL: "C" };
}

interface Failure {
  readonly code?: string | undefined;
  readonly shortMessage?: string | undefined;
  readonly isTerminated: boolean;
}

function notStarted({ program }: Command, failure: Failure): UserError {
  switch (failure.code) {
    case "ENOENT":
      return new MissingProgramError(
        `the program ${program} was not found`,
        `install the package ${packageOf(program)}, or fix PATH`,
      );
    case "EACCES":
    case "EPERM":
      return new UserError(`the program ${program} may not be started`, "run as root");
    default: {
      if (failure.isTerminated) {
        return new UserError(`${program} was killed`, "run the same command again: it repairs what is left");
      }
      const reason = failure.shortMessage?.split("\n")[0] ?? "unknown reason";
      return new UserError(`${program} could not be run: ${reason}`, "see the message of the system");
    }
  }
}

/** Debian's package of a program: iptables-nft-restore is in iptables. */
function packageOf(program: string): string {
  const known = DEBIAN_PACKAGES.find(([prefix]) => program === prefix || program.startsWith(`${prefix}-`));
  return known?.[1] ?? program;
}

/** iptables and nft both say so in these words; the legacy tools name their lock file first. */
const NEEDS_ROOT = /you must be root|can't open lock file .*: Permission denied|^netlink: .*Operation not permitted/m;

/** What iptables says when another program holds its lock for too long. */
const LOCKED = /xtables lock|Can't lock (\S*xtables\S*)/;

function mustBeAllowed(command: Command, result: CommandResult): CommandResult {
  if (result.exitCode !== 0 && LOCKED.test(result.stderr)) {
    throw new UserError(
      `another program holds the lock of iptables (/run/xtables.lock), and ${command.program} stopped waiting`,
      "`fuser /run/xtables.lock` shows which one; run the same command again when it is done",
    );
  }
  if (result.exitCode === 0 || !NEEDS_ROOT.test(result.stderr)) return result;
  throw new UserError(
    `${command.program} needs root in this network namespace`,
    "run as root (sudo), or with CAP_NET_ADMIN and CAP_NET_RAW",
  );
}
