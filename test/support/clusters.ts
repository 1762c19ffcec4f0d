import fc from "fast-check";
import type { Manifest, ServiceSpec, SliceEndpoint } from "../../src/types.ts";
import { NODE, service, slice } from "./manifests.ts";

/** Generated clusters: small, but with every field that changes rules, and with addresses that collide at times. */

const octet = fc.integer({ min: 1, max: 6 });
const endpointIP = fc.tuple(octet, octet).map(([a, b]) => `10.180.${a}.${b}`);

const sliceEndpoint: fc.Arbitrary<SliceEndpoint> = fc.record({
  addresses: endpointIP.map((ip) => [ip]),
  nodeName: fc.constantFrom(NODE.name, "other-node"),
  conditions: fc.constantFrom(
    {},
    { ready: true },
    { ready: false },
    { ready: false, serving: true, terminating: true },
    { ready: false, serving: false, terminating: true },
  ),
  hints: fc.constantFrom({}, { forZones: [{ name: "zone-a" }] }, { forZones: [{ name: "zone-b" }] }),
});

const policy = fc.constantFrom("Cluster" as const, "Local" as const);

const spec: fc.Arbitrary<Partial<ServiceSpec>> = fc.record({
  type: fc.constantFrom("ClusterIP" as const, "NodePort" as const, "LoadBalancer" as const),
  internalTrafficPolicy: policy,
  externalTrafficPolicy: policy,
  sessionAffinity: fc.constantFrom("None" as const, "ClientIP" as const),
  healthCheckNodePort: fc.constantFrom(0, 30999),
  externalIPs: fc.subarray(["192.168.99.11", "192.168.99.22"]),
  loadBalancerSourceRanges: fc.subarray(["203.0.113.0/25", "192.168.0.0/24", "198.18.0.0/15"]),
});

function manifestsOf(
  index: number,
  given: {
    readonly spec: Partial<ServiceSpec>;
    readonly vips: readonly string[];
    readonly protocols: readonly ("TCP" | "UDP")[];
    readonly nodePort: boolean;
    readonly endpoints: readonly SliceEndpoint[];
  },
): readonly Manifest[] {
  const identity = `ns/svc${index}`;
  const ports = given.protocols.map((protocol, at) => ({
    name: `p${at}`,
    protocol,
    port: 80 + at,
    ...(given.nodePort ? { nodePort: 30000 + index * 10 + at } : {}),
  }));
  return [
    service(identity, { ...given.spec, clusterIP: `172.30.0.${index + 1}`, ports }, given.vips),
    slice(identity, given.endpoints, {
      ports: ports.map(({ name, protocol }, at) => ({ name, protocol, port: 8080 + at })),
    }),
  ];
}

export const cluster: fc.Arbitrary<readonly Manifest[]> = fc
  .array(
    fc.record({
      spec,
      vips: fc.subarray(["198.51.100.4", "198.51.100.5"]),
      protocols: fc.constantFrom(["TCP"] as const, ["UDP"] as const, ["TCP", "UDP"] as const),
      nodePort: fc.boolean(),
      endpoints: fc.array(sliceEndpoint, { maxLength: 6 }),
    }),
    { maxLength: 6 },
  )
  .map((services) => services.flatMap((given, index) => manifestsOf(index, given)));
