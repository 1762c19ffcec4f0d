import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Flags } from "../support/packetCases.ts";
import { requireKernel } from "../support/requireKernel.ts";
import { type BareNode, bareNode } from "./bareNode.ts";
import { clusterOf, DNS, type ServiceSketch, WEB } from "./cluster.ts";

/** Services that are left as they were keep their rules, whatever the others ask for. */

requireKernel();

const INVALID: ServiceSketch = { ...WEB, clusterIP: "172.30.0.999" };
/** Comes before web by its name, and in the input. */
const NEWCOMER: ServiceSketch = { name: "aaa", clusterIP: WEB.clusterIP, endpoints: ["10.180.0.9"] };

/** Stands in front of a tool, and kills us as soon as the kernel holds this. */
const deadly = (program: string, listing: string, text: string) => `#!/bin/sh
PATH=\${PATH#*:}
${program} "$@"
status=$?
${listing} | grep -qF "${text}" && kill -9 $PPID
exit $status
`;

describe.each(["iptables", "nftables"] as const)("sync --skip-invalid, backend %s", (backend) => {
  let node: BareNode;

  beforeEach(() => {
    node = bareNode(backend === "iptables" ? { backend, variant: "nft" } : { backend, nft: "system" });
  });
  afterEach(() => node.close());

  /** A sync that is killed as soon as the kernel holds this. */
  async function killedSync(flags: Flags, manifests: string, text: string): Promise<void> {
    const home = mkdtempSync(join(tmpdir(), "svctables-deadly-"));
    const [program, listing] =
      backend === "iptables" ? ["iptables-nft-restore", "iptables-nft-save"] : ["nft", "nft list ruleset"];
    writeFileSync(join(home, program), deadly(program, listing, text), { mode: 0o755 });
    vi.stubEnv("PATH", `${home}:${process.env.PATH}`);
    await node.program.run("sync", flags, manifests);
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
    expect(node.everything()).toContain(text);
  }

  /** A sync that does not know what is to stay, and changes nothing. */
  async function mustRefuse(flags: Flags, manifests: string): Promise<void> {
    const before = node.everything();
    const { exitCode, stderr } = await node.program.run("sync", flags, manifests);
    expect({ exitCode, stderr }).toEqual({ exitCode: 2, stderr: expect.stringContaining("is not recorded") });
    expect(node.everything()).toBe(before);
  }

  test.each([true, false])(
    "a newcomer takes nothing from one that is invalid now, standalone %s",
    async (standalone) => {
      const flags: Flags = { ...node.flags, "skip-invalid": true, ...(standalone ? {} : { "no-standalone": true }) };
      await node.program.succeed("sync", flags, clusterOf([WEB]));
      const before = node.everything();
      const { exitCode, stderr } = await node.program.run("sync", flags, clusterOf([NEWCOMER, INVALID]));
      expect(exitCode).toBe(3);
      expect(stderr).toMatch(
        /<stdin>:\d+:\d+: error: Service default\/aaa: spec\.clusterIPs\[0\].*default\/web, and that/,
      );
      expect(stderr).toContain("left as they were: 2 invalid Services: default/aaa, default/web");
      expect(node.everything()).toBe(before);
      // What is valid and in nobody's way comes.
      await node.program.run("sync", flags, clusterOf([NEWCOMER, INVALID, DNS]));
      expect(node.everything()).toContain(DNS.clusterIP);
      expect(node.everything()).not.toContain("10.180.0.9");
      // And once web is gone for good, the newcomer has the address.
      await node.program.succeed("sync", flags, clusterOf([NEWCOMER, DNS]));
      expect(node.everything()).toContain("10.180.0.9");
    },
  );

  test("after a run that was killed, nothing is put back that it changed", async () => {
    const flags: Flags = { ...node.flags, "skip-invalid": true };
    const moved = { ...WEB, endpoints: ["10.180.0.8", "10.180.0.9"] };
    await node.program.succeed("sync", flags, clusterOf([WEB, DNS]));
    await killedSync(flags, clusterOf([moved, DNS]), "10.180.0.9");
    await mustRefuse(flags, clusterOf([INVALID, DNS]));
    // What did not change is known all the same.
    const other = { ...DNS, clusterIP: "172.30.0.999" };
    expect((await node.program.run("sync", flags, clusterOf([moved, other]))).exitCode).toBe(3);
    expect((await node.program.run("sync", flags, clusterOf([INVALID, DNS]))).exitCode).toBe(3);
    expect(node.everything()).toContain("10.180.0.9");
  });

  test("after a run that was killed, nothing goes that it brought", async () => {
    const flags: Flags = { ...node.flags, "skip-invalid": true };
    const { nodePort: _, ...inner } = WEB;
    await node.program.succeed("sync", flags, clusterOf([inner, DNS]));
    await killedSync(flags, clusterOf([WEB, DNS]), "30080");
    await mustRefuse(flags, clusterOf([INVALID, DNS]));
  });
});
