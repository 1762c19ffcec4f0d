import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { requireKernel } from "../support/requireKernel.ts";
import { type BareNode, bareNode } from "./bareNode.ts";
import { clusterOf, DNS, WEB } from "./cluster.ts";

/** Rules that look like ours and are not, or that hide what is there: nothing is done, and the reason is given. */

requireKernel();

const CLUSTER = clusterOf([WEB, DNS]);

const CANARIES = ["mangle", "nat", "filter"].map((table) => `*${table}\n:KUBE-PROXY-CANARY - [0:0]\nCOMMIT\n`).join("");

const IPVS = `*nat
:KUBE-SERVICES - [0:0]
:KUBE-NODE-PORT - [0:0]
:KUBE-LOAD-BALANCER - [0:0]
:KUBE-MARK-MASQ - [0:0]
-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES
-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODE-PORT
-A KUBE-LOAD-BALANCER -j KUBE-MARK-MASQ
-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000
COMMIT
`;

describe.each(["iptables", "nftables"] as const)("beside others, backend %s", (backend) => {
  let node: BareNode;

  beforeEach(() => {
    node = bareNode(backend === "iptables" ? { backend, variant: "nft" } : { backend, nft: "system" });
  });
  afterEach(() => node.close());

  /** Compared, the rules differ as ever, and it is told that nothing would come of it. */
  const expectToBeToldByDiff = async (reason: string) => {
    const before = node.everything();
    const { exitCode, stdout, stderr } = await node.program.run("diff", node.flags, CLUSTER);
    expect(stderr).toContain(`note: sync would refuse: ${reason}`);
    expect(stdout).toMatch(/^\d+ Services?, /m);
    expect(exitCode).toBe(1);
    expect(node.everything()).toBe(before);
  };

  const expectToBeLeftAlone = async (command: string, flags: BareNode["flags"], ...reasons: readonly string[]) => {
    const before = node.everything();
    const { exitCode, stderr } = await node.program.run(command, flags, command === "sync" ? CLUSTER : undefined);
    for (const reason of reasons) expect(stderr).toContain(reason);
    expect(exitCode).toBe(2);
    expect(node.everything()).toBe(before);
  };

  test("the chains of a kube-proxy are not cleaned up, nor replaced, unless that is asked for", async () => {
    const { stdout } = await node.program.run("compile", { ...node.flags, backend: "iptables" }, CLUSTER);
    node.run("iptables-nft-restore", ["--noflush"], CANARIES + stdout);
    await expectToBeLeftAlone(
      "cleanup",
      { backend: "auto" },
      "a kube-proxy keeps the rules of this node",
      "give --kube-proxy",
    );
    const refused = await node.program.run("cleanup", { backend: "auto" });
    expect(refused.stderr).not.toContain("--replace-kube-proxy");
    const other = { ...node.flags, "cluster-cidr": "10.190.0.0/16" };
    await expectToBeLeftAlone("sync", other, "a kube-proxy keeps the rules of this node", "give --replace-kube-proxy");
    await node.program.succeed("cleanup", { backend: "auto", "kube-proxy": true });
    expect(node.everything()).not.toMatch(/KUBE-(?:SERVICES|PROXY-CANARY)/);
  });

  test("a kube-proxy in its IPVS mode has to take its own rules away", async () => {
    node.run("iptables-nft-restore", ["--noflush"], IPVS);
    await expectToBeLeftAlone("sync", node.flags, "IPVS", "kube-proxy --cleanup");
    await expectToBeToldByDiff("a kube-proxy keeps the rules of this node (ipv4 chain KUBE-");
    await expectToBeLeftAlone("sync", { ...node.flags, "replace-kube-proxy": true }, "kube-proxy --cleanup");
    await expectToBeLeftAlone("cleanup", { backend: "auto" }, "a kube-proxy keeps the rules of this node");
    await expectToBeLeftAlone("cleanup", { backend: "auto", "kube-proxy": true }, "kube-proxy --cleanup");
  });

  test("a table that iptables cannot show is not taken for an empty one", async () => {
    await node.program.succeed("sync", { ...node.flags, backend: "iptables" }, CLUSTER);
    const hide = ["add", "rule", "ip", "filter", "INPUT", "ct", "state", "vmap", "{ invalid : drop }"];
    node.run("nft", hide);
    const chains = node.run("nft", ["list", "chain", "ip", "filter", "INPUT"]);
    for (const command of ["sync", "cleanup"]) {
      const flags = command === "sync" ? node.flags : { backend: "auto" };
      await expectToBeLeftAlone(command, flags, "cannot show the ipv4 table filter", "nft list table ip filter");
    }
    expect(node.run("nft", ["list", "chain", "ip", "filter", "INPUT"])).toBe(chains);
    expect(node.run("nft", ["list", "chain", "ip", "nat", "KUBE-SERVICES"])).toContain("KUBE-SERVICES");
  });

  test("a dry run says what would go besides, and changes nothing", async () => {
    const other = backend === "iptables" ? "nftables" : "iptables";
    await node.program.succeed("sync", { ...node.flags, backend: other }, CLUSTER);
    const before = node.everything();
    const { stdout } = await node.program.run("sync", { ...node.flags, "dry-run": true }, CLUSTER);
    expect(stdout).toContain(`the ${other} rules of before would be removed`);
    expect(node.everything()).toBe(before);
    await node.program.succeed("sync", node.flags, CLUSTER);
    expect(node.everything()).not.toMatch(other === "iptables" ? /KUBE-SERVICES/ : /svctables/);
  });

  test("once the new rules stand, a tool that dies over those of before does not hide that", async () => {
    const other = backend === "iptables" ? "nftables" : "iptables";
    await node.program.succeed("sync", { ...node.flags, backend: other }, CLUSTER);
    const home = mkdtempSync(join(tmpdir(), "svctables-dying-"));
    const tool = other === "iptables" ? "iptables-nft-restore" : "nft";
    const dying = `#!/bin/sh\nPATH=\${PATH#*:}\ncase "$*" in *--test*|*"-f -") kill -9 $$ ;; esac\nexec ${tool} "$@"\n`;
    writeFileSync(join(home, tool), dying, { mode: 0o755 });
    vi.stubEnv("PATH", `${home}:${process.env.PATH}`);
    const { exitCode, stderr } = await node.program.run("sync", node.flags, CLUSTER);
    vi.unstubAllEnvs();
    rmSync(home, { recursive: true });
    expect(stderr).toContain(`${tool} was killed`);
    expect(stderr).toContain("the new rules stand");
    expect(exitCode).toBe(4);
    await node.program.succeed("sync", node.flags, CLUSTER);
    expect((await node.program.run("diff", node.flags, CLUSTER)).stdout).toBe("in sync");
  });

  test("rules of the other backend that come back, as from a file saved at boot, are a difference", async () => {
    const other = backend === "iptables" ? "nftables" : "iptables";
    await node.program.succeed("sync", { ...node.flags, backend: other }, CLUSTER);
    const saved =
      other === "iptables" ? node.run("iptables-nft-save", []) : node.run("nft", ["list", "table", "ip", "svctables"]);
    await node.program.succeed("sync", node.flags, CLUSTER);
    expect((await node.program.run("diff", node.flags, CLUSTER)).stdout).toBe("in sync");
    if (other === "iptables") node.run("iptables-nft-restore", [], saved);
    else node.run("nft", ["-f", "-"], saved);

    const { exitCode, stdout } = await node.program.run("diff", node.flags, CLUSTER);
    expect(stdout).toBe(`the ${other} rules of before would be removed`);
    expect(exitCode).toBe(1);
    const synced = await node.program.succeed("sync", { ...node.flags, output: "json" }, CLUSTER);
    expect(JSON.parse(synced.stdout)).toMatchObject({ result: "unchanged", inSync: false, otherBackends: [other] });
    expect((await node.program.run("diff", node.flags, CLUSTER)).stdout).toBe("in sync");
  });

  test("nor is it a reason to stop where it cannot hold anything of ours", async () => {
    node.run("iptables-nft", ["-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT"]);
    node.run("nft", ["add", "rule", "ip", "filter", "INPUT", "ct", "state", "vmap", "{ invalid : drop }"]);
    if (backend === "iptables") await expectToBeLeftAlone("sync", node.flags, "cannot show the ipv4 table filter");
    else await node.program.succeed("sync", node.flags, CLUSTER);
    await node.program.succeed("cleanup", { backend: "auto" });
    expect(node.run("nft", ["list", "tables"])).not.toContain("svctables");
  });
});
