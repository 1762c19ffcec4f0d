import { ExitCode, UserError } from "../errors.ts";
import { environmentOf, labelProblem } from "../pipeline.ts";
import { environmentText, unusableText } from "../report/discovery.ts";
import { jsonText } from "../report/json.ts";
import { type Flags, settingsFrom, textFlag } from "./flags.ts";
import { completeInputFrom } from "./input.ts";
import type { Io } from "./io.ts";

/** Prints what a container that starts now learns about Services from its environment. Needs no root. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const settings = await settingsFrom(flags, io);
  const namespace = textFlag(flags, "podNamespace") ?? settings.namespace;
  const problem = labelProblem(namespace);
  if (problem !== undefined) {
    throw new UserError(`--pod-namespace ${namespace}: ${problem}`, "name the namespace of the Pod");
  }
  const input = await completeInputFrom(flags, settings, io);
  if (input === undefined) return ExitCode.inputRejected;
  const variables = environmentOf(input.manifests, namespace, { serviceLinks: flags.serviceLinks !== false });
  io.note(unusableText(variables));
  io.out(textFlag(flags, "output") === "json" ? jsonText({ namespace, variables }) : environmentText(variables));
  return ExitCode.done;
}
