import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { complete, type Extent, noteAllocations } from "../../../src/pipeline/standalone.ts";
import { readInput } from "../../../src/pipeline.ts";
import { type Settings, settingsOf } from "../../../src/settings/settings.ts";

let settings: Settings;
beforeEach(async () => {
  const stateDir = await mkdtemp(join(tmpdir(), "svctables-standalone-"));
  settings = settingsOf([
    { key: "stateDir", value: stateDir, where: "" },
    // Few enough addresses for Services to meet.
    { key: "serviceCidr", value: "10.96.0.0/29", where: "" },
  ]);
});
afterEach(() => rm(settings.stateDir, { recursive: true }));

const WHOLE: Extent = { isWhole: true };
const PART: Extent = { isWhole: false };

const service = (name: string, spec = "") =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {type: NodePort, ports: [{port: 80}]${spec}}\n---\n`;

async function completed(text: string, extent: Extent) {
  return complete(await readInput(["-"], async () => Buffer.from(text), settings), settings, extent);
}

/** Addresses that are filled in, as a run that records them gives them out. */
async function given(text: string, extent: Extent): Promise<Readonly<Record<string, unknown>>> {
  const { assignments, allocations, findings } = await completed(text, extent);
  expect(findings).toEqual([]);
  await noteAllocations(allocations, settings.stateDir);
  const addresses = assignments.filter(({ path }) => path.startsWith("spec.clusterIPs"));
  return Object.fromEntries(addresses.map(({ service: name, value }) => [name, value]));
}

const record = async () => {
  const { sections } = JSON.parse(await readFile(join(settings.stateDir, "state.json"), "utf8"));
  return sections.allocations as Readonly<Record<string, unknown>>;
};

describe("what is recorded of values that are filled in", () => {
  it("stays with Services that are not in a part of the input", async () => {
    const all = await given(service("a") + service("b") + service("c"), WHOLE);
    await given(service("b"), PART);
    expect(Object.keys(await record())).toEqual(["default/a", "default/b", "default/c"]);
    expect(await given(service("a") + service("b") + service("c"), WHOLE)).toEqual(all);
  });

  it("is not given to another Service, part by part", async () => {
    const names = ["a", "b", "c", "d", "e"];
    const addresses: unknown[] = [];
    for (const name of names) addresses.push(...Object.values(await given(service(name), PART)));
    expect(new Set(addresses).size).toBe(names.length);
  });

  it("goes with Services that are not in the whole input", async () => {
    await given(service("a") + service("b"), WHOLE);
    await given(service("b"), WHOLE);
    expect(Object.keys(await record())).toEqual(["default/b"]);
  });

  it("is no reason to refuse what a manifest names", async () => {
    const { "default/a": clusterIP } = await given(service("a"), WHOLE);
    await given(service("b", `, clusterIP: ${String(clusterIP)}`), PART);
  });
});

const entry = (fields: object) =>
  JSON.stringify({
    version: 1,
    sections: { allocations: { "default/a": { clusterIPs: [], nodePorts: {}, healthCheckNodePort: 0, ...fields } } },
  });
const DAMAGED: readonly (readonly [string, string])[] = [
  ["no JSON", "{"],
  ["of another shape", "[]"],
  ["with a section of another shape", '{"version":1,"sections":{"allocations":["a"]}}'],
  ["with no entry", '{"version":1,"sections":{"allocations":{"default/a":null}}}'],
  ["with no name", entry({}).replace("default/a", "a b")],
  ["with no address", entry({ clusterIPs: ["foo bar"] })],
  ["with a number for an address", entry({ clusterIPs: [7] })],
  ["with no port", entry({ nodePorts: { "": 0 } })],
  ["with a port out of range", entry({ nodePorts: { "": 65536 } })],
  ["with half a port", entry({ healthCheckNodePort: 30000.5 })],
];

describe("a record that is damaged", () => {
  const damage = (text: string) => writeFile(join(settings.stateDir, "state.json"), text);

  it.each(DAMAGED)("%s, moves no address: nothing is given out", async (_, text) => {
    await damage(text);
    await expect(completed(service("b"), WHOLE)).rejects.toThrow(
      /what was given out before cannot be read: .*state\.json/,
    );
    await expect(completed("", PART)).rejects.toThrow(/cannot be read/);
    expect(await readFile(join(settings.stateDir, "state.json"), "utf8")).toBe(text);
  });

  it("is said where nothing is needed from it", async () => {
    await damage("{");
    const whole = service("b", ", clusterIP: 10.96.0.3").replace("port: 80", "port: 80, nodePort: 30080");
    expect((await completed(whole, WHOLE)).unusable).toMatch(/state\.json: /);
  });

  it("is none if only the spelling of an address is not ours", async () => {
    await damage(entry({ clusterIPs: ["fd00:96:0::a"] }));
    expect([...(await completed("", PART)).allocations.values()][0]?.clusterIPs).toEqual(["fd00:96::a"]);
  });
});
