import { describe, expect, it } from "vitest";
import type { Dispatch, Manifest, Ruleset, ServiceSpec } from "../../src/types.ts";
import { NODE, onNode, PODS, rulesetOf, service, slice } from "../support/manifests.ts";

/** "clusterIP 172.30.0.1:80 → cluster". */
function words({ destination, port, verdict, otherwise, allowFrom }: Dispatch): string {
  const where = destination.kind === "nodePort" ? "nodePort" : `${destination.kind} ${destination.ip}`;
  const fate = verdict.kind === "goto" ? verdict.chain.role : verdict.kind;
  const rest = [
    otherwise === undefined ? "" : ` else ${otherwise}`,
    allowFrom === undefined ? "" : ` from ${allowFrom.join(" ")}`,
  ];
  return `${where}:${port} → ${fate}${rest.join("")}`;
}

function dispatches(spec: Partial<ServiceSpec>, endpoints: Parameters<typeof slice>[1]): readonly string[] {
  const manifest = service(
    "ns/a",
    {
      type: "LoadBalancer",
      clusterIP: "172.30.0.1",
      externalIPs: ["192.168.99.1"],
      ports: [{ nodePort: 30080 }],
      ...spec,
    },
    ["198.51.100.1"],
  );
  return rulesetOf([manifest, slice("ns/a", endpoints)]).dispatch.map(words);
}

function rules(ruleset: Ruleset, role: string): readonly string[] {
  const chain = ruleset.chains.find(({ id }) => id.role === role);
  return (chain?.rules ?? []).map(({ matches, statement }) => {
    const when = matches.map((match) =>
      match.kind === "source" ? `${match.negated ? "!" : ""}${match.cidr}` : match.kind,
    );
    const what =
      statement.kind === "verdict" && statement.verdict.kind === "goto"
        ? `goto ${statement.verdict.chain.role}`
        : statement.kind === "dnat"
          ? statement.endpoints.map(({ address }) => address).join(" ")
          : statement.kind;
    return [...when, what].join(" ");
  });
}

describe("dispositions", () => {
  it("no endpoint anywhere: all refused", () => {
    expect(dispatches({}, [])).toEqual([
      "clusterIP 172.30.0.1:80 → reject",
      "externalIP 192.168.99.1:80 → reject",
      "loadBalancerIP 198.51.100.1:80 → reject",
      "nodePort:30080 → reject",
    ]);
  });

  it("policy Cluster: all dispatched", () => {
    expect(dispatches({}, ["10.180.1.1"])).toEqual([
      "clusterIP 172.30.0.1:80 → cluster",
      "externalIP 192.168.99.1:80 → external",
      "loadBalancerIP 198.51.100.1:80 → external",
      "nodePort:30080 → external",
    ]);
  });

  it("policies Local, none local: internal dropped, external short-circuits and then drops", () => {
    expect(dispatches({ internalTrafficPolicy: "Local", externalTrafficPolicy: "Local" }, ["10.180.1.1"])).toEqual([
      "clusterIP 172.30.0.1:80 → drop",
      "externalIP 192.168.99.1:80 → external else drop",
      "loadBalancerIP 198.51.100.1:80 → external else drop",
      "nodePort:30080 → external else drop",
    ]);
  });

  it("internal Local with a local one", () => {
    expect(dispatches({ internalTrafficPolicy: "Local" }, [onNode("10.180.0.1"), "10.180.1.1"])[0]).toBe(
      "clusterIP 172.30.0.1:80 → local",
    );
  });
});

