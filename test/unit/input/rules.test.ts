import { describe, expect, test } from "vitest";
import { load } from "../../../src/input/load.ts";
import { type ValidateOptions, validate } from "../../../src/input/validate.ts";
import type { Diagnostic, ServiceManifest } from "../../../src/types.ts";
import { endpoints, type Fields, port, rules, service, slice } from "./ruleTable.ts";

function check(objects: readonly unknown[], options: ValidateOptions = {}) {
  // Through JSON, as a file would bring it: fields that are undefined are not there.
  const values = JSON.parse(JSON.stringify(objects)) as unknown[];
  return validate(
    values.map((value, document) => ({ source: { file: "-", document }, value })),
    options,
  );
}

const errors = (diagnostics: readonly Diagnostic[]) => diagnostics.filter(({ severity }) => severity === "error");

describe.each(rules)("rule $rule: $code at $path", ({ code, path, valid, invalid, options }) => {
  test("accepts what is right", () => {
    for (const object of valid) {
      const { diagnostics, manifests, foreign } = check([object], options);
      expect([object, errors(diagnostics)]).toEqual([object, []]);
      expect(manifests.length + foreign.size).toBe(1);
    }
  });

  test("refuses what is wrong", () => {
    for (const object of invalid) {
      const { diagnostics, manifests } = check([object], options);
      const places = errors(diagnostics).map((found) => `${found.code} ${found.source.path}`);
      expect([object, places]).toEqual([object, expect.arrayContaining([`${code} ${path}`])]);
      expect(manifests).toEqual([]);
    }
  });
});

describe("defaults come before the checks, so these rules cannot be broken", () => {
  const spec = (object: Fields, options?: ValidateOptions) => {
    const { manifests, diagnostics } = check([object], options);
    expect(errors(diagnostics)).toEqual([]);
    return (manifests[0] as ServiceManifest).spec;
  };
  test("rules 28, 44, 46, 59, 64: type, protocol, targetPort, affinity, internal policy", () => {
    expect(spec(service())).toMatchObject({
      type: "ClusterIP",
      sessionAffinity: "None",
      internalTrafficPolicy: "Cluster",
      ports: [{ port: 80, protocol: "TCP", targetPort: 80 }],
    });
    expect(spec(service())).toHaveProperty("externalTrafficPolicy", "");
  });
  test("rules 61, 63: affinity configuration", () => {
    const whole = { clientIP: { timeoutSeconds: 10800 } };
    for (const given of [undefined, null, {}, { clientIP: {} }, { clientIP: { timeoutSeconds: null } }]) {
      expect(
        spec(service({ sessionAffinity: "ClientIP", sessionAffinityConfig: given })).sessionAffinityConfig,
      ).toEqual(whole);
    }
    expect(spec(service({ sessionAffinityConfig: whole }))).not.toHaveProperty("sessionAffinityConfig");
  });
  test("rules 67, 104: what goes with the type", () => {
    expect(spec(service({ type: "NodePort" })).externalTrafficPolicy).toBe("Cluster");
    expect(spec(service({ externalIPs: ["203.0.113.5"] })).externalTrafficPolicy).toBe("Cluster");
    expect(spec(service({ type: "LoadBalancer" })).allocateLoadBalancerNodePorts).toBe(true);
    const alias = spec(service({ type: "ExternalName", externalName: "a.b", ports: [] }));
    expect(alias).not.toHaveProperty("internalTrafficPolicy");
  });
  test("rule 70: the allocator fills the health-check port", () => {
    expect(spec(service({ type: "LoadBalancer", externalTrafficPolicy: "Local" })).healthCheckNodePort).toBe(0);
  });
  test("rule 76: clusterIP alone fills clusterIPs", () => {
    expect(spec(service({ clusterIP: "10.0.0.10" })).clusterIPs).toEqual(["10.0.0.10"]);
    expect(spec(service({ clusterIP: "None" })).clusterIPs).toEqual(["None"]);
  });
  test("rule 109: an address without mode is a VIP", () => {
    const { manifests } = check([
      service({ type: "LoadBalancer" }, {}, { loadBalancer: { ingress: [{ ip: "1.2.3.4" }] } }),
    ]);
    expect((manifests[0] as ServiceManifest).status?.loadBalancer?.ingress).toEqual([{ ip: "1.2.3.4", ipMode: "VIP" }]);
  });
  test("the namespace is the one asked for", () => {
    expect(check([service()], { defaultNamespace: "shop" }).manifests[0]?.metadata.namespace).toBe("shop");
  });
});

