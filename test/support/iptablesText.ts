/** Reads iptables-restore input and iptables-save output, as far as Service rules go; what it does not know it refuses. */

interface Negatable {
  readonly negated: boolean;
}

export type TextMatch = Negatable &
  (
    | { readonly kind: "source" | "destination"; readonly cidr: string }
    | { readonly kind: "protocol"; readonly protocol: string }
    | { readonly kind: "destinationPort"; readonly port: number }
    | { readonly kind: "inputInterface"; readonly pattern: string }
    | { readonly kind: "sourceIsLocal" | "destinationIsLocal" }
    | { readonly kind: "connectionState"; readonly states: readonly string[] }
    | { readonly kind: "mark"; readonly value: number; readonly mask: number }
    /** True for some packets and false for others: random choice, earlier clients. */
    | { readonly kind: "chance" }
  );

export type TextTarget =
  | { readonly kind: "verdict"; readonly verdict: "ACCEPT" | "DROP" | "REJECT" | "RETURN" }
  | { readonly kind: "chain"; readonly name: string; readonly goto: boolean }
  | { readonly kind: "dnat"; readonly address: string }
  | { readonly kind: "masquerade" }
  | { readonly kind: "setMark"; readonly value: number; readonly mask: number }
  | { readonly kind: "none" };

export interface TextRule {
  readonly text: string;
  readonly matches: readonly TextMatch[];
  readonly target: TextTarget;
}

/** Rules by chain by table; a built-in chain without rules is there, too. */
export type TextRuleset = ReadonlyMap<string, ReadonlyMap<string, readonly TextRule[]>>;

const BUILT_IN: Readonly<Record<string, readonly string[]>> = {
  filter: ["INPUT", "FORWARD", "OUTPUT"],
  nat: ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
  mangle: ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
};

/** Throws a SyntaxError on what it cannot read, also on jumps to chains that nobody declared. */
export function parseIptables(text: string): TextRuleset {
  const tables = new Map(
    Object.entries(BUILT_IN).map(
      ([table, chains]) => [table, new Map(chains.map((chain): [string, TextRule[]] => [chain, []]))] as const,
    ),
  );
  let table = "";
  for (const line of text.split("\n")) {
    if (line === "" || line.startsWith("#") || line === "COMMIT") continue;
    if (line.startsWith("*")) table = line.slice(1);
    else readLine(line, tables.get(table) ?? fail(`no table ${table}`, line));
  }
  for (const chains of tables.values()) refuseDanglingJumps(chains);
  return tables;
}

function fail(problem: string, line: string): never {
  throw new SyntaxError(`${problem}: ${line}`);
}

function readLine(line: string, chains: Map<string, TextRule[]>): void {
  if (line.startsWith(":")) {
    const name = line.slice(1, line.indexOf(" "));
    chains.set(name, []);
    return;
  }
  const [command = "", name = "", ...words] = splitWords(line.replace(/^\[\d+:\d+\] /, ""));
  const rules = chains.get(name) ?? fail(`rule for an unknown chain ${name}`, line);
  switch (command) {
    case "-A":
      rules.push(parseRule(words, line));
      return;
    case "-I": {
      const position = /^\d+$/.test(words[0] ?? "") ? Number(words.shift()) : 1;
      rules.splice(position - 1, 0, parseRule(words, line));
      return;
    }
    case "-F":
      rules.length = 0;
      return;
    case "-X":
      if (rules.length > 0) fail("chain is not empty", line);
      chains.delete(name);
      return;
    default:
      fail("unknown command", line);
  }
}

function splitWords(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? "");
}

function refuseDanglingJumps(chains: ReadonlyMap<string, readonly TextRule[]>): void {
  for (const rule of [...chains.values()].flat()) {
    if (rule.target.kind === "chain" && !chains.has(rule.target.name)) fail("jump to an unknown chain", rule.text);
  }
}

/** Options that say nothing about one new packet, with the number of words they take. */
const WITHOUT_MEANING: Readonly<Record<string, number>> = {
  "-m": 1,
  "--match": 1,
  "--comment": 1,
  "--mode": 1,
  "--name": 1,
  "--seconds": 1,
  "--hitcount": 1,
  "--mask": 1,
  "--nfacct-name": 1,
  "--reject-with": 1,
  "--reap": 0,
  "--rsource": 0,
  "--set": 0,
  "--random-fully": 0,
};

function parseRule(words: readonly string[], line: string): TextRule {
  const matches: TextMatch[] = [];
  let target: TextTarget = { kind: "none" };
  let negated = false;
  for (let index = 0; index < words.length; index += 1) {
    const option = words[index] ?? "";
    if (option === "!") {
      negated = true;
      continue;
    }
    const value = words[index + 1] ?? "";
    const skipped = WITHOUT_MEANING[option];
    const match = skipped === undefined ? parseMatch(option, value, negated) : undefined;
    if (skipped !== undefined) index += skipped;
    else if (match !== undefined) {
      matches.push(match);
      if (option !== "--rcheck") index += 1;
    } else {
      target = parseTarget(option, value) ?? fail(`unknown option ${option}`, line);
      index += 1;
    }
    negated = false;
  }
  return { text: line, matches, target };
}

function parseMatch(option: string, value: string, negated: boolean): TextMatch | undefined {
  switch (option) {
    case "-s":
      return { kind: "source", cidr: asCIDR(value), negated };
    case "-d":
      return { kind: "destination", cidr: asCIDR(value), negated };
    case "-p":
      return { kind: "protocol", protocol: value, negated };
    case "--dport":
      return { kind: "destinationPort", port: Number(value), negated };
    case "-i":
      return { kind: "inputInterface", pattern: value, negated };
    case "--src-type":
      return { kind: "sourceIsLocal", negated };
    case "--dst-type":
      return { kind: "destinationIsLocal", negated };
    case "--ctstate":
      return { kind: "connectionState", states: value.split(","), negated };
    case "--mark": {
      const [mark, mask] = parseMarkAndMask(value);
      return { kind: "mark", value: mark, mask, negated };
    }
    case "--probability":
    case "--rcheck":
      return { kind: "chance", negated };
    default:
      return undefined;
  }
}

function asCIDR(value: string): string {
  return value.includes("/") ? value : `${value}/${value.includes(":") ? 128 : 32}`;
}

function parseMarkAndMask(text: string): readonly [number, number] {
  const [value = "", mask = "0xffffffff"] = text.split("/");
  return [Number(value), Number(mask)];
}

function parseTarget(option: string, value: string): TextTarget | undefined {
  switch (option) {
    case "-j":
    case "-g":
      return parseJump(value, option === "-g");
    case "--to-destination":
      return { kind: "dnat", address: value };
    case "--set-xmark": {
      const [mark, mask] = parseMarkAndMask(value);
      return { kind: "setMark", value: mark, mask };
    }
    case "--or-mark":
      return { kind: "setMark", value: Number(value), mask: Number(value) };
    case "--xor-mark":
      return { kind: "setMark", value: Number(value), mask: 0 };
    default:
      return undefined;
  }
}

function parseJump(name: string, goto: boolean): TextTarget {
  switch (name) {
    case "ACCEPT":
    case "DROP":
    case "REJECT":
    case "RETURN":
      return { kind: "verdict", verdict: name };
    case "MASQUERADE":
      return { kind: "masquerade" };
    // Their option follows and says the rest.
    case "DNAT":
    case "MARK":
      return { kind: "none" };
    default:
      return { kind: "chain", name, goto };
  }
}
