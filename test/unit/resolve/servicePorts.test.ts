import { describe, expect, it } from "vitest";
import { resolve } from "../../../src/resolve/servicePorts.ts";
import { servicesWithSlices } from "../../../src/resolve/slices.ts";
import type { EndpointsManifest, Family, Manifest, ServicePort } from "../../../src/types.ts";
import { NODE, onNode, SOURCE, service, slice } from "../../support/manifests.ts";

function resolved(manifests: readonly Manifest[], family: Family = "ipv4"): readonly ServicePort[] {
  return resolve(manifests, family, NODE);
}

function addresses(manifests: readonly Manifest[], family: Family = "ipv4"): readonly string[] {
  return resolved(manifests, family).flatMap(({ endpoints }) => endpoints.all.map(({ address }) => address));
}

function endpointsObject(
  identity: string,
  subsets: EndpointsManifest["subsets"],
  labels: Readonly<Record<string, string>> = {},
): EndpointsManifest {
  const [namespace = "", name = ""] = identity.split("/");
  return { kind: "Endpoints", source: SOURCE, metadata: { namespace, name, labels }, subsets: subsets ?? [] };
}

const PORT = { name: "", protocol: "TCP", port: 8080 } as const;
const web = service("ns/web", { clusterIP: "172.30.0.1" });

describe("which Services are served", () => {
  it.each<[string, Manifest]>([
    ["headless", service("ns/a", { clusterIP: "None" })],
    ["without ClusterIP", service("ns/a", { clusterIP: "" })],
    ["only plural ClusterIPs", service("ns/a", { clusterIPs: ["172.30.0.1"] })],
    ["ExternalName, even with a ClusterIP", service("ns/a", { type: "ExternalName", clusterIP: "172.30.0.1" })],
    [
      "of another proxy",
      { ...web, metadata: { ...web.metadata, labels: { "service.kubernetes.io/service-proxy-name": "" } } },
    ],
    ["of the other family", service("ns/a", { clusterIP: "fd00::1", ipFamilies: ["IPv6"] })],
  ])("not one that is %s", (_, manifest) => expect(resolved([manifest])).toEqual([]));

  it("takes each family's ClusterIP by the index of the family", () => {
    const dual = service("ns/a", {
      clusterIP: "fd00::1",
      clusterIPs: ["fd00::1", "172.30.0.1"],
      ipFamilies: ["IPv6", "IPv4"],
    });
    expect(resolved([dual], "ipv4").map(({ clusterIP }) => clusterIP)).toEqual(["172.30.0.1"]);
    expect(resolved([dual], "ipv6").map(({ clusterIP }) => clusterIP)).toEqual(["fd00::1"]);
  });

  it("prints names as kube-proxy does, sorted, one per port and protocol", () => {
    const many = service("ns/b", {
      clusterIP: "172.30.0.2",
      ports: [
        { name: "dns", protocol: "UDP", port: 53 },
        { name: "dns-tcp", protocol: "TCP", port: 53 },
        { name: "dns-sctp", protocol: "SCTP", port: 53 },
      ],
    });
    expect(resolved([many, web]).map(({ name }) => `${name.text} ${name.protocol}`)).toEqual([
      "ns/b:dns udp",
      "ns/b:dns-sctp sctp",
      "ns/b:dns-tcp tcp",
      "ns/web tcp",
    ]);
  });
});

describe("fields of the Service", () => {
  const full = service(
    "ns/a",
    {
      type: "LoadBalancer",
      clusterIP: "172.30.0.041",
      externalIPs: ["192.168.099.022", "2001:db8::9"],
      loadBalancerSourceRanges: [" 203.0.113.000/025", "1.2.3.4/28", "2001:db8::/64"],
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 30999,
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    },
    ["198.51.100.004", "2001:db8::10"],
  );

  it("are made canonical and kept to the family", () => {
    expect(resolved([full])[0]).toMatchObject({
      clusterIP: "172.30.0.41",
      externalIPs: ["192.168.99.22"],
      loadBalancerVIPs: ["198.51.100.4"],
      sourceRanges: ["203.0.113.0/25", "1.2.3.0/28"],
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 30999,
      affinitySeconds: 60,
    });
  });

  it("a source range of /0 admits all", () => {
    const open = service("ns/a", { ...full.spec, loadBalancerSourceRanges: ["10.0.0.0/8", "0.0.0.0/0"] });
    expect(resolved([open])[0]?.sourceRanges).toEqual([]);
  });

  it("policy Local counts only where the type honours it", () => {
    const of = (spec: Parameters<typeof service>[1]) =>
      resolved([service("ns/a", { clusterIP: "172.30.0.1", externalTrafficPolicy: "Local", ...spec })])[0]
        ?.externalTrafficPolicy;
    expect(of({ type: "ClusterIP" })).toBe("Cluster");
    expect(of({ type: "ClusterIP", externalIPs: ["192.168.99.1"] })).toBe("Local");
    expect(of({ type: "NodePort" })).toBe("Local");
  });

  it("an ingress in mode Proxy, or with a host name only, is no VIP", () => {
    const manifest = {
      ...full,
      status: {
        loadBalancer: {
          ingress: [
            { ip: "198.51.100.1", ipMode: "Proxy" as const },
            { hostname: "lb.example" },
            { ip: "198.51.100.2" },
          ],
        },
      },
    };
    expect(resolved([manifest])[0]?.loadBalancerVIPs).toEqual(["198.51.100.2"]);
  });
});

