import type { Family, Line, Table, TableObject } from "../../types.ts";
import { isEndpointChoice, isPerService } from "./names.ts";
import { FIXED_CHAINS, JUMPS, MARTIAN_CHAIN, MARTIAN_RULE, UNORDERED_CHAINS } from "./scaffolding.ts";
import { kernelProbability } from "./words.ts";

/** Chains by which a kubelet shows that it lives here and keeps a KUBE-FIREWALL of its own. */
const KUBELET_HINTS = /^:KUBE-(?:IPTABLES-HINT|KUBELET-CANARY) /m;
/** kube-proxy's rule that only counts; it never changes what happens to a packet. */
const ACCOUNTING = /--nfacct-name\s+localhost_nps_accepted_pkts /;
const JUMP_TO_KUBE = / -[jg] (KUBE-\S+)/;

type TableName = keyof typeof FIXED_CHAINS;

/**
 * Reads `iptables-save` output of any tables. Kept are our chains, whole, and our jumps in the chains of others;
 * all else is foreign and left out. Order and text are the kernel's.
 */
export function read(listing: string, family: Family): readonly Table[] {
  const kubelet = KUBELET_HINTS.test(listing);
  return (["filter", "nat"] as const).map((name) => ({ family, name, objects: readTable(listing, name, kubelet) }));
}

interface Reading {
  readonly chains: Map<string, Line[]>;
  readonly shared: Map<string, Line[]>;
  readonly positions: Map<string, number>;
  readonly pinned: Set<string>;
}

function readTable(listing: string, table: TableName, kubelet: boolean): ReadonlyMap<string, TableObject> {
  const reading: Reading = { chains: new Map(), shared: new Map(), positions: new Map(), pinned: new Set() };
  const jumps = jumpTextsOf(table);
  for (const line of linesOf(listing, table)) {
    if (line.startsWith(":")) declareChain(reading, table, line.slice(1, line.indexOf(" ")));
    else if (line.startsWith("-A ")) {
      const space = line.indexOf(" ", 3);
      readRule(reading, jumps, line.slice(3, space < 0 ? undefined : space), space < 0 ? "" : line.slice(space + 1));
    }
  }
  return objectsOf(reading, kubelet);
}

/** The lines between `*table` and its COMMIT; the counters in front of rules, if listed, are left out. */
function linesOf(listing: string, table: string): readonly string[] {
  const start = listing.startsWith(`*${table}\n`) ? 0 : listing.indexOf(`\n*${table}\n`);
  if (start < 0) return [];
  const end = listing.indexOf("\nCOMMIT", start);
  const body = listing.slice(start, end < 0 ? undefined : end).split("\n");
  return listing.includes("\n[") ? body.map((line) => line.replace(/^\[\d+:\d+\] /, "")) : body;
}

/** Texts of our jumps by the chain that they stand in. */
function jumpTextsOf(table: TableName): ReadonlyMap<string, ReadonlySet<string>> {
  const texts = new Map<string, Set<string>>();
  for (const { table: owner, from, text } of JUMPS) {
    if (owner !== table) continue;
    const known = texts.get(from);
    if (known === undefined) texts.set(from, new Set([text]));
    else known.add(text);
  }
  if (table === "filter") texts.set(MARTIAN_CHAIN, new Set([MARTIAN_RULE]));
  return texts;
}

function declareChain(reading: Reading, table: TableName, name: string): void {
  if ((FIXED_CHAINS[table] as readonly string[]).includes(name) || (table === "nat" && isPerService(name))) {
    reading.chains.set(name, []);
  } else if (name === MARTIAN_CHAIN || !name.startsWith("KUBE-")) {
    reading.shared.set(name, []);
  }
}

function readRule(
  { chains, shared, positions, pinned }: Reading,
  jumps: ReadonlyMap<string, ReadonlySet<string>>,
  chain: string,
  text: string,
): void {
  const own = chains.get(chain);
  if (own !== undefined) {
    own.push(ACCOUNTING.test(text) ? { text, tolerated: true } : { text });
    return;
  }
  const position = (positions.get(chain) ?? 0) + 1;
  positions.set(chain, position);
  if (jumps.get(chain)?.has(text)) {
    shared.get(chain)?.push({ text, position });
    return;
  }
  // A chain to which somebody else leads cannot be deleted.
  const target = JUMP_TO_KUBE.exec(` ${text}`)?.[1];
  if (target !== undefined) pinned.add(target);
}

