import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { packetCases } from "../support/packetCases.ts";
import type { Flavour } from "../support/program.ts";
import { requireKernel } from "../support/requireKernel.ts";
import { type BareNode, bareNode, expectSecondSyncToTouchNothing, expectToBeGivenBack } from "./bareNode.ts";
import { clusterOf, DNS, WEB, WEB6 } from "./cluster.ts";
import { FOREIGN_IPTABLES, FOREIGN_NFT } from "./foreign.ts";

const FLAVOURS: readonly Extract<Flavour, { readonly backend: "iptables" }>[] = [
  { backend: "iptables", variant: "nft" },
  { backend: "iptables", variant: "legacy" },
];

requireKernel();

describe.each(FLAVOURS)("sync on a real kernel: $backend $variant", (flavour) => {
  let node: BareNode;
  const cluster = clusterOf([WEB, DNS, WEB6]);

  beforeEach(() => {
    node = bareNode(flavour);
  });
  afterEach(() => node.close());

  /** What is left when our chains, and jumps to them, are taken out. */
  const foreignOnly = (text: string): string =>
    text
      .split("\n")
      .filter((line) => !/KUBE-(?!LET)/.test(line) || line.includes("KUBELET-LIKE"))
      .join("\n");

  function addForeign(): void {
    for (const program of ["iptables", "ip6tables"]) {
      node.run(`${program}-${flavour.variant}-restore`, ["-w", "--counters"], FOREIGN_IPTABLES);
    }
    node.run("nft", ["-f", "-"], FOREIGN_NFT);
  }

  test("what belongs to others is the same after sync and after clean-up, byte for byte", async () => {
    addForeign();
    const before = node.everything();
    await node.program.succeed("sync", node.flags, cluster);
    const synced = node.everything();
    expect(synced).toContain("KUBE-SERVICES");
    expect(foreignOnly(synced)).toBe(before);
    await node.program.succeed("sync", node.flags, clusterOf([DNS]));
    await node.program.succeed("cleanup", {});
    expect(withoutOurFirewall(node.everything())).toBe(before);
  });

  test("a second sync finds nothing to do and touches nothing", async () => {
    await expectSecondSyncToTouchNothing(node, cluster);
  });

  const unlike = packetCases("ipv4").filter(({ name }) =>
    /affinity\/shared|source-ranges$|eleven|masquerade\/default|one-network-and|by-interface|local-dns$|longest|dual-stack$/.test(
      name,
    ),
  );
  for (const { name, input, flags } of unlike) {
    test(`the kernel gives back what it was told: ${name}`, async () => {
      await expectToBeGivenBack(node, input, flags);
    });
  }

  test("rules that somebody took away or added are seen and mended", async () => {
    await node.program.succeed("sync", node.flags, cluster);
    const before = node.everything();
    const iptables = `iptables-${flavour.variant}`;
    node.run(iptables, ["-w", "-t", "nat", "-F", "KUBE-SERVICES"]);
    node.run(iptables, ["-w", "-t", "nat", "-D", "PREROUTING", "1"]);
    node.run(iptables, ["-w", "-t", "filter", "-A", "KUBE-FORWARD", "-j", "DROP"]);
    expect((await node.program.run("diff", node.flags, cluster)).exitCode).toBe(1);
    await node.program.succeed("sync", node.flags, cluster);
    expect(node.everything()).toBe(before);
  });

  test("comments of endpoint choices alone are no difference, and come or go with what else changes", async () => {
    const commented = () => (node.everything().match(/default\/\w+ -> /g) ?? []).length;
    await node.program.succeed("sync", { ...node.flags, comments: "always" }, cluster);
    const before = node.everything();
    const flags = { ...node.flags, comments: "never" };
    await node.program.succeed("sync", flags, cluster);
    expect(node.everything()).toBe(before);
    const count = commented();
    const grown = clusterOf([{ ...WEB, endpoints: [...WEB.endpoints, "10.180.0.9"] }, DNS, WEB6]);
    await node.program.succeed("sync", flags, grown);
    expect(commented()).toBe(count - WEB.endpoints.length);
    await node.program.succeed("cleanup", {});
    await node.program.succeed("sync", flags, grown);
    expect(commented()).toBe(0);
  });

  // IPv4 is written first: what IPv6 is refused must be taken back there.
  test.each(["iptables", "ip6tables"])(
    "what the kernel refuses by %s changes nothing in either family",
    async (program) => {
      const without = [WEB, WEB6].map((service) => ({ ...service, endpoints: [] }));
      await node.program.succeed("sync", node.flags, clusterOf(without));
      // Somebody leads outgoing packets through our chains, and there the kernel allows no DNAT.
      for (const words of [
        ["-N", "OTHER"],
        ["-A", "OTHER", "-j", "KUBE-SERVICES"],
        ["-A", "POSTROUTING", "-j", "OTHER"],
      ]) {
        node.run(`${program}-${flavour.variant}`, ["-w", "-t", "nat", ...words]);
      }
      const before = node.everything();
      const { exitCode, stderr } = await node.program.run("sync", node.flags, cluster);
      expect(stderr).toContain("the kernel refused the rules");
      expect(stderr).toContain("the rules are as they were before");
      expect(exitCode).toBe(4);
      expect(node.everything()).toBe(before);
    },
  );

  test("two at once wait for one another", async () => {
    const one = clusterOf([WEB, DNS]);
    const other = clusterOf([{ ...WEB, clusterIP: "172.30.0.77", endpoints: ["10.180.0.3"] }, WEB6]);
    const flags = { ...node.flags, "lock-timeout": "60" };
    await Promise.all([one, other, one, other].map((input) => node.program.succeed("sync", flags, input)));
    const codes = await Promise.all([one, other].map((input) => node.program.run("diff", flags, input)));
    expect(codes.map(({ exitCode }) => exitCode).sort()).toEqual([0, 1]);
  });

  test("killed at any moment, the next sync makes it whole", async () => {
    await node.program.succeed("sync", node.flags, cluster);
    const whole = node.everything();
    const other = clusterOf([
      { ...WEB, endpoints: ["10.180.0.3"] },
      { ...DNS, clusterIP: "172.30.0.11" },
    ]);
    for (const milliseconds of [150, 200, 250, 300, 350, 400, 500]) {
      await node.program.killAfter(milliseconds, "sync", node.flags, other);
      await node.program.succeed("sync", node.flags, cluster);
      expect(node.everything()).toBe(whole);
    }
  });
});

/** kube-proxy and kubelet share this chain and leave it; so do we. */
function withoutOurFirewall(text: string): string {
  return text
    .split("\n")
    .filter((line) => !line.includes("KUBE-FIREWALL"))
    .join("\n");
}
