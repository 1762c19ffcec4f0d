import { describe, expect, test } from "vitest";
import { load } from "../../../src/input/load.ts";
import { validate } from "../../../src/input/validate.ts";

const read = (text: string | Uint8Array) => load(["-"], { stdin: async () => text });
const values = async (text: string) => (await read(text)).documents.map(({ value }) => value);

describe("the merge key", () => {
  test.each([
    ["in front of a field that replaces it", "<<: {x: 1, y: 2}\nx: 3\n", { x: 3, true: 2 }],
    ["behind other fields", "x: 3\n<<: {z: 1}\n", { x: 3, z: 1 }],
    ["twice, with different fields", "<<: {x: 1}\n<<: {z: 2}\n", { x: 1, z: 2 }],
    ["with a list, whose first mapping wins", "<<: [{x: 1}, {x: 2, z: 3}]\n", { x: 1, z: 3 }],
    ["with its tag", "!!merge <<: {x: 1}\n", { x: 1 }],
    ["inside another", "<<: {<<: {x: 1}, z: 2}\n", { x: 1, z: 2 }],
    ["that is none, in quotes", '"<<": {x: 1}\n', { "<<": { x: 1 } }],
    ["that is none, since it is a value", "a: <<\nb: [<<]\n", { a: "<<", b: ["<<"] }],
  ])("is read as kubectl reads it: %s", async (_, text, expected) => {
    expect(await values(text)).toEqual([expected]);
  });

  // kubectl lets the last one win, most other readers the one that is written out.
  test.each([
    ["a field in front of it", "x: 1\n<<: {z: 1, x: 2}\n", "duplicate-key 2:1"],
    ["a field of another", "<<: {x: 1}\n<<: [{z: 1}, {x: 2}]\n", "duplicate-key 2:1"],
    ["a field behind it that is there twice", "<<: {x: 1}\nx: 2\nx: 3\n", "duplicate-key 3:1"],
    ["no mapping", "<<: x\n", "yaml-syntax 1:1"],
  ])("is refused with %s", async (_, text, expected) => {
    const { diagnostics } = await read(text);
    expect(diagnostics.map(({ code, source }) => `${code} ${source.line}:${source.column}`)).toEqual([expected]);
  });

  test("may stand in one mapping very often", { timeout: 8_000 }, async () => {
    const lines = Array.from({ length: 30_000 }, (_, index) => `<<: {x${index}: 1}\n`);
    const [value] = await values(lines.join(""));
    expect(Object.keys(value as object)).toHaveLength(lines.length);
  });
});

