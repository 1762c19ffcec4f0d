import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { yamlText } from "../../../src/input/load/write.ts";
import { load } from "../../../src/input/load.ts";
import { type ValidateOptions, validate } from "../../../src/input/validate.ts";
import { allocate } from "../../../src/resolve/allocate.ts";
import type { Manifest, ServiceManifest } from "../../../src/types.ts";
import { completeCase } from "../../support/decideCase.ts";
import { packetCases } from "../../support/packetCases.ts";

const root = "fixtures/users";
const folders = readdirSync(root).sort();
const nodePortRange = { first: 30000, last: 32767 };
const serviceCIDRs = ["10.96.0.0/12", "fd00:10:96::/112"];
const strict: ValidateOptions = { serviceCIDRs, nodePortRange };

/** The Services of a fixture as somebody without an API server would write them: nothing that it fills in. */
function bare({ kind, metadata, spec }: ServiceManifest): unknown {
  const {
    clusterIP,
    clusterIPs: _,
    ipFamilies: __,
    ipFamilyPolicy: ___,
    healthCheckNodePort: ____,
    ports = [],
    ...rest
  } = spec;
  const plainPorts = ports.map(({ nodePort: _nodePort, ...port }) => port);
  const headless = clusterIP === "None" ? { clusterIP } : {};
  return {
    apiVersion: "v1",
    kind,
    metadata,
    spec: { ...rest, ...headless, ports: plainPorts, externalTrafficPolicy: rest.externalTrafficPolicy || undefined },
  };
}

const isService = (manifest: Manifest): manifest is ServiceManifest => manifest.kind === "Service";

async function servicesOf(text: string): Promise<readonly ServiceManifest[]> {
  const loaded = await load(["-"], { stdin: async () => text });
  const { manifests, diagnostics } = validate(loaded.documents, strict);
  expect([...loaded.diagnostics, ...diagnostics].filter(({ severity }) => severity === "error")).toEqual([]);
  return manifests.filter(isService);
}

describe("manifests without what the API server fills in", () => {
  test.each(folders)("%s completes itself, and what it completes to is valid and lasts", async (name) => {
    const loaded = await load([`${root}/${name}/input.yaml`]);
    const wanted = validate(loaded.documents).manifests.filter(isService).map(bare);
    const services = await servicesOf(yamlText(wanted));
    expect(services).toHaveLength(wanted.length);

    const first = allocate(services, { serviceCIDRs, nodePortRange });
    expect(first.diagnostics).toEqual([]);
    for (const { spec } of first.services) {
      if (spec.type === "ExternalName") continue;
      expect(spec.clusterIP).toMatch(/^(?:10\.|fd00:|None$)/);
      expect(spec.ipFamilies?.length).toBeGreaterThan(0);
      if (spec.type === "NodePort")
        expect((spec.ports ?? []).every(({ nodePort = 0 }) => nodePort >= 30000)).toBe(true);
    }

    const written = await servicesOf(
      yamlText(first.services.map(({ kind, metadata, spec }) => ({ apiVersion: "v1", kind, metadata, spec }))),
    );
    const again = allocate(written, { serviceCIDRs, nodePortRange });
    expect(again.assignments).toEqual([]);
    expect(again.allocations).toEqual(first.allocations);
    expect(allocate(services, { serviceCIDRs, nodePortRange }, first.allocations).services).toEqual(first.services);
  });
});

test.each([
  ["ipv4", "IPv4"],
  ["ipv6", "IPv6"],
  ["dual", "IPv4,IPv6"],
] as const)("--ip-family %s decides what is given out", async (choice, families) => {
  const text = JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { ipFamilyPolicy: "PreferDualStack", ports: [{ port: 80 }] },
  });
  const flags = { "ip-family": choice };
  const { manifests } = await completeCase({ name: "", family: "ipv4", input: text, flags, table: "" }, "iptables");
  expect(manifests.filter(isService).map(({ spec }) => spec.ipFamilies?.join())).toEqual([families]);
});

