import { describe, expect, it } from "vitest";
import { categorizeEndpoints, type Hints } from "../../../src/resolve/topology.ts";
import type { Endpoint, TrafficPolicy } from "../../../src/types.ts";

interface Given {
  readonly ip: string;
  readonly zones?: readonly string[];
  readonly nodes?: readonly string[];
  readonly local?: boolean;
  readonly state?: "ready" | "unready" | "serving" | "dead" | "readyTerminating";
}

interface Case {
  readonly endpoints: readonly Given[];
  readonly zone?: string;
  readonly internal?: TrafficPolicy;
  readonly external?: TrafficPolicy;
  readonly exposed?: boolean;
  readonly cluster: string;
  readonly local: string;
  readonly hasAny: boolean;
}

const STATES = {
  ready: { ready: true, serving: true, terminating: false },
  readyTerminating: { ready: true, serving: true, terminating: true },
  unready: { ready: false, serving: true, terminating: false },
  serving: { ready: false, serving: true, terminating: true },
  dead: { ready: false, serving: false, terminating: true },
} as const;

function check(given: Case): void {
  const hints = new Map<Endpoint, Hints>();
  const all = given.endpoints.map(({ ip, zones = [], nodes = [], local = false, state = "ready" }) => {
    const endpoint: Endpoint = { ip, port: 80, address: `${ip}:80`, isLocal: local, ...STATES[state] };
    if (zones.length + nodes.length > 0) hints.set(endpoint, { zones, nodes });
    return endpoint;
  });
  const sets = categorizeEndpoints(all, (endpoint) => hints.get(endpoint), {
    node: { name: "node-1", zone: given.zone ?? "zone-a" },
    internalTrafficPolicy: given.internal ?? "Cluster",
    externalTrafficPolicy: given.external ?? "Cluster",
    externallyAccessible: given.exposed ?? false,
  });
  const ips = (endpoints: readonly Endpoint[]) => endpoints.map(({ ip }) => ip).join(" ");
  expect({ cluster: ips(sets.cluster), local: ips(sets.local), hasAny: sets.hasAny }).toEqual({
    cluster: given.cluster,
    local: given.local,
    hasAny: given.hasAny,
  });
  expect(new Set(sets.reachable)).toEqual(new Set([...sets.cluster, ...sets.local]));
}

const zoned: readonly Given[] = [
  { ip: "1", zones: ["zone-a"] },
  { ip: "2", zones: ["zone-b"] },
  { ip: "3", zones: ["zone-c"] },
  { ip: "4", zones: ["zone-a"] },
];

