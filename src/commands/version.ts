import { release } from "node:os";
import packageJson from "../../package.json" with { type: "json" };
import { iptablesVersion } from "../apply/variant.ts";
import { ExitCode, UserError } from "../errors.ts";
import { jsonText } from "../report/json.ts";
import type { Runner } from "../types.ts";
import { type Flags, textFlag } from "./flags.ts";
import type { Io } from "./io.ts";
import { runner } from "./kernel.ts";

/** Versions of ourselves and of everything that we work with. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const run = runner();
  const versions = {
    svctables: packageJson.version,
    node: process.version.slice(1),
    kernel: release(),
    iptables: await found(async () => {
      const { text, variant } = await iptablesVersion(run);
      return `${text} (${variant})`;
    }),
    nftables: await found(() => nftVersion(run)),
  };
  if (textFlag(flags, "output") === "json") io.out(jsonText(versions));
  else {
    const lines = Object.entries(versions).map(([name, version]) => `${name.padEnd(10)}${version ?? "not found"}\n`);
    io.out(lines.join(""));
  }
  return ExitCode.done;
}

async function nftVersion(run: Runner): Promise<string | null> {
  const { stdout } = await run({ program: "nft", args: ["--version"] });
  return /v(\d[\d.]*)/.exec(stdout)?.[1] ?? null;
}

/** A tool that is not there has no version; that is an answer, too. */
async function found(ask: () => Promise<string | null>): Promise<string | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
