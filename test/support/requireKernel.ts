import { execaSync } from "execa";
import { type Flavour, flavourText, isAvailable } from "./program.ts";

const PROGRAMS = ["ip", "sysctl", "iptables-nft", "ip6tables-nft", "iptables-legacy", "ip6tables-legacy", "nft"];

/**
 * Kernel tests need root and the tools of the trade. Without them they must not look green: this throws,
 * and says what is missing.
 */
export function requireKernel(): void {
  const missing = PROGRAMS.filter((program) => execaSync("which", [program], { reject: false }).exitCode !== 0);
  const isRoot = process.getuid?.() === 0;
  if (isRoot && missing.length === 0) return;
  const wants = [...(isRoot ? [] : ["root"]), ...missing];
  throw new Error(`kernel tests need ${wants.join(", ")}: run \`npm test\` as root, it installs the tools`);
}

/**
 * Whether this flavour's tests can run. A missing nft of another version is an error where CI says so, and a loud
 * word elsewhere; everything else that is missing throws.
 */
export function canRun(flavour: Flavour): boolean {
  requireKernel();
  if (isAvailable(flavour)) return true;
  const problem = `NOT TRIED: ${flavourText(flavour)}, which the set-up of the tests could not fetch`;
  if (process.env.CI === "true") throw new Error(problem);
  console.warn(problem);
  return false;
}
