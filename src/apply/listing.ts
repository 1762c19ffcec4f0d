import { UserError } from "../errors.ts";
import type { Command, CommandResult, KernelCommands, Runner } from "../types.ts";

/** What may be concluded from a listing that failed: that there is nothing to list, or only that it failed. */

/** What the tools say where the kernel has no such family, or nothing for them at all. */
const UNSUPPORTED =
  /not (?:supported|implemented|available|exist)|insmod|(?:generation id|cache initialization failed): Invalid argument/;

export function tellsOfNoSupport(message: string): boolean {
  return UNSUPPORTED.test(message);
}

/** What a tool that failed said of it, in few lines. */
export function messageOf({ stderr, exitCode }: CommandResult): string {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "");
  return lines.length === 0 ? `exit code ${exitCode} without a message` : lines.slice(0, 5).join("\n  ");
}

/**
 * A listing of what may be there; "" where there is nothing of the kind, as `isAbsent` may tell.
 * @throws UserError if it failed otherwise: what could not be seen may be there, and act
 */
export async function listed(
  run: Runner,
  command: Command,
  isAbsent: KernelCommands["isAbsent"] = undefined,
): Promise<string> {
  const result = await run(command);
  if (result.exitCode === 0) return result.stdout;
  if (tellsOfNoSupport(result.stderr) || isAbsent?.(result)) return "";
  throw new UserError(
    `cannot see what rules others have here: ${command.program} ${command.args.join(" ")}: ${messageOf(result)}`,
    "run the same command again; if that does not help, mend what the tool complains about",
  );
}
