import { release } from "node:os";
import { ExitCode } from "../errors.ts";
import { toolVersions } from "../pipeline/node.ts";
import { jsonText } from "../report/json.ts";
import { type Flags, textFlag } from "./flags.ts";
import type { Io } from "./io.ts";

/** Versions of ourselves and of everything that we work with. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const versions = {
    svctables: io.version,
    node: process.version.slice(1),
    kernel: release(),
    ...(await toolVersions(process.env.PATH ?? "")),
  };
  if (textFlag(flags, "output") === "json") io.out(jsonText(versions));
  else
    io.out(
      Object.entries(versions)
        .map(([name, version]) => `${name.padEnd(10)}${version ?? "none that works"}\n`)
        .join(""),
    );
  return ExitCode.done;
}
