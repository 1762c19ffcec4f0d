import { expect } from "vitest";
import { finished } from "../../src/gradual.ts";
import { acceptedPart, changedPart } from "../../src/input/changedPart.ts";
import { type ItemIndex, indexing } from "../../src/input/items.ts";
import { loadSources } from "../../src/input/load.ts";
import { validate } from "../../src/input/validate.ts";

/** Lists of a few Services in JSON, indexed as the program does it, and what of a later List is a small change. */

export type Item = Readonly<Record<string, unknown>>;

export const LABEL = "kubernetes.io/service-name";

export function serviceItem(name: string, index = 0): Item {
  const spec = { clusterIP: `172.30.0.${index + 1}`, ports: [{ port: 80 }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name, annotations: {} }, spec };
}

export function sliceItem(name: string, addresses: readonly string[], service = name, note = ""): Item {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-1`, labels: { [LABEL]: service }, annotations: { note } },
    addressType: "IPv4",
    ports: [{ name: "", port: 80 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  };
}

export const NODE: Item = { apiVersion: "v1", kind: "Node", metadata: { name: "n1" }, spec: {} };
export const FOREIGN: Item = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: { items: "[{" } };
/** web: 0, 1; db: 2, 4; the Node: 3; foreign: 5. */
export const ITEMS = [
  serviceItem("web", 0),
  sliceItem("web", ["10.180.0.1", "10.180.0.2"]),
  serviceItem("db", 1),
  NODE,
  sliceItem("db", ["10.180.0.3"]),
  FOREIGN,
];

export function listOf(items: readonly Item[], space?: number | string): string {
  return JSON.stringify({ apiVersion: "v1", items, kind: "List", metadata: { resourceVersion: "" } }, undefined, space);
}

/** The list with one item replaced. */
export function withItem(index: number, item: Item, items = ITEMS): readonly Item[] {
  return items.map((one, at) => (at === index ? item : one));
}

export function manifestsOf(text: string | Buffer) {
  const bytes = Buffer.from(text);
  const input = { name: "-", bytes, fromDirectory: false, rereadable: false };
  const { documents, diagnostics } = loadSources({ inputs: [input] });
  expect(diagnostics).toEqual([]);
  const judged = validate(documents);
  expect(judged.rejected).toEqual([]);
  return judged.manifests;
}

/** As the program makes it: from a text that was accepted. */
export function indexed(text: string | Buffer): ItemIndex | undefined {
  return finished(indexing(Buffer.from(text), manifestsOf(text)));
}

export function change(before: string, after: string | Buffer, limit = 20) {
  const index = indexed(before);
  if (index === undefined) throw new Error("no index");
  return changedPart(index, Buffer.from(after), limit, "default");
}

/** The same, and what is made of it when everything in it was accepted. */
export function accept(before: string, after: string) {
  const [index, part] = [indexed(before), change(before, after)];
  if (index === undefined || part === undefined) throw new Error("no small change");
  return acceptedPart(index, part, manifestsOf(part.text));
}

export const namesIn = (text: Buffer) =>
  manifestsOf(text).map(({ kind, metadata }) => (kind === "Node" ? kind : `${kind} ${metadata.name}`));
