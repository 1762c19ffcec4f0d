import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { acceptedPart, changedPart } from "../../../src/input/changedPart.ts";
import { load, loadSources } from "../../../src/input/load.ts";
import { validate } from "../../../src/input/validate.ts";
import {
  accept,
  change,
  FOREIGN,
  ITEMS,
  type Item,
  indexed,
  LABEL,
  listOf,
  manifestsOf,
  NODE,
  namesIn,
  serviceItem,
  sliceItem,
  withItem,
} from "../../support/itemLists.ts";

/** What an index lets pass as a small change, and what it does not. */

describe("what is a small change", () => {
  const before = listOf(ITEMS);

  it("endpoints of one Service: it, its slices and the Nodes are read", () => {
    const after = listOf(withItem(4, sliceItem("db", ["10.180.0.3", "10.180.0.4"])));
    const part = change(before, after);
    expect(part).toMatchObject({ changes: 1, places: [2, 3, 4] });
    expect(namesIn(part?.text ?? Buffer.alloc(0))).toEqual(["Service db", "Node", "EndpointSlice db-1"]);
    expect(accept(before, after)).toEqual({ index: indexed(after), formerClaims: new Set(), gone: [] });
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
    ["a Node", listOf(withItem(3, { ...NODE, spec: { podCIDR: "10.0.0.0/24" } }))],
    ["a foreign object", listOf(withItem(5, { ...FOREIGN, data: { items: "[" } }))],
    ["a foreign object more", listOf([...ITEMS, { ...FOREIGN, metadata: { name: "d" } }])],
    ["a Node more in front", listOf([{ ...NODE, metadata: { name: "n2" } }, ...ITEMS])],
    ["a foreign object less", listOf(ITEMS.slice(0, -1))],
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

  it("a slice that serves another Service now: both are read", () => {
    const part = change(before, listOf(withItem(4, sliceItem("db", ["10.180.0.3"], "web"))));
    expect(part).toMatchObject({ changes: 1, places: [0, 1, 2, 3, 4] });
  });
});

describe("what is a small change of Services", () => {
  /** Without anything foreign. */
  const own = ITEMS.slice(0, -1);
  const before = listOf(own);
  const app = (at = 7) => [serviceItem("app", at), sliceItem("app", ["10.180.0.9"])];

  it("another address: what it had is known", () => {
    const after = listOf(withItem(0, serviceItem("web", 7), own));
    expect(change(before, after)).toMatchObject({ changes: 1, places: [0, 1, 3] });
    expect(accept(before, after)).toEqual({
      index: indexed(after),
      formerClaims: new Set(["172.30.0.1", "default/web"]),
      gone: [],
    });
  });

  it.each([0, 2, 5])("one more, in front of item %i", (at) => {
    const after = listOf(own.toSpliced(at, 0, ...app()));
    const [, , ...rest] = own;
    expect(change(before, after)).toMatchObject({ changes: 2, items: { length: rest.length + 4 } });
    expect(accept(before, after)).toEqual({ index: indexed(after), formerClaims: new Set(), gone: [] });
  });

  it.each([
    ["the first", [0, 1]],
    ["the last", [2, 4]],
  ])("%s one less", (_, gone) => {
    const after = listOf(own.filter((__, at) => !gone.includes(at)));
    const name = gone[0] === 0 ? "web" : "db";
    expect(change(before, after)).toMatchObject({ changes: 2, places: [expect.any(Number)] });
    expect(accept(before, after)).toEqual({
      index: indexed(after),
      formerClaims: new Set([`172.30.0.${name === "web" ? 1 : 2}`, `default/${name}`]),
      gone: [`Service default/${name}`, `EndpointSlice default/${name}-1`],
    });
  });

  it("one in the place of another", () => {
    const after = listOf([...app(0), ...own.slice(2)]);
    expect(accept(before, after)).toMatchObject({ gone: ["Service default/web", "EndpointSlice default/web-1"] });
  });

  it("a slice more, and one less", () => {
    const more = listOf([...own, sliceItem("web-b", ["10.180.0.9"], "web")]);
    expect(accept(before, more)).toEqual({ index: indexed(more), formerClaims: new Set(), gone: [] });
    expect(accept(more, before)).toMatchObject({ gone: ["EndpointSlice default/web-b-1"] });
    const fewer = listOf(own.filter((_, at) => at !== 4));
    expect(accept(before, fewer)).toMatchObject({ gone: ["EndpointSlice default/db-1"] });
  });

  it("as many as may change, and no more", () => {
    const after = listOf([...own, ...app()]);
    expect(change(before, after, 2)).toBeDefined();
    expect(change(before, after, 1)).toBeUndefined();
    expect(change(after, before, 2)).toBeDefined();
    expect(change(after, before, 1)).toBeUndefined();
  });

  const spec = (more: Item) => ({
    ...serviceItem("app", 7),
    spec: { clusterIP: "172.30.0.8", ports: [{ port: 80 }], ...more },
  });
  const external = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "out" },
    spec: { type: "ExternalName", externalName: "app.default.svc.cluster.local" },
  };
  const nodePort = { type: "NodePort", ports: [{ port: 80, nodePort: 30_080 }] };
  const shared = { externalIPs: ["192.0.2.1"] };
  it.each<[string, readonly Item[], readonly Item[]]>([
    ["beside a Namespace, or anything else that nobody remembers", ITEMS, [...ITEMS, ...app()]],
    ["a Service of the same name", own, [...own, serviceItem("web", 7)]],
    ["a slice of the same name", own, [...own, serviceItem("app", 7), sliceItem("db", [], "app")]],
    ["an address that another has", own, [...own, serviceItem("app", 1)]],
    [
      "an address that another has, too",
      [...own, spec(shared)],
      [
        ...own,
        spec(shared),
        { ...spec({ ...shared, clusterIP: "172.30.0.9", ports: [{ port: 82 }] }), metadata: { name: "new" } },
      ],
    ],
    [
      "a node port that another has",
      [...own, spec(nodePort)],
      [...own, spec(nodePort), { ...spec({ ...nodePort, clusterIP: "172.30.0.9" }), metadata: { name: "new" } }],
    ],
    [
      "an address that is shared with another, when it goes",
      [
        ...own,
        spec(shared),
        { ...spec({ ...shared, clusterIP: "172.30.0.9", ports: [{ port: 82 }] }), metadata: { name: "new" } },
      ],
      [...own, spec(shared)],
    ],
    ["a name whose environment variables are another's", own, [...own, { ...serviceItem("web-service", 7) }]],
    ["a name by which an alias may mean it", [...own, external], [...own, external, ...app()]],
    ["an alias", own, [...own, external]],
    ["a headless Service", own, [...own, spec({ clusterIP: "None" })]],
    [
      "an address that a headless Service has, too",
      [...own, spec({ ...shared, clusterIP: "None" })],
      [
        ...own,
        spec({ ...shared, clusterIP: "None" }),
        { ...spec({ ...shared, clusterIP: "172.30.0.9" }), metadata: { name: "new" } },
      ],
    ],
    [
      "the last slice of a headless Service",
      [...own, spec({ clusterIP: "None" }), sliceItem("app", ["10.180.0.9"])],
      [...own, spec({ clusterIP: "None" })],
    ],
    ["a slice that belongs to no Service", own, [...own, sliceItem("app", ["10.180.0.9"])]],
    ["a Service whose slice stays", own, own.slice(1)],
    [
      "the first slice",
      [own[0] ?? {}, spec({ clusterIP: "None" })],
      [own[0] ?? {}, spec({ clusterIP: "None" }), own[1] ?? {}],
    ],
  ])("not %s", (_, items, after) => {
    const [index, part] = [indexed(listOf(items)), change(listOf(items), listOf(after))];
    if (index === undefined || part === undefined) throw new Error("no small change");
    const { documents } = loadSources({
      inputs: [{ name: "-", bytes: part.text, fromDirectory: false, rereadable: false }],
    });
    expect(acceptedPart(index, part, validate(documents).manifests)).toBeUndefined();
  });

  it("but it may have another address beside an alias, since its name stays", () => {
    const after = [...withItem(0, serviceItem("web", 7), own), external];
    expect(accept(listOf([...own, external]), listOf(after))).toBeDefined();
  });

  it("not what is no part any more when it is read", () => {
    const index = indexed(before);
    const part = change(before, listOf(withItem(0, serviceItem("web", 7), own)));
    if (index === undefined || part === undefined) throw new Error("no small change");
    const manifests = manifestsOf(part.text);
    expect(acceptedPart(index, part, manifests.slice(1))).toBeUndefined();
    expect(acceptedPart(index, part, manifests.toReversed())).toBeUndefined();
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
        expect(accept(before, after)).toEqual({ index: indexed(after), formerClaims: new Set(), gone: [] });
      }),
    );
  });

  it("whatever comes and goes, the index is that of the new text, and of all others nothing changed", () => {
    const pool = Array.from({ length: 8 }, (_, at) => [
      serviceItem(`s${at}`, at),
      sliceItem(`s${at}`, [`10.180.0.${at + 1}`]),
    ]);
    const chosen = fc.subarray(pool, { minLength: 2 }).map((some) => [...some.flat(), NODE]);
    fc.assert(
      fc.property(chosen, chosen, fc.boolean(), space, (items, others, isTurned, indent) => {
        const [before, after] = [listOf(items, indent), listOf(isTurned ? others.toReversed() : others, indent)];
        const part = change(before, after);
        // A Node that is found behind what it stood before is none that is known to be the same.
        if (part === undefined) {
          expect(isTurned).toBe(true);
          return;
        }
        const whole = JSON.parse(after) as { readonly items: readonly Item[] };
        whole.items.forEach((item, at) => {
          const isKnown = items.some((one) => JSON.stringify(one) === JSON.stringify(item));
          if (!part.places.includes(at)) expect(isKnown).toBe(true);
        });
        const accepted = accept(before, after);
        if (accepted !== undefined) expect(accepted.index).toEqual(indexed(after));
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
        const part = index === undefined ? undefined : changedPart(index, Buffer.from(after), 20, "default");
        if (part === undefined) return;
        const whole = JSON.parse(after) as { readonly items: readonly unknown[] };
        const small = JSON.parse(String(part.text)) as { readonly items: readonly unknown[] };
        expect(small.items).toEqual(part.places.map((at) => whole.items[at]));
        whole.items.forEach((item, at) => {
          if (!part.places.includes(at)) expect(ITEMS).toContainEqual(item);
        });
      }),
      { numRuns: 2000 },
    );
  });
});
