import { readFile, writeFile } from "node:fs/promises";
import { hostname, networkInterfaces } from "node:os";
import { UserError } from "../errors.ts";
import { canonicalIP } from "../ip.ts";
import type { HostFacts } from "../settings/node.ts";
import type { Family } from "../types.ts";

const BE_LIBERAL = "/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal";
const ROUTE_LOCALNET = "/proc/sys/net/ipv4/conf/all/route_localnet";

/** For rules that are only written: nothing of this machine but its name goes in. */
export function someHost(): HostFacts {
  return { hostName: hostname(), addresses: ["127.0.0.1", "::1"], conntrackIsLiberal: false, randomFully: true };
}

/** For rules of this very node. */
export async function thisHost(randomFully: boolean): Promise<HostFacts> {
  const liberal = (await readProc(BE_LIBERAL))?.trim();
  return {
    hostName: hostname(),
    addresses: interfaceAddresses(),
    conntrackIsLiberal: liberal !== undefined && liberal !== "0",
    randomFully,
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

/** The tables of the legacy iptables in this network namespace; asking its tools for others would create them. */
export async function legacyTables(): Promise<Readonly<Record<Family, readonly string[]>>> {
  const [ipv4, ipv6] = await Promise.all([
    readProc("/proc/net/ip_tables_names"),
    readProc("/proc/net/ip6_tables_names"),
  ]);
  return { ipv4: wordsOf(ipv4), ipv6: wordsOf(ipv6) };
}

function wordsOf(text = ""): readonly string[] {
  return text.split("\n").filter((word) => word !== "");
}

/**
 * Lets packets to 127.0.0.1 be translated to addresses elsewhere, as NodePorts on localhost need.
 * @returns whether it was off before
 * @throws UserError if it may not be changed
 */
export async function enableRouteLocalnet(): Promise<boolean> {
  const before = await readProc(ROUTE_LOCALNET);
  if (before?.trim() === "1") return false;
  try {
    await writeFile(ROUTE_LOCALNET, "1\n");
    return true;
  } catch (error) {
    throw new UserError(
      `cannot set net.ipv4.conf.all.route_localnet: ${error instanceof Error ? error.message : ""}`,
      "run as root where /proc/sys can be written, or use --no-localhost-nodeports",
    );
  }
}

/** @returns whether it was on, and is off now */
export async function disableRouteLocalnet(): Promise<boolean> {
  if (!(await isRouteLocalnetOn())) return false;
  try {
    await writeFile(ROUTE_LOCALNET, "0\n");
    return true;
  } catch {
    return false;
  }
}

export async function isRouteLocalnetOn(): Promise<boolean> {
  return (await readProc(ROUTE_LOCALNET))?.trim() === "1";
}

async function readProc(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch {
    return undefined;
  }
}