function objectsOf({ chains, shared, positions, pinned }: Reading, kubelet: boolean): ReadonlyMap<string, TableObject> {
  const objects = new Map<string, TableObject>();
  for (const [name, lines] of shared) {
    const isMartian = name === MARTIAN_CHAIN;
    if (!isMartian && lines.length === 0) continue;
    const foreign = isMartian && (kubelet || (positions.get(name) ?? 0) > lines.length);
    objects.set(name, { kind: "sharedChain", name, lines, ...(foreign ? { foreign } : {}) });
  }
  tolerateMartians(objects, kubelet);
  for (const [name, lines] of chains) {
    const split = name === "KUBE-SERVICES" ? splitTail(lines) : { lines };
    const pin = pinned.has(name) ? { pinned: true } : {};
    objects.set(name, { kind: "chain", name, ordered: !UNORDERED_CHAINS.has(name), ...split, ...pin });
  }
  return objects;
}

/** Where others rely on KUBE-FIREWALL, neither its rule nor the jumps to it are ours to take away. */
function tolerateMartians(objects: Map<string, TableObject>, kubelet: boolean): void {
  const martian = objects.get(MARTIAN_CHAIN);
  if (!kubelet && !(martian?.kind === "sharedChain" && martian.foreign)) return;
  for (const [name, object] of objects) {
    if (object.kind !== "sharedChain") continue;
    const lines = object.lines.map((line) =>
      name === MARTIAN_CHAIN || line.text === `-j ${MARTIAN_CHAIN}` ? { ...line, tolerated: true } : line,
    );
    objects.set(name, { ...object, lines });
  }
}

/** The rules at the end of KUBE-SERVICES that lead to the NodePorts. */
function splitTail(all: readonly Line[]): { readonly lines: readonly Line[]; readonly tail?: readonly Line[] } {
  let start = all.length;
  while (start > 0 && all[start - 1]?.text.endsWith("-j KUBE-NODEPORTS")) start -= 1;
  return start === all.length ? { lines: all } : { lines: all.slice(0, start), tail: all.slice(start) };
}

// ── Texts that differ and mean the same ──────────────────────────────────────────────────────────

const TOKENS = /"(?:[^"\\]|\\.)*"|\S+/g;
const DEFAULTS = new Set(["--rsource", "-m recent"]);

/**
 * A form of a rule in which what versions of the tools, or kube-proxy's accounting, write differently is equal:
 * order of matches, defaults written out or not, comments of endpoint choices (left out in large clusters), nfacct.
 */
export function comparable(chain: string, text: string): string {
  const groups: string[] = [];
  let group: string[] = [];
  for (const token of text.match(TOKENS) ?? []) {
    const negatedAlready = group.length === 1 && group[0] === "!";
    if ((token === "!" || /^-{1,2}[a-z]/.test(token)) && !negatedAlready && group.length > 0) {
      groups.push(group.join(" "));
      group = [];
    }
    group.push(token);
  }
  if (group.length > 0) groups.push(group.join(" "));
  const dropsComments = isEndpointChoice(chain);
  return groups
    .filter((words) => !isNoise(words, dropsComments))
    .map(normalGroup)
    .sort()
    .join(" ");
}

function isNoise(words: string, dropsComments: boolean): boolean {
  if (DEFAULTS.has(words) || words.startsWith("--mask ") || words.startsWith("--nfacct-name ")) return true;
  // `-m X` itself says nothing that the options of X do not say.
  if (words.startsWith("-m ")) return true;
  return dropsComments && words.startsWith("--comment ");
}

function normalGroup(words: string): string {
  if (words.startsWith("--probability ")) return `--probability ${kernelProbability(words.slice(14))}`;
  if (words === "--reject-with icmp-port-unreachable" || words === "--reject-with icmp6-port-unreachable") return "";
  return words;
}
