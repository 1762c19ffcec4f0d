import { hash } from "node:crypto";
import type { Pieces } from "../gradual.ts";
import { servedServiceOf } from "../labels.ts";
import type { Manifest } from "../types.ts";
import { claimsOf } from "./claims.ts";
import { itemRanges, LONGEST_HEAD, type Range } from "./load/itemRanges.ts";
import type { Sources } from "./load.ts";

/**
 * An index of the items of one List in JSON, so that a later run reads no more of a large input than what changed.
 * The items it speaks of may be taken for what they were; everything else is a reason to read all.
 */
export interface ItemIndex {
  /** The text before the first item and behind the last. */
  readonly head: string;
  readonly tail: string;
  readonly items: readonly IndexedItem[];
}

export interface IndexedItem {
  /** Bytes of the object. */
  readonly length: number;
  readonly hash: string;
  readonly who: Who;
}

/** Who an item is, and whose. */
export type Who =
  | {
      readonly kind: "Service";
      readonly name: string;
      readonly service: string;
      readonly claims: readonly string[];
      /** Others may say whether it is sound. */
      readonly isHeadless?: true;
    }
  | { readonly kind: "EndpointSlice"; readonly name: string; readonly service: string }
  /** A Service that is another one's name, or that of something outside. */
  | { readonly kind: "ExternalName"; readonly name: string; readonly service: string }
  /** Must not change, and is needed to decide about any Service. */
  | { readonly kind: "Node" }
  /** Must not change, and decides nothing. */
  | { readonly kind: "other" };

/** The one text of an input that may have an index. */
export function onlyText({ inputs }: Sources): Buffer | undefined {
  const [first, ...others] = inputs;
  return first !== undefined && others.length === 0 && "bytes" in first ? first.bytes : undefined;
}

/** As many as are looked at in a few thousandths of a second. */
const ITEMS_PER_PIECE = 512;

/**
 * The index of one List in JSON; undefined for any other text, and for one whose Services may be served by anything
 * but EndpointSlices.
 * @param manifests all that was accepted of this text
 */
export function* indexing(bytes: Buffer, manifests: readonly Manifest[]): Pieces<ItemIndex | undefined> {
  const known = new Map<number, Who>();
  for (const manifest of manifests) {
    const who = whoIs(manifest);
    if (who === undefined || manifest.source.item === undefined || manifest.source.document !== 0) return undefined;
    known.set(manifest.source.item, who);
    if (known.size % ITEMS_PER_PIECE === 0) yield;
  }
  const items: IndexedItem[] = [];
  const ranges = itemRanges(bytes);
  let [start, end] = [0, 0];
  let range = ranges.next();
  for (; range.done !== true; range = ranges.next()) {
    if (items.length === 0) start = range.value.start;
    end = range.value.end;
    const who = known.get(items.length) ?? { kind: "other" };
    items.push({ length: end - range.value.start, hash: hashOf(bytes, range.value), who });
    if (items.length % ITEMS_PER_PIECE === 0) yield;
  }
  if (!range.value || items.length === 0 || start + bytes.length - end > LONGEST_HEAD) return undefined;
  const [head, tail] = [bytes.toString("utf8", 0, start), bytes.toString("utf8", end)];
  return isEmptyList(head + tail) ? { head, tail, items } : undefined;
}

/** Whether a List without its items is one object, and nothing beside it. */
function isEmptyList(text: string): boolean {
  const list = parsed(text.startsWith("\ufeff") ? text.slice(1) : text);
  return typeof list === "object" && list !== null && "items" in list && Array.isArray(list.items);
}

/** The value of a text in JSON; undefined for any other. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function whoIs(manifest: Manifest): Who | undefined {
  const { kind, metadata } = manifest;
  const name = `${metadata.namespace}/${metadata.name}`;
  switch (kind) {
    case "Service":
      if (manifest.spec.type === "ExternalName") return { kind: "ExternalName", name, service: name };
      return {
        kind,
        name,
        service: name,
        claims: claimsOf(manifest),
        ...(manifest.spec.clusterIP === "None" ? { isHeadless: true } : {}),
      };
    case "EndpointSlice":
      return { kind, name, service: servedServiceOf(metadata) };
    case "Node":
      return { kind };
    default:
      return undefined;
  }
}

export function hashOf(bytes: Buffer, { start, end }: Range): string {
  return hash("sha512", bytes.subarray(start, end), "base64url").slice(0, 43);
}
