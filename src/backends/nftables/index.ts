import { finished } from "../../gradual.ts";
import type {
  Backend,
  Change,
  Command,
  Family,
  KernelCommands,
  Table,
  Transaction,
  TransactionStep,
} from "../../types.ts";
import { isAffinityChain } from "./names.ts";
import { comparable, read } from "./read.ts";
import { render } from "./render.ts";
import { settle } from "./settle.ts";
import { STAMP, stampOf } from "./stamp.ts";
import { isElements, Script, tableOf, writeTable } from "./text.ts";
import { transaction, writeRemoval } from "./transaction.ts";

const FAILED_LINE = /^[^\n]*?:(\d+):\d+(?:-\d+)?: Error/m;
/** In the words of nft itself: its loader says the same of a library. */
const ABSENT = /\bError: .*No such file or directory/;

/** nft takes a step whole or not at all, so asking beforehand is a courtesy, which a large one would pay for twice. */
const CHECKED_CHARACTERS = 1 << 20;

/** `flavour` is the nft program. */
function commands(family: Family, flavour: string): KernelCommands {
  const feed = (step: TransactionStep, ...args: readonly string[]): Command => ({
    program: flavour,
    args: [...args, "-f", "-"],
    input: step.text,
  });
  return {
    // Numbers for priorities, since their names depend on the hook and on the version.
    list: [{ program: flavour, args: ["-y", "list", "table", ...tableOf(family).split(" ")] }],
    check: (step) =>
      step.isDependent === true || step.text.length > CHECKED_CHARACTERS ? undefined : feed(step, "-c"),
    apply: (step) => feed(step),
    failedLine: (stderr) => {
      const line = FAILED_LINE.exec(stderr)?.[1];
      return line === undefined ? undefined : Number(line);
    },
    isAbsent: ({ exitCode, stderr }) => exitCode !== 0 && ABSENT.test(stderr),
    // Of all listings the only one that costs the same however much the table holds, in every version of nft.
    stamp: { program: flavour, args: ["list", "map", ...tableOf(family).split(" "), STAMP] },
  };
}

/** What nft takes as it is, wherever none or an older table of ours stands; it forgets session affinity. */
function replacement(family: Family, wanted: readonly Table[], held: readonly Table[]): Transaction {
  return {
    backend: "nftables",
    family,
    steps: [replacementStep(family, wanted)],
    get undo() {
      return [replacementStep(family, held)];
    },
  };
}

function replacementStep(family: Family, tables: readonly Table[]): TransactionStep {
  const script = new Script();
  writeRemoval(script, tableOf(family));
  for (const table of tables) finished(writeTable(script, table));
  return { text: script.text(), origins: script.origins };
}

function* written(tables: readonly Table[]): Generator<string, undefined> {
  const script = new Script();
  for (const table of tables) {
    for (const _ of writeTable(script, table)) yield script.take();
  }
  yield script.take();
}

/** Declarations and hooks cannot be changed while rules use them. */
function mustReplace(changes: readonly Change[]): boolean {
  return changes.some(({ before, after }) => {
    if (before === undefined || after === undefined) return false;
    if (before.kind !== after.kind) return true;
    return isElements(before) && isElements(after) && before.declaration !== after.declaration;
  });
}

/** The stamp in a table, or in what `commands.stamp` printed once it is read. */
function stamp(tables: readonly Table[]): string | undefined {
  const [table] = tables;
  return table === undefined ? undefined : stampOf(table);
}

/** Session affinity remembers every client in a set. */
function isWrittenByPackets(tables: readonly Table[]): boolean {
  return tables.some(({ objects }) => {
    for (const object of objects.values()) {
      if (isAffinityChain(object.name) && object.kind === "chain" && object.lines.length > 0) return true;
    }
    return false;
  });
}

/** Few shared maps with the meaning of kube-proxy's nftables mode. */
export const nftables = {
  name: "nftables",
  render,
  read,
  comparable,
  transaction,
  commands,
  settle,
  mustReplace,
  replacement,
  written,
  isWrittenByPackets,
  stamp,
} as const satisfies Backend;
