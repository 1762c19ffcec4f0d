import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changedPart, type ItemIndex, indexOf } from "../../../src/input/items.ts";
import { load, loadSources } from "../../../src/input/load.ts";
import { validate } from "../../../src/input/validate.ts";

/** What an index lets pass as a small change, and what it does not. */

type Item = Readonly<Record<string, unknown>>;

const LABEL = "kubernetes.io/service-name";

function serviceItem(name: string, index = 0): Item {
  const spec = { clusterIP: `172.30.0.${index + 1}`, ports: [{ port: 80 }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name, annotations: {} }, spec };
}

function sliceItem(name: string, addresses: readonly string[], service = name, note = ""): Item {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-1`, labels: { [LABEL]: service }, annotations: { note } },
    addressType: "IPv4",
    ports: [{ name: "", port: 80 }],
    endpoints: addresses.map((address) => ({ addresses: [address] })),
  };
}

const NODE: Item = { apiVersion: "v1", kind: "Node", metadata: { name: "n1" }, spec: {} };
const FOREIGN: Item = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: { items: "[{" } };
/** web: 0, 1; db: 2, 4; the Node: 3; foreign: 5. */
const ITEMS = [
  serviceItem("web", 0),
  sliceItem("web", ["10.180.0.1", "10.180.0.2"]),
  serviceItem("db", 1),
  NODE,
  sliceItem("db", ["10.180.0.3"]),
  FOREIGN,
];

function listOf(items: readonly Item[], space?: number | string): string {
  return JSON.stringify({ apiVersion: "v1", items, kind: "List", metadata: { resourceVersion: "" } }, undefined, space);
}

/** The list with one item replaced. */
function withItem(index: number, item: Item, items = ITEMS): readonly Item[] {
  return items.map((one, at) => (at === index ? item : one));
}

function manifestsOf(text: string | Buffer) {
  const bytes = Buffer.from(text);
  const input = { name: "-", bytes, fromDirectory: false, rereadable: false };
  const { documents, diagnostics } = loadSources({ inputs: [input] });
  expect(diagnostics).toEqual([]);
  const judged = validate(documents);
  expect(judged.rejected).toEqual([]);
  return judged.manifests;
}

/** As the program makes it: from a text that was accepted. */
function indexed(text: string | Buffer): ItemIndex | undefined {
  return indexOf(Buffer.from(text), manifestsOf(text));
}

function change(before: string, after: string | Buffer, limit = 10) {
  const index = indexed(before);
  if (index === undefined) throw new Error("no index");
  return changedPart(index, Buffer.from(after), limit);
}

const namesIn = (text: Buffer) =>
  manifestsOf(text).map(({ kind, metadata }) => (kind === "Node" ? kind : `${kind} ${metadata.name}`));

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
    expect(changedPart(index as ItemIndex, bytes, 0)).toMatchObject({ changes: 0, index });
  });

  it("knows who the items are", () => {
    expect(indexed(listOf(ITEMS))?.items.map(({ who }) => who)).toEqual([
      { kind: "Service", name: "default/web", service: "default/web" },
      { kind: "EndpointSlice", name: "default/web-1", service: "default/web" },
      { kind: "Service", name: "default/db", service: "default/db" },
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
    expect(indexOf(Buffer.from(text), [])).toBeUndefined();
  });
});

describe("what is a small change", () => {
  const before = listOf(ITEMS);

  it("endpoints of one Service: it, its slices and the Nodes are read", () => {
    const after = listOf(withItem(4, sliceItem("db", ["10.180.0.3", "10.180.0.4"])));
    const part = change(before, after);
    expect(part).toMatchObject({ changes: 1, places: [2, 3, 4] });
    expect(namesIn(part?.text ?? Buffer.alloc(0))).toEqual(["Service db", "Node", "EndpointSlice db-1"]);
    expect(part?.who.map(({ kind }) => kind)).toEqual(["Service", "Node", "EndpointSlice"]);
    expect(part?.index).toEqual(indexed(after));
  });

  it("white space between the items alone is none", () => {
    const after = before.replaceAll('},{"apiV', '} ,\n {"apiV');
    const part = change(before, after);
    expect(part).toMatchObject({ changes: 0, places: [3] });
  });

  it("all slices of a Service, though one of them changed", () => {
    const items = [
      ...ITEMS,
      { ...sliceItem("web", ["10.180.0.9"]), metadata: { name: "web-2", labels: { [LABEL]: "web" } } },
    ];
    const part = change(listOf(items), listOf(withItem(1, sliceItem("web", []), items)));
    expect(part?.places).toEqual([0, 1, 3, 6]);
  });

  it("as many slices as may change, and no more", () => {
    const after = listOf(withItem(1, sliceItem("web", []), [...withItem(4, sliceItem("db", []))]));
    expect(change(before, after, 2)?.places).toEqual([0, 1, 2, 3, 4]);
    expect(change(before, after, 1)).toBeUndefined();
  });

  const changed = JSON.stringify(sliceItem("db", ["10.180.0.4", "10.180.0.5"]));
  const db = JSON.stringify(ITEMS[4]);
  it.each<[string, string]>([
    ["a Service", listOf(withItem(0, serviceItem("web", 7)))],
    ["a Node", listOf(withItem(3, { ...NODE, spec: { podCIDR: "10.0.0.0/24" } }))],
    ["a foreign object", listOf(withItem(5, { ...FOREIGN, data: { items: "[" } }))],
    ["an item more", listOf([...ITEMS, sliceItem("new", ["10.180.0.9"], "web")])],
    ["an item more in front", listOf([sliceItem("new", ["10.180.0.9"], "web"), ...ITEMS])],
    ["an item less", listOf(ITEMS.slice(0, -1))],
    ["no items", listOf([])],
    ["another order", listOf(ITEMS.toReversed())],
    ["another head", before.replace('"v1","items"', '"v2","items"')],
    ["another tail", before.replace('"resourceVersion":""', '"resourceVersion":"1"')],
    ["junk behind the end", `${before}x`],
    ["a second List behind the end", before + before],
    ["half of the text", before.slice(0, before.length / 2)],
    ["half of a character", before.slice(0, -1)],
    ["nothing", ""],
    ["a comma more between items", before.replace(db, `,${changed}`)],
    ["a comma more at the end", before.replace('}],"kind"', '},],"kind"')],
    ["a comma less", before.replace(`,${db}`, changed)],
    ["a slice that is no object", before.replace(db, "[]")],
    ["a slice that is a text", before.replace(db, JSON.stringify(changed))],
    ["a slice that became two", before.replace(db, `${changed},${changed}`)],
    ["a slice that does not end", before.replace(db, changed.slice(0, -1))],
    ["a slice that ends twice", before.replace(db, `${changed}}`)],
    ["a comma in a slice that YAML would take", before.replace(db, changed.replace(/\}$/, ",}"))],
    ["YAML in a slice", before.replace(db, changed.replace('"endpoints"', "endpoints"))],
    ["a comment of YAML in a slice", before.replace(db, changed.replace(/\}$/, "# }\n}"))],
  ])("not %s", (_, after) => {
    expect(after).not.toBe(before);
    expect(change(before, after)).toBeUndefined();
  });

  it("a key given twice in a slice is left for the part's reader to find", async () => {
    const part = change(before, before.replace(db, changed.replace("{", '{"kind":"EndpointSlice",')));
    const { diagnostics } = await load(["-"], { stdin: async () => part?.text ?? "" });
    expect(diagnostics.map(({ code }) => code)).toEqual(["duplicate-key"]);
  });

  it("who a slice is may not change unseen", () => {
    const part = change(before, listOf(withItem(4, sliceItem("db", ["10.180.0.3"], "web"))));
    // Whoever reads the part sees that the slice is another's now.
    expect(part?.who.at(-1)).toEqual({ kind: "EndpointSlice", name: "default/db-1", service: "default/db" });
    expect(manifestsOf(part?.text ?? "").at(-1)?.metadata.labels).toEqual({ [LABEL]: "web" });
  });
});

describe("laws", () => {
  const name = fc.integer({ min: 0, max: 5 }).map((index) => `s${index}`);
  const text = fc.string({
    unit: fc.constantFrom("{", "}", "[", "]", '"', "\\", ",", ":", "é", "🦀", "a", "items", "\n"),
  });
  const addresses = fc.array(
    fc.integer({ min: 1, max: 250 }).map((octet) => `10.180.0.${octet}`),
    { maxLength: 4 },
  );
  const sliceOf = fc.record({ of: name, addresses, text });
  const space = fc.constantFrom(undefined, 1, 4, "\t");

  const edits = fc
    .record({ slices: fc.array(sliceOf, { minLength: 1, maxLength: 8 }), order: fc.infiniteStream(fc.nat()), space })
    .chain(({ slices, order, space: indent }) => {
      const items = [
        ...Array.from({ length: 6 }, (_, index) => ({ of: `s${index}`, item: serviceItem(`s${index}`, index) })),
        { of: undefined, item: NODE },
        { of: undefined, item: FOREIGN },
        ...slices.map((one, at) => ({ of: one.of, item: sliceItem(`e${at}`, one.addresses, one.of, one.text) })),
      ]
        .map((one) => ({ one, rank: order.next().value ?? 0 }))
        .sort((a, b) => a.rank - b.rank)
        .map(({ one }) => one);
      const edit = fc.array(fc.option(fc.record({ addresses, text })), {
        minLength: items.length,
        maxLength: items.length,
      });
      return edit.map((given) => {
        const edited = items.map(({ of, item }, at) => {
          const now = given[at];
          if (item.kind !== "EndpointSlice" || now === null || now === undefined) return item;
          const { name: own } = item.metadata as { readonly name: string };
          return sliceItem(own.slice(0, -2), now.addresses, of, now.text);
        });
        return { items, edited, indent };
      });
    });

  it("the part holds the items of the concerned Services, and the index is that of the new text", () => {
    fc.assert(
      fc.property(edits, ({ items, edited, indent }) => {
        const before = listOf(
          items.map(({ item }) => item),
          indent,
        );
        const after = listOf(edited, indent);
        const isChanged = (at: number) => JSON.stringify(edited[at]) !== JSON.stringify(items[at]?.item);
        const concerned = new Set(items.filter((_, at) => isChanged(at)).map(({ of }) => of));
        const places = items.flatMap(({ of, item }, at) =>
          item.kind === "Node" || (of !== undefined && concerned.has(of)) ? [at] : [],
        );
        const part = change(before, after, items.length);
        expect(part?.changes).toBe(items.filter((_, at) => isChanged(at)).length);
        expect(part?.places).toEqual(places);
        expect((JSON.parse(String(part?.text)) as { readonly items: unknown }).items).toEqual(
          places.map((at) => edited[at]),
        );
        expect(part?.who).toEqual(places.map((at) => indexed(after)?.items[at]?.who));
        expect(part?.index).toEqual(indexed(after));
      }),
    );
  });

  it("a text with any bytes replaced is the small change that it would be read as, or none", () => {
    const before = listOf(ITEMS);
    const index = indexed(before);
    const piece = fc.constantFrom("{", "}", "[", "]", '"', "\\", ",", ":", " ", "0", "'", "#", "10.180.0.7", "");
    const cut = fc.record({ at: fc.nat(before.length), length: fc.nat(3), piece });
    fc.assert(
      fc.property(fc.array(cut, { minLength: 1, maxLength: 3 }), (cuts) => {
        let after = before;
        for (const { at, length, piece: into } of cuts) after = after.slice(0, at) + into + after.slice(at + length);
        const part = index === undefined ? undefined : changedPart(index, Buffer.from(after), 10);
        if (part === undefined) return;
        const whole = JSON.parse(after) as { readonly items: readonly unknown[] };
        const small = JSON.parse(String(part.text)) as { readonly items: readonly unknown[] };
        expect(small.items).toEqual(part.places.map((at) => whole.items[at]));
        whole.items.forEach((item, at) => {
          if (!part.places.includes(at)) expect(item).toEqual(ITEMS[at]);
        });
      }),
      { numRuns: 2000 },
    );
  });
});