const CASES: Readonly<Record<string, Case>> = {
  "nothing at all": { endpoints: [], cluster: "", local: "", hasAny: false },
  "zone hints are honoured": { endpoints: zoned, cluster: "1 4", local: "", hasAny: true },
  "a node without zone honours none": { endpoints: zoned, zone: "", cluster: "1 2 3 4", local: "", hasAny: true },
  "a zone that no hint names honours none": {
    endpoints: zoned,
    zone: "zone-x",
    cluster: "1 2 3 4",
    local: "",
    hasAny: true,
  },
  "one endpoint without hint ends it": {
    endpoints: [...zoned, { ip: "5" }],
    cluster: "1 2 3 4 5",
    local: "",
    hasAny: true,
  },
  "an unready endpoint without hint does not": {
    endpoints: [...zoned, { ip: "5", state: "unready" }],
    cluster: "1 4",
    local: "",
    hasAny: true,
  },
  "only unready ones in the zone": {
    endpoints: [
      { ip: "1", zones: ["zone-a"], state: "unready" },
      { ip: "2", zones: ["zone-b"] },
    ],
    cluster: "2",
    local: "",
    hasAny: true,
  },
  "several zones in one hint": {
    endpoints: [
      { ip: "1", zones: ["zone-a", "zone-b"] },
      { ip: "2", zones: ["zone-b", "zone-c"] },
      { ip: "3", zones: ["zone-a", "zone-c"] },
    ],
    zone: "zone-c",
    cluster: "2 3",
    local: "",
    hasAny: true,
  },
  "node hints come first": {
    endpoints: [
      { ip: "1", zones: ["zone-a"], nodes: ["node-1"] },
      { ip: "2", zones: ["zone-a"], nodes: ["node-2"] },
    ],
    cluster: "1",
    local: "",
    hasAny: true,
  },
  "no node hint for here: the zone's": {
    endpoints: [
      { ip: "1", zones: ["zone-a"], nodes: ["node-2"] },
      { ip: "2", zones: ["zone-b"], nodes: ["node-3"] },
    ],
    cluster: "1",
    local: "",
    hasAny: true,
  },
  "one endpoint without node hint: the zone's": {
    endpoints: [
      { ip: "1", zones: ["zone-a"], nodes: ["node-1"] },
      { ip: "2", zones: ["zone-a"] },
    ],
    cluster: "1 2",
    local: "",
    hasAny: true,
  },
  "neither node nor zone for here": {
    endpoints: [{ ip: "1", zones: ["zone-b"], nodes: ["node-2"] }],
    cluster: "1",
    local: "",
    hasAny: true,
  },
  "policy Local ignores hints, the union holds both": {
    endpoints: [
      { ip: "1", zones: ["zone-b"], local: true },
      { ip: "2", zones: ["zone-a"] },
      { ip: "3", zones: ["zone-c"] },
    ],
    external: "Local",
    exposed: true,
    cluster: "2",
    local: "1",
    hasAny: true,
  },
  "internal Local, none at all": { endpoints: [], internal: "Local", cluster: "", local: "", hasAny: false },
  "internal Local, all elsewhere: dropped, not refused": {
    endpoints: [{ ip: "1" }, { ip: "2" }],
    internal: "Local",
    cluster: "",
    local: "",
    hasAny: true,
  },
  "internal Local, all here": {
    endpoints: [
      { ip: "1", local: true },
      { ip: "2", local: true },
    ],
    internal: "Local",
    cluster: "",
    local: "1 2",
    hasAny: true,
  },
  "internal Local, some here": {
    endpoints: [{ ip: "1", local: true }, { ip: "2" }],
    internal: "Local",
    cluster: "",
    local: "1",
    hasAny: true,
  },
  "unready endpoints are not used": {
    endpoints: [{ ip: "1", state: "unready" }, { ip: "2" }],
    cluster: "2",
    local: "",
    hasAny: true,
  },
  "only unready ones are none": {
    endpoints: [{ ip: "1", state: "unready", local: true }],
    internal: "Local",
    cluster: "",
    local: "",
    hasAny: false,
  },
  "all terminating: those that still serve": {
    endpoints: [
      { ip: "1", state: "serving" },
      { ip: "2", state: "dead" },
    ],
    cluster: "1",
    local: "",
    hasAny: true,
  },
  "ready and terminating is ready": {
    endpoints: [{ ip: "1", state: "readyTerminating" }],
    cluster: "1",
    local: "",
    hasAny: true,
  },
  "the fallback ignores topology": {
    endpoints: [
      { ip: "1", state: "serving", zones: ["zone-b"] },
      { ip: "2", state: "serving", zones: ["zone-a"] },
    ],
    cluster: "1 2",
    local: "",
    hasAny: true,
  },
  "Local may terminate while Cluster does not": {
    endpoints: [{ ip: "1", state: "serving", local: true }, { ip: "2" }],
    external: "Local",
    exposed: true,
    cluster: "2",
    local: "1",
    hasAny: true,
  },
  "internal Cluster, external Local": {
    endpoints: [{ ip: "1", local: true }, { ip: "2" }],
    external: "Local",
    exposed: true,
    cluster: "1 2",
    local: "1",
    hasAny: true,
  },
  "internal Local, external Cluster": {
    endpoints: [{ ip: "1", local: true }, { ip: "2" }],
    internal: "Local",
    exposed: true,
    cluster: "1 2",
    local: "1",
    hasAny: true,
  },
  "both Local": {
    endpoints: [{ ip: "1", local: true }, { ip: "2" }],
    internal: "Local",
    external: "Local",
    exposed: true,
    cluster: "1 2",
    local: "1",
    hasAny: true,
  },
  "both Local, none here": {
    endpoints: [{ ip: "1" }, { ip: "2" }],
    internal: "Local",
    external: "Local",
    exposed: true,
    cluster: "1 2",
    local: "",
    hasAny: true,
  },
  "external Local does not count when nothing is exposed": {
    endpoints: [{ ip: "1", local: true }, { ip: "2" }],
    external: "Local",
    cluster: "1 2",
    local: "",
    hasAny: true,
  },
  "only a remote one, still serving": {
    endpoints: [{ ip: "1", state: "serving" }],
    internal: "Local",
    external: "Local",
    exposed: true,
    cluster: "1",
    local: "",
    hasAny: true,
  },
  "a single dead endpoint": {
    endpoints: [{ ip: "1", state: "dead", local: true }],
    external: "Local",
    exposed: true,
    cluster: "",
    local: "",
    hasAny: false,
  },
};

describe("categorizeEndpoints", () => {
  it.each(Object.keys(CASES))("%s", (name) => {
    const given = CASES[name];
    expect(given).toBeDefined();
    if (given !== undefined) check(given);
  });
});
