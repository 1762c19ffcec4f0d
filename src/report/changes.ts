import type { Change, Element, Family, Line, Origin, ServicePortName, TableObject } from "../types.ts";
import { placeOf } from "./diagnostics.ts";
import { count, harmless, oneLine, type Style } from "./style.ts";

/** Lines of one object, on behalf of one ServicePort or of none. */
interface Part {
  readonly change: Change;
  readonly removed: Line[];
  readonly added: Line[];
}

interface Group {
  readonly origin: Origin | undefined;
  readonly parts: Map<Change, Part>;
}

/**
 * Changes for people, grouped by the Service that causes them: `+` comes, `-` goes, `~` stays with other lines.
 * What no Service of the input causes stands last.
 */
export function changesText(changes: readonly Change[], style: Style): string {
  const blocks = groupsOf(changes).map((group) => {
    const head = group.origin === undefined ? style.bold(withoutOrigin(group)) : headOf(group.origin, style);
    const parts = [...group.parts.values()].map((part) => partText(part, style));
    return `${head}\n${parts.join("")}`;
  });
  return blocks.join("\n");
}

function headOf({ servicePort, source }: Origin, style: Style): string {
  return `${style.bold(`Service ${servicePortText(servicePort)}`)}  ${style.dim(placeOf(source))}`;
}

/** "default/web:http/tcp" */
export function servicePortText({ text, protocol }: ServicePortName): string {
  return `${text}/${protocol}`;
}

function withoutOrigin({ parts }: Group): string {
  const onlyGo = [...parts.values()].every(
    ({ change, added, removed }) => change.after === undefined || (added.length === 0 && removed.length > 0),
  );
  return onlyGo ? "Caused by no Service of the input" : "Common to all Services";
}

function partText({ change, removed, added }: Part, style: Style): string {
  const { before, after, family, table, name } = change;
  const action = before === undefined ? style.good("+") : after === undefined ? style.bad("-") : style.warn("~");
  const kind = (after ?? before)?.kind ?? "";
  const lines = [
    ...removed.map(({ text }) => `      ${style.bad(`- ${harmless(text)}`)}\n`),
    ...added.map(({ text }) => `      ${style.good(`+ ${harmless(text)}`)}\n`),
  ];
  const onlyOrder = removed.length + added.length === 0 && before !== undefined && after !== undefined;
  const note = onlyOrder ? style.dim(" (other order)") : "";
  return `  ${action} ${family} ${table} ${kind === "sharedChain" ? "chain" : kind} ${oneLine(name)}${note}\n${lines.join("")}`;
}

// ── Groups ───────────────────────────────────────────────────────────────────────────────────────

function groupsOf(changes: readonly Change[]): readonly Group[] {
  const named = new Map<string, Group>();
  const nameless: Group = { origin: undefined, parts: new Map() };
  const groupOf = (origin: Origin | undefined): Group => {
    if (origin === undefined) return nameless;
    const key = servicePortText(origin.servicePort);
    const known = named.get(key);
    if (known !== undefined) return known;
    const group: Group = { origin, parts: new Map() };
    named.set(key, group);
    return group;
  };
  const owners = ownersOf(changes);
  for (const change of changes) {
    const owner = owners.get(change);
    const partOf = (origin: Origin | undefined): Part => partIn(groupOf(origin), change);
    for (const line of change.removed) partOf(line.origin ?? owner).removed.push(line);
    for (const line of change.added) partOf(line.origin ?? owner).added.push(line);
    if (change.removed.length + change.added.length === 0) partOf(owner);
  }
  const groups = [...named.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, group]) => group);
  return nameless.parts.size === 0 ? groups : [...groups, nameless];
}

function partIn({ parts }: Group, change: Change): Part {
  const known = parts.get(change);
  if (known !== undefined) return known;
  const part: Part = { change, removed: [], added: [] };
  parts.set(change, part);
  return part;
}

/** The ServicePort that each changed object belongs to as a whole. */
function ownersOf(changes: readonly Change[]): ReadonlyMap<Change, Origin> {
  const owners = new Map<Change, Origin>();
  const deleted = new Map<string, Change>();
  for (const change of changes) {
    const owner = soleOrigin(change);
    if (owner !== undefined) owners.set(change, owner);
    else if (change.after === undefined) deleted.set(change.name, change);
  }
  // What the kernel held has no origin, but what a Service's chain no longer leads to was that Service's.
  for (const [{ removed }, owner] of [...owners]) {
    for (const { text } of removed) {
      const orphan = deleted.get(text.slice(text.lastIndexOf(" ") + 1));
      if (orphan !== undefined) owners.set(orphan, owner);
    }
  }
  return owners;
}

/** The one origin of all lines of a chain. Where order carries no meaning, many Services share the chain. */
function soleOrigin({ after }: Change): Origin | undefined {
  if (after?.kind !== "chain" || !after.ordered) return undefined;
  const [first] = after.lines;
  if (first?.origin === undefined) return undefined;
  const key = servicePortText(first.origin.servicePort);
  const same = after.lines.every(({ origin }) => origin !== undefined && servicePortText(origin.servicePort) === key);
  return same ? first.origin : undefined;
}

// ── Counts ───────────────────────────────────────────────────────────────────────────────────────

export interface ChangeCounts {
  readonly services: number;
  readonly created: number;
  readonly deleted: number;
  readonly altered: number;
  readonly linesAdded: number;
  readonly linesRemoved: number;
}

export function countChanges(changes: readonly Change[]): ChangeCounts {
  const services = new Set<string>();
  const counts = { created: 0, deleted: 0, altered: 0, linesAdded: 0, linesRemoved: 0 };
  for (const change of changes) {
    const { before, after, removed } = change;
    if (before === undefined) counts.created += 1;
    else if (after === undefined) counts.deleted += 1;
    else counts.altered += 1;
    const come = comingOf(change);
    counts.linesAdded += "size" in come ? come.size : come.length;
    counts.linesRemoved += removed.length;
    let last: Origin | undefined;
    for (const { origin } of come.values()) {
      // Lines of one Service stand together.
      if (origin === undefined || origin === last) continue;
      last = origin;
      services.add(`${origin.servicePort.namespace}/${origin.servicePort.name}`);
    }
  }
  return { services: services.size, ...counts };
}

/** Lines that come, or the elements that they would be made from. */
function comingOf(change: Change): readonly Line[] | ReadonlyMap<string, Element> {
  const { before, after } = change;
  return before === undefined && after !== undefined && "elements" in after ? after.elements : change.added;
}

/** "2 Services, 3 objects created, 1 changed, 0 deleted, +12 -4 lines" */
export function countsText(changes: readonly Change[]): string {
  const { services, created, deleted, altered, linesAdded, linesRemoved } = countChanges(changes);
  return [
    ...(services === 0 ? [] : [count(services, "Service")]),
    `${count(created, "object")} created`,
    `${altered} changed`,
    `${deleted} deleted`,
    `+${linesAdded} -${linesRemoved} lines`,
  ].join(", ");
}

/** Which families, for one-line summaries. */
export function familiesText(families: readonly Family[]): string {
  return families.map((family) => (family === "ipv4" ? "IPv4" : "IPv6")).join(" and ");
}

export function kindOf(object: TableObject | undefined): string {
  return object === undefined ? "" : object.kind === "sharedChain" ? "chain" : object.kind;
}
