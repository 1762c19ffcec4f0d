import { createHash } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { isRecorded } from "../../../src/apply/accepted.ts";
import { noteAccepted, sift } from "../../../src/pipeline/skip.ts";
import { noteAllocations } from "../../../src/pipeline/standalone.ts";
import { type Input, readInput } from "../../../src/pipeline.ts";
import { type Settings, settingsOf } from "../../../src/settings/settings.ts";

let settings: Settings;
beforeEach(async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "svctables-skip-"));
  settings = settingsOf([{ key: "stateDir", value: stateDir, where: "" }]);
});
afterEach(() => rm(settings.stateDir, { recursive: true }));

const service = (name: string, ip: string, namespace = "default") =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: {clusterIP: ${ip}, ports: [{port: 80}]}\n---\n`;
const slice = (name: string, endpoint: string, label = `labels: {kubernetes.io/service-name: ${name}}`) =>
  `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: ${name}-1, ${label}}\naddressType: IPv4\nports: [{port: 80}]\nendpoints: [{addresses: [${endpoint}]}]\n---\n`;

const GOOD =
  service("web", "10.96.0.1") + slice("web", "10.244.0.1") + service("db", "10.96.0.2") + slice("db", "10.244.0.2");

function read(text: string): Promise<Input> {
  return readInput(["-"], async () => Buffer.from(text), settings);
}

async function siftText(text: string) {
  const input = await read(text);
  const errors = input.diagnostics.filter(({ severity }) => severity === "error");
  const sifted = await sift(input, errors, settings);
  if (sifted === undefined) return undefined;
  const { skipped, recorded } = sifted;
  return { kept: sifted.input.manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`), skipped, recorded };
}

const hashOf = (text: string) => createHash("sha256").update(text).digest("hex");
const accepted = async (text: string) => ({ manifests: (await read(text)).manifests, hash: hashOf(text) });
const record = async (text: string) => noteAccepted(await accepted(text), settings, { maySkip: true, changed: true });

describe("sift", () => {
  it("keeps everything of an input without errors", async () => {
    expect(await siftText(GOOD)).toEqual({
      kept: ["Service web", "EndpointSlice web-1", "Service db", "EndpointSlice db-1"],
      skipped: [],
      recorded: true,
    });
  });

  it.each([
    ["a Service", GOOD.replace("10.96.0.1,", "10.96.0.999,")],
    ["its slice", GOOD.replace("10.244.0.1]", "10.244.0.999]")],
    ["both", GOOD.replace("10.96.0.1,", "10.96.0.999,").replace("10.244.0.1]", "10.244.0.999]")],
    [
      "its Endpoints",
      `${GOOD}apiVersion: v1\nkind: Endpoints\nmetadata: {name: web}\nsubsets: [{addresses: [{ip: x}]}]\n`,
    ],
  ])("an error in %s sets aside the Service with all that belongs to it", async (_, text) => {
    expect(await siftText(text)).toEqual({
      kept: ["Service db", "EndpointSlice db-1"],
      skipped: ["default/web"],
      recorded: false,
    });
  });

  it("puts in what was accepted before, and only that of the Services that are set aside", async () => {
    await record(GOOD + service("gone", "10.96.0.3"));
    const now = GOOD.replace("10.96.0.1,", "10.96.0.999,") + service("new", "10.96.0.4");
    expect(await siftText(now)).toEqual({
      kept: ["Service db", "EndpointSlice db-1", "Service new", "Service web", "EndpointSlice web-1"],
      skipped: ["default/web"],
      recorded: true,
    });
  });

  it("tells Services of one name in two namespaces apart", async () => {
    const text = GOOD + service("web", "10.96.0.999", "other");
    expect((await siftText(text))?.skipped).toEqual(["other/web"]);
    expect((await siftText(text))?.kept).toContain("Service web");
  });

  it.each([
    ["a text that cannot be read", `${GOOD}kind: [`],
    ["an object of no kind", `${GOOD}metadata: {name: web}`],
    ["a Node", `${GOOD}apiVersion: v1\nkind: Node\nmetadata: {name: "-"}\n`],
    ["a slice of no Service", GOOD + slice("x", "10.244.0.999", "labels: {}")],
  ])("cannot set aside %s", async (_, text) => {
    expect(await siftText(text)).toBeUndefined();
  });
});

