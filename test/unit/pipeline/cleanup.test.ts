import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { findRest, restOfOthers } from "../../../src/pipeline/cleanup.ts";
import { settingsOf } from "../../../src/settings/settings.ts";
import type { BackendName } from "../../../src/types.ts";

// The tools of this machine do not count: only those that a test installs.
vi.mock("../../../src/apply/exec.ts", async (original) => {
  const real = await original<typeof import("../../../src/apply/exec.ts")>();
  return { ...real, createRunner: (searchPath: string) => real.createRunner(searchPath, []) };
});

const NOTHING = 'echo "Error: No such file or directory" >&2; exit 1';
const BOTH: readonly BackendName[] = ["iptables", "nftables"];

describe("where a tool is not there (any more)", () => {
  let tools: string;
  beforeEach(() => {
    tools = mkdtempSync(join(tmpdir(), "svctables-tools-"));
  });
  afterEach(() => rmSync(tools, { recursive: true }));

  const install = (name: string, script: string) => {
    writeFileSync(join(tools, name), `#!/bin/sh\n${script}\n`);
    chmodSync(join(tools, name), 0o755);
  };
  const installIptables = () => {
    for (const name of ["iptables-nft-save", "ip6tables-nft-save"]) install(name, "");
  };
  const machine = () => ({
    searchPath: tools,
    hostName: "n1",
    addresses: [],
    conntrackIsLiberal: false,
    legacyTables: { ipv4: [], ipv6: [] },
  });
  const clean = (names = BOTH) => findRest(settingsOf([]), machine(), names, false);
  const sync = (backend: BackendName) =>
    restOfOthers([], settingsOf([{ key: "backend", value: backend, where: "" }]), machine(), false);

  it("its rules are not forgotten while nft can see them", async () => {
    install("nft", `case "$*" in "list chain ip nat KUBE-SERVICES") echo chain;; *) ${NOTHING};; esac`);
    const refusal = {
      message: "the program iptables-nft-save was not found, and ipv4 rules for Services that it made still act",
      hint: "install the package iptables, or fix PATH",
      exitCode: 2,
    };
    await expect(sync("nftables")).rejects.toMatchObject(refusal);
    await expect(clean()).rejects.toMatchObject(refusal);
    await expect(clean(["iptables"])).rejects.toMatchObject(refusal);
  });

  it("it has left nothing where nft sees nothing", async () => {
    install("nft", NOTHING);
    for (const rest of [await sync("nftables"), await clean(), await clean(["iptables"])]) {
      expect(rest).toEqual({ rules: [], leftovers: [], unseen: [] });
    }
  });

  it("what only it could show is named, and is no reason to stop", async () => {
    installIptables();
    for (const rest of [await sync("iptables"), await clean()]) {
      expect(rest).toMatchObject({ rules: [], unseen: [{ message: "the program nft was not found" }] });
    }
  });

  it("nothing is said to be gone that no tool could look for", async () => {
    await expect(clean()).rejects.toMatchObject({ message: "the program nft was not found", exitCode: 2 });
    installIptables();
    await expect(clean(["nftables"])).rejects.toMatchObject({ message: "the program nft was not found", exitCode: 2 });
  });
});