/** The fixtures that are as people write them, and what they leave open. */
const LEFT_OPEN: Readonly<Record<string, readonly string[]>> = {
  "01-fixed-cluster-ip-with-pods": [],
  "02-allocated-cluster-ip-with-pods": ["default/kubia spec.clusterIPs[0]"],
  "03-two-ports-with-pods": ["default/kubia spec.clusterIPs[0]"],
  "04-one-port-with-pods": ["default/my-service spec.clusterIPs[0]"],
  "04-port-names-with-pods": ["default/my-other-service spec.clusterIPs[0]", "default/my-service spec.clusterIPs[0]"],
  "05-named-target-port-with-pods": ["default/web spec.clusterIPs[0]"],
  "06-node-port-left-out-with-pods": [
    "default/my-service spec.clusterIPs[0]",
    "default/my-service spec.ports[0].nodePort",
  ],
  "06-node-port-with-pods": ["default/my-service spec.clusterIPs[0]"],
  "07-external-ip-with-pods": ["default/example spec.clusterIPs[0]"],
  "08-load-balancer-ready-with-pods": ["default/shop spec.clusterIPs[0]", "default/shop spec.ports[0].nodePort"],
  "08-load-balancer-with-pods": ["default/shop spec.clusterIPs[0]", "default/shop spec.ports[0].nodePort"],
  "09-external-name-as-written": [],
  "10-endpoints-by-hand-as-written": ["default/svc-ep spec.clusterIPs[0]"],
  "11-headless-with-pods": [],
  "12-session-affinity-with-pods": ["default/kubia-sticky spec.clusterIPs[0]"],
  "13-environment-variables-with-pods": [],
  "14-dns-names-with-pods": ["my-ns/my-service spec.clusterIPs[0]"],
};

const MANIFESTS = 14;
/** What only an API server or its controllers write. */
const FROM_A_CLUSTER = /^\s*(?:clusterIPs|ipFamil\w+|internalTrafficPolicy|uid|resourceVersion|kind: EndpointSlice)\b/m;

describe("manifests as people write them", () => {
  const written = folders.filter((name) => /-(?:with-pods|as-written)$/.test(name));

  test("there is one of each, and it is known what it leaves open", () => {
    expect(written).toEqual(Object.keys(LEFT_OPEN));
    const numbers = Array.from({ length: MANIFESTS }, (_, i) => String(i + 1).padStart(2, "0"));
    expect([...new Set(folders.map((name) => name.slice(0, 2)))]).toEqual(numbers);
    expect([...new Set(written.map((name) => name.slice(0, 2)))]).toEqual(numbers);
  });

  const cases = (["ipv4", "ipv6"] as const).flatMap((family) =>
    packetCases(family)
      .map((packetCase) => ({ ...packetCase, folder: packetCase.name.replace("users/", "") }))
      .filter(({ folder }) => written.includes(folder)),
  );

  test("all of them run in both families", () => {
    expect(cases).toHaveLength(2 * written.length);
  });

  test.each(cases)("$folder is given what it leaves open, over $family", async (packetCase) => {
    expect(packetCase.input).not.toMatch(FROM_A_CLUSTER);
    const { manifests, assignments, flows } = await completeCase(packetCase, "iptables");
    expect(flows).not.toEqual([]);
    expect(assignments.map(({ service, path }) => `${service} ${path}`)).toEqual(LEFT_OPEN[packetCase.folder]);
    const selecting = manifests.filter(isService).filter(({ spec }) => spec.selector !== undefined);
    const fromPods = manifests.filter(({ kind }) => kind === "EndpointSlice");
    expect(
      [...new Set(fromPods.map(({ metadata }) => metadata.labels?.["kubernetes.io/service-name"]))].sort(),
    ).toEqual(selecting.map(({ metadata }) => metadata.name).sort());
  });
});
