import fc from "fast-check";
import { expect, test } from "vitest";
import { yamlText } from "../../../src/input/load/write.ts";
import { load } from "../../../src/input/load.ts";

async function read(text: string): Promise<readonly unknown[]> {
  const { documents, diagnostics } = await load(["-"], { stdin: async () => text });
  expect(diagnostics).toEqual([]);
  return documents.map(({ value }) => value);
}

test("objects are written as kubectl writes them", () => {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { ports: [{ port: 80, name: undefined }], type: "ClusterIP" },
  };
  expect(yamlText([service, { a: 1 }])).toBe(
    "apiVersion: v1\nkind: Service\nmetadata:\n  name: web\nspec:\n  ports:\n    - port: 80\n  type: ClusterIP\n---\na: 1\n",
  );
});

test.each([
  "yes",
  "y",
  "off",
  "null",
  "~",
  "",
  "0644",
  "0o17",
  "0X1F",
  "0B1",
  "1_000",
  "1e3",
  ".inf",
  "9007199254740993",
  "2026-03-01",
  "22:22",
  "- a",
  "a: b",
  "# c",
  "---",
  "{",
  "&x",
  "*x",
  "!t",
  "line\nline\n",
  " lead",
  "trail ",
  "\ttab",
  "<<",
  "__x",
  "ünï",
  "🙂",
])("%j comes back as text, as value and as key", async (text) => {
  const object = { value: text, list: [text], [`${text}`]: "key" };
  expect(await read(yamlText([object]))).toEqual([object]);
});

test("any object comes back", async () => {
  const text = fc.string({ unit: "binary-ascii" }).filter((value) => /^[\t\n -~]*$/.test(value));
  const leaf = fc.oneof(text, fc.integer(), fc.boolean(), fc.constant(null));
  const tree = fc.dictionary(
    text.filter((key) => key !== "__proto__"),
    fc.oneof(
      leaf,
      fc.array(leaf, { maxLength: 3 }),
      fc.dictionary(
        text.filter((key) => key !== "__proto__"),
        leaf,
        { maxKeys: 3 },
      ),
    ),
    { minKeys: 1, maxKeys: 5 },
  );
  await fc.assert(
    fc.asyncProperty(tree, async (object) => {
      expect(await read(yamlText([object]))).toEqual([object]);
    }),
    { numRuns: 200 },
  );
});