// Each was tried with kubectl.
describe("tabs", () => {
  test.each([
    ["on a line of its own", "a: b\n\t\nc: d\n", "2:1"],
    ["on a line of its own, not far enough to the right", "a:\n  b: c\n \t\n  d: e\n", "3:2"],
    ["on a line of its own, behind a list", "a: [b]\n \t\nc: d\n", "2:2"],
    ["behind a field without value", "a:\n\t\n  b: c\n", "2:1"],
    ["on the last line", "a: b\n\t", "2:1"],
    ["on the first line", "\t\na: b\n", "1:1"],
    ["with CRLF", "a: b\r\n\t\r\nc: d\r\n", "2:1"],
    ["where nothing else is", "a: b\n---\n\t\n", "3:1"],
    ["in front of a comment", "a: 'b'\n\t# c\n", "2:1"],
    ["behind a comment", "a: b\n# c\n    \t\nd: e\n", "3:5"],
    ["in front of a lone comment", "# a\n\t# b\n", "2:1"],
    ["behind a dash", "a:\n-\tb\n", "2:2"],
    ["behind a dash and a space", "a:\n- \tb\n", "2:3"],
    ["behind a question mark", "?\ta\n: b\n", "1:2"],
    ["behind the colon of such a field", "? a\n:\tb\n", "2:2"],
    ["where a block starts", "a: |\n  \tb\n", "2:3"],
    ["in front of a block's text", "a: |\n \t\n  b\n", "2:2"],
    ["behind a block", "a: |\n  b\n\t\nc: d\n", "3:1"],
    ["behind an empty block", "a: |-\n\n\t\nc: d\n", "3:1"],
    ["in front of a second line", "a:\n  b\n\tc\n", "3:1"],
    ["behind a plain text in brackets", "a: {b: c\n\t}\n", "2:1"],
    ["behind brackets that close far to the left", "a: [\nb\n]\n\t\n", "4:1"],
    ["between the items of a List", "kind: List\nitems:\n- a: b\n\t\n- c: d\n", "4:1"],
    ["in front of them", "kind: List\nitems:\n\t\n- a: b\n", "3:1"],
  ])("kubectl refuses one %s", async (_, text, place) => {
    const { diagnostics } = await read(text);
    expect(diagnostics).toMatchObject([{ code: "yaml-syntax", hint: "indent with spaces, not with tabs" }]);
    expect(diagnostics.map(({ source }) => `${source.line}:${source.column}`)).toEqual([place]);
  });

  test.each([
    ["behind a colon", "a:\tb\nc:\t\n  d: e\n", { a: "b", c: { d: "e" } }],
    ["at the end of a line", "a: b\t\nc: 'd' \t\ne: [f]\t# g\n", { a: "b", c: "d", e: ["f"] }],
    ["behind a plain text, far enough to the right", "a:\n  b: c\n   \t\n   \t# d\n", { a: { b: "c" } }],
    ["in front of a second line", "a: b\n \tc\n", { a: "b c" }],
    ["inside a block", "a: |\n  b\n  \tc\n  d\te\n", { a: "b\n\tc\nd\te\n" }],
    ["where a block starts that says so", "a: |2\n  \tb\n", { a: "\tb\n" }],
    ["behind a block's header", "a: |\t# b\n  c\n", { a: "c\n" }],
    ["in quotes", "a: 'b\n\tc'\nd: \"\te\n\t\n\tf\"\n", { a: "b c", d: "\te\nf" }],
    ["in brackets", "a: {\n\tb: [\n\t\t'c'\n\t]\n\t}\n", { a: { b: ["c"] } }],
    ["behind a tag and an anchor", "a: !!str\t\n  b\nc: &x\td\n", { a: "b", c: "d" }],
    ["behind the end", "a: b\n...\n\t\n", { a: "b" }],
    ["in a comment", "a: b #\tc\n#\td\n", { a: "b" }],
  ])("kubectl takes one %s", async (_, text, expected) => {
    const { documents, diagnostics } = await read(text);
    expect([documents.map(({ value }) => value), diagnostics]).toEqual([[expected], []]);
  });
});

