import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { backends } from "../src/backends/index.ts";
import { complete } from "../src/pipeline/standalone.ts";
import { compileText, decide, readInput } from "../src/pipeline.ts";
import { type RawSetting, settingsOf } from "../src/settings/settings.ts";
import type { Family } from "../src/types.ts";

/**
 * What an administrator would see: for each folder the rules of every backend, exactly as its tool takes them, to be
 * reviewed like code; of manifests that leave something open with what `compile` fills in. `npx vitest run test/golden.test.ts -u` writes them anew.
 */

const FILES = { iptables: "iptables.rules", nftables: "nftables.nft" } as const;
const HOST = { hostName: "test-node", addresses: ["192.168.0.2"], conntrackIsLiberal: false, randomFully: true };

function settingsFor(backend: string) {
  const raw: readonly RawSetting[] = [
    { key: "backend", value: backend, where: "test" },
    { key: "nodeIp", value: ["192.168.0.2"], where: "test" },
    { key: "clusterCidr", value: ["10.180.0.0/16", "fd00:10:180::/48"], where: "test" },
    { key: "serviceCidr", value: ["10.0.0.0/8", "172.30.0.0/16", "fd00:172:30::/112"], where: "test" },
  ];
  // A directory that nobody makes: nothing was given out before.
  return { ...settingsOf(raw), stateDir: "/nonexistent/svctables" };
}

async function rulesFor(folder: string, backend: string): Promise<string> {
  const settings = settingsFor(backend);
  const read = await readInput([join(folder, "input.yaml")], () => Promise.resolve(new Uint8Array()), settings);
  const { input, findings } = await complete(read, settings);
  expect([...read.diagnostics, ...findings].filter(({ severity }) => severity === "error")).toEqual([]);
  const texts = (["ipv4", "ipv6"] as const).map((family) => rulesOfFamily(input.manifests, backend, family));
  return texts.filter((text) => text !== "").join("\n");
}

function rulesOfFamily(manifests: Parameters<typeof decide>[0], backend: string, family: Family): string {
  const settings = settingsFor(backend);
  const decision = decide(manifests, settings, HOST, family);
  const isNeeded = decision.servicePorts.length > 0 || family === "ipv4";
  return isNeeded ? compileText(decision, settings) : "";
}

const folders = ["fixtures/users", "fixtures/golden"].flatMap((theme) =>
  readdirSync(theme, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => join(theme, name)),
);

describe.each(Object.values(backends).map(({ name }) => name))("%s", (backend) => {
  it.each(folders)("%s", async (folder) => {
    await expect(await rulesFor(folder, backend)).toMatchFileSnapshot(join("..", folder, FILES[backend]));
  });
});