describe("source ranges", () => {
  it("hold for load-balancer VIPs only", () => {
    expect(
      dispatches({ loadBalancerSourceRanges: ["203.0.113.0/25"] }, ["10.180.1.1"]).filter((text) =>
        text.includes("from"),
      ),
    ).toEqual(["loadBalancerIP 198.51.100.1:80 → external from 203.0.113.0/25"]);
  });

  it("that contain the node admit the VIPs, too", () => {
    expect(dispatches({ loadBalancerSourceRanges: ["192.168.0.0/24"] }, ["10.180.1.1"])[2]).toBe(
      "loadBalancerIP 198.51.100.1:80 → external from 192.168.0.0/24 198.51.100.1/32",
    );
  });

  const web = (name: string, clusterIP: string, spec: Partial<ServiceSpec>) =>
    service(name, { type: "LoadBalancer", clusterIP, ...spec }, ["198.51.100.1"]);
  const firewalled = (...manifests: readonly Manifest[]) =>
    rulesetOf(manifests).firewalled.map((one) => `${one.origin.servicePort.text} ${words(one)}`);

  it("are kept where the address is claimed as an external IP", () => {
    const manifest = web("ns/a", "172.30.0.1", {
      loadBalancerSourceRanges: ["203.0.113.0/25"],
      externalIPs: ["198.51.100.1"],
    });
    const ruleset = rulesetOf([manifest, slice("ns/a", ["10.180.1.1"])]);
    expect(ruleset.dispatch.map(words)).toContain("externalIP 198.51.100.1:80 → external");
    expect(ruleset.firewalled.map(words)).toEqual(["loadBalancerIP 198.51.100.1:80 → external from 203.0.113.0/25"]);
  });

  it("are asked for once at each address: those of the Service that has the traffic", () => {
    expect(
      firewalled(
        web("ns/a", "172.30.0.1", { loadBalancerSourceRanges: ["203.0.113.0/25"] }),
        web("ns/b", "172.30.0.2", { loadBalancerSourceRanges: ["192.0.2.0/24"] }),
        slice("ns/b", ["10.180.1.1"]),
      ),
    ).toEqual(["ns/b loadBalancerIP 198.51.100.1:80 → external from 192.0.2.0/24"]);
  });
});

describe("chains", () => {
  const exposed = (spec: Partial<ServiceSpec>): readonly Manifest[] => [
    service("ns/a", { type: "NodePort", clusterIP: "172.30.0.1", ports: [{ nodePort: 30080 }], ...spec }),
    slice("ns/a", [onNode("10.180.0.1"), "10.180.1.1"]),
  ];

  it("external Cluster masquerades all", () => {
    const ruleset = rulesetOf(exposed({}));
    expect(rules(ruleset, "external")).toEqual(["masquerade", "goto cluster"]);
    expect(rules(ruleset, "cluster")).toEqual(["10.180.0.1:80 10.180.1.1:80"]);
    expect(rules(ruleset, "local")).toEqual([]);
  });

  it("external Local keeps sources, but short-circuits Pods and the node", () => {
    const ruleset = rulesetOf(exposed({ externalTrafficPolicy: "Local" }));
    expect(rules(ruleset, "external")).toEqual([
      "10.0.0.0/8 goto cluster",
      "sourceIsNode masquerade",
      "sourceIsNode goto cluster",
      "goto local",
    ]);
    expect(rules(ruleset, "local")).toEqual(["10.180.0.1:80"]);
  });

  it("without detector Pods are not told apart", () => {
    const ruleset = rulesetOf(exposed({ externalTrafficPolicy: "Local" }), { localDetector: { kind: "none" } });
    expect(rules(ruleset, "external")).toEqual(["sourceIsNode masquerade", "sourceIsNode goto cluster", "goto local"]);
    expect(ruleset.masqueradeClusterIP).toBeUndefined();
  });

  it.each([
    [{ masqueradeAll: true }, []],
    [{ localDetector: PODS }, [{ kind: "source", cidr: "10.0.0.0/8", negated: true }]],
    [
      { localDetector: { kind: "interface", name: "cni0" } },
      [{ kind: "inputInterface", name: "cni0", prefix: false, negated: true }],
    ],
    [
      { localDetector: { kind: "interfacePrefix", prefix: "veth" } },
      [{ kind: "inputInterface", name: "veth", prefix: true, negated: true }],
    ],
  ] as const)("ClusterIP traffic is masqueraded by %j", (options, expected) => {
    expect(rulesetOf([], options).masqueradeClusterIP).toEqual(expected);
  });
});

