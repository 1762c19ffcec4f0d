/**
 * As much of nftables as our texts use, in memory: one table, changed by what `nft -f` takes, all or nothing, with
 * the kernel's refusals (File exists, No such file, busy). Written against the manual of nft, not against our reader.
 */

export interface NftChain {
  readonly hook: string;
  readonly comment: string;
  readonly rules: readonly string[];
}

export interface NftSet {
  readonly kind: "set" | "map";
  readonly declaration: string;
  readonly comment: string;
  /** Key without comment → what `nft list` prints. */
  readonly elements: ReadonlyMap<string, Element>;
}

export interface NftTable {
  /** `ip name`. */
  readonly name: string;
  readonly chains: ReadonlyMap<string, NftChain>;
  readonly sets: ReadonlyMap<string, NftSet>;
}

export type NftKernel = NftTable | undefined;

export class NftError extends Error {}

interface Draft {
  name: string | undefined;
  readonly chains: Map<string, NftChain>;
  readonly sets: Map<string, NftSet>;
  /** Of sets that this input made or changed: nobody else's, so that they need no copy for each command. */
  readonly elements: Map<NftSet, Map<string, Element>>;
}

interface Element {
  readonly comment: string;
  readonly value: string;
}

/** The kernel after one input; throws an NftError and changes nothing when it would be refused. */
export function runNft(kernel: NftKernel, input: string): NftKernel {
  const [chains, sets] = [new Map(kernel?.chains), new Map(kernel?.sets)];
  const draft: Draft = { name: kernel?.name, chains, sets, elements: new Map() };
  for (const command of commandsIn(input)) {
    try {
      obey(draft, command);
    } catch (error) {
      throw new NftError(`${error instanceof Error ? error.message : error}: ${command}`);
    }
  }
  checkReferences(draft);
  return draft.name === undefined ? undefined : { name: draft.name, chains: draft.chains, sets: draft.sets };
}

/** One command a line, but for elements, which go on until their brace closes. */
function commandsIn(input: string): readonly string[] {
  const commands: string[] = [];
  let open: string[] | undefined;
  for (const line of input.split("\n")) {
    if (open !== undefined) {
      open.push(line);
      if (line.endsWith("}")) {
        commands.push(open.join(" "));
        open = undefined;
      }
    } else if (/^(add|delete) element /.test(line) && !line.endsWith("}")) open = [line];
    else if (line !== "" && !line.startsWith("#")) commands.push(line);
  }
  if (open !== undefined) throw new NftError("an open brace");
  return commands;
}

const COMMAND = /^(add|delete|flush) (table|chain|rule|set|map|element) (ip6? \S+)(?: (\S+))?(?: (.*))?$/;

function obey(draft: Draft, command: string): void {
  const [, verb, noun, table, name = "", rest = ""] = COMMAND.exec(command) ?? [];
  if (table === undefined) throw new Error("syntax error");
  if (noun === "table") {
    obeyTable(draft, verb === "add", table);
    return;
  }
  if (draft.name !== table) throw new Error("No such file or directory");
  switch (`${verb} ${noun}`) {
    case "add chain":
      if (!draft.chains.has(name)) draft.chains.set(name, { ...blockOf(rest), rules: [] });
      return;
    case "flush chain":
      draft.chains.set(name, { ...chainOf(draft, name), rules: [] });
      return;
    case "delete chain":
      if (chainOf(draft, name).rules.length > 0) throw new Error("Device or resource busy");
      draft.chains.delete(name);
      return;
    case "add rule":
      draft.chains.set(name, { ...chainOf(draft, name), rules: [...chainOf(draft, name).rules, rest] });
      return;
    case "add set":
    case "add map":
      addSet(draft, noun === "set" ? "set" : "map", name, rest);
      return;
    case "delete set":
    case "delete map":
      setOf(draft, name);
      draft.sets.delete(name);
      return;
    case "add element":
    case "delete element":
      changeElements(draft, verb === "add", name, rest);
      return;
    default:
      throw new Error("syntax error");
  }
}

function obeyTable(draft: Draft, isAdded: boolean, table: string): void {
  if (isAdded) {
    draft.name = table;
    return;
  }
  if (draft.name !== table) throw new Error("No such file or directory");
  draft.name = undefined;
  draft.chains.clear();
  draft.sets.clear();
}