describe("a Service that claims what one has that is left as it was", () => {
  /** A Service of one port, 80. */
  const of = (name: string, spec: string) =>
    `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {${spec}, ports: [{port: 80}]}\n---\n`;
  const at = (name: string, ip: string, more = "") => of(name, `clusterIP: ${ip}${more}`);
  const balanced = (name: string, ip: string, vip: string) =>
    `${at(name, ip, ", type: LoadBalancer").slice(0, -4)}status: {loadBalancer: {ingress: [{ip: ${vip}}]}}\n---\n`;
  const onNode = (name: string, ip: string, port: number) =>
    at(name, ip, ", type: NodePort").replace("port: 80", `port: 80, nodePort: ${port}`);
  const checked = (name: string, ip: string, port: number) =>
    at(name, ip, `, type: LoadBalancer, externalTrafficPolicy: Local, healthCheckNodePort: ${port}`);
  const BAD = at("web", "10.96.0.999");

  const siftedFrom = async (before: string, now: string) => {
    await record(before);
    const input = await read(now);
    const errors = input.diagnostics.filter(({ severity }) => severity === "error");
    return sift(input, errors, settings);
  };

  it.each([
    ["a cluster IP", at("web", "10.96.0.5"), at("aaa", "10.96.0.5"), "cluster-ip-duplicate", "spec.clusterIPs[0]"],
    [
      "a node port",
      onNode("web", "10.96.0.5", 30_080),
      onNode("aaa", "10.96.0.6", 30_080),
      "node-port-taken-twice",
      "spec.ports[0].nodePort",
    ],
    [
      "a health check node port",
      checked("web", "10.96.0.5", 32_000),
      checked("aaa", "10.96.0.6", 32_000),
      "node-port-taken-twice",
      "spec.healthCheckNodePort",
    ],
    [
      "an external IP and port",
      at("web", "10.96.0.5", ", externalIPs: [203.0.113.5]"),
      at("aaa", "10.96.0.6", ", externalIPs: [203.0.113.5]"),
      "address-shared",
      "spec.externalIPs[0]",
    ],
    [
      "a load balancer's IP and port",
      balanced("web", "10.96.0.5", "203.0.113.9"),
      balanced("aaa", "10.96.0.6", "203.0.113.9"),
      "address-shared",
      "status.loadBalancer.ingress[0].ip",
    ],
    [
      "a load balancer's IP and port, as its cluster IP",
      balanced("web", "10.96.0.5", "203.0.113.9"),
      at("aaa", "203.0.113.9"),
      "address-shared",
      "spec.clusterIPs[0]",
    ],
  ])("is left out: %s", async (_, web, aaa, code, path) => {
    const sifted = await siftedFrom(web, aaa + BAD);
    expect(sifted?.skipped).toEqual(["default/aaa", "default/web"]);
    expect(sifted?.input.manifests.map(({ metadata }) => metadata.name)).toEqual(["web"]);
    expect(sifted?.clashes).toMatchObject([
      { code, severity: "error", object: "Service default/aaa", source: { file: "-", path, line: expect.any(Number) } },
    ]);
    expect(sifted?.clashes[0]?.message).toMatch(/Service default\/web\b.*, and that stays as it was$/);
  });

  it("is found when what it claims was given out, and named by no manifest", async () => {
    await noteAllocations(
      new Map([["default/web", { clusterIPs: ["10.96.0.5"], nodePorts: {}, healthCheckNodePort: 0 }]]),
      settings.stateDir,
    );
    const sifted = await siftedFrom(of("web", "type: ClusterIP"), at("aaa", "10.96.0.5") + BAD);
    expect(sifted?.skipped).toEqual(["default/aaa", "default/web"]);
  });

  it("keeps what it had, which may be claimed by a third", async () => {
    const before = at("web", "10.96.0.5") + at("two", "10.96.0.6") + at("three", "10.96.0.7");
    const sifted = await siftedFrom(before, at("three", "10.96.0.6") + at("two", "10.96.0.5") + BAD);
    expect(sifted?.skipped).toEqual(["default/three", "default/two", "default/web"]);
    expect(sifted?.input.manifests).toEqual((await read(before)).manifests);
  });

  it("is no matter where both were accepted with it, or where nothing was", async () => {
    const shared = (name: string, ip: string) => at(name, ip, ", externalIPs: [203.0.113.5]");
    const before = shared("aaa", "10.96.0.6") + shared("web", "10.96.0.5");
    expect((await siftedFrom(before, shared("aaa", "10.96.0.6") + BAD))?.skipped).toEqual(["default/web"]);
    const moved = at("aaa", "10.96.0.6", ", externalIPs: [203.0.113.4, 203.0.113.5]");
    expect((await siftedFrom(before, moved + BAD))?.skipped).toEqual(["default/web"]);
    const taken = at("aaa", "203.0.113.5");
    expect((await siftedFrom(before, taken + BAD))?.skipped).toEqual(["default/aaa", "default/web"]);
    const fresh = await siftedFrom(at("db", "10.96.0.2"), at("aaa", "10.96.0.5") + BAD);
    expect(fresh?.skipped).toEqual(["default/web"]);
  });

  it("with ever more of them, nothing is accepted rather than looked through for ever", async () => {
    const cluster = (shift: number) =>
      Array.from({ length: 40 }, (_, index) => at(`s${index}`, `10.96.1.${index + 1 - shift}`)).join("");
    const before = at("web", "10.96.1.0") + cluster(0);
    await expect(siftedFrom(before, BAD + cluster(1))).rejects.toMatchObject({ exitCode: 3 });
  });
});

