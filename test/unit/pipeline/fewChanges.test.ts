import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAccepted, writeAccepted } from "../../../src/apply/accepted.ts";
import { readTableRecord } from "../../../src/apply/record.ts";
import { nftables } from "../../../src/backends/nftables/index.ts";
import { diff } from "../../../src/diff.ts";
import { footprintOf, noteAsLeft, type RulesOrigin } from "../../../src/pipeline/asLeft.ts";
import {
  indexFor,
  mayBeFew,
  noteFewAccepted,
  noteFewChanges,
  planFewChanges,
} from "../../../src/pipeline/fewChanges.ts";
import type { ThisNode } from "../../../src/pipeline/node.ts";
import { complete } from "../../../src/pipeline/standalone.ts";
import { carryOut, decide, judge, plan, readSources, type Sources, wishesOf } from "../../../src/pipeline.ts";
import { type Settings, settingsOf } from "../../../src/settings/settings.ts";
import type { Command, CommandResult, Family } from "../../../src/types.ts";
import { listNft, NftError, type NftKernel, runNft } from "../../support/nftKernel.ts";

/** One run after the other on a node in memory, the way `sync` goes: when the short way is gone, and when not. */

const OK: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
const HOST = { hostName: "n1", addresses: ["192.168.0.2"], conntrackIsLiberal: false, randomFully: true };
const LABEL = "kubernetes.io/service-name";

let settings: Settings;
let kernels: Record<Family, NftKernel>;
let node: ThisNode;
let origin: RulesOrigin;

beforeEach(async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "svctables-few-"));
  settings = settingsOf([
    { key: "stateDir", value: stateDir, where: "" },
    { key: "backend", value: "nftables", where: "" },
  ]);
  kernels = { ipv4: undefined, ipv6: undefined };
  node = { kernel: { run: async (command) => obey(command), flavour: "nft", records: stateDir }, host: HOST };
  origin = { digest: "these settings", glance: undefined };
});
afterEach(() => rm(settings.stateDir, { recursive: true }));

function obey({ args, input }: Command): CommandResult {
  const family: Family = (input ?? args.join(" ")).includes(" ip6 ") ? "ipv6" : "ipv4";
  if (args.includes("-f")) {
    try {
      const after = runNft(kernels[family], input ?? "");
      if (!args.includes("-c")) kernels[family] = after;
      return OK;
    } catch (error) {
      if (error instanceof NftError) return { exitCode: 1, stdout: "", stderr: error.message };
      throw error;
    }
  }
  const kernel = kernels[family];
  if (kernel === undefined) return { exitCode: 1, stdout: "", stderr: "Error: No such file or directory" };
  if (!args.includes("map")) return { ...OK, stdout: listNft(kernel) };
  const sets = new Map([...kernel.sets].filter(([name]) => name === "stamp"));
  return { ...OK, stdout: listNft({ ...kernel, sets, chains: new Map() }) };
}

// ── Input ────────────────────────────────────────────────────────────────────────────────────────

type Item = Readonly<Record<string, unknown>>;

function serviceItem(name: string, clusterIP: string, spec: Item = {}): Item {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { clusterIP, ports: [{ port: 80 }], ...spec } };
}

function sliceItem(service: string, addresses: readonly string[], more: Item = {}, name = `${service}-1`): Item {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name, uid: name, labels: { [LABEL]: service } },
    addressType: addresses[0]?.includes(":") === true ? "IPv6" : "IPv4",
    ports: [{ name: "", port: 80 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ...more,
  };
}

/** Session affinity somewhere, so that no table is listed every time. */
const BASE = [
  serviceItem("sticky", "172.30.0.1", { sessionAffinity: "ClientIP" }),
  sliceItem("sticky", ["10.180.1.1"]),
  serviceItem("web", "172.30.0.2"),
  serviceItem("db", "172.30.0.3"),
  sliceItem("db", ["10.180.3.1"]),
  { apiVersion: "v1", kind: "Node", metadata: { name: "n1" }, spec: {} },
];

const withWeb = (web: readonly string[], more: Item = {}, base: readonly Item[] = BASE) => [
  ...base,
  sliceItem("web", web, more),
];
const ONE = withWeb(["10.180.2.1"]);
const TWO = withWeb(["10.180.2.1", "10.180.2.2"]);
const THREE = withWeb(["10.180.2.3", "10.180.2.1", "10.180.2.2"]);

