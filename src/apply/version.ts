import { UserError } from "../errors.ts";
import type { Runner } from "../types.ts";

/**
 * What a tool says when it is asked for its version, taken apart.
 * @param needed the oldest version that will do, for people
 * @throws UserError with whatever else it says: where the kernel lacks nf_tables, nft and iptables do not even tell that
 */
export async function askVersion(
  run: Runner,
  program: string,
  pattern: RegExp,
  needed: string,
): Promise<RegExpExecArray> {
  const { stdout, stderr } = await run({ program, args: ["--version"] });
  const version = pattern.exec(stdout);
  if (version !== null) return version;
  const said = (stdout.trim() === "" ? stderr : stdout).trim();
  throw new UserError(`${program} --version says ${JSON.stringify(said)}`, `${program} ${needed} or later is needed`);
}
