import { describe, expect, test } from "vitest";
import { slicesFromPods } from "../../../src/resolve/pods.ts";
import type {
  Manifest,
  NodeManifest,
  PodManifest,
  ServiceManifest,
  ServiceSpec,
  SliceEndpoint,
} from "../../../src/types.ts";

const source = { file: "a.yaml", document: 0 };

function service(spec: Partial<ServiceSpec> = {}, name = "web"): ServiceManifest {
  const ports = [{ name: "http", protocol: "TCP", port: 80, targetPort: 8080 }] as const;
  const whole = { type: "ClusterIP", clusterIP: "10.96.0.10", selector: { app: "web" }, ports, ...spec } as const;
  return { kind: "Service", source, metadata: { name, namespace: "default", labels: { team: "shop" } }, spec: whole };
}

type Status = NonNullable<PodManifest["status"]>;

function pod(
  name: string,
  ip: string | readonly string[],
  extra: {
    spec?: Partial<PodManifest["spec"]>;
    status?: Partial<Status>;
    ready?: boolean;
    deleting?: boolean;
    labels?: Record<string, string>;
    namespace?: string;
  } = {},
): PodManifest {
  const podIPs = [ip].flat().map((text) => ({ ip: text }));
  const conditions = [{ type: "Ready", status: extra.ready === false ? "False" : "True" }];
  return {
    kind: "Pod",
    source,
    metadata: {
      name,
      namespace: extra.namespace ?? "default",
      labels: extra.labels ?? { app: "web" },
      ...(extra.deleting === true ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
    },
    spec: { containers: [], ...extra.spec },
    status: { phase: "Running", podIPs, conditions, ...extra.status },
  };
}

function node(name: string, zone: string): NodeManifest {
  return { kind: "Node", source, metadata: { name, namespace: "", labels: { "topology.kubernetes.io/zone": zone } } };
}

function endpoints(manifests: readonly Manifest[]): readonly SliceEndpoint[] {
  return slicesFromPods(manifests).flatMap((slice) => slice.endpoints ?? []);
}

describe("selection", () => {
  test("all labels of the selector, in the same namespace", () => {
    const chosen = endpoints([
      service({ selector: { app: "web", tier: "front" } }),
      pod("a", "10.0.0.1", { labels: { app: "web", tier: "front", more: "x" } }),
      pod("b", "10.0.0.2", { labels: { app: "web" } }),
      pod("c", "10.0.0.3", { labels: { app: "web", tier: "front" }, namespace: "other" }),
    ]);
    expect(chosen.map(({ addresses }) => addresses)).toEqual([["10.0.0.1"]]);
  });

  test.each(["Succeeded", "Failed"])("phase %s is no endpoint", (phase) => {
    expect(endpoints([service(), pod("a", "10.0.0.1", { status: { phase } })])).toEqual([]);
  });

  test.each(["Pending", "Running", "Unknown"])("phase %s is one", (phase) => {
    expect(endpoints([service(), pod("a", "10.0.0.1", { status: { phase } })])).toHaveLength(1);
  });

  test("a Pod without address is none", () => {
    expect(endpoints([service(), pod("a", [])])).toEqual([]);
  });

  test.each([
    ["no selector", service({ selector: {} })],
    ["ExternalName", service({ type: "ExternalName" })],
  ])("%s: nothing is derived", (_, skipped) => {
    expect(slicesFromPods([skipped, pod("a", "10.0.0.1")])).toEqual([]);
  });

  test("a Service that has a slice keeps it", () => {
    const slice: Manifest = {
      kind: "EndpointSlice",
      source,
      metadata: { name: "web-1", namespace: "default", labels: { "kubernetes.io/service-name": "web" } },
      addressType: "IPv4",
    };
    expect(slicesFromPods([service(), slice, pod("a", "10.0.0.1")])).toEqual([]);
  });
});

describe("conditions", () => {
  test.each([
    [true, false, false, { ready: true, serving: true, terminating: false }],
    [false, false, false, { ready: false, serving: false, terminating: false }],
    [true, true, false, { ready: false, serving: true, terminating: true }],
    [false, true, false, { ready: false, serving: false, terminating: true }],
    [false, true, true, { ready: true, serving: false, terminating: true }],
    [true, false, true, { ready: true, serving: true, terminating: false }],
  ])(
    "Pod ready %s, deleting %s, publishNotReadyAddresses %s",
    (ready, deleting, publishNotReadyAddresses, expected) => {
      const [endpoint] = endpoints([service({ publishNotReadyAddresses }), pod("a", "10.0.0.1", { ready, deleting })]);
      expect(endpoint?.conditions).toEqual(expected);
    },
  );
});

describe("where an endpoint is", () => {
  test("node, zone, and host name only under the Service's subdomain", () => {
    const spec = { nodeName: "node-1", hostname: "db-0", subdomain: "web" };
    const [endpoint] = endpoints([service(), node("node-1", "zone-a"), pod("a", "10.0.0.1", { spec })]);
    expect(endpoint).toMatchObject({ nodeName: "node-1", zone: "zone-a", hostname: "db-0" });
    const [other] = endpoints([service(), pod("a", "10.0.0.1", { spec: { ...spec, subdomain: "else" } })]);
    expect(other).not.toHaveProperty("hostname");
    expect(other).not.toHaveProperty("zone");
  });

  test.each([
    ["PreferSameZone", { forZones: [{ name: "zone-a" }] }],
    ["PreferClose", { forZones: [{ name: "zone-a" }] }],
    ["PreferSameNode", { forZones: [{ name: "zone-a" }], forNodes: [{ name: "node-1" }] }],
    [undefined, undefined],
  ])("trafficDistribution %s", (trafficDistribution, hints) => {
    const spec = trafficDistribution === undefined ? {} : { trafficDistribution };
    const [endpoint] = endpoints([
      service(spec),
      node("node-1", "zone-a"),
      pod("a", "10.0.0.1", { spec: { nodeName: "node-1" } }),
    ]);
    expect(endpoint?.hints).toEqual(hints);
  });

  test.each([
    [{ "service.kubernetes.io/topology-mode": "Auto" }, undefined],
    [{ "service.kubernetes.io/topology-mode": "auto" }, undefined],
    [{ "service.kubernetes.io/topology-aware-hints": "Auto" }, undefined],
    [
      { "service.kubernetes.io/topology-aware-hints": "Disabled", "service.kubernetes.io/topology-mode": "Auto" },
      { forZones: [{ name: "zone-a" }] },
    ],
    [{ "service.kubernetes.io/topology-mode": "AUTO" }, { forZones: [{ name: "zone-a" }] }],
  ])("annotations %j and trafficDistribution", (annotations, hints) => {
    const plain = service({ trafficDistribution: "PreferSameZone" });
    const [endpoint] = endpoints([
      { ...plain, metadata: { ...plain.metadata, annotations } },
      node("node-1", "zone-a"),
      pod("a", "10.0.0.1", { spec: { nodeName: "node-1" } }),
    ]);
    expect(endpoint?.hints).toEqual(hints);
  });

  test.each([
    ["PreferClose", { nodeName: "node-1" }],
    ["PreferSameZone", { nodeName: "node-1" }],
    ["PreferSameNode", {}],
  ])("trafficDistribution %s of a Pod in no known place gives no hints", (trafficDistribution, spec) => {
    const [endpoint] = endpoints([service({ trafficDistribution }), pod("a", "10.0.0.1", { spec })]);
    expect(endpoint).not.toHaveProperty("hints");
  });

  test("a Pod that is not ready gets no hints", () => {
    const [endpoint] = endpoints([
      service({ trafficDistribution: "PreferSameZone" }),
      node("n", "z"),
      pod("a", "10.0.0.1", { ready: false, spec: { nodeName: "n" } }),
    ]);
    expect(endpoint).not.toHaveProperty("hints");
  });
});

describe("families", () => {
  const both = pod("a", ["10.0.0.1", "FD00::1"]);
  test.each([
    [{}, ["IPv4"], [["10.0.0.1"]]],
    [{ clusterIP: "fd00:96::1" }, ["IPv6"], [["fd00::1"]]],
    [{ ipFamilies: ["IPv6", "IPv4"] as const }, ["IPv6", "IPv4"], [["fd00::1"], ["10.0.0.1"]]],
    [{ clusterIP: "None" }, ["IPv4", "IPv6"], [["10.0.0.1"], ["fd00::1"]]],
  ])("%j", (spec, types, addresses) => {
    const slices = slicesFromPods([service(spec), both]);
    expect(slices.map(({ addressType }) => addressType)).toEqual(types);
    expect(slices.flatMap((slice) => slice.endpoints ?? []).map((endpoint) => endpoint.addresses)).toEqual(addresses);
  });
});

describe("ports", () => {
  const named = { ports: [{ name: "http", protocol: "TCP", port: 80, targetPort: "web" }] } as const;
  const container = (port: number, protocol: "TCP" | "UDP" = "TCP") => ({
    name: "c",
    ports: [{ name: "web", containerPort: port, protocol }],
  });
  const numbers = (manifests: readonly Manifest[]) =>
    slicesFromPods(manifests).map(({ ports = [] }) => ports.map(({ port }) => port));

  test("a number is taken as it is, a missing one is the Service's port", () => {
    expect(numbers([service(), pod("a", "10.0.0.1")])).toEqual([[8080]]);
    expect(numbers([service({ ports: [{ protocol: "TCP", port: 81 }] }), pod("a", "10.0.0.1")])).toEqual([[81]]);
  });

  test("a name is looked up in each Pod; Pods with different numbers get slices of their own", () => {
    const slices = slicesFromPods([
      service(named),
      pod("a", "10.0.0.1", { spec: { containers: [container(8080)] } }),
      pod("b", "10.0.0.2", { spec: { containers: [container(9090)] } }),
      pod("c", "10.0.0.3", { spec: { containers: [container(8080)] } }),
    ]);
    expect(slices.map(({ ports, endpoints: list = [] }) => [ports?.[0]?.port, list.length])).toEqual([
      [8080, 2],
      [9090, 1],
    ]);
    expect(new Set(slices.map(({ metadata }) => metadata.name)).size).toBe(2);
  });

  test("the protocol must fit; a Pod without the port is there with no ports", () => {
    expect(numbers([service(named), pod("a", "10.0.0.1", { spec: { containers: [container(8080, "UDP")] } })])).toEqual(
      [[]],
    );
  });

  test("a sidecar counts, another init container does not", () => {
    const sidecar = { ...container(7070), restartPolicy: "Always" };
    expect(
      numbers([service(named), pod("a", "10.0.0.1", { spec: { containers: [], initContainers: [sidecar] } })]),
    ).toEqual([[7070]]);
    expect(
      numbers([service(named), pod("a", "10.0.0.1", { spec: { containers: [], initContainers: [container(1)] } })]),
    ).toEqual([[]]);
  });
});

describe("slices", () => {
  test("hold at most a hundred endpoints, and do not depend on the order of the input", () => {
    const pods = Array.from({ length: 205 }, (_, i) => pod(`p${i}`, `10.0.${Math.floor(i / 250)}.${(i % 250) + 1}`));
    const forth = slicesFromPods([service(), ...pods]);
    expect(forth.map(({ endpoints: list = [] }) => list.length)).toEqual([100, 100, 5]);
    expect(slicesFromPods([...pods.reverse(), service()])).toEqual(forth);
  });

  test("say which Pod an endpoint is, and what is spoken on a port", () => {
    const ports = [{ name: "http", protocol: "TCP", port: 80, appProtocol: "kubernetes.io/h2c" }] as const;
    const plain = pod("a", "10.0.0.1");
    const known = { ...plain, metadata: { ...plain.metadata, uid: "7d1a" } };
    const [slice] = slicesFromPods([service({ ports }), known, pod("b", "10.0.0.2")]);
    expect(slice?.ports).toEqual([{ name: "http", protocol: "TCP", port: 80, appProtocol: "kubernetes.io/h2c" }]);
    expect(slice?.endpoints?.map(({ targetRef }) => targetRef)).toEqual([
      { kind: "Pod", namespace: "default", name: "a", uid: "7d1a" },
      { kind: "Pod", namespace: "default", name: "b" },
    ]);
  });

  test("carry the labels that join them to their Service", () => {
    const [slice] = slicesFromPods([service(), pod("a", "10.0.0.1")]);
    expect(slice?.metadata.labels).toEqual({
      team: "shop",
      "kubernetes.io/service-name": "web",
      "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
    });
    const [headless] = slicesFromPods([service({ clusterIP: "None" }), pod("a", "10.0.0.1")]);
    expect(headless?.metadata.labels).toHaveProperty(["service.kubernetes.io/headless"], "");
  });
});
