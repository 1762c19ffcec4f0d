import { expect } from "vitest";
import { addNamespace, deleteNamespace, inNamespace, uniquePrefix } from "../support/namespaces.ts";
import type { Flags } from "../support/packetCases.ts";
import { type Flavour, nftOf, type Program, programAt } from "../support/program.ts";

/** A namespace with nothing but loopback, for tests of the rules themselves: no packet moves a counter here. */
export interface BareNode {
  readonly namespace: string;
  readonly program: Program;
  readonly flags: Flags;
  run(program: string, args: readonly string[], input?: string): string;
  /** What the kernel holds, foreign and ours, counters and all, but for the comments that tell the time. */
  everything(): string;
  close(): void;
}

const FLAGS: Flags = {
  "node-name": "test-node",
  "node-ip": "192.168.0.2,fd00:192:168::2",
  "cluster-cidr": "10.180.0.0/16,fd00:10:180::/48",
};

let count = 0;

export function bareNode(flavour: Flavour): BareNode {
  count += 1;
  const namespace = `${uniquePrefix()}-bare${count}`;
  addNamespace(namespace);
  const program = programAt(namespace, flavour);
  const run: BareNode["run"] = (name, args, input) => inNamespace(namespace, name, args, input);
  const variant = flavour.backend === "iptables" ? flavour.variant : "nft";
  const saves = ["iptables", "ip6tables"].map((name) => `${name}-${variant}-save`);
  /** Tables of iptables-nft are left to its own listing: nft prints them badly, or dies of them. */
  const nftTables = (): readonly string[] =>
    run(nftOf(flavour), ["list", "tables"])
      .split("\n")
      .filter((line) => line !== "" && !/^table ip6? (mangle|filter|nat|raw|security)$/.test(line));
  return {
    namespace,
    program,
    flags: FLAGS,
    run,
    everything: () => {
      const listed = nftTables().map((table) => run(nftOf(flavour), ["list", ...table.split(" ")]));
      return [...saves.map((save) => run(save, ["-c"])), ...listed].join("").replace(/^# .* on .*\n/gm, "");
    },
    close() {
      program.close();
      deleteNamespace(namespace);
    },
  };
}

/** What is in sync stays as it is, counters and all, and is called so. */
export async function expectSecondSyncToTouchNothing(node: BareNode, manifests: string): Promise<void> {
  await node.program.succeed("sync", node.flags, manifests);
  const before = node.everything();
  const { stdout } = await node.program.succeed("sync", { ...node.flags, output: "json" }, manifests);
  expect(JSON.parse(stdout)).toMatchObject({ result: "unchanged" });
  expect((await node.program.run("diff", node.flags, manifests)).exitCode).toBe(0);
  expect(node.everything()).toBe(before);
}

/** What the kernel was told is what it lists: `diff`, which reads it, finds nothing. */
export async function expectToBeGivenBack(
  node: BareNode,
  manifests: string,
  flags: Flags,
  diffFlags: Flags = {},
): Promise<void> {
  await node.program.succeed("sync", flags, manifests);
  const { exitCode, stdout } = await node.program.run("diff", { ...flags, ...diffFlags }, manifests);
  expect(stdout).toBe("in sync");
  expect(exitCode).toBe(0);
}
