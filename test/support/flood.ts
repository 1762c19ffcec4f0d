import { type LaneNames, wireLane } from "../../scripts/bench/flood.mjs";
import { addNamespace, deleteNamespace, inNamespace, uniquePrefix } from "./namespaces.ts";

export { type Flood, type FloodResult, SOURCES, startFlood } from "../../scripts/bench/flood.mjs";

/** A node between a sender of many new UDP flows and a sink, with counters before, behind and at the end. */

export const PORT = 80;
export const TARGET_PORT = 8080;
export const NODE_NAME = "test-node";
export const NODE_IP = "100.64.2.1";
/** Clients and endpoints are Pods, so that no source address is replaced. */
export const CLUSTER_CIDR = "10.180.0.0/16";
export const SERVICE_CIDR = "172.30.0.0/16";
const ENDPOINTS_CIDR = "10.180.0.0/17";

export interface Lane extends LaneNames {
  /** Flows to Services that came to the node, and that left it for an endpoint. */
  passed(): { readonly entered: number; readonly left: number };
  /** Packets that reached the sink, by endpoint. */
  delivered(): ReadonlyMap<string, number>;
  /** Endpoints that each client met, by client; only since `watchClients`. */
  met(): ReadonlyMap<string, readonly string[]>;
  watchClients(): void;
  close(): void;
}

/** A Service with one UDP port and its endpoints. */
export interface FloodedService {
  readonly name: string;
  readonly clusterIP: string;
  readonly endpoints: readonly string[];
  readonly affinity: "None" | "ClientIP";
}

/** Manifests, as JSON. */
export function manifestsOf(services: readonly FloodedService[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items: services.flatMap(objectsOf) });
}

function objectsOf({ name, clusterIP, endpoints, affinity }: FloodedService): readonly object[] {
  const ports = [{ protocol: "UDP", port: PORT }];
  return [
    { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { clusterIP, ports, sessionAffinity: affinity } },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "", protocol: "UDP", port: TARGET_PORT }],
      endpoints: endpoints.map((ip) => ({ addresses: [ip] })),
    },
  ];
}

let lanes = 0;

export function createLane(): Lane {
  lanes += 1;
  const prefix = `${uniquePrefix()}-lane${lanes}`;
  const names: LaneNames = { sender: `${prefix}-sender`, node: `${prefix}-node`, sink: `${prefix}-sink` };
  const all = [names.sender, names.node, names.sink];
  for (const name of all) addNamespace(name);
  wireLane(names);
  nft(names.node, ["-f", "-"], NODE_COUNTERS);
  nft(names.sink, ["-f", "-"], SINK_COUNTERS);
  return {
    ...names,
    passed: () => ({ entered: counter(names.node, "entered"), left: counter(names.node, "left") }),
    delivered() {
      const elements = elementsOf(nft(names.sink, ["-j", "list", "set", "ip", "flood", "delivered"]));
      return new Map(elements.map(({ words, packets }) => [words.join(), packets]));
    },
    met() {
      const met = new Map<string, string[]>();
      for (const { words } of elementsOf(nft(names.sink, ["-j", "list", "set", "ip", "flood", "met"]))) {
        const [client = "", endpoint = ""] = words;
        met.set(client, [...(met.get(client) ?? []), endpoint]);
      }
      return met;
    },
    watchClients: () => void nft(names.sink, ["-f", "-"], WATCH_CLIENTS),
    close() {
      for (const name of all) deleteNamespace(name);
    },
  };
}

/** Before connection tracking, and behind all rules. */
const NODE_COUNTERS = `
table ip flood {
  counter entered { }
  counter left { }
  chain before {
    type filter hook prerouting priority -300; policy accept;
    ip daddr ${SERVICE_CIDR} udp dport ${PORT} counter name entered
  }
  chain behind {
    type filter hook postrouting priority 300; policy accept;
    ip daddr ${ENDPOINTS_CIDR} udp dport ${TARGET_PORT} counter name left
  }
}
`;

const SINK_COUNTERS = `
table ip flood {
  set delivered { type ipv4_addr; size 65535; flags dynamic; }
  chain watched { }
  chain arrivals {
    type filter hook prerouting priority -300; policy drop;
    update @delivered { ip daddr counter } jump watched
  }
}
`;

const WATCH_CLIENTS = `
add set ip flood met { type ipv4_addr . ipv4_addr; size 262144; flags dynamic; }
flush chain ip flood watched
add rule ip flood watched update @met { ip saddr . ip daddr counter }
`;

function nft(namespace: string, args: readonly string[], input?: string): string {
  return inNamespace(namespace, "nft", args, input);
}

function counter(namespace: string, name: string): number {
  const listing = nft(namespace, ["list", "counter", "ip", "flood", name]);
  const packets = /packets (\d+)/.exec(listing)?.[1];
  if (packets === undefined) throw new Error(`no counter ${name}: ${listing}`);
  return Number(packets);
}

interface CountedElement {
  readonly words: readonly string[];
  readonly packets: number;
}

/** What `nft -j list set` prints, as far as it matters here. */
interface SetListing {
  readonly nftables: readonly {
    readonly set?: {
      readonly elem?: readonly {
        readonly elem: {
          readonly val: string | { readonly concat: readonly string[] };
          readonly counter: { readonly packets: number };
        };
      }[];
    };
  }[];
}

function elementsOf(listing: string): readonly CountedElement[] {
  const { nftables }: SetListing = JSON.parse(listing);
  const elements = nftables.flatMap(({ set }) => set?.elem ?? []);
  return elements.map(({ elem: { val, counter } }) => ({
    words: typeof val === "string" ? [val] : val.concat,
    packets: counter.packets,
  }));
}
