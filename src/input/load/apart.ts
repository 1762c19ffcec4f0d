import type { Document, Source } from "../../types.ts";

/** Takes Lists apart: `kubectl get -o yaml` prints one List, whatever was asked for. */

type Fields = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What the items of a typed list (ServiceList, EndpointSliceList …) inherit, since they name no kind themselves. */
export interface ListHeader {
  readonly apiVersion: unknown;
  readonly kind: string;
}

/** The header of a List, or undefined when the value is not one. */
export function listHeader(value: unknown): ListHeader | undefined {
  if (!isObject(value) || typeof value.kind !== "string" || !value.kind.endsWith("List")) return undefined;
  const hasItems = Array.isArray(value.items) || (value.items ?? undefined) === undefined;
  // A kind of somebody's own may end in List and be no list: then it has no items.
  if (!hasItems || (value.kind !== "List" && !("items" in value))) return undefined;
  return { apiVersion: value.apiVersion, kind: value.kind };
}

/** One item as a document of its own. */
export function itemDocument(header: ListHeader, value: unknown, source: Source): Document {
  // One of the two alone is not completed: kubectl refuses it.
  if (header.kind === "List" || !isObject(value) || value.kind || value.apiVersion) return { source, value };
  return { source, value: { ...value, apiVersion: header.apiVersion, kind: header.kind.slice(0, -"List".length) } };
}

/** The documents that a parsed value stands for. */
export function takeApart(value: unknown, source: Source, add: (document: Document) => void): void {
  const header = listHeader(value);
  if (header === undefined) {
    add({ source, value });
    return;
  }
  const items = isObject(value) && Array.isArray(value.items) ? value.items : [];
  for (const [item, inner] of items.entries()) add(itemDocument(header, inner, { ...source, item }));
}
