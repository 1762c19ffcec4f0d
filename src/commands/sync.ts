import { ExitCode } from "../errors.ts";
import { isAsLeft, originOf, type RulesOrigin } from "../pipeline/asLeft.ts";
import type { Machine } from "../pipeline/node.ts";
import type { Sources } from "../pipeline.ts";
import type { Settings } from "../settings/settings.ts";
import { type Flags, isSet, listFlag, settingsHere } from "./flags.ts";
import { thisMachine } from "./host.ts";
import type { Io } from "./io.ts";
import { noteAsItWas } from "./syncReport.ts";

/**
 * Makes this node's kernel hold what the input asks for, all or nothing. Most runs of a timer find nothing to do: these
 * load as little of this program as they can.
 */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const machine = await thisMachine();
  const settings = await settingsHere(flags, machine, io);
  const from = await quickOrigin(flags, settings, machine, io);
  let read: Promise<Sources> | undefined;
  const sources = () => {
    read ??= import("./input.ts").then(({ sourcesFrom }) => sourcesFrom(flags, io));
    return read;
  };
  if (from !== undefined && (await isAsLeft(from, async () => (await sources()).hash, settings, machine))) {
    noteAsItWas(flags, settings, io);
    return ExitCode.done;
  }
  const { syncInput } = await import("./syncInput.ts");
  return syncInput(flags, settings, await sources(), from, machine, io);
}

/** What the rules are made from, where a stamp can tell whether they are still there. */
async function quickOrigin(
  flags: Flags,
  settings: Settings,
  machine: Machine,
  io: Io,
): Promise<RulesOrigin | undefined> {
  if (settings.backend !== "nftables" || settings.verify || isSet(flags, "dryRun")) return undefined;
  const judgement = { strict: isSet(flags, "strict"), skipInvalid: isSet(flags, "skipInvalid") };
  return originOf(listFlag(flags, "file"), settings, machine, io.version, judgement);
}
