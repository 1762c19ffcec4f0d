import type { Element, Line, RenderOptions, Ruleset, TableObject } from "../../types.ts";
import { endpointsMap, PROTOCOLS } from "./names.ts";
import { cidrText, comment, type FamilyWords, mark, matchWords } from "./words.ts";

/**
 * What every table of ours holds, whatever the Services: sets and maps, base chains on the hooks and with the
 * priorities of kube-proxy's nftables mode, and the chains between.
 */

type ChainObject = Extract<TableObject, { kind: "chain" }>;

/** What a set or map holds, in its comment; and its declaration. */
export interface Declared {
  readonly kind: "set" | "map";
  readonly name: string;
  readonly declaration: string;
  readonly comment: string;
}

/**
 * Entries that the affinity set may have. With a size that is a multiple of 65536 the kernel allocates nothing in
 * advance; without any it would stop at 65535. When it is full, new clients are served without being remembered.
 */
const AFFINITY_SIZE = 4_194_304;

export function declaredObjects(words: FamilyWords, options: RenderOptions): readonly Declared[] {
  const { ip, addressType } = words;
  const set = (name: string, declaration: string, holds: string): Declared => ({
    kind: "set",
    name,
    declaration,
    comment: holds,
  });
  const map = (name: string, declaration: string, holds: string): Declared => ({
    kind: "map",
    name,
    declaration,
    comment: holds,
  });
  const frontend = `type ${addressType} . inet_proto . inet_service`;
  const index = "numgen random mod 65536";
  return [
    set("cluster-ips", `type ${addressType}`, "Every ClusterIP"),
    ...(options.nodePortAddresses.kind === "addresses"
      ? [set("nodeport-ips", `type ${addressType}`, "Addresses of this node on which NodePorts answer")]
      : []),
    set("firewalled-services", frontend, "Load balancer addresses and ports that admit only some sources"),
    set(
      "allowed-sources",
      `${frontend} . ${addressType}; flags interval`,
      "Sources that a firewalled address and port admits",
    ),
    set(
      "hairpin-connections",
      `type ${addressType} . ${addressType} . inet_proto . inet_service`,
      "Endpoints on this node, as source and destination of a connection to themselves",
    ),
    set(
      "affinity",
      `typeof ${ip} saddr . numgen inc mod 65536; size ${AFFINITY_SIZE}; flags dynamic,timeout`,
      "Clients and the number of the endpoint they keep to, written by packets",
    ),
    map("service-ips", `${frontend} : verdict`, "ClusterIPs, external IPs and load balancer IPs"),
    map("service-nodeports", "type inet_proto . inet_service : verdict", "NodePorts"),
    map("no-endpoint-services", `${frontend} : verdict`, "Addresses of Services that no endpoint serves"),
    map(
      "no-endpoint-nodeports",
      "type inet_proto . inet_service : verdict",
      "NodePorts of Services that no endpoint serves",
    ),
    ...PROTOCOLS.flatMap((protocol) => [
      map(
        endpointsMap("", protocol),
        `typeof ${ip} daddr . ${protocol} dport . ${index} : ${ip} daddr . ${protocol} dport`,
        "Endpoints by Service address, port and index; those on this node again from index 32768",
      ),
      map(
        endpointsMap("nodeport-", protocol),
        `typeof ${protocol} dport . ${index} : ${ip} daddr . ${protocol} dport`,
        "Endpoints by NodePort and index; those on this node again from index 32768",
      ),
    ]),
    map("stamp", "type mark : mark", "Next endpoint number for affinity (3) and a hash of all the rest (4, 5)"),
  ];
}

/** Index of the first local endpoint in a list of endpoints. */
export const LOCAL_OFFSET = 32_768;
/** Name of the chain that refuses: a bare reject cannot be the verdict of a map. */
export const REFUSE = "refuse";
export const MARK = "mark-for-masquerade";

/** Base chains and fixed chains, in the order in which a packet meets them. */
export function fixedChains(words: FamilyWords, options: RenderOptions, ruleset: Ruleset): readonly ChainObject[] {
  return [...baseChains(), ...natChains(words, options, ruleset), ...filterChains(words, options)];
}