describe("endpoints from slices", () => {
  it("are sorted bytewise and joined over slices", () => {
    expect(addresses([web, slice("ns/web", ["10.0.1.1", "10.0.1.2"]), slice("ns/web", ["10.0.1.10"])])).toEqual([
      "10.0.1.10:80",
      "10.0.1.1:80",
      "10.0.1.2:80",
    ]);
  });

  it("join on port name and protocol, not on numbers", () => {
    const named = service("ns/web", {
      clusterIP: "172.30.0.1",
      ports: [
        { name: "http", port: 80 },
        { name: "dns", port: 53, protocol: "UDP" },
      ],
    });
    const ports = [
      { name: "http", protocol: "TCP", port: 8080 },
      { name: "dns", protocol: "TCP", port: 53 },
      { name: "", protocol: "TCP", port: 80 },
    ] as const;
    expect(addresses([named, slice("ns/web", ["10.0.0.1"], { ports })])).toEqual(["10.0.0.1:8080"]);
  });

  it.each<[string, Partial<ReturnType<typeof slice>>]>([
    ["without port number", { ports: [{ name: "", protocol: "TCP" }] }],
    ["with port 0", { ports: [{ name: "", protocol: "TCP", port: 0 }] }],
    ["of names", { addressType: "FQDN" }],
    ["of the other family", { addressType: "IPv6" }],
    ["without Service label", { metadata: { namespace: "ns", name: "x", labels: {} } }],
    [
      "of another namespace",
      { metadata: { namespace: "other", name: "x", labels: { "kubernetes.io/service-name": "web" } } },
    ],
    [
      "marked headless",
      {
        metadata: {
          namespace: "ns",
          name: "x",
          labels: { "kubernetes.io/service-name": "web", "service.kubernetes.io/headless": "" },
        },
      },
    ],
  ])("none from a slice %s", (_, options) => {
    expect(addresses([web, slice("ns/web", ["10.0.0.1"], options)])).toEqual([]);
  });

  it("take the first address only, and print it canonically", () => {
    expect(addresses([web, slice("ns/web", [{ addresses: ["10.180.00.001", "10.9.9.9"] }])])).toEqual([
      "10.180.0.1:80",
    ]);
  });

  it("missing conditions mean ready and serving, not terminating; a missing serving stays true", () => {
    const endpoints = [{ addresses: ["10.0.0.1"] }, { addresses: ["10.0.0.2"], conditions: { ready: false } }];
    expect(resolved([web, slice("ns/web", endpoints)])[0]?.endpoints.all).toMatchObject([
      { ready: true, serving: true, terminating: false },
      { ready: false, serving: true, terminating: false },
    ]);
  });

  it("of two with one address, one that stays beats one that goes", () => {
    const going = { addresses: ["10.0.0.1"], conditions: { ready: false, serving: true, terminating: true } };
    for (const order of [
      [going, onNode("10.0.0.1")],
      [onNode("10.0.0.1"), going],
    ]) {
      expect(resolved([web, slice("ns/web", order)])[0]?.endpoints.all).toMatchObject([{ ready: true, isLocal: true }]);
    }
  });

  it("of two slices with one address, the name decides and not the order of the input", () => {
    const named = (name: string, nodeName: string) => {
      const one = slice("ns/web", [onNode("10.0.0.1", nodeName)]);
      return { ...one, metadata: { ...one.metadata, name } };
    };
    const slices = [named("web-a", "elsewhere"), named("web-b", NODE.name)];
    for (const order of [slices, slices.toReversed()]) {
      expect(resolved([web, ...order])[0]?.endpoints.all).toMatchObject([{ isLocal: true }]);
    }
  });

  it("are local by node name", () => {
    const endpoints = [onNode("10.0.0.1"), onNode("10.0.0.2", "elsewhere"), onNode("10.0.0.3", "")];
    expect(resolved([web, slice("ns/web", endpoints)])[0]?.endpoints.all.map(({ isLocal }) => isLocal)).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("Endpoints objects", () => {
  const object = endpointsObject("ns/web", [
    { addresses: [{ ip: "10.0.0.1", nodeName: NODE.name }], notReadyAddresses: [{ ip: "10.0.0.2" }], ports: [PORT] },
  ]);

  it("serve a Service that has nothing else, with a selector or without, or marked not to be mirrored", () => {
    const selecting = service("ns/web", { clusterIP: "172.30.0.1", selector: { app: "web" } });
    const marked = {
      ...object,
      metadata: { ...object.metadata, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
    };
    for (const manifests of [
      [web, object],
      [selecting, object],
      [web, marked],
    ]) {
      expect(resolved(manifests)[0]?.endpoints.all).toMatchObject([
        { address: "10.0.0.1:8080", ready: true, isLocal: true },
        { address: "10.0.0.2:8080", ready: false, serving: true, terminating: false },
      ]);
    }
  });

  it("are left aside where slices exist, unless the Service has no selector", () => {
    const selecting = service("ns/web", { clusterIP: "172.30.0.1", selector: { app: "web" } });
    const own = slice("ns/web", ["10.0.0.9"]);
    expect(addresses([selecting, object, own])).toEqual(["10.0.0.9:80"]);
    expect(addresses([web, object, own])).toEqual(["10.0.0.1:8080", "10.0.0.2:8080", "10.0.0.9:80"]);
    const marked = {
      ...object,
      metadata: { ...object.metadata, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
    };
    expect(addresses([web, marked, own])).toEqual(["10.0.0.9:80"]);
  });

  it("marked headless are for DNS alone, as the slices would be that are made from them", () => {
    const headless = { ...object, metadata: { ...object.metadata, labels: { "service.kubernetes.io/headless": "" } } };
    expect(addresses([web, headless])).toEqual([]);
    expect(addresses([web, headless, slice("ns/web", ["10.0.0.9"])])).toEqual(["10.0.0.9:80"]);
    const [seen] = servicesWithSlices([web, headless], { seesHeadless: true });
    expect(seen?.slices.some(({ endpoints = [] }) => endpoints.length > 0)).toBe(true);
  });

  it("an address both ready and not ready is not ready", () => {
    const both = endpointsObject("ns/web", [
      { addresses: [{ ip: "10.0.0.1" }], ports: [PORT] },
      { notReadyAddresses: [{ ip: "10.0.0.1" }], ports: [PORT] },
    ]);
    expect(resolved([web, both])[0]?.endpoints.all.map(({ ready }) => ready)).toEqual([false]);
  });

  it("are told apart by the family of each address", () => {
    const dual = endpointsObject("ns/web", [{ addresses: [{ ip: "10.0.0.1" }, { ip: "fd00::1" }], ports: [PORT] }]);
    const both = service("ns/web", {
      clusterIP: "172.30.0.1",
      clusterIPs: ["172.30.0.1", "fd00:1::1"],
      ipFamilies: ["IPv4", "IPv6"],
    });
    expect(addresses([both, dual])).toEqual(["10.0.0.1:8080"]);
    expect(addresses([both, dual], "ipv6")).toEqual(["[fd00::1]:8080"]);
  });

  it("give at most 1000 addresses, ready ones first", () => {
    const ip = (index: number) => ({ ip: `10.${index >> 8}.${index & 255}.1` });
    const large = endpointsObject("ns/web", [
      {
        notReadyAddresses: Array.from({ length: 600 }, (_, index) => ip(index)),
        addresses: Array.from({ length: 600 }, (_, index) => ip(1000 + index)),
        ports: [PORT],
      },
    ]);
    const all = resolved([web, large])[0]?.endpoints.all ?? [];
    expect(all).toHaveLength(1000);
    expect(all.filter(({ ready }) => ready)).toHaveLength(600);
  });

  it("of more than 1000 addresses give the first by IP, whatever their order", () => {
    const ips = Array.from({ length: 1001 }, (_, index) => `10.9.${index >> 8}.${index & 255}`);
    const large = endpointsObject("ns/web", [{ addresses: ips.toReversed().map((ip) => ({ ip })), ports: [PORT] }]);
    const expected = ips.toSorted().slice(0, 1000);
    expect(
      resolved([web, large])[0]
        ?.endpoints.all.map(({ ip }) => ip)
        .toSorted(),
    ).toEqual(expected);
  });

  it("an address is on the node that its first mention names, for every port and readiness", () => {
    const other = { name: "metrics", protocol: "TCP", port: 9100 } as const;
    const two = service("ns/web", {
      clusterIP: "172.30.0.1",
      ports: [
        { name: "", protocol: "TCP", port: 80 },
        { name: "metrics", protocol: "TCP", port: 9100 },
      ],
    });
    const object = endpointsObject("ns/web", [
      { addresses: [{ ip: "10.0.0.1", nodeName: NODE.name }, { ip: "10.0.0.2" }], ports: [PORT] },
      { addresses: [{ ip: "10.0.0.1" }], ports: [other] },
      { notReadyAddresses: [{ ip: "10.0.0.2", nodeName: NODE.name }], ports: [PORT] },
    ]);
    const places = resolved([two, object]).map(({ endpoints }) => endpoints.all);
    expect(places).toMatchObject([
      [
        { ip: "10.0.0.1", ready: true, isLocal: true },
        { ip: "10.0.0.2", ready: false, isLocal: false },
      ],
      [{ ip: "10.0.0.1", ready: true, isLocal: true }],
    ]);
  });
});