describe("rules about several objects", () => {
  const web = service({ clusterIP: "10.96.0.10", ports: [{ port: 80, name: "http" }] });
  const other = (spec: Fields, metadata: Fields = {}) => service(spec, { name: "other", ...metadata });
  const webSlice = slice({ ports: [{ name: "http", port: 8080 }] });
  const webEndpoints = endpoints({ ports: [{ name: "http", port: 8080 }] });
  const pod = (labels: Fields, spec: Fields = {}) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web-0", labels },
    spec: { containers: [{ name: "web", ports: [{ name: "http", containerPort: 8080 }] }], ...spec },
    status: { podIPs: [{ ip: "10.0.0.7" }] },
  });
  const nodePort = (number: number, protocol = "TCP", name = "web") =>
    service({ type: "NodePort", ports: [{ port: 53, protocol, nodePort: number }] }, { name });
  const local = (number: number) =>
    other({ type: "LoadBalancer", externalTrafficPolicy: "Local", healthCheckNodePort: number, ports: [port] });
  const codes = (objects: readonly unknown[], options?: ValidateOptions) =>
    [...new Set(check(objects, options).diagnostics.map(({ code }) => code))].filter(
      (code) => code !== "external-ips-deprecated",
    );

  test.each([
    [163, [web, web], "object-duplicate", "error"],
    [164, [web, other({ clusterIP: "10.96.0.10" }, { namespace: "b" })], "cluster-ip-duplicate", "error"],
    [165, [nodePort(30053), nodePort(30053, "UDP", "b")], "node-port-taken-twice", "error"],
    [55, [nodePort(30053), local(30053)], "node-port-taken-twice", "error"],
    [166, [service({ externalIPs: ["1.2.3.4"] }), other({ externalIPs: ["1.2.3.4"] })], "address-shared", "warning"],
    [
      167,
      [
        service({ type: "LoadBalancer", loadBalancerIP: "1.2.3.4" }),
        other({ type: "LoadBalancer", loadBalancerIP: "1.2.3.4" }),
      ],
      "address-shared",
      "warning",
    ],
    [166, [service({ clusterIP: "10.96.0.10" }), other({ externalIPs: ["10.96.0.10"] })], "address-shared", "warning"],
    [168, [service({ selector: { app: "wep" } }), pod({ app: "web" })], "selector-selects-nothing", "warning"],
    [
      169,
      [
        service({ selector: { app: "web" }, ports: [{ port: 80, targetPort: "http", protocol: "UDP" }] }),
        pod({ app: "web" }),
      ],
      "target-port-unresolved",
      "warning",
    ],
    [171, [other({}), webEndpoints], "endpoints-without-service", "warning"],
    [
      172,
      [service({ selector: { app: "web" }, ports: [{ port: 80, name: "http" }] }), webEndpoints],
      "endpoints-of-selector",
      "warning",
    ],
    [
      173,
      [service({ type: "ExternalName", externalName: "a.b", ports: [] }), webSlice],
      "endpoints-of-external-name",
      "warning",
    ],
    [174, [other({}), webSlice], "slice-without-service", "warning"],
    [
      175,
      [
        web,
        slice(
          { ports: [{ name: "http", port: 80 }] },
          {
            labels: {
              "kubernetes.io/service-name": "web",
              "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
            },
          },
        ),
      ],
      "slice-managed-by-controller",
      "warning",
    ],
    [176, [web, webEndpoints, webSlice], "endpoints-doubled", "warning"],
    [177, [web, slice({ ports: [{ name: "web", port: 8080 }] })], "port-name-mismatch", "warning"],
    [177, [web, slice({ ports: [{ name: "http", protocol: "UDP", port: 8080 }] })], "port-name-mismatch", "warning"],
    [
      178,
      [
        web,
        slice({ addressType: "IPv6", endpoints: [{ addresses: ["fd00::1"] }], ports: [{ name: "http", port: 80 }] }),
      ],
      "family-mismatch",
      "warning",
    ],
    [
      178,
      [web, endpoints({ addresses: [{ ip: "fd00::1" }], ports: [{ name: "http", port: 80 }] })],
      "family-mismatch",
      "warning",
    ],
    [179, [web, slice({ ports: [{ name: "http" }] })], "slice-port-missing", "warning"],
    [
      180,
      [service(), pod({ app: "web" }, { hostname: "a", subdomain: "db" })],
      "pod-subdomain-without-service",
      "warning",
    ],
    [
      182,
      [service(), other({ type: "ExternalName", externalName: "gone.default.svc.cluster.local", ports: [] })],
      "external-name-target",
      "warning",
    ],
    [
      183,
      [
        service({ clusterIP: "None" }),
        slice({}, { labels: { "kubernetes.io/service-name": "b" } }),
        other({}, { name: "b" }),
      ],
      "headless-without-endpoints",
      "warning",
    ],
    [
      184,
      [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "a" } }, service({}, { namespace: "b" })],
      "namespace-missing",
      "warning",
    ],
    [161, [slice({}, { labels: {} })], "slice-without-label", "warning"],
  ] as const)("rule %d", (_rule, objects, code, severity) => {
    const { diagnostics, manifests } = check(objects);
    expect(diagnostics.find((found) => found.code === code)?.severity).toBe(severity);
    expect(errors(diagnostics).length > 0).toBe(severity === "error");
    const ours = objects.filter((object) => (object as Fields).kind !== "Namespace").length;
    expect(manifests.length).toBe(severity === "error" ? ours - 1 : ours);
  });

  test("each generateName is a name of its own", () => {
    const generated = (namespace: string) => service({}, { name: undefined, generateName: "web-", namespace });
    const { manifests } = check([generated("a"), generated("a"), generated("b")]);
    expect(manifests.map(({ metadata }) => metadata.name)).toEqual(["web-xxxxx", "web-xxxx1", "web-xxxxx"]);
  });

  test("what fits is left in peace", () => {
    expect(codes([web, webSlice])).toEqual([]);
    expect(codes([web, webEndpoints])).toEqual([]);
    expect(
      codes([service({ selector: { app: "web" }, ports: [{ port: 80, targetPort: "http" }] }), pod({ app: "web" })]),
    ).toEqual([]);
    expect(codes([nodePort(30053), nodePort(30054, "UDP", "b"), local(30055)])).toEqual([]);
    expect(
      codes([service({ externalIPs: ["1.2.3.4"] }), other({ externalIPs: ["1.2.3.4"], ports: [{ port: 81 }] })]),
    ).toEqual([]);
    expect(
      codes([
        web,
        webEndpoints,
        slice(
          { ports: [{ name: "http", port: 8080 }] },
          {
            uid: "1",
            labels: {
              "kubernetes.io/service-name": "web",
              "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
            },
          },
        ),
      ]),
    ).toEqual([]);
  });

  test("rules 170, 181: any number may be a targetPort; a host name may be used twice", () => {
    expect(
      codes([service({ selector: { app: "web" }, ports: [{ port: 80, targetPort: 9 }] }), pod({ app: "web" })]),
    ).toEqual([]);
    const headless = service({ clusterIP: "None", ports: [{ port: 80, name: "http" }] });
    expect(
      codes([
        headless,
        slice({
          endpoints: [
            { addresses: ["10.1.2.3"], hostname: "a" },
            { addresses: ["10.1.2.4"], hostname: "a" },
          ],
          ports: [{ name: "http", port: 80 }],
        }),
      ]),
    ).toEqual([]);
  });

  test("rules 72, 93: the address of default/kubernetes is taken", () => {
    const options = { serviceCIDRs: ["10.96.0.0/12"] };
    expect(codes([service({ clusterIP: "10.96.0.1" })], options)).toEqual(["cluster-ip-duplicate"]);
    expect(codes([service({ clusterIP: "10.96.0.1" }, { name: "kubernetes" })], options)).toEqual([]);
    const long = { serviceCIDRs: ["2001:db8:1:2:3:4:5:0/112"] };
    expect(codes([service({ clusterIP: "2001:db8:1:2:3:4:5:1" })], long)).toEqual(["cluster-ip-duplicate"]);
  });

  test("rule 185: an Ingress and a long port name", () => {
    const ingress = (name: string) => ({
      apiVersion: "networking.k8s.io/v1",
      kind: "Ingress",
      metadata: { name: "edge" },
      spec: { rules: [{ http: { paths: [{ backend: { service: { name: "web", port: { name } } } }] } }] },
    });
    expect(
      codes([service({ ports: [{ port: 80, name: "a-rather-long-name" }] }), ingress("a-rather-long-name")]),
    ).toEqual(["ingress-port-name"]);
    expect(codes([web, ingress("http")])).toEqual([]);
  });

  test("external IPs inside the cluster, and outside what is allowed", () => {
    const take = (ip: string, options: ValidateOptions) => codes([service({ externalIPs: [ip] })], options);
    expect(take("10.96.7.7", { serviceCIDRs: ["10.96.0.0/12"] })).toEqual(["external-ip-inside-cluster"]);
    expect(take("10.96.7.7", { serviceCIDRs: ["10.96.0.0/12"], allowedExternalIPs: ["10.96.7.0/24"] })).toEqual([]);
    expect(take("198.51.100.1", { allowedExternalIPs: ["203.0.113.0/24"] })).toEqual(["external-ip-not-allowed"]);
    expect(take("203.0.113.1", { allowedExternalIPs: ["203.0.113.0/24"] })).toEqual([]);
    expect(take("203.0.113.1", { allowedExternalIPs: [] })).toEqual(["external-ip-not-allowed"]);
  });

  test("policy Local is judged for a node when one is named", () => {
    const objects = [
      service({ internalTrafficPolicy: "Local", clusterIP: "10.96.0.10", ports: [{ port: 80, name: "http" }] }),
      slice({ endpoints: [{ addresses: ["10.1.2.3"], nodeName: "a" }], ports: [{ name: "http", port: 80 }] }),
    ];
    expect(codes(objects)).toEqual([]);
    expect(codes(objects, { nodeName: "a" })).toEqual([]);
    expect(codes(objects, { nodeName: "b" })).toEqual(["local-without-endpoint"]);
  });

  test("those that had errors are named with the Service they serve", () => {
    const { rejected } = check([
      service({ type: "x" }),
      slice({ addressType: "x" }),
      endpoints({ addresses: [] }, { namespace: "b" }),
    ]);
    expect(rejected).toEqual([
      { kind: "Service", key: "default/web", service: "default/web" },
      { kind: "EndpointSlice", key: "default/web-1", service: "default/web" },
      { kind: "Endpoints", key: "b/web", service: "b/web" },
    ]);
  });
});

