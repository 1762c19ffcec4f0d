import type { Manifest } from "../types.ts";
import { servedBy } from "./identify.ts";
import { hashOf, type IndexedItem, type ItemIndex, parsed, type Who, whoIs } from "./items.ts";
import { endOfObject, type Range, startBehindComma } from "./load/itemRanges.ts";

/** What changed in a List since its index was made, and whether it concerns a few Services only. */

/** What of an input has to be read to know all that changed since the index was made. */
export interface ChangedPart {
  /** How many items came, went, or differ. */
  readonly changes: number;
  /** A List of its own: all Nodes, and the items of every Service of which one changed. */
  readonly text: Buffer;
  /** Where the items of that List stand in the whole. */
  readonly places: readonly number[];
  /** All items of the input as it is now. */
  readonly items: readonly PresentItem[];
  /** The items that went, or differ now. */
  readonly gone: readonly IndexedItem[];
  /** "namespace/name" of the Services that the part is about. */
  readonly services: ReadonlySet<string | undefined>;
}

/** An item of the index, or one that nobody has read yet. */
type PresentItem = IndexedItem | (Omit<IndexedItem, "who"> & { readonly who: undefined });

/**
 * What changed, if it is no more than `limit` Services and EndpointSlices; undefined if it is anything else. One
 * pass over the bytes, and only the items that changed are looked into.
 * @param namespace of objects that name none
 */
export function changedPart(
  index: ItemIndex,
  bytes: Buffer,
  limit: number,
  namespace: string,
): ChangedPart | undefined {
  const walk = walked(index, bytes, limit);
  if (walk === undefined) return undefined;
  const { found, gone } = walk;
  const services = found.map(({ item: { who }, value }) =>
    who === undefined ? servedBy(value, namespace) : serviceOf(who),
  );
  const concerned = new Set([
    ...gone.map(({ who }) => serviceOf(who)),
    ...services.filter((_, at) => found[at]?.item.who === undefined),
  ]);
  // Anything but a Service and what serves it.
  if (concerned.has(undefined)) return undefined;
  const pieces: Buffer[] = [];
  const places: number[] = [];
  found.forEach(({ item, range: { start, end } }, at) => {
    if (item.who?.kind !== "Node" && !concerned.has(services[at])) return;
    pieces.push(Buffer.from(pieces.length === 0 ? "" : ","), bytes.subarray(start, end));
    places.push(at);
  });
  const text = Buffer.concat([Buffer.from(index.head), ...pieces, Buffer.from(index.tail)]);
  return { changes: walk.changes, text, places, items: found.map(({ item }) => item), gone, services: concerned };
}

function serviceOf(who: Who): string | undefined {
  return "service" in who ? who.service : undefined;
}

/** An item in the bytes, and where it stood in the index, or its value. */
interface Found {
  readonly item: PresentItem;
  readonly range: Range;
  readonly before?: number;
  readonly value?: unknown;
}

interface Walk {
  readonly found: readonly Found[];
  readonly gone: readonly IndexedItem[];
  readonly changes: number;
}

/** Finds every item again: at the length that it had or, from one that differs to the next known one, by brackets. */
function walked({ head, tail, items }: ItemIndex, bytes: Buffer, limit: number): Walk | undefined {
  const start = Buffer.from(head);
  if (!bytes.subarray(0, start.length).equals(start)) return undefined;
  const placeOf = placesIn(items);
  const found: Found[] = [];
  let gone: readonly IndexedItem[] = [];
  let fresh = 0;
  let next = 0;
  for (let at = start.length; ; ) {
    const one = sameItem(items, next, bytes, at) ?? otherItem(items, next, placeOf, bytes, at);
    if (one === undefined) return undefined;
    found.push(one);
    if (one.before === undefined) fresh++;
    else {
      if (one.before > next) gone = [...gone, ...items.slice(next, one.before)];
      next = one.before + 1;
    }
    if (fresh > limit || gone.length > limit) return undefined;
    const { end } = one.range;
    const following = startBehindComma(bytes, end);
    if (following !== undefined) at = following;
    else if (bytes.subarray(end).equals(Buffer.from(tail))) break;
    else return undefined;
  }
  gone = [...gone, ...items.slice(next)];
  return gone.length > limit ? undefined : { found, gone, changes: Math.max(fresh, gone.length) };
}

/** The item that is expected here, if it is the one. */
function sameItem(items: readonly IndexedItem[], before: number, bytes: Buffer, start: number): Found | undefined {
  const item = items[before];
  if (item === undefined) return undefined;
  const range = { start, end: start + item.length };
  return range.end <= bytes.length && hashOf(bytes, range) === item.hash ? { item, range, before } : undefined;
}

/** A later item of the index, or one that is not in it; undefined if there is none. */
function otherItem(
  items: readonly IndexedItem[],
  next: number,
  placeOf: (hash: string) => number | undefined,
  bytes: Buffer,
  start: number,
): Found | undefined {
  const range = { start, end: endOfObject(bytes, start) };
  if (range.end < 0) return undefined;
  const hash = hashOf(bytes, range);
  const before = placeOf(hash);
  const item = before === undefined || before < next ? undefined : items[before];
  if (item !== undefined && before !== undefined) return { item, range, before };
  // The whole may not be read as YAML, which takes more, where a small part would be.
  const value = parsed(bytes.toString("utf8", range.start, range.end));
  return value === undefined ? undefined : { item: { length: range.end - start, hash, who: undefined }, range, value };
}

