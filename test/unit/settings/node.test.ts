import { describe, expect, it } from "vitest";
import { compileOptions, type HostFacts, nodeOf, renderOptions } from "../../../src/settings/node.ts";
import { flagOf, type OptionKey } from "../../../src/settings/options.ts";
import { settingsOf } from "../../../src/settings/settings.ts";
import type { Family, NodeManifest } from "../../../src/types.ts";

const HOST: HostFacts = {
  hostName: "Worker-1",
  addresses: ["127.0.0.1", "::1", "192.168.0.5", "192.168.0.6", "10.9.0.1", "2001:db8::5", "fe80::1"],
  conntrackIsLiberal: false,
  randomFully: true,
};

const NODE: NodeManifest = {
  kind: "Node",
  source: { file: "node.yaml", document: 0 },
  metadata: { name: "worker-1", namespace: "", labels: { "topology.kubernetes.io/zone": "zone-b" } },
  spec: { podCIDRs: ["10.244.1.0/24", "fd00:10:244:1::/64"] },
  status: {
    addresses: [
      { type: "Hostname", address: "worker-1" },
      { type: "ExternalIP", address: "198.51.100.5" },
      { type: "InternalIP", address: "192.168.0.5" },
      { type: "InternalIP", address: "2001:db8::5" },
    ],
  },
};

function settings(values: Partial<Record<OptionKey, unknown>> = {}) {
  return settingsOf(
    Object.entries(values).map(([key, value]) => ({ key: key as OptionKey, value, where: flagOf(key as OptionKey) })),
  );
}

const factsOf = (values: Partial<Record<OptionKey, unknown>>, nodes = [NODE], host = HOST) =>
  nodeOf(settings(values), nodes, host).facts;

describe("nodeOf", () => {
  it("reads the Node object of this host: name in lower case, zone, internal addresses first", () => {
    expect(factsOf({})).toMatchObject({
      name: "worker-1",
      zone: "zone-b",
      ips: { ipv4: "192.168.0.5", ipv6: "2001:db8::5" },
    });
    expect(factsOf({}).addresses).toEqual([
      "192.168.0.5",
      "2001:db8::5",
      "198.51.100.5",
      ...HOST.addresses.filter((ip) => ip !== "192.168.0.5" && ip !== "2001:db8::5"),
    ]);
  });

  it("lets flags win", () => {
    expect(factsOf({ zone: "zone-x", nodeIp: ["203.0.113.1"] })).toMatchObject({
      zone: "zone-x",
      ips: { ipv4: "203.0.113.1", ipv6: "2001:db8::5" },
    });
  });

  it("knows nothing of a node that is not in the input", () => {
    const node = nodeOf(settings({ nodeName: "other" }), [NODE], { ...HOST, addresses: [] });
    expect(node).toEqual({
      facts: { name: "other", zone: "", ips: { ipv4: undefined, ipv6: undefined }, addresses: [] },
      podCIDRs: [],
      known: false,
    });
  });
});

describe("how Pod traffic is told", () => {
  const detector = (values: Partial<Record<OptionKey, unknown>>, family: Family = "ipv4", nodes = [NODE]) =>
    compileOptions(settings(values), nodeOf(settings(values), nodes, HOST), family).localDetector;

  it.each<[Partial<Record<OptionKey, unknown>>, Family, object]>([
    [{}, "ipv4", { kind: "none" }],
    [{ clusterCidr: "10.244.0.0/16" }, "ipv4", { kind: "cidr", cidr: "10.244.0.0/16" }],
    [{ clusterCidr: "10.244.0.0/16" }, "ipv6", { kind: "none" }],
    [{ clusterCidr: "10.244.0.0/16,fd00::/48" }, "ipv6", { kind: "cidr", cidr: "fd00::/48" }],
    [{ detectLocalMode: "NodeCIDR", clusterCidr: "10.0.0.0/8" }, "ipv4", { kind: "cidr", cidr: "10.244.1.0/24" }],
    [{ detectLocalMode: "NodeCIDR" }, "ipv6", { kind: "cidr", cidr: "fd00:10:244:1::/64" }],
    [{ detectLocalMode: "BridgeInterface", podBridgeInterface: "cni0" }, "ipv6", { kind: "interface", name: "cni0" }],
    [
      { detectLocalMode: "InterfaceNamePrefix", podInterfaceNamePrefix: "veth" },
      "ipv4",
      { kind: "interfacePrefix", prefix: "veth" },
    ],
  ])("%j in %s", (values, family, expected) => {
    expect(detector(values, family)).toEqual(expected);
  });

  it("says what is missing", () => {
    expect(() => detector({ detectLocalMode: "NodeCIDR" }, "ipv4", [])).toThrow("needs the Node object worker-1");
    expect(() => detector({ detectLocalMode: "BridgeInterface" })).toThrow("needs --pod-bridge-interface");
    expect(() => detector({ detectLocalMode: "InterfaceNamePrefix" })).toThrow("needs --pod-interface-name-prefix");
  });
});