describe("the matrix of families", () => {
  const kinds = {
    normal: {},
    "headless+selector": { clusterIP: "None", selector: { app: "a" } },
    headless: { clusterIP: "None" },
  } as const;
  const bare = (kind: string) => kind === "headless";
  const families = [undefined, ["IPv4"], ["IPv6"], ["IPv4", "IPv6"], ["IPv6", "IPv4"]] as const;
  const policies = [undefined, "SingleStack", "PreferDualStack", "RequireDualStack"] as const;
  const clusters = [["ipv4"], ["ipv6"], ["ipv4", "ipv6"]] as const;

  /** Whether the server accepts it, in the words of the table rather than of the algorithm. */
  function accepted(
    kind: string,
    cluster: readonly string[],
    policy: string | undefined,
    wanted: readonly string[] | undefined,
  ): boolean {
    const single = policy === "SingleStack" || (policy === undefined && !bare(kind));
    if (single && wanted?.length === 2) return false;
    if (bare(kind)) return true;
    if (policy === "RequireDualStack" && cluster.length === 1) return false;
    return (wanted ?? []).every((family) => cluster.includes(family.toLowerCase()));
  }

  const cases = Object.keys(kinds).flatMap((kind) =>
    clusters.flatMap((cluster) =>
      policies.flatMap((policy) => families.map((wanted) => [kind, cluster, policy, wanted] as const)),
    ),
  );
  test.each(cases)("%s on %j, policy %s, families %j", (kind, cluster, policy, wanted) => {
    const object = service({ ...kinds[kind as keyof typeof kinds], ipFamilyPolicy: policy, ipFamilies: wanted });
    const { diagnostics } = check([object], { families: cluster });
    expect(errors(diagnostics).length === 0).toBe(accepted(kind, cluster, policy, wanted));
  });
});