/** Where an item with this hash stands; most inputs have too few changes for anybody to ask. */
function placesIn(items: readonly IndexedItem[]): (hash: string) => number | undefined {
  let places: Map<string, number> | undefined;
  return (hash) => {
    places ??= new Map(items.map((item, place) => [item.hash, place]));
    return places.get(hash);
  };
}

// ── Whether it concerns no other Service ─────────────────────────────────────────────────────────

/** A part that was read, and what is known from then on. */
export interface AcceptedPart {
  /** Of the whole input as it is now. */
  readonly index: ItemIndex;
  /** What the Services claimed that changed or went; empty if only endpoints changed. */
  readonly formerClaims: ReadonlySet<string>;
  /** Objects that are no more, as "Service default/web". */
  readonly gone: readonly string[];
}

type Named = Exclude<Who, { readonly kind: "Node" | "other" }>;

/**
 * What follows from a part of which everything was accepted; undefined if the whole might be judged otherwise than the
 * part, or the rules of another Service are concerned.
 * @param manifests what was made of the part's items, in their order
 */
export function acceptedPart(
  { head, tail }: ItemIndex,
  { items, places, gone, services }: ChangedPart,
  manifests: readonly Manifest[],
): AcceptedPart | undefined {
  if (manifests.length !== places.length) return undefined;
  const now = [...items];
  const came: Named[] = [];
  for (const [at, place] of places.entries()) {
    const [item, manifest] = [items[place], manifests[at]];
    const who = manifest === undefined ? undefined : whoIs(manifest);
    if (item === undefined || who === undefined) return undefined;
    if (item.who === undefined && isNamed(who) && services.has(who.service)) came.push(who);
    else if (JSON.stringify(item.who) !== JSON.stringify(who)) return undefined;
    now[place] = { ...item, who };
  }
  if (!now.every(isIndexed)) return undefined;
  const went = gone.map(({ who }) => who).filter(isNamed);
  const inPart = new Set(places);
  const own = now.filter((_, place) => inPart.has(place)).map(({ who }) => who);
  const others = now.filter((_, place) => !inPart.has(place)).map(({ who }) => who);
  if (isTooLittle(own) || concernOthers(came, went, others)) return undefined;
  const isBack = new Set(came.map(textOf));
  return {
    index: { head, tail, items: now },
    formerClaims: new Set(went.flatMap((who) => (who.kind === "Service" ? who.claims : []))),
    gone: went.map(textOf).filter((one) => !isBack.has(one)),
  };
}

function isIndexed(item: PresentItem): item is IndexedItem {
  return item.who !== undefined;
}

function isNamed(who: Who): who is Named {
  return "name" in who;
}

/** "Service default/web" */
function textOf({ kind, name }: Named): string {
  return `${kind === "ExternalName" ? "Service" : kind} ${name}`;
}

/**
 * Whether a check passes over the part that does not pass over the whole: without any Service nobody can tell that slices
 * belong to none, and without any slice that those of a headless Service are missing.
 */
function isTooLittle(own: readonly Who[]): boolean {
  const hasServices = own.some(({ kind }) => kind === "Service" || kind === "ExternalName");
  const hasSlices = own.some(({ kind }) => kind === "EndpointSlice");
  return hasSlices ? !hasServices : own.some((who) => who.kind === "Service" && who.isHeadless);
}

/** Whether what came and went may be of account for what is said about others, or for their rules; rather yes than no. */
function concernOthers(came: readonly Named[], went: readonly Named[], others: readonly Who[]): boolean {
  const [now, before] = [new Set(came.map(textOf)), new Set(went.map(textOf))];
  const newcomers = new Set([...now].filter((one) => !before.has(one)));
  const inOrOut = [...newcomers, ...[...before].filter((one) => !now.has(one))];
  const services = [...came, ...went].filter((who) => who.kind !== "EndpointSlice");
  if (inOrOut.length === 0 && services.length === 0) return false;
  const claims = new Set<string>();
  for (const who of services) {
    if (who.kind === "ExternalName" || who.isHeadless) return true;
    for (const claim of who.claims) claims.add(claim);
  }
  const areNamesSame = !inOrOut.some(isService);
  let slices = 0;
  for (const who of others) {
    // A Namespace or an Ingress, of which nobody remembers what it said.
    if (who.kind === "other") return true;
    // It may lead to a Service that came or went.
    if (who.kind === "ExternalName" && !areNamesSame) return true;
    if (isNamed(who) && newcomers.has(textOf(who))) return true;
    if (who.kind === "Service" && who.claims.some((claim) => claims.has(claim))) return true;
    if (who.kind === "EndpointSlice") slices++;
  }
  // With the first slice it can be told that others are missing.
  return slices === 0 && ![...newcomers].every(isService);
}

function isService(text: string): boolean {
  return text.startsWith("Service ");
}
