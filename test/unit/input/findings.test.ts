import { existsSync, readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { findings } from "../../../src/input/checks/index.ts";
import { validate } from "../../../src/input/validate.ts";
import { diagnose, files, NOT_TEXT } from "../../support/diagnosticsDocs.ts";
import { type Fields, service, slice } from "./ruleTable.ts";

/** Codes that an example cannot do without: the second follows from the first. */
const COMPANIONS: Readonly<Record<string, readonly string[]>> = {
  "generate-name-invalid": ["name-generated", "name-invalid"],
  "port-invalid": ["target-port-invalid"],
  "topology-mode-conflict": ["topology-annotation-deprecated"],
  "external-ip-invalid": ["external-ips-deprecated"],
  "external-ip-inside-cluster": ["external-ips-deprecated"],
  "external-ip-not-allowed": ["external-ips-deprecated"],
  "ingress-misplaced": ["ingress-mode-invalid"],
  "node-zone-invalid": ["label-value-invalid"],
  "slice-too-large": ["slice-address-unused"],
};

describe("every code", () => {
  test("is unique, kebab-case and explained", () => {
    expect(new Set(findings.map(({ code }) => code)).size).toBe(findings.length);
    for (const { code, title, paragraph, bad, good } of findings) {
      expect(code).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)+$/);
      expect(title).toMatch(/^\S.*[^.]$/);
      expect(paragraph.length).toBeGreaterThan(30);
      expect(paragraph).toMatch(/[.)]$/);
      expect([bad, good].every((text) => text.length > 0)).toBe(true);
    }
  });

  test.each(findings.filter(({ code }) => !NOT_TEXT.has(code)))(
    "$code is found in its wrong example",
    async (finding) => {
      const found = await diagnose(finding, finding.bad);
      const expected = [finding.code, ...(COMPANIONS[finding.code] ?? [])];
      expect(found.map(({ code }) => code)).toContain(finding.code);
      expect(found.filter(({ code }) => !expected.includes(code))).toEqual([]);
      const own = found.find(({ code }) => code === finding.code);
      expect(own?.severity).toBe(finding.severity);
      expect(own?.hint).toBeTruthy();
      expect(own?.source.line).toBeGreaterThan(0);
      expect(own?.source.column).toBeGreaterThan(0);
    },
  );

  test.each(findings.filter(({ code }) => !NOT_TEXT.has(code)))(
    "$code is not found in its right example",
    async (finding) => {
      const found = await diagnose(finding, finding.good);
      expect(found.filter(({ code }) => !(COMPANIONS[finding.code] ?? []).includes(code))).toEqual([]);
    },
  );

  test("that the tool reports is in the list", () => {
    const known = new Set(findings.map(({ code }) => code));
    const folders = ["src/input", "src/input/load", "src/input/checks", "src/resolve"];
    const sources = folders.flatMap((folder) => readdirSync(folder).map((name) => `${folder}/${name}`));
    const used = sources
      .filter((path) => path.endsWith(".ts"))
      .flatMap((path) => [
        ...readFileSync(path, "utf8").matchAll(
          /(?:textError|unclear|fail)\(\s*"([a-z]+-[a-z-]+)"|code: "([a-z]+-[a-z-]+)"/g,
        ),
      ])
      .map(([, call, field]) => call ?? field ?? "");
    expect(used.length).toBeGreaterThan(100);
    expect(used.filter((code) => !known.has(code))).toEqual([]);
  });
});

describe("the document and the fixtures", () => {
  test("are what the checks say (node scripts/diagnostics.mjs writes them)", async () => {
    for (const [path, text] of await files()) expect([path, readFileSync(path, "utf8")]).toEqual([path, text]);
  });

  test("cover every code, and no other", () => {
    const long = findings.filter(({ bad }) => bad.length > 10_000).map(({ code }) => code);
    const expected = findings.map(({ code }) => code).filter((code) => !NOT_TEXT.has(code) && !long.includes(code));
    expect(readdirSync("fixtures/validation").sort()).toEqual([...expected].sort());
    const hostile = readFileSync("test/unit/input/hostile.test.ts", "utf8");
    for (const code of NOT_TEXT)
      expect(hostile.includes(code) || existsSync(`fixtures/hostile/${code}`) || code === "input-unreadable").toBe(
        true,
      );
  });
});

const source = { file: "-", document: 0 };

test("an empty protocol of a slice is given, and does not exist", () => {
  const { diagnostics } = validate([{ source, value: slice({ ports: [{ port: 80, protocol: "" }] }) }]);
  expect(diagnostics.map(({ message }) => message)).toEqual([
    'ports[0].protocol: Unsupported value: "": supported values: "TCP", "UDP", "SCTP"',
  ]);
});

