import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { packetCases } from "../support/packetCases.ts";
import { type Flavour, flavourText, nftOf } from "../support/program.ts";
import { canRun } from "../support/requireKernel.ts";
import { type BareNode, bareNode, expectSecondSyncToTouchNothing, expectToBeGivenBack } from "./bareNode.ts";
import { clusterOf, DNS, WEB, WEB6 } from "./cluster.ts";
import { FOREIGN_IPTABLES, FOREIGN_NFT } from "./foreign.ts";

const FLAVOURS: readonly Flavour[] = [
  { backend: "nftables", nft: "system" },
  { backend: "nftables", nft: "newer" },
];

describe.each(FLAVOURS)("sync on a real kernel: $backend, $nft nft", (flavour) => {
  const cluster = clusterOf([WEB, DNS, WEB6]);
  let node: BareNode;

  beforeEach(() => {
    node = bareNode(flavour);
  });
  afterEach(() => node.close());

  const runs = test.runIf(canRun(flavour));

  /** The two tables that are ours, whole, are taken out. */
  const foreignOnly = (text: string): string => text.replace(/^table ip6? svctables \{\n[\s\S]*?^\}\n/gm, "");

  runs("what belongs to others is the same after sync and after clean-up, byte for byte", async () => {
    for (const program of ["iptables-nft", "ip6tables-nft"]) {
      node.run(`${program}-restore`, ["--counters"], FOREIGN_IPTABLES);
    }
    node.run("nft", ["-f", "-"], FOREIGN_NFT);
    const before = node.everything();
    await node.program.succeed("sync", node.flags, cluster);
    expect(node.everything()).toContain("table ip svctables");
    expect(foreignOnly(node.everything())).toBe(before);
    await node.program.succeed("sync", node.flags, clusterOf([DNS]));
    await node.program.succeed("cleanup", {});
    expect(node.everything()).toBe(before);
  });

  runs("names Services that nothing serves when it writes them, and not in every run", async () => {
    const input = clusterOf([DNS, { ...WEB, endpoints: [] }]);
    const said = async () => (await node.program.run("sync", node.flags, input)).stderr;
    expect(await said()).toContain("no endpoint takes traffic, so connections are refused: 1 Service (");
    expect(await said()).toBe("");
  });

  runs("a second sync finds nothing to do and touches nothing", async () => {
    await expectSecondSyncToTouchNothing(node, cluster);
  });

  const unlike = packetCases("ipv4").filter(({ name }) =>
    /affinity\/shared|source-ranges$|eleven|masquerade\/default|one-network$|by-interface|local-dns$|longest|dual-stack$/.test(
      name,
    ),
  );

  for (const { name, input, flags } of unlike) {
    runs(`the kernel gives back what it was told: ${name}`, async () => {
      await expectToBeGivenBack(node, input, flags, { verify: true });
    });
  }

  runs("rules and elements that somebody took away are seen and mended", async () => {
    const nft = nftOf(flavour);
    const inSync = async (): Promise<boolean> =>
      (await node.program.run("diff", { ...node.flags, verify: true }, cluster)).exitCode === 0;
    await node.program.succeed("sync", node.flags, cluster);
    const maps = [...node.run(nft, ["list", "table", "ip", "svctables"]).matchAll(/^\t(map|set) (\S+) \{/gm)];
    const flushes = maps.map(([, kind = "", name = ""]) => `flush ${kind} ip svctables ${name}\n`).join("");
    for (const harm of ["flush table ip svctables\n", flushes, "delete table ip6 svctables\n"]) {
      node.run(nft, ["-f", "-"], harm);
      expect(await inSync()).toBe(false);
      await node.program.succeed("sync", { ...node.flags, verify: true }, cluster);
      expect(await inSync()).toBe(true);
    }
  });

  runs("two at once wait for one another", async () => {
    const one = clusterOf([WEB, DNS]);
    const other = clusterOf([{ ...WEB, clusterIP: "172.30.0.77", endpoints: ["10.180.0.3"] }, WEB6]);
    const flags = { ...node.flags, "lock-timeout": "60" };
    await Promise.all([one, other, one, other].map((input) => node.program.succeed("sync", flags, input)));
    const codes = await Promise.all([one, other].map((input) => node.program.run("diff", flags, input)));
    expect(codes.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
  });

  runs(`killed at any moment, the next sync makes it whole: ${flavourText(flavour)}`, async () => {
    await node.program.succeed("sync", node.flags, cluster);
    const other = clusterOf([
      { ...WEB, endpoints: ["10.180.0.3"] },
      { ...DNS, clusterIP: "172.30.0.11" },
    ]);
    for (const milliseconds of [150, 200, 250, 300, 350, 400, 500]) {
      await node.program.killAfter(milliseconds, "sync", node.flags, other);
      await node.program.succeed("sync", node.flags, cluster);
      expect((await node.program.run("diff", { ...node.flags, verify: true }, cluster)).exitCode).toBe(0);
    }
  });
});
