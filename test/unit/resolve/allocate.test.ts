import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { contains } from "../../../src/ip.ts";
import { addressAt, addressPool, bandSize, indexOf, takeNext } from "../../../src/resolve/addressPool.ts";
import { type AllocateOptions, allocate } from "../../../src/resolve/allocate.ts";
import { dual, only, options, service } from "./serviceObjects.ts";

describe("bands", () => {
  test.each([
    ["10.0.0.0/24", "10.0.0.1", "10.0.0.16", "10.0.0.17", "10.0.0.254"],
    ["10.0.0.0/22", "10.0.0.1", "10.0.0.64", "10.0.0.65", "10.0.3.254"],
    ["10.43.0.0/16", "10.43.0.1", "10.43.1.0", "10.43.1.1", "10.43.255.254"],
    ["10.96.0.0/12", "10.96.0.1", "10.96.1.0", "10.96.1.1", "10.111.255.254"],
    ["10.0.0.0/27", "10.0.0.1", "10.0.0.16", "10.0.0.17", "10.0.0.30"],
    ["fd00::/112", "fd00::1", "fd00::100", "fd00::101", "fd00::ffff"],
  ])("%s", (cidr, firstStatic, lastStatic, firstDynamic, last) => {
    const pool = addressPool(cidr);
    const ends = [0, pool.staticSize - 1, pool.staticSize, pool.size - 1].map((index) => addressAt(pool, index));
    expect(ends).toEqual([firstStatic, lastStatic, firstDynamic, last]);
    expect(ends.map((ip) => indexOf(pool, ip))).toEqual([0, pool.staticSize - 1, pool.staticSize, pool.size - 1]);
  });

  test("a small range has no static band", () => {
    expect(addressPool("10.0.0.0/28")).toMatchObject({ size: 14, staticSize: 0 });
  });

  test.each([
    [2768, 86],
    [128, 16],
    [2048, 64],
    [4096, 128],
    [16, 0],
  ])("%d node ports have %d static ones", (size, expected) => {
    expect(bandSize(size, 32, 128)).toBe(expected);
  });

  test("network and broadcast addresses are not given out", () => {
    const pool = addressPool("10.0.0.0/24");
    expect([indexOf(pool, "10.0.0.0"), indexOf(pool, "10.0.0.255"), indexOf(pool, "10.0.1.1")]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  test("the dynamic band is used up before the static one, and then it is full", () => {
    const pool = addressPool("10.0.0.0/27");
    const given = Array.from({ length: 31 }, (_, i) => takeNext(pool, `owner-${i}`));
    expect(given.slice(0, 14).every((index) => index !== undefined && index >= 16)).toBe(true);
    expect(given.slice(14, 30).every((index) => index !== undefined && index < 16)).toBe(true);
    expect(given[30]).toBeUndefined();
    expect(new Set(given.slice(0, 30)).size).toBe(30);
  });
});

describe("cluster IPs", () => {
  test("a Service without address gets one from the dynamic band, with families and policy", () => {
    const spec = only(allocate([service("kubia")], options));
    expect(spec.clusterIPs).toEqual([spec.clusterIP]);
    expect(contains("10.96.0.0/16", spec.clusterIP ?? "")).toBe(true);
    expect(indexOf(addressPool("10.96.0.0/16"), spec.clusterIP ?? "")).toBeGreaterThanOrEqual(256);
    expect(spec).toMatchObject({ ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" });
  });

  test("an explicit address is kept and said to nobody", () => {
    const result = allocate([service("a", { clusterIP: "10.96.100.100" })], options);
    expect(only(result)).toMatchObject({ clusterIP: "10.96.100.100", clusterIPs: ["10.96.100.100"] });
    expect(result.assignments).toEqual([]);
  });

  test("a complete Service is the same object", () => {
    const whole = service("a", {
      clusterIP: "10.96.7.7",
      clusterIPs: ["10.96.7.7"],
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
    });
    expect(allocate([whole], options).services[0]).toBe(whole);
  });

  test("the first address belongs to default/kubernetes, unless the range is only supposed", () => {
    expect(only(allocate([service("kubernetes")], options)).clusterIP).toBe("10.96.0.1");
    const thief = [service("thief", { clusterIP: "10.96.0.1" })];
    expect(allocate(thief, options).diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'cluster-ip-taken spec.clusterIPs[0]: Invalid value: "10.96.0.1": provided IP is already allocated to Service default/kubernetes',
    ]);
    expect(allocate(thief, { ...options, rangesAreSupposed: true }).diagnostics).toEqual([]);
  });

  test.each([
    [undefined, ["IPv4"]],
    ["SingleStack", ["IPv4"]],
    ["PreferDualStack", ["IPv4", "IPv6"]],
    ["RequireDualStack", ["IPv4", "IPv6"]],
  ])("policy %s on two ranges", (ipFamilyPolicy, families) => {
    const spec = only(allocate([service("a", ipFamilyPolicy === undefined ? {} : { ipFamilyPolicy })], dual));
    expect(spec.ipFamilies).toEqual(families);
    expect(spec.clusterIPs?.map((ip) => (ip.includes(":") ? "IPv6" : "IPv4"))).toEqual(families);
  });

  test("PreferDualStack on one range stays single", () => {
    expect(only(allocate([service("a", { ipFamilyPolicy: "PreferDualStack" })], options)).ipFamilies).toEqual(["IPv4"]);
  });

  test("only chosen families are given out, unless a Service demands another", () => {
    const both = { ipFamilyPolicy: "RequireDualStack" } as const;
    const demanding = [service("a", both), service("b", { ...both, ipFamilies: ["IPv6", "IPv4"] })];
    const { services, diagnostics } = allocate(demanding, { ...dual, families: ["ipv4"] });
    expect(diagnostics).toEqual([]);
    expect(services.map(({ spec }) => [spec.ipFamilies?.join(), spec.clusterIPs?.length])).toEqual([
      ["IPv4,IPv6", 2],
      ["IPv6,IPv4", 2],
    ]);
    const given = [service("a"), service("b", { ipFamilyPolicy: "PreferDualStack" })];
    const familiesOf = (families: AllocateOptions["families"]) =>
      allocate(given, { ...dual, families }).services.map(({ spec }) => spec.ipFamilies?.join());
    expect(familiesOf(["ipv4"])).toEqual(["IPv4", "IPv4"]);
    expect(familiesOf(["ipv6"])).toEqual(["IPv6", "IPv6"]);
    expect(familiesOf(["ipv4", "ipv6"])).toEqual(["IPv4", "IPv4,IPv6"]);
    const [missing] = allocate(given, { ...options, families: ["ipv6"] }).diagnostics;
    expect(missing).toMatchObject({ code: "cluster-ip-missing", message: expect.stringContaining("no IPv6 address") });
  });

  test("the primary family is the one that is named, or that of the address", () => {
    expect(only(allocate([service("a", { ipFamilies: ["IPv6"] })], dual)).clusterIP).toMatch(/^fd00:10:96::/);
    const spec = only(
      allocate([service("a", { clusterIP: "fd00:10:96::7", ipFamilyPolicy: "PreferDualStack" })], dual),
    );
    expect(spec.ipFamilies).toEqual(["IPv6", "IPv4"]);
    expect(spec.clusterIPs?.[0]).toBe("fd00:10:96::7");
  });

  test.each([
    [{ clusterIP: "None" }, ["IPv4", "IPv6"], "RequireDualStack"],
    [{ clusterIP: "None", selector: { app: "a" } }, ["IPv4"], "SingleStack"],
    [{ clusterIP: "None", ipFamilyPolicy: "SingleStack" }, ["IPv4"], "SingleStack"],
  ] as const)("headless %j gets no address but families", (given, families, policy) => {
    const spec = only(allocate([service("a", given)], options));
    expect(spec).toMatchObject({
      clusterIP: "None",
      clusterIPs: ["None"],
      ipFamilies: families,
      ipFamilyPolicy: policy,
    });
  });

  test("ExternalName gets nothing", () => {
    const alias = service("mongo", { type: "ExternalName", externalName: "db.example.com" });
    expect(allocate([alias], options)).toMatchObject({ services: [alias], assignments: [], diagnostics: [] });
  });

  test("without a range it says so and leaves the Service alone", () => {
    const result = allocate([service("a")], { ...options, serviceCIDRs: [] });
    expect(result.diagnostics.map(({ code, severity }) => [code, severity])).toEqual([
      ["cluster-ip-missing", "warning"],
    ]);
    expect(only(result).clusterIP).toBeUndefined();
  });

  test("a full range is an error for those that come too late", () => {
    const result = allocate(
      Array.from({ length: 7 }, (_, i) => service(`s${i}`)),
      { ...options, serviceCIDRs: ["10.0.0.0/29"] },
    );
    expect(result.diagnostics.map(({ code }) => code)).toEqual(["cluster-ip-exhausted", "cluster-ip-exhausted"]);
  });

  test("a second range of the family is used when the first is full", () => {
    const result = allocate(
      Array.from({ length: 7 }, (_, i) => service(`s${i}`)),
      { ...options, serviceCIDRs: ["10.0.0.0/29", "10.1.0.0/29"] },
    );
    expect(result.diagnostics).toEqual([]);
    expect(new Set(result.services.map(({ spec }) => spec.clusterIP)).size).toBe(7);
  });
});

describe("node ports", () => {
  const range = (port: number | undefined) => port !== undefined && port >= 30086 && port <= 32767;

  test("a NodePort Service gets ports from the dynamic band", () => {
    const spec = only(allocate([service("a", { type: "NodePort" })], options));
    expect(range(spec.ports?.[0]?.nodePort)).toBe(true);
  });

  test("ports with one number share the node port, an explicit one wins wherever it stands", () => {
    const ports = [
      { name: "udp", protocol: "UDP", port: 53 },
      { name: "tcp", protocol: "TCP", port: 53, nodePort: 30053 },
      { name: "web", protocol: "TCP", port: 80 },
    ] as const;
    const spec = only(allocate([service("dns", { type: "NodePort", ports })], options));
    expect(spec.ports?.slice(0, 2).map(({ nodePort }) => nodePort)).toEqual([30053, 30053]);
    expect(range(spec.ports?.[2]?.nodePort)).toBe(true);
  });

  test("what two ports share is new for both", () => {
    const ports = [
      { name: "udp", protocol: "UDP", port: 53 },
      { name: "tcp", protocol: "TCP", port: 53 },
    ] as const;
    const { assignments } = allocate([service("dns", { type: "NodePort", ports })], options);
    expect(assignments.map(({ isNew }) => isNew)).toEqual([true, true, true]);
  });

  test("a load balancer may go without", () => {
    const spec = only(
      allocate([service("a", { type: "LoadBalancer", allocateLoadBalancerNodePorts: false })], options),
    );
    expect(spec.ports?.[0]?.nodePort).toBeUndefined();
  });

  test("a local load balancer gets a health-check port from the same pool", () => {
    const result = allocate([service("a", { type: "LoadBalancer", externalTrafficPolicy: "Local" })], options);
    const { healthCheckNodePort, ports } = only(result);
    expect(range(healthCheckNodePort)).toBe(true);
    expect(healthCheckNodePort).not.toBe(ports?.[0]?.nodePort);
  });

  test("two Services cannot have one node port, whatever the protocol", () => {
    const web = service("web", { type: "NodePort", ports: [{ protocol: "TCP", port: 80, nodePort: 30080 }] });
    const dns = service("dns", { type: "NodePort", ports: [{ protocol: "UDP", port: 53, nodePort: 30080 }] });
    const { diagnostics } = allocate([dns, web], options);
    expect(diagnostics.map(({ object, message }) => `${object} ${message}`)).toEqual([
      "Service default/web spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated to Service default/dns",
    ]);
  });

  test("an ExternalName Service has no node port, whatever it says", () => {
    const ports = [{ protocol: "TCP", port: 80, nodePort: 30080 }] as const;
    const alias = service("alias", { type: "ExternalName", externalName: "a.example.com", ports });
    const { diagnostics } = allocate([alias, service("web", { type: "NodePort", ports })], options);
    expect(diagnostics).toEqual([]);
  });

  test("a full range is an error", () => {
    const ports = Array.from({ length: 4 }, (_, i) => ({ name: `p${i}`, protocol: "TCP", port: 80 + i }) as const);
    const result = allocate([service("a", { type: "NodePort", ports })], {
      ...options,
      nodePortRange: { first: 30000, last: 30002 },
    });
    expect(result.diagnostics.map(({ code }) => code)).toEqual(["node-port-exhausted"]);
  });
});

describe("laws", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,5}$/);
  const cluster = fc.uniqueArray(name, { minLength: 1, maxLength: 60 });
  const build = (names: readonly string[]) =>
    names.map((text) => service(text, { type: "NodePort", ipFamilyPolicy: "PreferDualStack" }));

  test("addresses and ports are unique, whatever the names", () => {
    fc.assert(
      fc.property(cluster, (names) => {
        const { services, diagnostics } = allocate(build(names), dual);
        const values = services.flatMap(({ spec }) => [...(spec.clusterIPs ?? []), spec.ports?.[0]?.nodePort]);
        expect(diagnostics).toEqual([]);
        expect(new Set(values).size).toBe(names.length * 3);
      }),
    );
  });

  test("the order of the Services does not matter", () => {
    fc.assert(
      fc.property(cluster, (names) => {
        const forth = allocate(build(names), dual).allocations;
        const back = allocate(build([...names].reverse()), dual).allocations;
        expect([...back].sort()).toEqual([...forth].sort());
      }),
    );
  });

  test("adding or removing one changes no other", () => {
    fc.assert(
      fc.property(cluster, name, (names, extra) => {
        const before = allocate(build(names), dual);
        const changed = names.includes(extra) ? names.filter((text) => text !== extra) : [...names, extra];
        const after = allocate(build(changed), dual, before.allocations);
        for (const [key, allocation] of after.allocations) {
          if (key !== `default/${extra}`) expect(allocation).toEqual(before.allocations.get(key));
        }
      }),
    );
  });

  test("ten thousand Services are served in a moment", () => {
    const services = Array.from({ length: 10_000 }, (_, i) => service(`service-${i}`));
    // Well under a second on a quiet machine; the limit only has to tell linear from quadratic on a busy one.
    const started = performance.now();
    const result = allocate(services, { ...options, serviceCIDRs: ["10.96.0.0/12"] });
    expect(performance.now() - started).toBeLessThan(15_000);
    expect(new Set(result.services.map(({ spec }) => spec.clusterIP)).size).toBe(10_000);
  });
});