describe("completeness", () => {
  /** Rules that need no table row: they need the previous object, are warnings, or hold by defaulting (tested above). */
  const update = [111, 112, 113, 114, 115, 116, 117, 118, 119, 133, 136, 162];
  const silent = [27, 38, 39, 97, 98, 143, 147, 149, 159, 161];
  const byDefault = [28, 44, 59, 61, 63, 64, 67, 70, 76, 104];
  const together = [55, 93, ...Array.from({ length: 23 }, (_, i) => 163 + i)];
  /** 3: in the text, see hostile. 16: a request's namespace, which a file does not have. 94: the allocator's. */
  const elsewhere = [3, 16, 94];

  test("every rule has its row", () => {
    const known = new Set([
      ...rules.map(({ rule }) => rule),
      ...update,
      ...silent,
      ...byDefault,
      ...together,
      ...elsewhere,
    ]);
    const missing = Array.from({ length: 185 }, (_, i) => i + 1).filter((rule) => !known.has(rule));
    expect(missing).toEqual([]);
  });
});

describe("text", () => {
  test("a List in YAML, and one in JSON, give the same objects", async () => {
    const yaml =
      "apiVersion: v1\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}\nkind: List\n";
    const json = JSON.stringify({
      apiVersion: "v1",
      kind: "ServiceList",
      items: [{ metadata: { name: "a" }, spec: { ports: [{ port: 80 }] } }],
    });
    const read = async (text: string) => validate((await load(["-"], { stdin: async () => text })).documents).manifests;
    expect(await read(yaml)).toEqual(await read(json));
    expect(await read(yaml)).toHaveLength(1);
  });
});
