import { elementText } from "../../change.ts";
import type { Pieces } from "../../gradual.ts";
import type { Family, Origin, Table, TableObject } from "../../types.ts";
import { TABLE } from "./names.ts";
import { wordsOf } from "./words.ts";

export type ChainObject = Extract<TableObject, { kind: "chain" }>;
export type ElementObject = Extract<TableObject, { kind: "set" | "map" }>;

export const TABLE_COMMENT = "Kubernetes Services, written by svctables";

/** `ip svctables`, as commands name our table. */
export function tableOf(family: Family): string {
  return `${wordsOf(family).ip} ${TABLE}`;
}

export function isElements(object: TableObject): object is ElementObject {
  return object.kind === "set" || object.kind === "map";
}

/** Text for nft under construction, with who caused each line. */
export class Script {
  readonly #lines: string[] = [];
  readonly origins: (Origin | undefined)[] = [];

  add(text: string, origin?: Origin): void {
    this.#lines.push(text);
    this.origins.push(origin);
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  text(): string {
    return this.isEmpty ? "" : `${this.#lines.join("\n")}\n`;
  }

  /** The text of what was added since it was last taken. */
  take(): string {
    const text = this.text();
    this.#lines.length = 0;
    this.origins.length = 0;
    return text;
  }
}

/** A whole table in the form in which `nft list table` prints it: what is read, compared and loaded by hand. */
export function* writeTable(script: Script, table: Table): Pieces<void> {
  script.add(`table ${tableOf(table.family)} {`);
  script.add(`\tcomment "${TABLE_COMMENT}"`);
  let isFirst = true;
  for (const object of table.objects.values()) {
    if (object.kind === "sharedChain") continue;
    if (!isFirst) script.add("");
    isFirst = false;
    // An object of a kind that is not ours has its kind in its name.
    script.add(`\t${object.name.includes(" ") ? "" : `${object.kind} `}${object.name} {`);
    if (isElements(object)) yield* writeElements(script, object);
    else writeChain(script, object);
    script.add("\t}");
  }
  script.add("}");
}

/** As many as are written in a few thousandths of a second. */
const ELEMENTS_PER_PIECE = 4096;

function* writeElements(script: Script, { declaration, comment, elements }: ElementObject): Pieces<void> {
  for (const part of declaration.split("; ")) script.add(`\t\t${part}`);
  if (comment !== undefined) script.add(`\t\tcomment "${comment}"`);
  let left = elements.size;
  let head = "\t\telements = { ";
  for (const element of elements.values()) {
    script.add(`${head}${elementText(element)}${--left === 0 ? " }" : ","}`, element.origin);
    head = "\t\t\t     ";
    if (left % ELEMENTS_PER_PIECE === 0) yield;
  }
}

function writeChain(script: Script, { hook, comment, lines }: ChainObject): void {
  if (comment !== undefined) script.add(`\t\tcomment "${comment}"`);
  if (hook !== undefined) script.add(`\t\t${hook};`);
  for (const { text, origin } of lines) script.add(`\t\t${text}`, origin);
}

/** A set or map as one command declares it, or the block of a chain; "" for a chain without any. */
export function blockOf(object: TableObject): string {
  const parts: string[] = [];
  if (isElements(object)) parts.push(object.declaration);
  else if (object.kind === "chain" && object.hook !== undefined) parts.push(object.hook);
  if (object.kind !== "sharedChain" && object.comment !== undefined) parts.push(`comment "${object.comment}"`);
  return parts.length === 0 ? "" : ` { ${parts.join("; ")}; }`;
}
