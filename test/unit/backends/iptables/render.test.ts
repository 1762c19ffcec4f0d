import { describe, expect, it } from "vitest";
import { render } from "../../../../src/backends/iptables/render.ts";
import { linesOf } from "../../../../src/diff.ts";
import type { Manifest, RenderOptions, Table } from "../../../../src/types.ts";
import { onNode, renderOptions, rulesetOf, service, slice } from "../../../support/manifests.ts";
import { targetOf } from "../../../support/restoreKernel.ts";

function tables(manifests: readonly Manifest[], options: Partial<RenderOptions> = {}): readonly Table[] {
  const { family = "ipv4" } = options;
  return render(rulesetOf(manifests, { family }), renderOptions(options));
}

function rules(all: readonly Table[], table: string): readonly string[] {
  const found = all.find(({ name }) => name === table);
  return [...(found?.objects.values() ?? [])]
    .filter((object) => object.kind === "chain" || object.name === "KUBE-FIREWALL")
    .flatMap((object) => linesOf(object).map(({ text }) => `${object.name} ${text}`));
}

function ips(count: number): readonly string[] {
  return Array.from({ length: count }, (_, index) => `10.180.${index >> 8}.${index & 255}`);
}

function clusterIPServices(services: number, endpoints: number): readonly Manifest[] {
  return Array.from({ length: services }, (_, index) => [
    service(`ns/svc${index}`, { clusterIP: `172.30.${index >> 8}.${index & 255}` }),
    slice(`ns/svc${index}`, ips(endpoints)),
  ]).flat();
}

function exposedServices(services: number, endpoints: number): readonly Manifest[] {
  return Array.from({ length: services }, (_, index) => [
    service(
      `ns/svc${index}`,
      {
        type: "LoadBalancer",
        clusterIP: `172.30.0.${index}`,
        externalIPs: [`192.168.99.${index}`],
        loadBalancerSourceRanges: ["203.0.113.0/25"],
        ports: [{ nodePort: 30000 + index }],
      },
      [`198.51.100.${index}`],
    ),
    slice(`ns/svc${index}`, ips(endpoints)),
  ]).flat();
}

describe("how many rules there are", () => {
  it("without Services: 4 in filter, 5 in nat", () => {
    expect(rules(tables([]), "filter")).toHaveLength(4);
    expect(rules(tables([]), "nat")).toHaveLength(5);
  });

  const sizes = [1, 2, 7].flatMap((services) =>
    [0, 1, 2, 3, 10, 100].map((endpoints) => [services, endpoints] as const),
  );

  it.each(sizes)("%i ClusterIP Services with %i endpoints each", (services, endpoints) => {
    const written = tables(clusterIPServices(services, endpoints));
    expect(rules(written, "filter")).toHaveLength(4 + (endpoints === 0 ? services : 0));
    expect(rules(written, "nat")).toHaveLength(5 + (endpoints === 0 ? 0 : services * (2 + 3 * endpoints)));
  });

  // kube-proxy's tenth rule only counts NodePort traffic from 127.0.0.0/8, with an nfacct object we do not make.
  it.each(sizes)("%i exposed Services with %i endpoints each", (services, endpoints) => {
    const written = tables(exposedServices(services, endpoints));
    expect(rules(written, "filter")).toHaveLength(4 + services * (endpoints === 0 ? 4 : 1));
    expect(rules(written, "nat")).toHaveLength(5 + (endpoints === 0 ? 0 : services * (9 + 3 * endpoints)));
  });
});

describe("what holds for every ruleset", () => {
  it.each([
    ["plain", clusterIPServices(3, 3)],
    ["exposed", exposedServices(3, 2)],
    ["exposed, no endpoints", exposedServices(3, 0)],
  ] as const)("%s: every jump has its chain, every chain is used", (_, manifests) => {
    for (const { objects, name: table } of tables(manifests)) {
      const targets = [...objects.values()].flatMap((object) => linesOf(object).map(({ text }) => targetOf(text)));
      for (const target of targets) {
        if (target?.startsWith("KUBE-")) expect(objects.has(target), `${table} ${target}`).toBe(true);
      }
      for (const name of objects.keys()) {
        if (/^KUBE-(SVC|SVL|EXT|FW|SEP)-/.test(name)) expect(targets).toContain(name);
      }
    }
  });
});