describe("lines far to the left", () => {
  test.each([
    ["a list that closes at its key", "spec:\n  ports: [\n    {port: 80}\n  ]\n", { spec: { ports: [{ port: 80 }] } }],
    ["a mapping at column 0", "a: {\nb: c,\n d: [\n1,\n2]}\n", { a: { b: "c", d: [1, 2] } }],
    ["a mapping in a list", "a:\n- {\n b: x\n  }\n- c\n", { a: [{ b: "x" }, "c"] }],
    ["a text in double quotes", 'a:\n  b: "x\n\n  y\\\n  z"\n', { a: { b: "x\nyz" } }],
    ["a text in single quotes", "a:\n  b: 'it''s\n  x'\n  c: d\n", { a: { b: "it's x", c: "d" } }],
    ["a plain text in brackets", "a: [b\nc]\n", { a: ["b c"] }],
    ["comments in brackets", "a: [ # }\n# ]\nb]\nc: d\n", { a: ["b"], c: "d" }],
    ["tabs in front of lines", "a: {\n\tb: c,\n\td: e\n}\n", { a: { b: "c", d: "e" } }],
    ["tabs between words", "a:\t{b:\tc,\td: [\te\t]}\nf:\t[g]\n", { a: { b: "c", d: ["e"] }, f: ["g"] }],
    ["tabs inside texts", 'a:\t{b: "x\ty"}\n', { a: { b: "x\ty" } }],
    ["a column far to the right", `${"- ".repeat(90)}${" ".repeat(300)}- [\na]\n`.replace(/^/, "a:\n"), undefined],
    ["many lines", `a: [\n${"b,\n".repeat(5000)}]\nc: d\n`, { a: Array(5000).fill("b"), c: "d" }],
    ["many lists", "- a: [\n]\n".repeat(100).replace(/^/, "a:\n"), { a: Array(100).fill({ a: [] }) }],
  ])("inside brackets and quotes indentation does not matter: %s", async (_, text, expected) => {
    const { documents, diagnostics } = await read(text);
    expect(diagnostics).toEqual([]);
    if (expected !== undefined) expect(documents.map(({ value }) => value)).toEqual([expected]);
  });

  test("an unclosed bracket or quote stays an error, where it was, however long the text", async () => {
    for (const text of [
      `a: [\n${"b,\n".repeat(50_000)}`,
      `a: "b\n${"c\n".repeat(50_000)}`,
      `a: 'b\n"c\n`.repeat(300),
    ]) {
      const { diagnostics } = await read(text);
      expect(diagnostics.map(({ code, source }) => `${code} ${source.line}`)).toEqual(["yaml-syntax 2"]);
    }
  });

  test("what reads as items: inside a quoted text holds no items", async () => {
    const hidden = 'x: "a\nitems:\n- {kind: A}\nb"\nkind: List\n';
    expect(await values(hidden)).toEqual([]);
    expect(await values(`items : \n${hidden}`)).toEqual([]);
  });

  const wide = 'spec:\n  ports: [\n  {port: 80,\nname: "x\n  y", nodePort: 7},\n  ]\nä: [{\nb: 8}, 9]\n';
  test.each([
    ["spec.ports[0]", "3:3 {por"],
    ["spec.ports[0].name", "4:1 name"],
    ["spec.ports[0].nodePort", "5:7 node"],
    ["ä[0].b", "8:1 b: 8"],
    ["ä[1]", "8:8 9]"],
  ])("YAML with lines far to the left %s", async (path, expected) => {
    const position = (await read(wide)).locate({ file: "-", document: 0, path });
    const line = position?.frame.find(({ number }) => number === position.line)?.text ?? "";
    expect(`${position?.line}:${position?.column} ${line.slice((position?.column ?? 1) - 1).slice(0, 4)}`).toBe(
      expected,
    );
  });

  test("an error behind lines far to the left is where it is", async () => {
    const { diagnostics } = await read("a: [\nb\n]\nc: {\nd: 1, d: 2}\n");
    expect(diagnostics.map(({ code, source }) => `${code} ${source.line}:${source.column}`)).toEqual([
      "duplicate-key 5:7",
    ]);
  });
});

describe("Lists that are none", () => {
  const codes = async (text: string) => {
    const { documents, diagnostics } = await read(text);
    expect(diagnostics).toEqual([]);
    const found = validate(documents).diagnostics.filter(({ severity }) => severity === "error");
    return found.map(({ code, source }) => `${code} ${source.path}`);
  };
  const service = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}";
  test.each([
    ["a dash is missing", "kind: List\nitems:\n  apiVersion: v1\n  kind: Service\n", "wrong-type items"],
    ["a typed one without dash", `kind: ServiceList\nitems: ${service}\n`, "wrong-type items"],
    ["items that are text", "kind: List\nitems: none\n", "wrong-type items"],
    ["one in another", `kind: List\nitems:\n- {apiVersion: v1, kind: List, items: [${service}]}\n`, "wrong-type kind"],
    ["in lower case", `kind: list\nitems: [${service}]\n`, "kind-misspelt kind"],
    ["with a space", `kind: "List "\nitems: [${service}]\n`, "kind-misspelt kind"],
    ["typed, in lower case", `kind: servicelist\nitems: [${service}]\n`, "kind-misspelt kind"],
    ["a kind with a space", 'kind: "Service "\nmetadata: {name: a}\n', "kind-misspelt kind"],
  ])("%s", async (_, text, expected) => {
    expect(await codes(`apiVersion: v1\n${text}`)).toEqual([expected]);
  });

  test.each([
    "apiVersion: v1\nkind: List\nitems:\n",
    "apiVersion: v1\nkind: ServiceList\n",
    "apiVersion: v1\nkind: ConfigMapList\nitems: {a: b}\n",
    "apiVersion: example.com/v1\nkind: AllowList\nitems: {a: b}\n",
  ])("%j holds nothing of ours", async (text) => {
    expect(await codes(text)).toEqual([]);
  });
});