describe("what two claim", () => {
  const IP = "192.168.99.1";
  const plain = (name: string) => service(name, { clusterIP: IP });
  const external = (name: string) => service(name, { clusterIP: "172.30.0.2", externalIPs: [IP] });
  const balanced = (name: string, spec: Partial<ServiceSpec> = {}) =>
    service(name, { clusterIP: "172.30.0.3", ...spec }, [IP]);
  const claimants = (manifests: readonly Manifest[], verdict: string) =>
    rulesetOf(manifests)
      .dispatch.filter(
        ({ destination, verdict: { kind } }) => "ip" in destination && destination.ip === IP && kind === verdict,
      )
      .map(({ origin }) => origin.servicePort.text);
  const served = (name: string) => slice(name, ["10.180.1.1"]);

  it.each<[string, readonly Manifest[], string]>([
    ["a cluster IP before an external IP", [external("ns/a"), plain("ns/b")], "ns/b"],
    ["a cluster IP before a load balancer's", [balanced("ns/a"), plain("ns/b")], "ns/b"],
    ["an external IP before a load balancer's", [balanced("ns/a"), external("ns/b")], "ns/b"],
    ["of one kind the first by name", [external("ns/b"), external("ns/a")], "ns/a"],
  ])("%s", (_, manifests, owner) => {
    const all = [...manifests, served("ns/a"), served("ns/b")];
    expect(claimants(all, "goto")).toEqual([owner]);
    expect(claimants(manifests, "reject")).toEqual([owner]);
  });

  it("a cluster IP without endpoints is refused, whoever would serve it", () => {
    const all = [external("ns/a"), plain("ns/b"), served("ns/a")];
    expect(claimants(all, "goto")).toEqual([]);
    expect(claimants(all, "reject")).toEqual(["ns/b"]);
  });

  it("others are served by the one that can", () => {
    const all = [external("ns/a"), balanced("ns/b"), served("ns/b")];
    expect(claimants(all, "goto")).toEqual(["ns/b"]);
    expect(claimants(all, "reject")).toEqual([]);
  });

  it("source ranges keep nobody from another Service's cluster IP", () => {
    const ranges = { loadBalancerSourceRanges: ["203.0.113.0/25"] };
    expect(rulesetOf([balanced("ns/a", ranges), plain("ns/b")]).firewalled).toEqual([]);
    expect(rulesetOf([balanced("ns/a", ranges), external("ns/b")]).firewalled).toHaveLength(1);
  });
});

describe("the rest", () => {
  it("lets health checks in and counts every endpoint", () => {
    const spec = {
      type: "LoadBalancer",
      clusterIP: "172.30.0.1",
      externalTrafficPolicy: "Local",
      healthCheckNodePort: 30999,
    } as const;
    const ruleset = rulesetOf([
      service("ns/a", spec),
      slice("ns/a", [onNode("10.180.0.1"), { addresses: ["10.180.0.2"], conditions: { ready: false } }]),
    ]);
    expect(ruleset.healthChecks.map(({ port }) => port)).toEqual([30999]);
    expect(ruleset.endpointCount).toBe(2);
  });

  it("the node's address of the family decides about its own range", () => {
    const node = { ...NODE, ips: { ipv4: undefined, ipv6: undefined } };
    const spec = {
      type: "LoadBalancer",
      clusterIP: "172.30.0.1",
      loadBalancerSourceRanges: ["192.168.0.0/24"],
    } as const;
    const [, vip] = rulesetOf([service("ns/a", spec, ["198.51.100.1"]), slice("ns/a", ["10.180.1.1"])], {
      node,
    }).dispatch;
    expect(vip?.allowFrom).toEqual(["192.168.0.0/24"]);
  });
});
