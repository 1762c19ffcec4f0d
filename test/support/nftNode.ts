import { execaSync } from "execa";
import { nftables } from "../../src/backends/nftables/index.ts";
import { diff } from "../../src/diff.ts";
import type { Change, Command, CommandResult, Family, Table, Transaction, TransactionStep } from "../../src/types.ts";

/** The nftables of one namespace, as the backend reads and writes it through a given nft. */
export interface NftNode {
  /** What the kernel holds. */
  held(): readonly Table[];
  /** What would change for the kernel to hold this. */
  changesTo(wanted: readonly Table[]): readonly Change[];
  /** Makes the kernel hold this, by single changes; throws when nft refuses. */
  sync(wanted: readonly Table[]): Transaction;
  run(steps: readonly TransactionStep[]): void;
  /** Feeds one step and returns what nft said. */
  feed(step: TransactionStep): CommandResult;
  start(command: Command): CommandResult;
  /** Anything else that nft can be told. */
  nft(...args: readonly string[]): string;
}

export function nftNode(namespace: string, path: string, family: Family): NftNode {
  const commands = nftables.commands(family, path);
  const start = ({ program, args, input = "" }: Command): CommandResult => {
    const words = ["netns", "exec", namespace, program, ...args];
    const {
      exitCode = -1,
      stdout,
      stderr,
    } = execaSync("ip", words, { input, reject: false, stripFinalNewline: false });
    return { exitCode, stdout, stderr };
  };
  const must = (command: Command): string => {
    const { exitCode, stdout, stderr } = start(command);
    if (exitCode !== 0) throw new Error(`${command.args.join(" ")}: ${stderr}`);
    return stdout;
  };
  const held = (): readonly Table[] =>
    commands.list.flatMap((command) => {
      const result = start(command);
      if (commands.isAbsent?.(result) === true) return [];
      if (result.exitCode !== 0) throw new Error(result.stderr);
      return nftables.read(result.stdout, family);
    });
  const run = (steps: readonly TransactionStep[]): void => {
    for (const step of steps) must(commands.apply(step));
  };
  const changesTo = (wanted: readonly Table[]): readonly Change[] => {
    const now = held();
    return diff(nftables, now, nftables.settle(wanted, now));
  };
  return {
    held,
    changesTo,
    run,
    start,
    feed: (step) => start(commands.apply(step)),
    sync: (wanted) => {
      const transaction = nftables.transaction(family, changesTo(wanted));
      run(transaction.steps);
      return transaction;
    },
    nft: (...args) => must({ program: path, args }),
  };
}