function textOf(items: readonly Item[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

function sourcesOf(text: string): Promise<Sources> {
  return readSources(["-"], async () => Buffer.from(text));
}

// ── Runs ─────────────────────────────────────────────────────────────────────────────────────────

async function planLong(sources: Sources) {
  const completed = await complete(judge(sources, settings), settings);
  const families = settings.families ?? (["ipv4", "ipv6"] as const);
  const decisions = families.map((family) => decide(completed.input.manifests, settings, HOST, family));
  return { completed, plans: await plan(wishesOf(decisions, settings), nftables, node.kernel) };
}

async function longWay(items: readonly Item[]): Promise<void> {
  const sources = await sourcesOf(textOf(items));
  const { completed, plans } = await planLong(sources);
  expect(await carryOut(plans, nftables, node.kernel)).not.toHaveProperty("kind", "refused");
  const made = { origin, inputHash: sources.hash, index: indexFor(sources, completed.input, completed) };
  await noteAsLeft(() => made, plans, settings);
}

async function planShort(text: string) {
  const sources = await sourcesOf(text);
  return { sources, few: await planFewChanges(sources, origin, settings, node) };
}

const isShort = async (items: readonly Item[]) => (await planShort(textOf(items))).few !== undefined;

/** Goes the short way, which must be there, and looks whether the long one would find anything to do. */
async function shortWay(items: readonly Item[]): Promise<string> {
  const { sources, few } = await planShort(textOf(items));
  if (few === undefined) throw new Error("no short way");
  const result = await carryOut(few.plans, nftables, node.kernel);
  if (result.kind === "refused") throw new Error(result.reason);
  await noteFewAccepted(few, sources, settings);
  await noteFewChanges(few, sources, origin, settings);
  const { plans } = await planLong(sources);
  expect(plans.flatMap(({ changes }) => changes)).toEqual([]);
  for (const { family, held, isRecorded } of plans) {
    expect(isRecorded).toBe(true);
    expect(diff(nftables, nftables.read(listNft(kernels[family]), family), held)).toEqual([]);
    expect((await footprintOf(settings.stateDir))?.stamps[family]).toBe(nftables.stamp(held));
  }
  return result.kind;
}

const inState = (name: string) => join(settings.stateDir, name);

async function damage(name: string): Promise<void> {
  const text = await readFile(inState(name), "utf8");
  await writeFile(inState(name), `${text.slice(0, -3)} ${text.slice(-3)}`);
}

describe("the short way", () => {
  it("is gone again and again", async () => {
    await longWay(ONE);
    expect(await mayBeFew(origin, settings)).toBe(true);
    expect(await shortWay(TWO)).toBe("applied");
    expect(listNft(kernels.ipv4)).toContain("172.30.0.2 . 80 . 1 : 10.180.2.2 . 80");
    expect(await shortWay(THREE)).toBe("applied");
    expect(await shortWay(withWeb([]))).toBe("applied");
    expect(listNft(kernels.ipv4)).toContain('172.30.0.2 . tcp . 80 comment "default/web" : goto refuse');
    expect(await shortWay(ONE)).toBe("applied");
    expect((await readTableRecord(settings.stateDir, "ipv4"))?.patches.length).toBeGreaterThan(4);
    await longWay(ONE);
    expect(await shortWay(TWO)).toBe("applied");
  });

  it("finds nothing to do where only words changed, and remembers them", async () => {
    await longWay(ONE);
    const renamed = withWeb(["10.180.2.1"], { metadata: { name: "web-1", uid: "2", labels: { [LABEL]: "web" } } });
    expect(await shortWay(renamed)).toBe("unchanged");
    const { few } = await planShort(textOf(renamed).replaceAll('},{"apiV', '},\n{"apiV'));
    expect(few).toMatchObject({ decisions: [], plans: [] });
    expect(await shortWay(TWO)).toBe("applied");
  });

  it("is gone in both families", async () => {
    const spec = { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" };
    const sticky = { ...spec, clusterIPs: ["172.30.0.8", "fd00::8"], sessionAffinity: "ClientIP" };
    const both = (six: readonly string[], four: readonly string[]) => [
      serviceItem("sticky-6", "172.30.0.8", sticky),
      sliceItem("sticky-6", ["fd00:180::8"]),
      serviceItem("both", "172.30.0.9", { ...spec, clusterIPs: ["172.30.0.9", "fd00::9"] }),
      sliceItem("both", six, { addressType: "IPv6" }, "both-6"),
      sliceItem("both", four, {}, "both-4"),
      ...BASE,
    ];
    await longWay(both(["fd00:180::1"], ["10.180.9.1"]));
    expect(kernels.ipv6).toBeDefined();
    expect(await shortWay(both(["fd00:180::1", "fd00:180::2"], ["10.180.9.1"]))).toBe("applied");
    expect(await shortWay(both([], ["10.180.9.2"]))).toBe("applied");
    expect(listNft(kernels.ipv6)).toContain('fd00::9 . tcp . 80 comment "default/both" : goto refuse');
  });

  it("keeps a hairpin that another Service needs", async () => {
    const here = { endpoints: [{ addresses: ["10.180.2.1"], nodeName: "n1" }] };
    const shared = [...BASE, serviceItem("twin", "172.30.0.7"), sliceItem("twin", [], here)];
    await longWay(withWeb([], here, shared));
    expect(await isShort(withWeb([], {}, shared))).toBe(false);
    await longWay(withWeb([], here));
    expect(await shortWay(withWeb([]))).toBe("applied");
    expect(listNft(kernels.ipv4)).not.toContain("10.180.2.1 . 10.180.2.1");
  });

  it.each([
    [20, true],
    [21, false],
  ])("searches the record for no more than a few endpoints of this node: %i go", async (count, short) => {
    const addresses = Array.from({ length: count }, (_, at) => `10.180.2.${at + 1}`);
    const here = { endpoints: addresses.map((address) => ({ addresses: [address], nodeName: "n1" })) };
    await longWay(withWeb([], here));
    expect(await isShort(withWeb(["10.180.9.1"]))).toBe(short);
  });

  it("keeps a hairpin that a Service with session affinity needs", async () => {
    const here = { endpoints: [{ addresses: ["10.180.1.1"], nodeName: "n1" }] };
    const base = BASE.map((item, at) => (at === 1 ? sliceItem("sticky", [], here) : item));
    await longWay(withWeb([], here, base));
    expect(await isShort(withWeb([], {}, base))).toBe(false);
  });

  it("keeps what was accepted up to date, where that is recorded", async () => {
    await longWay(ONE);
    const sources = await sourcesOf(textOf(ONE));
    await writeAccepted(settings.stateDir, { hash: sources.hash, manifests: judge(sources, settings).manifests });
    await shortWay(TWO);
    const after = await sourcesOf(textOf(TWO));
    const accepted = await readAccepted(settings.stateDir);
    expect(accepted).toEqual({
      hash: after.hash,
      manifests: JSON.parse(JSON.stringify(judge(after, settings).manifests)) as unknown,
    });
    await shortWay(THREE);
    expect((await readAccepted(settings.stateDir))?.hash).toBe((await sourcesOf(textOf(THREE))).hash);
  });
});

describe("tables that cannot be recorded", () => {
  it("stand all the same, without a record of those before", async () => {
    await longWay(ONE);
    await symlink("/dev/full", inState("nftables-ipv4.tables.new"));
    const reasons: string[] = [];
    const { plans } = await planLong(await sourcesOf(textOf(TWO)));
    const result = await carryOut(plans, nftables, node.kernel, { unsaved: (reason) => reasons.push(reason) });
    expect(result.kind).toBe("applied");
    expect(reasons).toEqual([expect.stringContaining("ENOSPC")]);
    expect(await readdir(settings.stateDir)).not.toContain("nftables-ipv4.tables");
    expect((await planLong(await sourcesOf(textOf(TWO)))).plans.flatMap(({ changes }) => changes)).toEqual([]);
  });
});

describe("there is no short way", () => {
  beforeEach(() => longWay(ONE));

  it.each<[string, readonly Item[]]>([
    ["a Service", TWO.map((item, at) => (at === 3 ? serviceItem("db", "172.30.0.4") : item))],
    ["a Node", TWO.map((item, at) => (at === 5 ? { ...item, spec: { podCIDR: "10.0.0.0/24" } } : item))],
    ["a slice more", [...TWO, sliceItem("db", ["10.180.3.2"], {}, "db-2")]],
    ["a slice less", TWO.slice(0, -1)],
    ["whose a slice is", withWeb(["10.180.2.1"], { metadata: { name: "web-1", labels: { [LABEL]: "db" } } })],
    ["what a slice is called", withWeb(["10.180.2.1"], { metadata: { name: "web-2", labels: { [LABEL]: "web" } } })],
    [
      "where a slice is",
      withWeb(["10.180.2.1"], { metadata: { name: "web-1", namespace: "x", labels: { [LABEL]: "web" } } }),
    ],
    ["of what kind a slice is", withWeb(["10.180.2.1"], { kind: "Lease", apiVersion: "coordination.k8s.io/v1" })],
    ["a slice into an invalid one", withWeb(["10.180.2.1"], { endpoints: [{ addresses: ["10.180.2.999"] }] })],
    ["a slice into one with a warning", withWeb(["10.180.2.1"], { ports: [{ name: "other", port: 80 }] })],
    [
      "endpoints of a Service with session affinity",
      TWO.map((item, at) => (at === 1 ? sliceItem("sticky", ["10.180.1.2"]) : item)),
    ],
    [
      "the last endpoint of a Service with session affinity",
      TWO.map((item, at) => (at === 1 ? sliceItem("sticky", []) : item)),
    ],
  ])("after a change of %s", async (_, items) => {
    expect(await isShort(items)).toBe(false);
  });

  it("after a change that is no JSON, or more than JSON", async () => {
    const text = textOf(TWO);
    for (const after of [text.slice(0, -1), `${text}{}`, text.replace('"10.180.2.2"]', '"10.180.2.2",]')]) {
      expect((await planShort(after)).few).toBeUndefined();
    }
    const twice = text.replace(/"kind":"EndpointSlice"(?!.*"kind":"EndpointSlice")/, '$&,"kind":"EndpointSlice"');
    expect(twice.length).toBeGreaterThan(text.length);
    expect((await planShort(twice)).few).toBeUndefined();
  });

  it("with other settings", async () => {
    origin = { digest: "other settings", glance: undefined };
    expect(await mayBeFew(origin, settings)).toBe(false);
    expect(await isShort(TWO)).toBe(false);
  });

  it("when the kernel holds another stamp, or no table", async () => {
    const before = kernels.ipv4;
    kernels.ipv4 = runNft(before, "delete element ip svctables stamp { 0x00000004 }\n");
    expect(await isShort(TWO)).toBe(false);
    kernels.ipv4 = runNft(before, "delete table ip svctables\n");
    expect(await isShort(TWO)).toBe(false);
    kernels.ipv4 = before;
    expect(await isShort(TWO)).toBe(true);
  });

  it.each(["input.index", "nftables-ipv4.tables", "nftables-ipv4.patches", "state.json"])(
    "with a damaged %s",
    async (name) => {
      await shortWay(TWO);
      await damage(name);
      expect(await isShort(THREE)).toBe(name === "state.json");
      if (name === "state.json") {
        await writeFile(inState(name), "{");
        expect(await isShort(THREE)).toBe(false);
      }
    },
  );

  it.each(["input.index", "nftables-ipv4.tables", "nftables-ipv4.patches", "state.json"])(
    "without %s",
    async (name) => {
      await shortWay(TWO);
      await rm(inState(name));
      expect(await isShort(THREE)).toBe(false);
    },
  );

  it("with patches of another text", async () => {
    await shortWay(TWO);
    const patches = await readFile(inState("nftables-ipv4.patches"), "utf8");
    await longWay(withWeb(["10.180.2.7"]));
    await writeFile(inState("nftables-ipv4.patches"), patches);
    // They are of no account: the way is there, and right.
    expect(await shortWay(THREE)).toBe("applied");
  });
});

describe("an input without an index", () => {
  it.each<[string, readonly Item[]]>([
    [
      "an address that two Services claim",
      [
        ...ONE,
        serviceItem("a", "172.30.0.11", { externalIPs: ["192.0.2.1"] }),
        serviceItem("b", "172.30.0.12", { externalIPs: ["192.0.2.1"] }),
      ],
    ],
    [
      "a cluster IP that another Service claims",
      [...ONE, serviceItem("a", "172.30.0.11", { externalIPs: ["172.30.0.2"] })],
    ],
    [
      "Pods",
      [
        ...ONE,
        { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i" }] } },
      ],
    ],
  ])("has %s", async (_, items) => {
    await longWay(items);
    expect((await footprintOf(settings.stateDir))?.index).toBeNull();
    expect(await mayBeFew(origin, settings)).toBe(false);
    expect(await isShort(items)).toBe(false);
  });
});