function chainOf({ chains }: Draft, name: string): NftChain {
  const chain = chains.get(name);
  if (chain === undefined) throw new Error("No such file or directory");
  return chain;
}

function setOf({ sets }: Draft, name: string): NftSet {
  const set = sets.get(name);
  if (set === undefined) throw new Error("No such file or directory");
  return set;
}

/** `{ first; comment "…"; }` in its two parts. */
function blockOf(text: string): { readonly hook: string; readonly comment: string } {
  const comment = /comment "([^"]*)";/.exec(text)?.[1] ?? "";
  if (Buffer.byteLength(comment) > 128) throw new Error("comment too long");
  const hook = text.replace(/ ?comment "[^"]*";/, "").replace(/^\{ ?| ?\}$/g, "");
  return { hook: hook.replace(/; ?$/, ""), comment };
}

function addSet(draft: Draft, kind: "set" | "map", name: string, rest: string): void {
  const { hook: declaration, comment } = blockOf(rest);
  const known = draft.sets.get(name);
  if (known !== undefined && known.declaration !== declaration) throw new Error("File exists");
  if (known === undefined) draft.sets.set(name, { kind, declaration, comment, elements: new Map() });
}

function changeElements(draft: Draft, isAdded: boolean, name: string, rest: string): void {
  const set = setOf(draft, name);
  const elements = draft.elements.get(set) ?? new Map(set.elements);
  for (const text of rest.slice(2, -2).split(/, */)) {
    const [, key = "", comment = "", value = ""] = /^(.+?)(?: comment "([^"]*)")?(?: : (.+))?$/.exec(text) ?? [];
    const known = elements.get(key);
    if (isAdded && known !== undefined && known.value !== value) throw new Error("File exists");
    if (!isAdded && known === undefined) throw new Error("No such file or directory");
    if (set.kind === "map" && isAdded && value === "") throw new Error("syntax error");
    if (isAdded) elements.set(key, known ?? { comment, value });
    else elements.delete(key);
  }
  const changed = { ...set, elements };
  draft.sets.set(name, changed);
  draft.elements.set(changed, elements);
}

/** Everything that a rule or an element names must be there when the transaction ends. */
function checkReferences({ chains, sets }: Draft): void {
  const check = (text: string, where: string): void => {
    const target = /\b(?:goto|jump) (\S+)/.exec(text)?.[1];
    if (target !== undefined && !chains.has(target))
      throw new NftError(`${where} leads to ${target}, which is not there`);
    for (const [, set = ""] of text.matchAll(/@(\S+)/g)) {
      if (!sets.has(set)) throw new NftError(`${where} names ${set}, which is not there`);
    }
  };
  for (const [name, { rules }] of chains) for (const rule of rules) check(rule, name);
  for (const [name, { elements }] of sets) for (const { value } of elements.values()) check(value, name);
}

/** What `nft -y list table` would print, with the elements in another order than they were added. */
export function listNft(kernel: NftKernel): string {
  if (kernel === undefined) return "";
  const lines = [`table ${kernel.name} {`];
  for (const [name, { kind, declaration, comment, elements }] of kernel.sets) {
    lines.push(`\t${kind} ${name} {`, ...declaration.split("; ").map((part) => `\t\t${part}`));
    if (comment !== "") lines.push(`\t\tcomment "${comment}"`);
    if (elements.size > 0)
      lines.push(`\t\telements = { ${[...elements].reverse().map(elementText).join(",\n\t\t\t     ")} }`);
    lines.push("\t}", "");
  }
  for (const [name, { hook, comment, rules }] of kernel.chains) {
    lines.push(`\tchain ${name} {`);
    if (comment !== "") lines.push(`\t\tcomment "${comment}"`);
    if (hook !== "") lines.push(`\t\t${hook};`);
    lines.push(...rules.map((rule) => `\t\t${rule}`), "\t}", "");
  }
  return `${[...lines.slice(0, -1), "}"].join("\n")}\n`;
}

function elementText([key, { comment, value }]: [string, Element]): string {
  return key + (comment === "" ? "" : ` comment "${comment}"`) + (value === "" ? "" : ` : ${value}`);
}
