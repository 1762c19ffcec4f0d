import { describe, expect, it } from "vitest";
import { finished } from "../../../src/gradual.ts";
import { changedPart } from "../../../src/input/changedPart.ts";
import { type ItemIndex, indexing } from "../../../src/input/items.ts";
import { FOREIGN, ITEMS, indexed, listOf, serviceItem, sliceItem, withItem } from "../../support/itemLists.ts";

/** Which texts have an index, and what it holds. */

describe("what may have an index", () => {
  it.each<[string, string]>([
    ["compact", listOf(ITEMS)],
    ["pretty", listOf(ITEMS, 4)],
    ["with tabs and carriage returns", listOf(ITEMS, "\t").replaceAll("\n", "\r\n")],
    ["kind before the items", `{"kind":"List","apiVersion":"v1","items":${JSON.stringify(ITEMS)}}`],
    ["a byte order mark", `\ufeff${listOf(ITEMS)}`],
    ["white space around", `\n ${listOf(ITEMS)}\n\n`],
    [
      "other keys called items before",
      `{"metadata":{"items":[{"a":"b"}]},"x":"items","y":"\\"items\\":[{","items" : [ ${ITEMS.map((item) => JSON.stringify(item)).join(" ,\n")} ],"kind":"List"}`,
    ],
    [
      "a list of one kind",
      JSON.stringify({ apiVersion: "discovery.k8s.io/v1", kind: "EndpointSliceList", items: [ITEMS[1], ITEMS[4]] }),
    ],
    ["brackets and quotes in strings", listOf(withItem(1, sliceItem("web", [], "web", '"items":[{\\"}]}\\')))],
    ["names that are not ASCII", listOf(withItem(1, sliceItem("web", ["10.180.0.1"], "web", "Grüße 漢字 🦀")))],
  ])("%s", (_, text) => {
    const index = indexed(text);
    const bytes = Buffer.from(text);
    let at = Buffer.byteLength(index?.head ?? "");
    for (const { length } of index?.items ?? []) {
      while (bytes[at] !== 123) at++;
      expect(() => JSON.parse(bytes.toString("utf8", at, at + length))).not.toThrow();
      at += length;
    }
    expect(bytes.toString("utf8", at)).toBe(index?.tail);
    expect(changedPart(index as ItemIndex, bytes, 0, "default")).toMatchObject({ changes: 0, items: index?.items });
  });

  it("knows who the items are", () => {
    expect(indexed(listOf(ITEMS))?.items.map(({ who }) => who)).toEqual([
      { kind: "Service", name: "default/web", service: "default/web", claims: ["172.30.0.1", "default/web"] },
      { kind: "EndpointSlice", name: "default/web-1", service: "default/web" },
      { kind: "Service", name: "default/db", service: "default/db", claims: ["172.30.0.2", "default/db"] },
      { kind: "Node" },
      { kind: "EndpointSlice", name: "default/db-1", service: "default/db" },
      { kind: "other" },
    ]);
  });

  const endpoints = { apiVersion: "v1", kind: "Endpoints", metadata: { name: "web" }, subsets: [] };
  const spec = { containers: [{ name: "c", image: "i" }] };
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec };
  it.each<[string, string]>([
    ["an empty List", listOf([])],
    ["no List", JSON.stringify(ITEMS[0])],
    [
      "a List of lists",
      JSON.stringify({ kind: "List", apiVersion: "v1", items: ITEMS, x: [[]] }).replace("items", "i"),
    ],
    ["several documents", `${listOf(ITEMS)}\n${JSON.stringify(serviceItem("other", 9))}`],
    ["something foreign behind it", `${listOf(ITEMS)}\n${JSON.stringify(FOREIGN)}`],
    ["something foreign before it", `${JSON.stringify(FOREIGN)}\n${listOf(ITEMS)}`],
    ["YAML", `kind: List\napiVersion: v1\n"items": [${JSON.stringify(ITEMS[0])}]\n`],
    ["YAML in flow style", `{kind: List, apiVersion: v1, "items": [${JSON.stringify(ITEMS[0])}]}`],
    ["items of YAML", `{"kind": List, "items": [{kind: ConfigMap, apiVersion: v1}, ${JSON.stringify(ITEMS[0])}]}`],
    ["a trailing comma, which YAML takes", listOf(ITEMS).replace('}],"kind"', '},],"kind"')],
    ["Endpoints", listOf([...ITEMS, endpoints])],
    ["Pods", listOf([...ITEMS, pod])],
    ["an escaped name of the key", listOf(ITEMS).replace('"items"', '"\\u0069tems"')],
    ["a head beyond measure", listOf(ITEMS).replace("{", `{"x":"${"y".repeat(70_000)}",`)],
  ])("not %s", (_, text) => {
    expect(indexed(text)).toBeUndefined();
  });

  /** Each reads otherwise as YAML than a scanner of JSON would: the strings are elsewhere. */
  it.each<[string, string]>([
    ["single quotes", `{"data":'}, {'}`],
    ["a comment", '{"data":"x" # "}, {\n}'],
    ["a quote inside a word", '{"data":true"}, {"}'],
    ["a quote behind a word", '{"data":true "}, {"}'],
    ["a quote behind a colon inside a word", '{"data":true:"}, {"}'],
    ["a word without quotes", '{"data":x}'],
  ])("not YAML with %s", (_, item) => {
    const text = `{"apiVersion":"v1","kind":"List","items":[${item},${JSON.stringify(ITEMS[0])}]}`;
    expect(finished(indexing(Buffer.from(text), []))).toBeUndefined();
  });
});
