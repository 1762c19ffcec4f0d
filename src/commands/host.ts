import { readFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { canonicalIP } from "../ip.ts";
import type { Machine } from "../pipeline/node.ts";
import type { HostFacts } from "../settings/node.ts";

/** For rules that are only written: nothing of this machine but its name goes in. */
export function someHost(): HostFacts {
  return { hostName: hostname(), addresses: ["127.0.0.1", "::1"], conntrackIsLiberal: false, randomFully: true };
}

/** This very machine, seen from its network namespace. */
export async function thisMachine(): Promise<Machine> {
  const [liberal, ipv4, ipv6] = await Promise.all([
    readProc("/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal"),
    readProc("/proc/net/ip_tables_names"),
    readProc("/proc/net/ip6_tables_names"),
  ]);
  return {
    searchPath: process.env.PATH ?? "",
    hostName: hostname(),
    addresses: interfaceAddresses(),
    conntrackIsLiberal: liberal.trim() !== "" && liberal.trim() !== "0",
    legacyTables: { ipv4: ipv4.split(/\s+/).filter(isWord), ipv6: ipv6.split(/\s+/).filter(isWord) },
  };
}

function interfaceAddresses(): readonly string[] {
  const addresses = new Set<string>();
  for (const assigned of Object.values(networkInterfaces())) {
    for (const { address } of assigned ?? []) {
      const ip = canonicalIP(address.split("%")[0] ?? address);
      if (ip !== undefined) addresses.add(ip);
    }
  }
  return [...addresses];
}

/** The text of a file of /proc; "" where the kernel has no such file. */
async function readProc(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return "";
  }
}

function isWord(text: string): boolean {
  return text !== "";
}
