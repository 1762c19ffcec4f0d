import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { BackendName } from "../../src/types.ts";
import { commandLine, type Flags } from "./packetCases.ts";

const BIN = fileURLToPath(new URL("../../bin/svctables.js", import.meta.url));
const BUILT = fileURLToPath(new URL("../../dist/cli.js", import.meta.url));

/** How the rules reach the kernel. `variant` is the iptables flavour; nftables has one only. */
export interface Flavour {
  readonly backend: BackendName;
  readonly variant?: "nft" | "legacy";
}

export interface ProgramResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The real program, started inside one namespace. Its state is kept in a directory of its own. */
export interface Program {
  /** Runs a command (sync, diff, cleanup …) with these flags; `input` goes to standard input. */
  run(command: string, flags: Flags, input?: string): Promise<ProgramResult>;
  /** As `run`, and throws with what the program said unless it ends with 0. */
  succeed(command: string, flags: Flags, input?: string): Promise<ProgramResult>;
  close(): void;
}

export function programAt(namespace: string, { backend, variant }: Flavour): Program {
  if (!existsSync(BUILT)) throw new Error("kernel tests run the built program: `npm run build` first");
  const stateDir = mkdtempSync(join(tmpdir(), "svctables-test-"));
  const own: Flags = {
    backend,
    "state-dir": stateDir,
    ...(variant === undefined ? {} : { "iptables-variant": variant }),
  };
  const run: Program["run"] = async (command, flags, input) => {
    const files = input === undefined ? [] : ["-f", "-"];
    const words = [
      "netns",
      "exec",
      namespace,
      process.execPath,
      BIN,
      command,
      ...files,
      ...commandLine({ ...own, ...flags }),
    ];
    const { exitCode = -1, stdout, stderr } = await execa("ip", words, { input: input ?? "", reject: false });
    return { exitCode, stdout, stderr };
  };
  return {
    run,
    async succeed(command, flags, input) {
      const result = await run(command, flags, input);
      if (result.exitCode !== 0) throw new Error(`${command} ended with ${result.exitCode}\n${result.stderr}`);
      return result;
    },
    close: () => rmSync(stateDir, { recursive: true }),
  };
}