describe("where NodePorts answer", () => {
  function answers(values: Partial<Record<OptionKey, unknown>>, family: Family = "ipv4", host = HOST, nodes = [NODE]) {
    const all = settings({ backend: "iptables", ...values });
    const { nodePortAddresses, localhostNodePorts } = renderOptions(all, nodeOf(all, nodes, host), host, family);
    return [
      nodePortAddresses.kind === "any" ? "any" : nodePortAddresses.addresses.join(" "),
      localhostNodePorts ? "localhost" : "no localhost",
    ].join(", ");
  }

  it.each<[Partial<Record<OptionKey, unknown>>, Family, string]>([
    [{}, "ipv4", "any, localhost"],
    [{}, "ipv6", "any, no localhost"],
    [{ localhostNodeports: false }, "ipv4", "any, no localhost"],
    [{ nodeportAddresses: "all" }, "ipv4", "any, localhost"],
    [{ nodeportAddresses: "primary" }, "ipv4", "192.168.0.5, no localhost"],
    [{ nodeportAddresses: "primary" }, "ipv6", "2001:db8::5, no localhost"],
    [{ nodeportAddresses: "192.168.0.0/24" }, "ipv4", "192.168.0.5 192.168.0.6, no localhost"],
    // A family that is left with nothing answers everywhere, whatever the other one does.
    [{ nodeportAddresses: "192.168.0.0/24" }, "ipv6", "any, no localhost"],
    [{ nodeportAddresses: "2001:db8::/64" }, "ipv4", "any, localhost"],
    [{ nodeportAddresses: "2001:db8::/64,fe80::/10" }, "ipv6", "2001:db8::5 fe80::1, no localhost"],
    [{ nodeportAddresses: "192.168.0.0/24,0.0.0.0/0" }, "ipv4", "any, localhost"],
    [{ nodeportAddresses: "192.168.0.0/24,127.0.0.0/8" }, "ipv4", "127.0.0.1 192.168.0.5 192.168.0.6, localhost"],
    [{ nodeportAddresses: "127.0.0.1/32" }, "ipv4", "127.0.0.1, localhost"],
    [{ nodeportAddresses: "127.0.0.1/32", localhostNodeports: false }, "ipv4", ", no localhost"],
    [{ nodeportAddresses: "0.0.0.0/1" }, "ipv4", "10.9.0.1 127.0.0.1, localhost"],
    [{ nodeportAddresses: "::1/128" }, "ipv6", ", no localhost"],
    [{ nodeportAddresses: "198.18.0.0/15" }, "ipv4", ", no localhost"],
  ])("%j in %s: %s", (values, family, expected) => {
    expect(answers(values, family)).toBe(expected);
  });

  const bare = { ...HOST, addresses: [] };

  it("a primary address that is unknown or a loopback one is asked for in vain", () => {
    const asked = { nodeportAddresses: "primary" };
    expect(() => answers(asked, "ipv4", bare, [])).toThrow("no address of the node worker-1 is known");
    expect(() => answers({ ...asked, nodeIp: "127.0.0.1" }, "ipv4", bare, [])).toThrow("is known");
    // One family is enough, as it is for kube-proxy.
    expect(answers({ ...asked, nodeIp: "192.168.0.5" }, "ipv6", bare, [])).toBe("any, no localhost");
  });

  it("by default nftables answers on the primary address, and everywhere if none is known", () => {
    expect(answers({ backend: "nftables" })).toBe("192.168.0.5, no localhost");
    expect(answers({ backend: "nftables" }, "ipv4", bare, [])).toBe("any, no localhost");
  });
});

describe("renderOptions", () => {
  const options = (values: Partial<Record<OptionKey, unknown>>, host = HOST, family: Family = "ipv4") => {
    const all = settings({ backend: "iptables", ...values });
    return renderOptions(all, nodeOf(all, [NODE], host), host, family);
  };

  it("marks with the highest bit without a sign", () => {
    expect(options({ masqueradeBit: 31 }).masqueradeMark).toBe(0x80000000);
    expect(options({}).masqueradeMark).toBe(0x4000);
  });

  it("keeps the service CIDRs of the family", () => {
    expect(options({ serviceCidr: "10.96.0.0/12,fd00::/108" }, HOST, "ipv6").serviceCIDRs).toEqual(["fd00::/108"]);
  });

  it("follows the machine in what only the machine knows", () => {
    expect(options({}, { ...HOST, conntrackIsLiberal: true, randomFully: false })).toMatchObject({
      dropInvalid: false,
      randomFully: false,
    });
  });
});