test.each([
  [["10.0.0.7", "10.0.0.8", "10.0.0.9"], "endpoints[0].addresses[1]"],
  [["10.0.0.7", "10.0.0.7", "10.0.0.9"], "endpoints[0].addresses[2]"],
  [["10.0.0.7", "10.0.0.7"], undefined],
  [["10.0.0.7"], undefined],
])("of %j the first takes traffic, and the next other one is named", (addresses, path) => {
  const { diagnostics } = validate([{ source, value: slice({ endpoints: [{ addresses }] }) }]);
  const unused = diagnostics.filter(({ code }) => code === "slice-address-unused");
  expect(unused.map((finding) => finding.source.path)).toEqual(path === undefined ? [] : [path]);
});

test("a family that does not exist is not compared with the address", () => {
  const { diagnostics } = validate([{ source, value: service({ clusterIP: "10.0.0.7", ipFamilies: ["ipv4"] }) }]);
  expect(diagnostics.map(({ code }) => code)).toEqual(["ip-family-unsupported"]);
});

test("a Node may have an address that is no IP address, and is used without it", () => {
  const value = {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "worker-7" },
    status: { addresses: [{ type: "ExternalIP", address: "edge.example.com" }] },
  };
  const { diagnostics, manifests } = validate([{ source, value }]);
  expect(diagnostics.map(({ code, severity }) => [code, severity])).toEqual([["node-address-invalid", "warning"]]);
  expect(manifests).toHaveLength(1);
});

describe("Pod ranges of a Node", () => {
  const withRanges = (spec: Fields) =>
    validate([{ source, value: { apiVersion: "v1", kind: "Node", metadata: { name: "worker-7" }, spec } }]);

  test.each([
    [["10.1.0.0/24", "10.2.0.0/24"]],
    [["10.1.0.0/24", "10.1.0.0/24"]],
    [["10.1.0.0/24", "fd00:1::/64", "fd00:2::/64"]],
  ])("%j: more than one of a family is refused", (podCIDRs) => {
    const found = withRanges({ podCIDR: podCIDRs[0], podCIDRs }).diagnostics;
    expect(found.map(({ code, source: { path } }) => [code, path])).toEqual([
      ["node-pod-cidr-invalid", "spec.podCIDRs"],
    ]);
  });

  test.each([
    [{ podCIDRs: ["10.1.0.0/24", "fd00:1::/64"] }, ["10.1.0.0/24", "fd00:1::/64"]],
    [{ podCIDR: "10.1.0.0/24" }, ["10.1.0.0/24"]],
    [{ podCIDR: "10.3.0.0/24", podCIDRs: ["10.1.0.0/24", "fd00:1::/64"] }, ["10.3.0.0/24"]],
  ])("%j", (spec, podCIDRs) => {
    const { diagnostics, manifests } = withRanges(spec);
    expect([diagnostics, manifests]).toMatchObject([[], [{ spec: { podCIDRs } }]]);
  });
});

test("an address that the cluster does not serve is named beside a policy that forbids a second one", () => {
  const value = service({ clusterIP: "10.0.0.7", clusterIPs: ["10.0.0.7", "fd00::7"] });
  const { diagnostics } = validate([{ source, value }], { families: ["ipv4"] });
  expect(diagnostics.map(({ code, source: { path } }) => [code, path])).toEqual([
    ["single-stack-two-families", "spec.ipFamilyPolicy"],
    ["family-not-served", "spec.clusterIPs[1]"],
  ]);
});

describe("source ranges of one family", () => {
  const warned = (loadBalancerSourceRanges: readonly string[], ips: readonly string[]) => {
    const status = { loadBalancer: { ingress: ips.map((ip) => ({ ip })) } };
    const value = { ...service({ type: "LoadBalancer", loadBalancerSourceRanges }), status };
    const { diagnostics } = validate([{ source, value }], { kubeVersion: "1.35" });
    return diagnostics.filter(({ code }) => code === "source-ranges-admit-all").map(({ message }) => message);
  };

  test("leave addresses of the other open", () => {
    expect(warned(["192.0.2.0/24"], ["198.51.100.7", "2001:db8::7"])).toEqual([
      'status.loadBalancer.ingress[1].ip: no source range is IPv6, so "2001:db8::7" admits every source',
    ]);
  });

  test("hold for an IPv4 address in the clothes of an IPv6 one, which older API servers take", () => {
    expect(warned(["192.0.2.0/24"], ["::ffff:198.51.100.7"])).toEqual([]);
    expect(warned(["2001:db8::/32"], ["::ffff:198.51.100.7"])).toEqual([
      'status.loadBalancer.ingress[0].ip: no source range is IPv4, so "::ffff:198.51.100.7" admits every source',
    ]);
  });
});
