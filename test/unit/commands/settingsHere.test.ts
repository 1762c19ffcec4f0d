import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { settingsHere } from "../../../src/commands/flags.ts";
import type { Io } from "../../../src/commands/io.ts";

const home = mkdtempSync(join(tmpdir(), "svctables-settings-"));
afterAll(() => rmSync(home, { recursive: true }));

it("--backend auto heeds the section of the backend that is chosen", async () => {
  const config = join(home, "kube-proxy.yaml");
  writeFileSync(
    config,
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\niptables: {masqueradeBit: 9}\nnftables: {masqueradeBit: 11}\n",
  );
  const io = { note: () => {}, stdin: async () => new Uint8Array() } as unknown as Io;
  const machine = {
    searchPath: process.env.PATH ?? "",
    hostName: "n1",
    addresses: [],
    conntrackIsLiberal: false,
    legacyTables: { ipv4: [], ipv6: [] },
  };
  const { backend, masqueradeBit } = await settingsHere({ backend: "auto", config }, machine, io);
  // Which one it is depends on the machine.
  expect([backend, masqueradeBit]).toEqual(backend === "nftables" ? ["nftables", 11] : ["iptables", 9]);
});
