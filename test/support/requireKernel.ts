import { execaSync } from "execa";

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
