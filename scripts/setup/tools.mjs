// The system's own tools: iptables, nft, conntrack, ip and a few more. Taken from apt when that is possible.
import { existsSync } from "node:fs";
import { findProgram, isRoot, loudly, run } from "./run.mjs";

/** Program → the Debian and Ubuntu package that holds it. */
const TOOLS = {
  "iptables-nft": "iptables",
  "iptables-legacy": "iptables",
  "ip6tables-nft": "iptables",
  "ip6tables-legacy": "iptables",
  nft: "nftables",
  conntrack: "conntrack",
  ip: "iproute2",
  flock: "util-linux",
  unshare: "util-linux",
  sysctl: "procps",
};

const missingTools = () => Object.keys(TOOLS).filter((tool) => findProgram(tool) === undefined);

/**
 * Installs what is missing, as root and where apt is; otherwise says loudly what is missing.
 * Returns the programs that are still missing.
 */
export function ensureTools() {
  const missing = missingTools();
  if (missing.length === 0) return [];
  const packages = [...new Set(missing.map((tool) => TOOLS[tool]))];
  if (isRoot && findProgram("apt-get") !== undefined) {
    console.log(`installing ${packages.join(", ")} with apt-get …`);
    const env = { DEBIAN_FRONTEND: "noninteractive" };
    const quiet = ["-q", "-o", "Dpkg::Use-Pty=0"];
    // An update that fails for one source may still have brought what is needed: the install decides.
    run("apt-get", [...quiet, "update"], { env });
    run("apt-get", [...quiet, "install", "-y", "--no-install-recommends", ...packages], { env });
  }
  const still = missingTools();
  if (still.length > 0) {
    loudly(
      `MISSING PROGRAMS: ${still.join(", ")}`,
      `Install them as root: ${installHint(packages)}`,
      "Without them nothing can be tried on a kernel.",
    );
  }
  return still;
}

function installHint(packages) {
  if (existsSync("/etc/debian_version")) return `apt-get install ${packages.join(" ")}`;
  if (findProgram("dnf") !== undefined) {
    return "dnf install iptables-nft iptables-legacy nftables conntrack-tools iproute util-linux procps-ng";
  }
  return `with your package manager (on Debian they are in ${packages.join(", ")})`;
}