function baseChains(): readonly ChainObject[] {
  return [
    base(
      "filter-prerouting-pre-dnat",
      "type filter hook prerouting priority -110",
      "Source ranges, for traffic that comes in",
      ["ct state new jump firewall-check"],
    ),
    base(
      "filter-output-pre-dnat",
      "type filter hook output priority -110",
      "Source ranges, for the node's own traffic",
      ["ct state new jump firewall-check"],
    ),
    base("nat-prerouting", "type nat hook prerouting priority -100", "Services, for traffic that comes in", [
      "jump services",
    ]),
    base("nat-output", "type nat hook output priority -100", "Services, for the node's own traffic", ["jump services"]),
    base("filter-input", "type filter hook input priority 0", "Refusals, for traffic to this node", [
      "ct state new jump nodeport-endpoints-check",
      "ct state new jump service-endpoints-check",
    ]),
    base("filter-forward", "type filter hook forward priority 0", "Refusals, for forwarded traffic", [
      "ct state new jump service-endpoints-check",
      "ct state new jump cluster-ips-check",
    ]),
    base("filter-output", "type filter hook output priority 0", "Refusals, for the node's own traffic", [
      "ct state new jump service-endpoints-check",
      "ct state new jump cluster-ips-check",
    ]),
    base("nat-postrouting", "type nat hook postrouting priority 100", "Masquerading", ["jump masquerading"]),
  ];
}

function natChains(words: FamilyWords, options: RenderOptions, ruleset: Ruleset): readonly ChainObject[] {
  const { ip } = words;
  const bit = mark(options.masqueradeMark);
  const lines = [`${ip} daddr . meta l4proto . th dport vmap @service-ips`];
  if (ruleset.masqueradeClusterIP !== undefined) {
    const matches = ruleset.masqueradeClusterIP.map((match) => `${matchWords(words, match)} `).join("");
    const what =
      matches === "" ? "masquerade all clusterIP traffic" : "masquerade clusterIP traffic from outside cluster";
    lines.unshift(`${ip} daddr @cluster-ips ${matches}jump ${MARK}${comment(what)}`);
  }
  const local = options.nodePortAddresses.kind === "any" ? "fib daddr type local " : "";
  lines.push(`${local}${nodePortAddress(words, options)} meta l4proto . th dport vmap @service-nodeports`);
  return [
    chain("services", "Sends traffic for Services to their endpoints", lines),
    chain(MARK, "The source address is replaced when the packet leaves", [`meta mark set meta mark | ${bit}`]),
    chain("masquerading", "Replaces the source address of marked and of hairpin traffic", [
      `meta mark & ${bit} != ${mark(0)} meta mark set meta mark ^ ${bit} masquerade fully-random`,
      `ct status dnat ${ip} saddr . ${ip} daddr . meta l4proto . th dport @hairpin-connections masquerade fully-random`,
    ]),
  ];
}

function filterChains(words: FamilyWords, options: RenderOptions): readonly ChainObject[] {
  const { ip } = words;
  const frontend = `${ip} daddr . meta l4proto . th dport`;
  const unallocated = options.serviceCIDRs.map(
    (cidr) => `${ip} daddr ${cidrText(words, cidr)} drop${comment("drop traffic to unallocated ClusterIPs")}`,
  );
  return [
    chain("firewall-check", "Drops what a load balancer's source ranges do not admit", [
      `${frontend} @firewalled-services ${frontend} . ${ip} saddr != @allowed-sources drop`,
    ]),
    chain("service-endpoints-check", "Refuses or drops traffic to Services that no endpoint serves", [
      `${frontend} vmap @no-endpoint-services`,
    ]),
    chain("nodeport-endpoints-check", "Refuses or drops traffic to NodePorts that no endpoint serves", [
      `${nodePortAddress(words, options)} meta l4proto . th dport vmap @no-endpoint-nodeports`,
    ]),
    chain("cluster-ips-check", "Catches what is still for a ClusterIP: nothing translated it", [
      `${ip} daddr @cluster-ips goto ${REFUSE}${comment("refuse traffic to unknown ports of ClusterIPs")}`,
      ...unallocated,
    ]),
    chain(REFUSE, "Refuses at once: TCP by a reset, all else by an ICMP error", ["reject with tcp reset", "reject"]),
  ];
}

function nodePortAddress({ ip, loopback }: FamilyWords, { nodePortAddresses }: RenderOptions): string {
  return `${ip} daddr ${nodePortAddresses.kind === "any" ? `!= ${loopback}` : "@nodeport-ips"}`;
}

function base(name: string, hook: string, holds: string, lines: readonly string[]): ChainObject {
  return { ...chain(name, holds, lines), hook: `${hook}; policy accept` };
}

export function chain(name: string, holds: string, lines: readonly (string | Line)[]): ChainObject {
  const asLines = lines.map((line) => (typeof line === "string" ? { text: line } : line));
  return { kind: "chain", name, comment: holds, ordered: true, lines: asLines };
}

/** The elements of a set that holds plain addresses. */
export function addressElements(addresses: readonly string[]): Map<string, Element> {
  return new Map(addresses.map((key) => [key, { key, value: "" }]));
}
