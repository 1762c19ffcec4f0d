import { ExitCode } from "../errors.ts";
import { exclusively } from "../pipeline/node.ts";
import { type Completed, manifestYaml, noteAllocations } from "../pipeline/standalone.ts";
import { jsonText } from "../report/json.ts";
import { table } from "../report/table.ts";
import { type Flags, isSet, settingsFrom, textFlag } from "./flags.ts";
import { thisMachine } from "./host.ts";
import { accept, completeInput, inputFrom } from "./input.ts";
import type { Io } from "./io.ts";

/**
 * Shows what is filled in for Services that no cluster completed: addresses and ports, new or given out before.
 * With --record they are kept from now on, as `sync` keeps them; Services that are not in this input keep theirs.
 */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const settings = await settingsFrom(flags, io);
  const input = await inputFrom(flags, settings, io);
  if ((await accept(input, flags, settings, io)) === undefined) return ExitCode.inputRejected;
  const allocateNow = async () => {
    const completed = await completeInput(input, settings, { isWhole: false }, io);
    if (completed === undefined) return ExitCode.inputRejected;
    if (isSet(flags, "record")) await noteAllocations(completed.allocations, settings.stateDir);
    show(completed, textFlag(flags, "output") ?? "human", io);
    return ExitCode.done;
  };
  return isSet(flags, "record") ? exclusively(settings, await thisMachine(), allocateNow) : allocateNow();
}

function show({ input, assignments }: Completed, output: string, io: Io): void {
  switch (output) {
    case "yaml":
      io.out(manifestYaml(input.manifests));
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
}
