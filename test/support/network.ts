import type { Family } from "../../src/types.ts";
import {
  CLIENT_GATEWAY_IP,
  inFamily,
  LOCAL_PODS,
  NODE_EXTERNAL_IP,
  NODE_IP,
  NODE_OTHER_IP,
  NODE2_IP,
  OVERLAY_IPS,
  PLACES,
  type Place,
  POD_GATEWAY_IP,
  REMOTE_PODS,
  VANTAGES,
  WORLD_IPS,
  WORLD_NETWORKS,
} from "./addresses.ts";
import { addNamespace, deleteNamespace, inNamespace, ip, sysctl, uniquePrefix } from "./namespaces.ts";
import { type Agent, startAgent } from "./probe.ts";

/** A node, a second node, Pods, a client and the rest of the world, each in a namespace of its own. */
export interface Network {
  /** Name of a place's namespace, for `ip netns exec`. */
  namespace(place: Place): string;
  agent(place: Place): Agent;
  /** Runs a program at a place and returns its output; throws when it fails. */
  run(place: Place, program: string, args: readonly string[], input?: string): string;
  close(): Promise<void>;
}

const FAMILIES: readonly Family[] = ["ipv4", "ipv6"];

/** No duplicate address detection (it delays), no reverse path filter, no limits on ICMP errors. */
const EVERYWHERE = {
  "net.ipv4.conf.all.rp_filter": "0",
  "net.ipv4.conf.default.rp_filter": "0",
  "net.ipv4.icmp_ratelimit": "0",
  "net.ipv4.icmp_msgs_per_sec": "1000000",
  "net.ipv4.icmp_msgs_burst": "1000000",
  "net.ipv6.conf.all.accept_dad": "0",
  "net.ipv6.conf.default.accept_dad": "0",
  "net.ipv6.icmp.ratelimit": "0",
  "net.ipv6.icmp.ratemask": "",
};

const ROUTER = {
  "net.ipv4.ip_forward": "1",
  "net.ipv6.conf.all.forwarding": "1",
  "net.ipv4.conf.all.send_redirects": "0",
  "net.ipv4.conf.default.send_redirects": "0",
};

/** The world takes foreign addresses for its own. */
const ANY_ADDRESS = { "net.ipv4.ip_nonlocal_bind": "1", "net.ipv6.ip_nonlocal_bind": "1" };

/** Builds the network of `addresses.ts`. Needs root; nothing leaves the namespaces. */
export async function createNetwork(): Promise<Network> {
  const prefix = uniquePrefix();
  const namespace = (place: Place): string => `${prefix}-${place}`;
  for (const place of PLACES) {
    addNamespace(namespace(place));
    sysctl(namespace(place), EVERYWHERE);
  }
  sysctl(namespace("node"), ROUTER);
  sysctl(namespace("world"), ANY_ADDRESS);
  addLinks(namespace);
  for (const place of PLACES) {
    const ns = namespace(place);
    for (const family of FAMILIES) {
      const version = family === "ipv4" ? "-4" : "-6";
      inNamespace(ns, "ip", [version, "-batch", "-"], `${addressing(place, family).join("\n")}\n`);
    }
  }
  const agents = new Map(
    await Promise.all(PLACES.map(async (place) => [place, await startAgent(namespace(place))] as const)),
  );
  return {
    namespace,
    agent: (place) => {
      const agent = agents.get(place);
      if (agent === undefined) throw new Error(`no agent at ${place}`);
      return agent;
    },
    run: (place, program, args, input) => inNamespace(namespace(place), program, args, input),
    async close() {
      await Promise.all([...agents.values()].map((agent) => agent.close()));
      for (const place of PLACES) deleteNamespace(namespace(place));
    },
  };
}

/** Each link is a veth pair: the node's end is named after the other place, but for eth0. */
function addLinks(namespace: (place: Place) => string): void {
  const links: readonly (readonly [string, Place, string])[] = [
    ["eth0", "node2", "eth0"],
    ["overlay", "node2", "overlay"],
    ["world", "world", "eth0"],
    ["client", "client", "eth0"],
    ["pod1", "pod1", "eth0"],
    ["pod2", "pod2", "eth0"],
    ["pod3", "pod3", "eth0"],
  ];
  for (const [name, place, peer] of links) {
    const ends = ["name", peer, "netns", namespace(place)];
    ip(["link", "add", name, "netns", namespace("node"), "type", "veth", "peer", ...ends]);
    inNamespace(namespace("node"), "ip", ["link", "set", name, "up"]);
    inNamespace(namespace(place), "ip", ["link", "set", peer, "up"]);
  }
}

/** Commands for `ip -batch` which give one place its addresses and routes of one family. */
function addressing(place: Place, family: Family): readonly string[] {
  const at = (ipv4: string): string => inFamily(ipv4, family);
  const host = family === "ipv4" ? 32 : 128;
  const nodad = family === "ipv4" ? "" : " nodad";
  const subnet = family === "ipv4" ? 24 : 64;
  const address = (ipv4: string, device: string, bits: number): string =>
    `addr add ${at(ipv4)}/${bits} dev ${device}${nodad}`;
  const route = (destination: string, via: string): string => `route add ${destination} ${via}`;
  switch (place) {
    case "node":
      return [
        address(NODE_IP, "eth0", subnet),
        address(NODE_OTHER_IP, "eth0", subnet),
        address(NODE_EXTERNAL_IP, "lo", host),
        address(OVERLAY_IPS[0], "overlay", subnet),
        address(WORLD_IPS[0], "world", subnet),
        address(CLIENT_GATEWAY_IP, "client", subnet),
        ...LOCAL_PODS.flatMap((pod, index) => [
          address(POD_GATEWAY_IP, `pod${index + 1}`, host),
          route(`${at(pod)}/${host}`, `dev pod${index + 1}`),
        ]),
        ...REMOTE_PODS.map((pod) => route(`${at(pod)}/${host}`, `via ${at(OVERLAY_IPS[1])} dev overlay`)),
        route("default", `via ${at(WORLD_IPS[1])} dev world`),
      ];
    case "node2":
      return [
        address(NODE2_IP, "eth0", subnet),
        address(OVERLAY_IPS[1], "overlay", subnet),
        ...REMOTE_PODS.map((pod) => address(pod, "lo", host)),
        route(`${at(NODE_OTHER_IP)}/${host}`, `via ${at(NODE_IP)} dev eth0`),
        route("default", `via ${at(NODE_IP)} dev eth0`),
        // Remote Pods speak through the overlay, as the second node's own rules would have it.
        ...REMOTE_PODS.map((pod) => `rule add from ${at(pod)} lookup 100`),
        `route add default via ${at(OVERLAY_IPS[0])} dev overlay table 100`,
      ];
    case "world":
      return [
        address(WORLD_IPS[1], "eth0", subnet),
        route("default", `via ${at(WORLD_IPS[0])} dev eth0`),
        // A source address must be in the table `local`, so these cannot be one default route.
        ...WORLD_NETWORKS.map((network) => `route add local ${at(network)} dev lo`),
      ];
    case "client":
      return [
        address(VANTAGES.client.source, "eth0", subnet),
        address(VANTAGES.blocked.source, "eth0", subnet),
        route("default", `via ${at(CLIENT_GATEWAY_IP)} dev eth0`),
      ];
    case "pod1":
    case "pod2":
    case "pod3":
      return [
        address(VANTAGES[place].source, "eth0", host),
        route("default", `via ${at(POD_GATEWAY_IP)} dev eth0 onlink`),
      ];
  }
}
