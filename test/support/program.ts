import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { commandLine, type Flags } from "./packetCases.ts";

const OWN_LOCK = fileURLToPath(new URL("ownLock.mjs", import.meta.url));
const RESIDENT = fileURLToPath(new URL("residentProgram.mjs", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** What an installed copy consists of. */
const INSTALLED = ["bin", "dist", "package.json"];

/** How the rules reach the kernel: by which flavour of iptables, or by which nft program. */
export type Flavour =
  | { readonly backend: "iptables"; readonly variant: "nft" | "legacy" }
  | { readonly backend: "nftables"; readonly nft: "system" | "newer" };

/** Where the set-up puts an nft newer than the system's. */
const NEWER_NFT = join(ROOT, ".tools/nft-new");

/** The nft program that reads what this flavour writes: an older one may not survive the rules of a newer one. */
export function nftOf(flavour: Flavour): string {
  return flavour.backend === "nftables" && flavour.nft === "newer" ? join(NEWER_NFT, "nft") : "nft";
}

/** For titles of tests. */
export function flavourText(flavour: Flavour): string {
  return flavour.backend === "iptables" ? `iptables-${flavour.variant}` : `nftables by the ${flavour.nft} nft`;
}

/** Whether the program of this flavour is there; the set-up cannot fetch a newer nft everywhere. */
export function isAvailable(flavour: Flavour): boolean {
  return flavour.backend === "iptables" || flavour.nft === "system" || existsSync(join(NEWER_NFT, "nft"));
}

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real program, inside one namespace: a copy, which no build under way can disturb, and its own state. */
export interface ResidentProgram {
  /** Runs a command (sync, diff, cleanup …) with these flags; `input` goes to standard input. */
  run(command: string, flags: Flags, input?: string): Promise<ProgramResult>;
  /** As `run`, and throws with what the program said unless it ends with 0. */
  succeed(command: string, flags: Flags, input?: string): Promise<ProgramResult>;
  close(): void;
}

/** The same, but each run is a process of its own. */
export interface Program extends ResidentProgram {
  /** Starts a command and kills it, as a power cut would, unless it has ended before. */
  killAfter(milliseconds: number, command: string, flags: Flags, input: string): Promise<void>;
}

interface KillOptions {
  readonly timeout?: number;
  readonly killSignal?: "SIGKILL";
}

/** A copy of the program, and what its flavour asks for. */
interface Installed {
  readonly home: string;
  readonly env: Readonly<Record<string, string>>;
  /** What starts a Node program at a lock of its own. */
  readonly starter: readonly string[];
  words(command: string, flags: Flags, input: string | undefined): readonly string[];
}

function install(namespace: string, flavour: Flavour): Installed {
  if (!existsSync(join(ROOT, "dist/cli.js")))
    throw new Error("kernel tests run the built program: `npm run build` first");
  const home = mkdtempSync(join(tmpdir(), "svctables-test-"));
  for (const name of INSTALLED) cpSync(join(ROOT, name), join(home, name), { recursive: true });
  const own: Flags = {
    backend: flavour.backend,
    "state-dir": join(home, "state"),
    ...(flavour.backend === "iptables" ? { "iptables-variant": flavour.variant } : {}),
  };
  const isNewer = flavour.backend === "nftables" && flavour.nft === "newer";
  return {
    home,
    env: isNewer ? { PATH: `${NEWER_NFT}:${process.env.PATH ?? ""}` } : {},
    starter: ["netns", "exec", namespace, process.execPath, OWN_LOCK, join(home, "xtables.lock")],
    words: (command, flags, input) => {
      const files = input === undefined ? [] : ["-f", "-"];
      return [command, ...files, ...commandLine({ ...own, ...flags })];
    },
  };
}

function succeeding(run: ResidentProgram["run"]): ResidentProgram["succeed"] {
  return async (command, flags, input) => {
    const result = await run(command, flags, input);
    if (result.exitCode !== 0) throw new Error(`${command} ended with ${result.exitCode}\n${result.stderr}`);
    return result;
  };
}

export function programAt(namespace: string, flavour: Flavour): Program {
  const { home, env, starter, words } = install(namespace, flavour);
  const bin = join(home, "bin/svctables.js");
  const start = (command: string, flags: Flags, input: string | undefined, options: KillOptions) =>
    execa("ip", [...starter, bin, ...words(command, flags, input)], {
      input: input ?? "",
      reject: false,
      env,
      ...options,
    });
  const run: Program["run"] = async (command, flags, input) => {
    const { exitCode = -1, stdout, stderr } = await start(command, flags, input, {});
    return { exitCode, stdout, stderr };
  };
  return {
    run,
    succeed: succeeding(run),
    async killAfter(milliseconds, command, flags, input) {
      // `ip netns exec` becomes the program, so the signal reaches it.
      await start(command, flags, input, { timeout: milliseconds, killSignal: "SIGKILL" });
    },
    close: () => rmSync(home, { recursive: true }),
  };
}

/** One process for all runs, for suites of many: starting Node takes longer than all the rest of most. */
export function residentAt(namespace: string, flavour: Flavour): ResidentProgram {
  const { home, env, starter, words } = install(namespace, flavour);
  const resident = execa("ip", [...starter, RESIDENT], { env, buffer: false, reject: false, stderr: "inherit" });
  const answers = createInterface({ input: resident.stdout })[Symbol.asyncIterator]();
  let runs = 0;
  // One after the other: all runs share one process and its streams.
  let last: Promise<unknown> = Promise.resolve();
  const ask = async (args: readonly string[], input: string): Promise<ProgramResult> => {
    runs += 1;
    const cli = join(home, "dist/cli.js");
    resident.stdin.write(`${JSON.stringify({ id: runs, cli, args, input })}\n`);
    const answer = await answers.next();
    if (answer.done === true) throw new Error(`the program ended with all it stands for: ${args.join(" ")}`);
    return JSON.parse(answer.value) as ProgramResult;
  };
  const run: ResidentProgram["run"] = (command, flags, input) => {
    const result = last.then(() => ask(words(command, flags, input), input ?? ""));
    last = result.catch(() => undefined);
    return result;
  };
  return {
    run,
    succeed: succeeding(run),
    close: () => {
      resident.stdin.end();
      rmSync(home, { recursive: true });
    },
  };
}
