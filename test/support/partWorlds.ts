import fc from "fast-check";
import type { EndpointSliceManifest, Family, Manifest, ServiceManifest, SliceEndpoint } from "../../src/types.ts";
import { NODE, service, slice } from "./manifests.ts";

/** Clusters, and what happens to their Services and endpoints. */

export interface World {
  readonly family: Family;
  /** Undefined: not there at the moment. */
  readonly services: readonly (ServiceManifest | undefined)[];
  /** By Service. */
  readonly endpoints: readonly (readonly SliceEndpoint[])[];
}

export const ADDRESSES = {
  ipv4: { cluster: (at: number) => `172.30.0.${at + 1}`, outer: "192.168.99.", pod: (at: number) => `10.180.0.${at}` },
  ipv6: {
    cluster: (at: number) => `fd00:96::${at + 1}`,
    outer: "2001:db8:9::",
    pod: (at: number) => `fd00:180::${at}`,
  },
};

const endpoint = fc.record({
  at: fc.integer({ min: 1, max: 9 }),
  nodeName: fc.constantFrom(NODE.name, "other-node", "other-node"),
  conditions: fc.constantFrom(
    {},
    {},
    { ready: true },
    { ready: false },
    { ready: false, serving: true, terminating: true },
  ),
});

const endpointsOf = (family: Family) =>
  fc
    .array(endpoint, { maxLength: 6 })
    .map((all) => all.map(({ at, ...rest }): SliceEndpoint => ({ addresses: [ADDRESSES[family].pod(at)], ...rest })));

const policy = fc.constantFrom("Cluster" as const, "Cluster" as const, "Local" as const);

export const given = fc.record({
  type: fc.constantFrom("ClusterIP" as const, "NodePort" as const, "LoadBalancer" as const),
  internalTrafficPolicy: policy,
  externalTrafficPolicy: policy,
  hasAffinity: fc.integer({ min: 0, max: 6 }).map((number) => number === 0),
  hasNodePort: fc.boolean(),
  outer: fc.subarray(["externalIP", "vip", "sources"] as const),
  protocols: fc.constantFrom(["TCP"] as const, ["UDP"] as const, ["TCP", "UDP"] as const),
});

type Generated = typeof given extends fc.Arbitrary<infer T> ? T : never;
/** What a part of the table can tell everything about. */
const plain = given.map((one) => ({
  ...one,
  hasAffinity: false,
  outer: one.outer.filter((what) => what !== "sources"),
}));

export type Given = Omit<Generated, "outer"> & { readonly outer: readonly string[] };

export function serviceOf(
  index: number,
  family: Family,
  { type, hasAffinity, hasNodePort, outer, protocols, ...policies }: Given,
): ServiceManifest {
  const { cluster, outer: prefix } = ADDRESSES[family];
  const ports = protocols.map((protocol, at) => ({
    name: `p${at}`,
    protocol,
    port: 80 + at,
    ...(hasNodePort ? { nodePort: 30_000 + index * 10 + at } : {}),
  }));
  const ranges = family === "ipv4" ? ["203.0.113.0/24"] : ["2001:db8:5::/64"];
  const spec = {
    type,
    ...policies,
    clusterIP: cluster(index),
    clusterIPs: [cluster(index)],
    sessionAffinity: hasAffinity ? ("ClientIP" as const) : ("None" as const),
    externalIPs: outer.includes("externalIP") ? [`${prefix}${index + 1}`] : [],
    loadBalancerSourceRanges: outer.includes("sources") ? ranges : [],
    ports,
  };
  return service(`ns/svc${index}`, spec, outer.includes("vip") ? [`${prefix}${index + 101}`] : []);
}

export const world: fc.Arbitrary<World> = fc
  .constantFrom("ipv4" as const, "ipv4" as const, "ipv6" as const)
  .chain((family) =>
    fc.array(fc.tuple(given, endpointsOf(family)), { minLength: 2, maxLength: 7 }).map((all) => ({
      family,
      services: all.map(([one], index) => serviceOf(index, family, one)),
      endpoints: all.map(([, endpoints]) => endpoints),
    })),
  );

/** New endpoints for some of the Services, and perhaps another Service of that name, or none; undefined leaves them as they are. */
export type Edit = readonly (
  | {
      readonly endpoints: readonly SliceEndpoint[];
      readonly service?: ServiceManifest | "gone";
    }
  | undefined
)[];

export const editOf = ({ family, services }: World): fc.Arbitrary<Edit> =>
  fc
    .tuple(
      fc.subarray([...services.keys()], { minLength: 1, maxLength: Math.min(3, services.length) }),
      fc.array(
        fc.record({
          endpoints: endpointsOf(family),
          given: fc.oneof({ weight: 4, arbitrary: plain }, { weight: 1, arbitrary: given }),
          service: fc.constantFrom("same" as const, "same" as const, "other" as const, "gone" as const),
        }),
        { minLength: 7, maxLength: 7 },
      ),
    )
    .map(([chosen, all]) =>
      services.map((_, index) => {
        const one = all[index];
        if (one === undefined || !chosen.includes(index)) return undefined;
        const { endpoints, service: what } = one;
        if (what === "same") return { endpoints };
        return { endpoints, service: what === "gone" ? what : serviceOf(index, family, one.given) };
      }),
    );

export const story = world.chain((start) =>
  fc.array(editOf(start), { minLength: 1, maxLength: 4 }).map((edits) => ({ start, edits })),
);

export function edited(before: World, edit: Edit): World {
  const services = before.services.map((one, index) => {
    const now = edit[index]?.service ?? one;
    return now === "gone" ? undefined : now;
  });
  return { ...before, services, endpoints: before.endpoints.map((list, index) => edit[index]?.endpoints ?? list) };
}

/** The slice of a Service; half of them share their endpoints' ports with others, so that these have one hairpin. */
export function sliceOf({ family, services, endpoints }: World, index: number): EndpointSliceManifest {
  const ports = (services[index]?.spec.ports ?? []).map(({ name = "", protocol }, at) => ({
    name,
    protocol,
    port: 8080 + at + (index % 2) * 10,
  }));
  const addressType = family === "ipv4" ? "IPv4" : "IPv6";
  return slice(`ns/svc${index}`, endpoints[index] ?? [], { ports, addressType });
}

export function manifestsOf(now: World, isWanted: (index: number) => boolean = () => true): readonly Manifest[] {
  return now.services.flatMap((one, index) => (one !== undefined && isWanted(index) ? [one, sliceOf(now, index)] : []));
}