describe("the record of what was accepted", () => {
  const recorded = (text: string) => isRecorded(settings.stateDir, hashOf(text));

  it("is that of the last run", async () => {
    expect(await recorded(GOOD)).toBe(false);
    await noteAccepted(await accepted(GOOD), settings, { maySkip: false, changed: true });
    expect(await recorded(GOOD)).toBe(true);
    const other = GOOD + service("new", "10.96.0.4");
    await noteAccepted(await accepted(other), settings, { maySkip: false, changed: false });
    expect([await recorded(GOOD), await recorded(other)]).toEqual([false, true]);
  });

  it("is kept of large inputs only for those who may skip; a stale one goes", async () => {
    const input = await accepted(GOOD);
    const endpoints = Array.from({ length: 50_001 }, () => ({ addresses: ["10.244.0.9"] }));
    const manifests = input.manifests.map((one) => (one.kind === "EndpointSlice" ? { ...one, endpoints } : one));
    const large = { manifests, hash: "large" };
    await noteAccepted(input, settings, { maySkip: false, changed: true });
    await noteAccepted(large, settings, { maySkip: false, changed: true });
    expect([await recorded(GOOD), await isRecorded(settings.stateDir, "large")]).toEqual([false, false]);
    await noteAccepted(large, settings, { maySkip: true, changed: true });
    expect(await isRecorded(settings.stateDir, "large")).toBe(true);
  });

  it.each([
    ["cut off", '[{"kind":'],
    ["of nothing", "[null]"],
    ["of another shape", "[{}]"],
    ["of a Service without a spec", '[{"kind":"Service","metadata":{"namespace":"default","name":"web"}}]'],
  ])("that is %s counts as none, and is written anew", async (_, content) => {
    await record(GOOD);
    const file = join(settings.stateDir, "accepted.json");
    const [head] = (await readFile(file, "utf8")).split("\n");
    await writeFile(file, `${head}\n${content}`);
    const bad = GOOD.replace("10.96.0.1,", "10.96.0.999,");
    expect(await siftText(bad)).toMatchObject({ recorded: false });
    await record(GOOD);
    expect(await siftText(bad)).toMatchObject({ recorded: true });
  });
});
