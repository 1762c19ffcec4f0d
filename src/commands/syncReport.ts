import type { Input, Unsaved } from "../pipeline.ts";
import { servicePortText } from "../report/changes.ts";
import { placeOf } from "../report/diagnostics.ts";
import { failureText } from "../report/failure.ts";
import { jsonText, resultJson } from "../report/json.ts";
import { styleFor } from "../report/style.ts";
import type { Settings } from "../settings/settings.ts";
import type { ApplyResult, Origin } from "../types.ts";
import { type Flags, isSet, textFlag } from "./flags.ts";
import type { Io } from "./io.ts";

/** What `sync` says about its result. */

/** Nothing was to do, and nothing was even read. */
export function noteAsItWas(flags: Flags, { backend }: Settings, io: Io): void {
  if (textFlag(flags, "output") === "json") io.out(jsonText(resultJson({ kind: "unchanged" })));
  else if (io.errorIsTTY || isSet(flags, "verbose")) io.note(`in sync: as the last run left it (${backend})\n`);
}

/** Says once that something could not be left to later runs. */
export function unsavedIn({ stateDir }: Settings, io: Io): Unsaved {
  let isSaid = false;
  return (reason) => {
    if (!isSaid)
      io.note(`note: later runs will know less of this one, since ${stateDir} cannot be written: ${reason}\n`);
    isSaid = true;
  };
}

/** Why the kernel did not take the rules, and whose line it was. */
export function reportRefusal(
  { reason, origin, rolledBack }: Extract<ApplyResult, { kind: "refused" }>,
  input: Input | undefined,
  io: Io,
  consequence?: string,
): void {
  const cause = origin === undefined ? "" : ` because of Service ${causeText(origin, input)}`;
  const state = rolledBack
    ? "the rules are as they were before; the message of the tool says what it did not take"
    : "the rules are neither old nor new: mend the cause and run `svctables sync` again, or run `svctables cleanup`";
  io.error(failureText(`the kernel refused the rules${cause}: ${reason}`, consequence ?? state, styleFor(io.color)));
}

function causeText({ source, servicePort }: Origin, input: Input | undefined): string {
  const line = source.line ?? input?.locate(source)?.line;
  return `${servicePortText(servicePort)} (${placeOf(line === undefined ? source : { ...source, line })})`;
}
