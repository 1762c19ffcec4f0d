import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import { nftables } from "../../src/backends/nftables/index.ts";
import { diff } from "../../src/diff.ts";
import { finished } from "../../src/gradual.ts";
import { footprintOf, noteAsLeft, type RulesOrigin } from "../../src/pipeline/asLeft.ts";
import { indexFor, noteFewAccepted, noteFewChanges, planFewChanges } from "../../src/pipeline/fewChanges.ts";
import type { ThisNode } from "../../src/pipeline/node.ts";
import { complete } from "../../src/pipeline/standalone.ts";
import { carryOut, decide, judge, plan, readSources, type Sources, wishesOf } from "../../src/pipeline.ts";
import { type Settings, settingsOf } from "../../src/settings/settings.ts";
import type { Command, CommandResult, Family } from "../../src/types.ts";
import { listNft, NftError, type NftKernel, runNft } from "./nftKernel.ts";

/** One run after the other on a node in memory, the way `sync` goes, and Lists of a few Services for it. */

const OK: CommandResult = { exitCode: 0, stdout: "", stderr: "" };
const HOST = { hostName: "n1", addresses: ["192.168.0.2"], conntrackIsLiberal: false, randomFully: true };
export const LABEL = "kubernetes.io/service-name";

export type Item = Readonly<Record<string, unknown>>;

export function serviceItem(name: string, clusterIP: string, spec: Item = {}): Item {
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { clusterIP, ports: [{ port: 80 }], ...spec } };
}

export function sliceItem(service: string, addresses: readonly string[], more: Item = {}, name = `${service}-1`): Item {
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
export const BASE = [
  serviceItem("sticky", "172.30.0.1", { sessionAffinity: "ClientIP" }),
  sliceItem("sticky", ["10.180.1.1"]),
  serviceItem("web", "172.30.0.2"),
  serviceItem("db", "172.30.0.3"),
  sliceItem("db", ["10.180.3.1"]),
  { apiVersion: "v1", kind: "Node", metadata: { name: "n1" }, spec: {} },
];

export const withWeb = (web: readonly string[], more: Item = {}, base: readonly Item[] = BASE) => [
  ...base,
  sliceItem("web", web, more),
];
export const ONE = withWeb(["10.180.2.1"]);
export const TWO = withWeb(["10.180.2.1", "10.180.2.2"]);
export const THREE = withWeb(["10.180.2.3", "10.180.2.1", "10.180.2.2"]);

/** The same with another specification of db. */
export const withDb = (spec: Item, base: readonly Item[] = BASE) =>
  base.map((item) => (item === BASE[3] ? serviceItem("db", "172.30.0.3", spec) : item));
export const BALANCED = {
  ...serviceItem("db", "172.30.0.3", {
    type: "LoadBalancer",
    loadBalancerSourceRanges: ["203.0.113.0/24"],
    allocateLoadBalancerNodePorts: false,
  }),
  status: { loadBalancer: { ingress: [{ ip: "192.0.2.7" }] } },
};

export function textOf(items: readonly Item[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

export function sourcesOf(text: string): Promise<Sources> {
  return readSources(["-"], async () => Buffer.from(text));
}

export const ORIGIN: RulesOrigin = { digest: "these settings", glance: undefined };

/** Of the node that `startNode` made last. */
export let settings: Settings;
export let kernels: Record<Family, NftKernel>;
export let node: ThisNode;

/** A node that holds no rules, with a state directory of its own, which the caller removes. */
export async function startNode(): Promise<void> {
  const stateDir = await mkdtemp(join(tmpdir(), "svctables-few-"));
  settings = settingsOf([
    { key: "stateDir", value: stateDir, where: "" },
    { key: "backend", value: "nftables", where: "" },
  ]);
  kernels = { ipv4: undefined, ipv6: undefined };
  node = { kernel: { run: async (command) => obey(command), flavour: "nft", records: stateDir }, host: HOST };
}

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

export async function planLong(sources: Sources) {
  const completed = await complete(judge(sources, settings), settings);
  const families = settings.families ?? (["ipv4", "ipv6"] as const);
  const decisions = families.map((family) => decide(completed.input.manifests, settings, HOST, family));
  return { completed, plans: await plan(wishesOf(decisions, settings), nftables, node.kernel) };
}

export async function longWay(items: readonly Item[]): Promise<void> {
  const sources = await sourcesOf(textOf(items));
  const { completed, plans } = await planLong(sources);
  expect(await carryOut(plans, nftables, node.kernel)).not.toHaveProperty("kind", "refused");
  const index = finished(indexFor(sources, completed.input, completed));
  const made = { origin: ORIGIN, inputHash: sources.hash, index };
  await noteAsLeft(() => made, plans, settings);
}

export async function planShort(text: string, from = ORIGIN) {
  const sources = await sourcesOf(text);
  return { sources, few: await planFewChanges(sources, from, settings, node) };
}

export const isShort = async (items: readonly Item[]) => (await planShort(textOf(items))).few !== undefined;

/** Goes the short way, which must be there, and looks whether the long one would find anything to do. */
export async function shortWay(items: readonly Item[]): Promise<string> {
  const { sources, few } = await planShort(textOf(items));
  if (few === undefined) throw new Error("no short way");
  const result = await carryOut(few.plans, nftables, node.kernel);
  if (result.kind === "refused") throw new Error(result.reason);
  await noteFewAccepted(few, sources, settings);
  await noteFewChanges(few, sources, ORIGIN, settings);
  const { plans } = await planLong(sources);
  expect(plans.flatMap(({ changes }) => changes)).toEqual([]);
  for (const { family, held, isRecorded } of plans) {
    expect(isRecorded).toBe(true);
    expect(diff(nftables, nftables.read(listNft(kernels[family]), family), held)).toEqual([]);
    expect((await footprintOf(settings.stateDir))?.stamps[family]).toBe(nftables.stamp(held));
  }
  return result.kind;
}

export const inState = (name: string) => join(settings.stateDir, name);

export async function damage(name: string): Promise<void> {
  const text = await readFile(inState(name), "utf8");
  await writeFile(inState(name), `${text.slice(0, -3)} ${text.slice(-3)}`);
}
