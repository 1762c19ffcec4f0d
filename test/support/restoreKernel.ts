/**
 * What `iptables-restore --noflush` makes of a listing: a kernel in memory, which refuses what the real one refuses
 * (an unknown chain or target, deleting what is not there, deleting a chain in use) and takes a section as a whole
 * or not at all.
 */

const BUILTIN: Readonly<Record<string, readonly string[]>> = {
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
};
const VERDICTS = new Set(["ACCEPT", "DROP", "RETURN", "REJECT", "MASQUERADE", "DNAT", "MARK"]);

type Chains = Map<string, string[]>;
export type Kernel = ReadonlyMap<string, ReadonlyMap<string, readonly string[]>>;

export class RestoreError extends Error {}

export function emptyKernel(): Kernel {
  return new Map(Object.entries(BUILTIN).map(([table, chains]) => [table, new Map(chains.map((name) => [name, []]))]));
}

/** The kernel after a restore; the given one is left as it was. Throws RestoreError with the line it stops at. */
export function restore(kernel: Kernel, input: string): Kernel {
  const after = new Map<string, Chains>();
  for (const [table, chains] of kernel) {
    after.set(table, new Map([...chains].map(([name, rules]) => [name, [...rules]])));
  }
  let table: Chains | undefined;
  input.split("\n").forEach((line, index) => {
    if (line === "" || line.startsWith("#")) return;
    if (line.startsWith("*")) table = after.get(line.slice(1));
    else if (line === "COMMIT") checkTargets(table);
    else apply(table, line, index + 1);
  });
  return after;
}

function apply(table: Chains | undefined, line: string, number: number): void {
  const fail = (why: string): never => {
    throw new RestoreError(`line ${number} failed: ${why}: ${line}`);
  };
  if (table === undefined) throw fail("no table");
  if (line.startsWith(":")) {
    table.set(line.slice(1, line.indexOf(" ")), []);
    return;
  }
  const [, verb = "", chain = "", rest = ""] = /^-([AIDX]) (\S+) ?(.*)$/.exec(line) ?? fail("not understood");
  const rules = table.get(chain) ?? fail("no such chain");
  if (verb === "A") rules.push(rest);
  else if (verb === "I") {
    const position = /^(\d+) (.*)$/.exec(rest);
    rules.splice(Number(position?.[1] ?? 1) - 1, 0, position?.[2] ?? rest);
  } else if (verb === "D") {
    const at = rules.indexOf(rest);
    if (at < 0) fail("no such rule");
    rules.splice(at, 1);
  } else {
    if (rules.length > 0) fail("chain is not empty");
    for (const others of table.values()) if (others.some((rule) => targetOf(rule) === chain)) fail("chain is in use");
    table.delete(chain);
  }
}

export function targetOf(rule: string): string | undefined {
  return / -[jg] (\S+)/.exec(` ${rule}`)?.[1];
}

function checkTargets(table: Chains | undefined): void {
  for (const [chain, rules] of table ?? []) {
    for (const rule of rules) {
      const target = targetOf(rule);
      if (target === undefined || VERDICTS.has(target) || table?.has(target)) continue;
      throw new RestoreError(`COMMIT failed: ${chain} leads to ${target}, which is not there`);
    }
  }
}

/** The kernel's tables as iptables-save prints them. */
export function save(kernel: Kernel): string {
  const lines: string[] = [];
  for (const [table, chains] of kernel) {
    const builtin = BUILTIN[table] ?? [];
    const names = [...builtin, ...[...chains.keys()].filter((name) => !builtin.includes(name)).sort()];
    lines.push(`*${table}`, ...names.map((name) => `:${name} ${builtin.includes(name) ? "ACCEPT" : "-"} [0:0]`));
    for (const name of names) lines.push(...(chains.get(name) ?? []).map((rule) => `-A ${name} ${rule}`));
    lines.push("COMMIT");
  }
  return `${lines.join("\n")}\n`;
}