describe("items of a typed list", () => {
  const header = "apiVersion: v1\nkind: ServiceList\nitems:\n- ";
  test.each(["metadata: {name: a}", "{apiVersion: null, kind: '', metadata: {name: a}}"])(
    "get kind and version when they have neither: %s",
    async (item) => {
      expect(await values(`${header}${item}\n`)).toEqual([
        { apiVersion: "v1", kind: "Service", metadata: { name: "a" } },
      ]);
    },
  );

  test.each(["kind: Service", "apiVersion: v1"])("stay as they are when they have one of the two: %s", async (item) => {
    const [[key = "", value = ""] = []] = [item.split(": ")];
    expect(await values(`${header}${item}\n`)).toEqual([{ [key]: value }]);
  });
});

describe("characters that two readers read differently", () => {
  const hex = (code: number) => `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  test.each([0x80, 0x85, 0x9f, 0x2028, 0x2029, 0xfffe, 0xffff])("%d is refused in YAML", async (code) => {
    for (const text of [`a: b # ü${String.fromCharCode(code)}\n`, `{a: b, # ü${String.fromCharCode(code)}\nc: d}\n`]) {
      const [found] = (await read(text)).diagnostics;
      expect(found).toMatchObject({ code: "control-character", source: { line: 1, column: text.indexOf("ü") + 2 } });
      expect(found?.message).toContain(hex(code));
    }
    const escaped = `a: "\\u${code.toString(16).padStart(4, "0")}"\n`;
    expect(await values(escaped)).toEqual([{ a: String.fromCharCode(code) }]);
  });

  test("JSON may hold them, and their neighbours are letters and signs", async () => {
    expect(await values('{"a":"\u2028\u0085"}')).toEqual([{ a: "\u2028\u0085" }]);
    const text = "\u00a0\u00bf\u2027\u202f\ufffd\uff01é€";
    expect(await values(`a: x${text}x\n`)).toEqual([{ a: `x${text}x` }]);
  });
});

describe("between documents", () => {
  test.each(["null\n---\na: 1\n", "a: 1\n---\n~ # nothing\n", "a: 1\n...\n# end\n", "a: 1\n---#x\n"])(
    "%j is one object",
    async (text) => {
      const { documents, diagnostics } = await read(text);
      expect([documents.map(({ value }) => value), diagnostics]).toEqual([[{ a: 1 }], []]);
    },
  );

  test.each([
    ["null\n", "input-empty 1"],
    ["a: 1\n...\n# x\nb: 2\n", "separator-junk 4"],
    ["...\nb: 2\n", "separator-junk 2"],
    ["---#x\na: 1\n", "separator-junk 1"],
    ["kind: List\nitems: [null]\n", "document-not-object 2"],
  ])("%j is not what kubectl reads", async (text, expected) => {
    const { diagnostics } = await read(text);
    expect(diagnostics.map(({ code, source }) => `${code} ${source.line}`)).toEqual([expected]);
  });
});

test.each([
  ["metadata.labels[true]", "4:5"],
  ["metadata.labels[false]", "5:5"],
  ["metadata.labels[80]", "6:5"],
  ["metadata.labels[1.5]", "7:5"],
  ["metadata.labels[0x10]", "8:5"],
  ["metadata.labels[null]", "9:11"],
])("%s is found where its key is written another way", async (path, expected) => {
  const labels = ["on: a", "No: b", "0x50: c", "1.50: d", "'0x10': e", "!!str null: f"];
  const text = `kind: Service\nmetadata:\n  labels:\n${labels.map((line) => `    ${line}\n`).join("")}`;
  const position = (await read(text)).locate({ file: "-", document: 0, path });
  expect(`${position?.line}:${position?.column}`).toBe(expected);
});
