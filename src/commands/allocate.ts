import { ExitCode } from "../errors.ts";
import { exclusively } from "../pipeline/node.ts";
import { manifestYaml, noteAllocations } from "../pipeline/standalone.ts";
import { jsonText } from "../report/json.ts";
import { table } from "../report/table.ts";
import { type Flags, isSet, settingsFrom, textFlag } from "./flags.ts";
import { thisMachine } from "./host.ts";
import { accept, completeInput, inputFrom } from "./input.ts";
import type { Io } from "./io.ts";

/**
 * Shows what is filled in for Services that no cluster completed: addresses and ports, new or given out before.
 * With --record they are kept from now on, as `sync` keeps them.
 */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const settings = await settingsFrom(flags, io);
  const input = await inputFrom(flags, settings, io);
  if ((await accept(input, flags, settings, io)) === undefined) return ExitCode.inputRejected;
  const completed = await completeInput(input, settings, io);
  if (completed === undefined) return ExitCode.inputRejected;
  const { assignments, allocations } = completed;
  switch (textFlag(flags, "output") ?? "human") {
    case "yaml":
      io.out(manifestYaml(completed.input.manifests));
      break;
    case "json":
      io.out(jsonText(assignments));
      break;
    default:
      io.out(
        table(
          ["SERVICE", "FIELD", "VALUE", "SINCE"],
          assignments.map(({ service, path, value, isNew }) => [
            service,
            path,
            String(value),
            isNew ? "now" : "before",
          ]),
        ),
      );
  }
  if (isSet(flags, "record")) {
    await exclusively(settings, await thisMachine(), () => noteAllocations(allocations, settings.stateDir));
  }
  return ExitCode.done;
}