describe("probabilities", () => {
  it.each([
    [1, []],
    [2, ["0.50000000000"]],
    [3, ["0.33333333349", "0.50000000000"]],
    [4, ["0.25000000000", "0.33333333349", "0.50000000000"]],
  ])("of %i endpoints", (count, expected) => {
    const found = rules(tables(clusterIPServices(1, count)), "nat")
      .map((rule) => /--probability (\S+)/.exec(rule)?.[1])
      .filter((text) => text !== undefined);
    expect(found).toEqual(expected);
  });

  it("can still tell 100000 from 100001", () => {
    const all = rules(tables(clusterIPServices(1, 300), { comments: "always" }), "nat");
    const chances = all.map((rule) => Number(/--probability (\S+)/.exec(rule)?.[1] ?? Number.NaN)).filter((p) => p > 0);
    expect(chances).toHaveLength(299);
    expect(chances.every((p, index) => index === 0 || p > (chances[index - 1] ?? 1))).toBe(true);
  });
});

describe("comments of endpoint choices", () => {
  const small = clusterIPServices(1, 3);
  const large = clusterIPServices(1, 1001);
  const commented = (manifests: readonly Manifest[], comments: RenderOptions["comments"]) =>
    rules(tables(manifests, { comments }), "nat").some(
      (rule) => rule.startsWith("KUBE-SEP-") && rule.includes("--comment"),
    );

  it("go beyond 1000 endpoints, unless asked for", () => {
    expect(commented(small, "auto")).toBe(true);
    expect(commented(large, "auto")).toBe(false);
    expect(commented(large, "always")).toBe(true);
    expect(commented(small, "never")).toBe(false);
  });
});

describe("the last rules of KUBE-SERVICES", () => {
  const tail = (options: Partial<RenderOptions>) => {
    const services = tables([], options)[1]?.objects.get("KUBE-SERVICES");
    return services?.kind === "chain"
      ? (services.tail ?? []).map(({ text }) => text.replace(/-m comment --comment "[^"]*" /, ""))
      : [];
  };

  it.each<[string, Partial<RenderOptions>, readonly string[]]>([
    ["any address", {}, ["-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"]],
    [
      "not loopback",
      { localhostNodePorts: false },
      ["! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"],
    ],
    ["IPv6", { family: "ipv6" }, ["! -d ::1/128 -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS"]],
    [
      "two addresses",
      { nodePortAddresses: { kind: "addresses", addresses: ["192.168.0.2", "192.168.1.2"] } },
      ["-d 192.168.0.2/32 -j KUBE-NODEPORTS", "-d 192.168.1.2/32 -j KUBE-NODEPORTS"],
    ],
  ])("%s", (_, options, expected) => expect(tail(options)).toEqual(expected));
});

describe("IPv6", () => {
  it("has its own words for hosts, refusals, brackets and lists", () => {
    const manifests = [
      service("ns/a", { clusterIP: "fd00::1", sessionAffinity: "ClientIP" }),
      slice("ns/a", [onNode("fd00:10:180::1")], { addressType: "IPv6" }),
      service("ns/b", { clusterIP: "fd00::2" }),
    ];
    const written = tables(manifests, { family: "ipv6", localhostNodePorts: false });
    expect(rules(written, "filter").join("\n")).toContain("-d fd00::2/128 -p tcp");
    expect(rules(written, "filter").join("\n")).toContain("-j REJECT --reject-with icmp6-port-unreachable");
    const nat = rules(written, "nat").join("\n");
    expect(nat).toContain("-j DNAT --to-destination [fd00:10:180::1]:80");
    expect(nat).toContain("--mask ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff --rsource");
    expect(nat).toContain("-s fd00:10:180::1/128");
  });
});
