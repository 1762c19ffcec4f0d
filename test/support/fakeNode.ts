import type { Command, CommandResult, Family, Runner } from "../../src/types.ts";
import { emptyKernel, type Kernel, RestoreError, restore, save } from "./restoreKernel.ts";

/** A node in memory with iptables-nft: a runner for everything that takes one, and a way to make it fail. */
export interface FakeNode {
  readonly run: Runner;
  /** Every command that was run, in order, as words. */
  readonly log: string[];
  /** What iptables-save would print. */
  listing(family: Family): string;
  /** Changes the kernel behind everybody's back. */
  feed(family: Family, input: string): void;
  /** Asked before each command; what it gives back happens instead. */
  fault: (command: Command, times: number) => CommandResult | undefined;
}

const OK: CommandResult = { exitCode: 0, stdout: "", stderr: "" };

export function refusal(stderr: string): CommandResult {
  return { exitCode: 1, stdout: "", stderr };
}

export function fakeNode(): FakeNode {
  const kernels: Record<Family, Kernel> = { ipv4: emptyKernel(), ipv6: emptyKernel() };
  const seen = new Map<string, number>();
  const node: FakeNode = {
    log: [],
    fault: () => undefined,
    listing: (family) => save(kernels[family]),
    feed: (family, input) => {
      kernels[family] = restore(kernels[family], input);
    },
    run: async (command) => {
      const words = [command.program, ...command.args].join(" ");
      node.log.push(words);
      const times = (seen.get(words) ?? 0) + 1;
      seen.set(words, times);
      return node.fault(command, times) ?? obey(command);
    },
  };

  function obey({ program, args, input = "" }: Command): CommandResult {
    const family: Family = program.startsWith("ip6tables") ? "ipv6" : "ipv4";
    if (program.endsWith("-save")) return { ...OK, stdout: tableOf(kernels[family], args.at(-1) ?? "") };
    if (!program.endsWith("-restore")) throw new Error(`no program ${program} on the fake node`);
    try {
      const after = restore(kernels[family], input);
      if (!args.includes("--test")) kernels[family] = after;
      return OK;
    } catch (error) {
      if (error instanceof RestoreError) return refusal(`${program}: ${error.message}`);
      throw error;
    }
  }
  return node;
}

function tableOf(kernel: Kernel, name: string): string {
  const table = kernel.get(name);
  return table === undefined ? "" : save(new Map([[name, table]]));
}
