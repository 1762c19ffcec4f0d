import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { addNamespace, deleteNamespace, inNamespace, uniquePrefix } from "../support/namespaces.ts";
import { requireKernel } from "../support/requireKernel.ts";
import { clusterOf, WEB } from "./cluster.ts";

requireKernel();

/** Stands in front of nft, and takes its time over one of the things that it is asked for. */
const slowNft = (pattern: string, marker: string) => `#!/bin/sh
PATH=\${PATH#*:}
case "$*" in ${pattern}) : > '${marker}'; sleep 2 ;; esac
exec nft "$@"
`;

describe("a signal", () => {
  let namespace = "";
  let home = "";
  let marker = "";

  beforeEach(() => {
    namespace = uniquePrefix();
    addNamespace(namespace);
    home = mkdtempSync(join(tmpdir(), "svctables-test-"));
    marker = join(home, "begun");
  });
  afterEach(() => {
    rmSync(home, { recursive: true });
    deleteNamespace(namespace);
  });

  /** Runs a sync, and interrupts it when nft is asked for what matches the pattern. */
  async function interrupted(pattern: string) {
    writeFileSync(join(home, "nft"), slowNft(pattern, marker));
    chmodSync(join(home, "nft"), 0o755);
    const options = ["--backend", "nftables", "--node-name", "a", "--cluster-cidr", "10.180.0.0/16"];
    const words = ["bin/svctables.js", "sync", "-f", "-", "--state-dir", join(home, "state"), ...options];
    const child = execa("ip", ["netns", "exec", namespace, process.execPath, ...words], {
      input: clusterOf([WEB]),
      reject: false,
      env: { PATH: `${home}:${process.env.PATH ?? ""}` },
    });
    while (!existsSync(marker)) await wait(20);
    const begun = Date.now();
    child.kill("SIGINT");
    const { signal, stderr } = await child;
    return { signal, stderr, isPrompt: Date.now() - begun < 1000 };
  }

  test("ends a sync at once that has changed nothing yet", async () => {
    expect(await interrupted("*list*")).toEqual({ signal: "SIGINT", stderr: "", isPrompt: true });
    expect(inNamespace(namespace, "nft", ["list", "tables"])).not.toContain("svctables");
  });

  test("waits for one that changes the kernel", async () => {
    const { signal, stderr, isPrompt } = await interrupted("*-f*");
    expect({ signal, isPrompt }).toEqual({ signal: "SIGINT", isPrompt: false });
    expect(stderr).toMatch(/^finishing what was begun[^\n]*\nsynced /m);
    expect(inNamespace(namespace, "nft", ["list", "tables"])).toContain("table ip svctables");
  });
});
