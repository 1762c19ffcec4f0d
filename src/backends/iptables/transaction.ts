import { reversed } from "../../change.ts";
import type { Change, Family, Line, Origin, TableObject, Transaction, TransactionStep } from "../../types.ts";

/**
 * Above this many chains a restore is split into several COMMIT sections when iptables-nft takes it: with
 * --noflush its time grows with the square of the chains that one section names. iptables-legacy writes the whole
 * table at every COMMIT, so it gets one section.
 */
const CHAINS_PER_SECTION = 500;

/** One `iptables-restore --noflush` input, and the one that takes it back, written only when it is asked for. */
export function transaction(family: Family, changes: readonly Change[], flavour: string): Transaction {
  return {
    backend: "iptables",
    family,
    steps: stepsOf(changes, flavour),
    get undo() {
      return stepsOf(changes.map(reversed), flavour);
    },
  };
}

function stepsOf(changes: readonly Change[], flavour: string): readonly TransactionStep[] {
  if (changes.length === 0) return [];
  const input = new RestoreInput();
  const limit = flavour === "nft" ? CHAINS_PER_SECTION : Number.POSITIVE_INFINITY;
  const add = (table: string, ofTable: readonly Change[]): void => {
    for (const section of sectionsOf(ofTable.map(orderOf), limit)) input.addSection(table, section);
  };
  const filter = changes.filter(({ table }) => table === "filter").map(inTwo);
  // Each section counts on its own: what has no endpoint is refused before it loses its translation, and until it has one.
  add(
    "filter",
    filter.flatMap(({ first }) => first),
  );
  add(
    "nat",
    changes.filter(({ table }) => table === "nat"),
  );
  add(
    "filter",
    filter.flatMap(({ last }) => last),
  );
  return [{ text: input.text(), origins: input.origins }];
}

/** Rules that come, and rules that go, of a chain in which their order means nothing. */
function inTwo(change: Change): { readonly first: readonly Change[]; readonly last: readonly Change[] } {
  const { before, after, removed, added } = change;
  if (before?.kind !== "chain" || after?.kind !== "chain" || after.ordered || removed.length === 0)
    return { first: [change], last: [] };
  const between = { ...after, lines: [...after.lines, ...removed] };
  const first = { ...change, after: between, removed: [] };
  return { first: added.length === 0 ? [] : [first], last: [{ ...change, before: between, added: [] }] };
}

// ── What is to be done, chain by chain ───────────────────────────────────────────────────────────

/** Everything one section does about one chain. */
interface Order {
  /** Targets before what leads to them; deletions last, the other way round. */
  readonly rank: number;
  /** The chain to be created or emptied. */
  readonly declare?: string;
  readonly commands: readonly Command[];
}

/** One command for each line: `-A CHAIN ` and the line's text. */
interface Command {
  readonly head: string;
  readonly lines: readonly Line[];
}

/** Ranks of chains that are written: none leads to one of a higher rank. */
const RANKS: readonly (readonly [string, number])[] = [
  ["KUBE-SEP-", 1],
  ["KUBE-SVC-", 2],
  ["KUBE-SVL-", 2],
  ["KUBE-EXT-", 3],
  ["KUBE-FW-", 4],
  ["KUBE-NODEPORTS", 5],
  ["KUBE-SERVICES", 6],
];
const JUMP_RANK = 7;
const DELETION_RANK = 20;

function rankOf(chain: string): number {
  return RANKS.find(([prefix]) => chain.startsWith(prefix))?.[1] ?? 0;
}

function orderOf(change: Change): Order {
  const { before, after, name } = change;
  if ((after ?? before)?.kind === "sharedChain") return sharedOrder(change);
  if (after === undefined) return deletion(name);
  const rank = rankOf(name);
  if (before !== undefined && isSmall(before, after, change)) {
    const [remove, insert] = [`-D ${name} `, `-I ${name} `];
    return {
      rank,
      commands: [
        { head: remove, lines: change.removed },
        { head: insert, lines: change.added },
      ],
    };
  }
  return { rank, declare: name, commands: appended(name, after) };
}

function deletion(chain: string): Order {
  return { rank: DELETION_RANK - rankOf(chain), declare: chain, commands: [{ head: "-X ", lines: [{ text: chain }] }] };
}

/** Jumps go in at the head, in their order; a jump that is put back goes where it was. */
function sharedOrder({ name, before, after, removed, added }: Change): Order {
  const inserts = added.map((line) => insertion(name, line));
  const isOurs = name.startsWith("KUBE-");
  if (isOurs && before === undefined) return { rank: 0, declare: name, commands: inserts };
  if (isOurs && after === undefined) return deletion(name);
  return { rank: JUMP_RANK, commands: [{ head: `-D ${name} `, lines: removed }, ...inserts] };
}

function insertion(chain: string, line: Line): Command {
  const head = line.position === undefined ? `-I ${chain} ` : `-I ${chain} ${line.position} `;
  return { head, lines: [line] };
}

function appended(chain: string, object: TableObject): readonly Command[] {
  if (object.kind !== "chain") return [];
  const head = `-A ${chain} `;
  const body = { head, lines: object.lines };
  return object.tail === undefined ? [body] : [body, { head, lines: object.tail }];
}

/** Whether taking out and putting in single rules says less than writing the whole chain, and keeps counters. */
function isSmall(before: TableObject, after: TableObject, { removed, added }: Change): boolean {
  if (before.kind !== "chain" || after.kind !== "chain" || after.ordered) return false;
  const sameTail = textsOf(before.tail) === textsOf(after.tail);
  return sameTail && (removed.length + added.length) * 4 <= after.lines.length;
}

function textsOf(lines: readonly Line[] = []): string {
  return lines.map(({ text }) => text).join("\n");
}

// ── Sections ─────────────────────────────────────────────────────────────────────────────────────

/** Orders in the sequence of their ranks, cut where a section is full; few chains need one section only. */
function sectionsOf(orders: readonly Order[], limit: number): readonly (readonly Order[])[] {
  if (orders.length === 0) return [];
  const sorted = orders.toSorted((a, b) => a.rank - b.rank);
  if (sorted.length <= limit) return [sorted];
  const sections: Order[][] = [];
  let section: Order[] = [];
  for (const order of sorted) {
    if (section.length >= limit) {
      sections.push(section);
      section = [];
    }
    section.push(order);
  }
  return [...sections, section];
}

/** Text under construction, with who caused each line. */
class RestoreInput {
  readonly #lines: string[] = [];
  readonly origins: (Origin | undefined)[] = [];

  addSection(table: string, orders: readonly Order[]): void {
    this.#push(`*${table}`, undefined);
    for (const { declare } of orders) {
      if (declare !== undefined) this.#push(`:${declare} - [0:0]`, undefined);
    }
    for (const { commands } of orders) {
      for (const { head, lines } of commands) for (const { text, origin } of lines) this.#push(head + text, origin);
    }
    this.#push("COMMIT", undefined);
  }

  text(): string {
    return `${this.#lines.join("\n")}\n`;
  }

  #push(text: string, origin: Origin | undefined): void {
    this.#lines.push(text);
    this.origins.push(origin);
  }
}
