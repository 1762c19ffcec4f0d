import { canonicalIP } from "../../ip.ts";
import type { Element, Family, Line, Table, TableObject } from "../../types.ts";
import { TABLE } from "./names.ts";
import { wordsOf } from "./words.ts";

/**
 * Reads what `nft -y list table` prints (1.0.6 and 1.1.x print the same for all that we write), and what `compile`
 * writes. Linear in its length; elements are cut out of their lines, not parsed.
 */
export function read(listing: string, family: Family): readonly Table[] {
  const lines = new Lines(normalised(listing));
  const head = `table ${wordsOf(family).ip} ${TABLE} {`;
  const objects = new Map<string, TableObject>();
  let isThere = false;
  let sleeps = false;
  for (let line = lines.next(); line !== undefined; line = lines.next()) {
    if (line !== head) continue;
    isThere = true;
    for (let inner = lines.next(); inner !== undefined && inner !== "}"; inner = lines.next()) {
      if (inner.startsWith("\tflags ") && inner.includes("dormant")) sleeps = true;
      if (!inner.endsWith(" {")) continue;
      const object = readObject(inner.slice(1, -2), lines);
      objects.set(object.name, object);
    }
  }
  // What is in a dormant table does nothing: it counts as not there, and is written anew.
  return isThere && !sleeps ? [{ family, name: TABLE, objects }] : [];
}

class Lines {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  next(): string | undefined {
    if (this.#at >= this.#text.length) return undefined;
    const end = this.#text.indexOf("\n", this.#at);
    const stop = end < 0 ? this.#text.length : end;
    const line = this.#text.slice(this.#at, stop);
    this.#at = stop + 1;
    return line;
  }
}

/** Addresses that the C library prints with dots, as `::ffff:1.2.3.4`, in the form that is canonical here. */
function normalised(listing: string): string {
  if (!/::(?:ffff:)?\d+\.\d/.test(listing)) return listing;
  return listing.replace(/(?<![0-9a-f:])::(?:ffff:)?\d+\.\d+\.\d+\.\d+/g, (address) => {
    const bytes = address
      .slice(address.lastIndexOf(":") + 1)
      .split(".")
      .map(Number);
    const [a = 0, b = 0, c = 0, d = 0] = bytes;
    const groups = `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
    return canonicalIP(address.slice(0, address.lastIndexOf(":") + 1) + groups) ?? address;
  });
}

function readObject(head: string, lines: Lines): TableObject {
  const space = head.indexOf(" ");
  const kind = head.slice(0, space);
  const name = head.slice(space + 1);
  if (kind === "chain") return readChain(name, lines);
  if (kind === "set" || kind === "map") return readElements(kind, name, lines);
  // Counters and the like: not ours, and to be deleted under the name of their kind.
  const { declaration } = readElements("set", head, lines);
  return { kind: "set", name: head, declaration, elements: new Map() };
}

const COMMENT = /^comment "(.*)"$/;

function readChain(name: string, lines: Lines): TableObject {
  const rules: Line[] = [];
  let hook: string | undefined;
  let comment: string | undefined;
  for (let line = lines.next(); line !== undefined && line !== "\t}"; line = lines.next()) {
    const text = line.trim();
    const found: string | undefined = COMMENT.exec(text)?.[1];
    if (found !== undefined) comment = found;
    else if (/^type \w+ hook /.test(text)) hook = text.slice(0, -1);
    else if (text !== "") rules.push({ text: withProtocolName(text) });
  }
  return {
    kind: "chain",
    name,
    ordered: true,
    lines: rules,
    ...(hook === undefined ? {} : { hook }),
    ...(comment === undefined ? {} : { comment }),
  };
}

const ELEMENTS = "elements = { ";

function readElements(kind: "set" | "map", name: string, lines: Lines): Extract<TableObject, { kind: "set" | "map" }> {
  const declaration: string[] = [];
  const elements = new Map<string, Element>();
  let comment: string | undefined;
  let skipped = false;
  let protocols = false;
  for (let line = lines.next(); line !== undefined && line !== "\t}"; line = lines.next()) {
    let text = line.trim();
    if (text.startsWith(ELEMENTS)) {
      // Packets write what a dynamic set holds: no part of what is wanted or compared.
      skipped = declaration.some((part) => /^flags .*dynamic/.test(part));
      protocols = declaration.some((part) => part.includes("inet_proto"));
      text = text.slice(ELEMENTS.length);
      for (let more: string | undefined = text; more !== undefined; more = lines.next()?.trim()) {
        const isLast = more.endsWith(" }");
        if (!skipped) addElements(elements, isLast ? more.slice(0, -2) : more, protocols);
        if (isLast) break;
      }
      continue;
    }
    const found: string | undefined = COMMENT.exec(text)?.[1];
    if (found !== undefined) comment = found;
    else if (text !== "") declaration.push(text);
  }
  const said = comment === undefined ? {} : { comment };
  return { kind, name, declaration: declaration.join("; "), elements, ...said };
}

/** A line of a listing holds one element or several. */
function addElements(elements: Map<string, Element>, line: string, protocols: boolean): void {
  for (const part of line.includes('"') ? splitQuoted(line) : line.split(",")) {
    const text = part.trim();
    if (text === "") continue;
    const split = text.indexOf(" : ", text.lastIndexOf('"') + 1);
    const written = split < 0 ? text : text.slice(0, split);
    const key = protocols ? withProtocolInKey(written) : written;
    elements.set(key, { key, value: split < 0 ? "" : text.slice(split + 3) });
  }
}

/** Splits at commas that stand outside quotes. */
function splitQuoted(line: string): readonly string[] {
  return line.match(/(?:[^",]|"[^"]*")+/g) ?? [];
}

const PROTOCOL_NAMES: Readonly<Record<string, string>> = { "6": "tcp", "17": "udp", "132": "sctp" };
const NUMBERED_PROTOCOL = /(^| \. )(6|17|132) \. (?=\d)/;

/** Without /etc/protocols nft prints numbers. In our keys a protocol is followed by a port, an address never is. */
function withProtocolInKey(key: string): string {
  return key.replace(NUMBERED_PROTOCOL, (_, before: string, number: string) => `${before}${PROTOCOL_NAMES[number]} . `);
}

function withProtocolName(rule: string): string {
  if (!rule.startsWith("meta l4proto ")) return rule;
  return rule.replace(/^meta l4proto (6|17|132)\b/, (_, number: string) => `meta l4proto ${PROTOCOL_NAMES[number]}`);
}

/**
 * A form of a rule in which spellings of later versions of nft are equal to those of earlier ones: hexadecimal
 * numbers without leading zeros, and no words that are understood.
 */
export function comparable(_object: string, text: string): string {
  return (
    text
      // How nft prints a test of the highest bit, which looks like a prefix to it.
      .replace(/^meta mark != 0x0+\/1\b/, "meta mark & 0x80000000 != 0x0")
      .replace(/0x0*([0-9a-f]+)/g, "0x$1")
      .replace(/^meta l4proto tcp reject with tcp reset$/, "reject with tcp reset")
      .replace(/^reject with icmp(?:v6|x)? (?:type )?port-unreachable$/, "reject")
      .replace(/\b(?:or|xor|and)\b/g, (word) => ({ or: "|", xor: "^", and: "&" })[word] ?? word)
  );
}
