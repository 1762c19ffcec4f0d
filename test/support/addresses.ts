import type { Family } from "../../src/types.ts";
import { ipv6Twin } from "./ipv6Twin.ts";

/**
 * The test network on paper. Everything is written in IPv4; the IPv6 side is its mechanical twin.
 *
 *   client 203.0.113.2, .130 ── client │          │ eth0 ── 192.168.0.3 ┐
 *   pod1   10.180.0.1 ───────── pod1   │   node   │                     node2
 *   pod2   10.180.0.2 ───────── pod2   │          │ overlay ── 100.64.0.2 ┘ holds 10.180.1.1 … 8
 *   pod3   10.180.0.3 ───────── pod3   │          │ world ── answers for foreign addresses
 */

/** Namespaces, one agent in each. */
export const PLACES = ["node", "node2", "world", "client", "pod1", "pod2", "pod3"] as const;
export type Place = (typeof PLACES)[number];

/** Where connections start: a place and the source address they use there. */
export const VANTAGES = {
  pod1: { place: "pod1", source: "10.180.0.1", interface: "pod1" },
  pod2: { place: "pod2", source: "10.180.0.2", interface: "pod2" },
  pod3: { place: "pod3", source: "10.180.0.3", interface: "pod3" },
  node: { place: "node", source: "192.168.0.2", interface: undefined },
  local: { place: "node", source: "192.168.99.11", interface: undefined },
  lo: { place: "node", source: "127.0.0.1", interface: undefined },
  client: { place: "client", source: "203.0.113.2", interface: "client" },
  blocked: { place: "client", source: "203.0.113.130", interface: "client" },
  node2: { place: "node2", source: "192.168.0.3", interface: "eth0" },
  remote1: { place: "node2", source: "10.180.1.1", interface: "overlay" },
} as const satisfies Readonly<
  Record<string, { readonly place: Place; readonly source: string; readonly interface: string | undefined }>
>;
export type Vantage = keyof typeof VANTAGES;

export function isVantage(name: string): name is Vantage {
  return Object.hasOwn(VANTAGES, name);
}

export const LOCAL_PODS = ["10.180.0.1", "10.180.0.2", "10.180.0.3"] as const;
export const REMOTE_PODS = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `10.180.1.${n}`);

export const NODE_NAME = "test-node";
export const NODE_ZONE = "zone-a";
export const NODE_IP = "192.168.0.2";
/** Second address on the same link: NodePorts answer here unless they are restricted. */
export const NODE_OTHER_IP = "192.168.1.2";
/** An address of the node that also serves as an external IP. */
export const NODE_EXTERNAL_IP = "192.168.99.11";
export const NODE2_IP = "192.168.0.3";
/** The node's end of every link to a local Pod. */
export const POD_GATEWAY_IP = "100.64.1.1";
export const OVERLAY_IPS = ["100.64.0.1", "100.64.0.2"] as const;
export const CLIENT_GATEWAY_IP = "203.0.113.1";
export const WORLD_IPS = ["198.18.0.1", "198.18.0.2"] as const;
/** What the world answers for: cluster IPs, load balancers' and external IPs, reached when no Service takes them. */
export const WORLD_NETWORKS = [
  "10.96.0.0/12",
  "10.0.0.0/16",
  "172.30.0.0/16",
  "198.51.100.0/24",
  "192.168.99.0/24",
] as const;

export const CLUSTER_CIDR = "10.180.0.0/16";
export const SERVICE_CIDR = "172.30.0.0/16";

/** Names that packet tables may use for the node's own addresses. */
export const NAMED_ADDRESSES: Readonly<Record<string, string>> = {
  node: NODE_IP,
  alt: NODE_OTHER_IP,
  local: NODE_EXTERNAL_IP,
  lo: "127.0.0.1",
};

/** Every address of the node that a packet may be sent to, loopback included. */
const NODE_ADDRESSES = [NODE_IP, NODE_OTHER_IP, NODE_EXTERNAL_IP, "127.0.0.1"];

/** An address in the given family: itself, or its IPv6 twin. */
export function inFamily(ipv4: string, family: Family): string {
  return family === "ipv4" ? ipv4 : ipv6Twin(ipv4);
}

/** What the kernel calls LOCAL: the node's addresses on all its links. */
export function nodeAddresses(family: Family): readonly string[] {
  const onLinks = [POD_GATEWAY_IP, OVERLAY_IPS[0], CLIENT_GATEWAY_IP, WORLD_IPS[0]];
  return [...NODE_ADDRESSES, ...onLinks].map((ip) => inFamily(ip, family));
}

/** The addresses on which the agents of each place answer. */
export function answeringAddresses(family: Family): ReadonlyMap<string, Place> {
  const places: readonly (readonly [Place, readonly string[]])[] = [
    ["node", NODE_ADDRESSES],
    ["node2", [NODE2_IP, ...REMOTE_PODS]],
    ["pod1", [LOCAL_PODS[0]]],
    ["pod2", [LOCAL_PODS[1]]],
    ["pod3", [LOCAL_PODS[2]]],
  ];
  return new Map(places.flatMap(([place, ips]) => ips.map((ip) => [inFamily(ip, family), place] as const)));
}

/** The source that a masqueraded connection shows to this endpoint: the node's address on the link to it. */
export function masqueradeAddress(endpointIP: string, family: Family): string {
  const local = LOCAL_PODS.map((ip) => inFamily(ip, family));
  const remote = REMOTE_PODS.map((ip) => inFamily(ip, family));
  if (local.includes(endpointIP)) return inFamily(POD_GATEWAY_IP, family);
  if (remote.includes(endpointIP)) return inFamily(OVERLAY_IPS[0], family);
  // What the node sends to itself leaves by the loopback interface. IPv4 takes the address which that holds.
  if (endpointIP === NODE_IP) return NODE_EXTERNAL_IP;
  return inFamily(NODE_IP, family);
}
