import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { load } from "../../../src/input/load.ts";
import { validate } from "../../../src/input/validate.ts";
import type { Diagnostic } from "../../../src/types.ts";

const root = "fixtures/hostile";

/** "file:line:column code message", one line each; the file without its folder. */
function print({ source, code, message }: Diagnostic): string {
  const file = source.file.slice(source.file.lastIndexOf("/") + 1);
  return `${file}:${source.line ?? "-"}:${source.column ?? "-"} ${code} ${message}\n`;
}

async function diagnose(inputs: readonly string[]): Promise<string> {
  const loaded = await load(inputs);
  const { diagnostics } = validate(loaded.documents);
  return loaded
    .positioned([...loaded.diagnostics, ...diagnostics])
    .map(print)
    .join("");
}

describe("hostile input gets its exact diagnostic", () => {
  const cases = readdirSync(root);
  test("there are enough of them", () => {
    expect(cases.length).toBeGreaterThanOrEqual(40);
  });
  test.each(cases)("%s", async (name) => {
    const folder = join(root, name);
    const input = readdirSync(folder).find((file) => file.startsWith("input.")) ?? "";
    const expected = readFileSync(join(folder, "diagnostics.txt"), "utf8");
    const found = await diagnose([join(folder, input)]);
    expect(found).toBe(expected);
    expect(found).toMatch(/^input\.\w+:\d+:\d+ [a-z-]+ ./);
    // Nothing that a terminal would obey reaches it.
    expect(found).not.toMatch(/[^\P{C}\n]/u);
  });
});

describe("very many findings in one object", () => {
  const COUNT = 5_000;
  const port = (index: number) => ({ name: `p${index}`, port: 70_000 + index });
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web" },
    spec: { clusterIP: "10.96.0.10", ports: Array.from({ length: COUNT }, (_, index) => port(index)) },
  };
  const yaml = `apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n${service.spec.ports
    .map((one) => `  - ${JSON.stringify(one)}\n`)
    .join("")}`;

  // Looking each one up from the start takes minutes; a machine that does five things at once, a quarter of one.
  test.each([
    ["JSON", JSON.stringify(service), `"port":${70_000 + COUNT - 1}`],
    ["indented JSON", JSON.stringify(service, undefined, 2), `"port": ${70_000 + COUNT - 1}`],
    ["YAML", yaml, `"port":${70_000 + COUNT - 1}`],
  ])("are all placed, and soon: %s", { timeout: 60_000 }, async (_, text, last) => {
    const loaded = await load(["-"], { stdin: async () => text });
    const found = loaded.positioned(validate(loaded.documents).diagnostics);
    const ports = found.filter(({ code }) => code === "port-invalid");
    expect(ports).toHaveLength(COUNT);
    const before = text.slice(0, text.indexOf(last));
    const line = before.split("\n").length;
    expect(ports.at(-1)?.source).toMatchObject({ line, column: before.length - before.lastIndexOf("\n") });
  });

  test.each([
    ["JSON", (fields: string) => `{"apiVersion":"v1","kind":"Service","spec":{${fields}}}`],
    ["YAML", (fields: string) => `apiVersion: v1\nkind: Service\nspec:\n  ${fields.replaceAll(",", "\n  ")}\n`],
  ])("are placed soon in any order, behind any characters: %s", { timeout: 60_000 }, async (_, textOf) => {
    // JavaScript puts names that are numbers in the order of these.
    const fields = Array.from({ length: 20_000 }, (_, index) => `"${50_000 - index}": "\u{1f600}é"`);
    const text = textOf(fields.join(","));
    const loaded = await load(["-"], { stdin: async () => text });
    const found = loaded.positioned(validate(loaded.documents).diagnostics);
    const unknown = found.filter(({ code }) => code === "unknown-field");
    expect(unknown).toHaveLength(fields.length);
    for (const at of [0, 12_345, 19_999]) {
      const before = text.slice(0, text.indexOf(`"${50_000 - at}"`));
      const place = { line: before.split("\n").length, column: before.length - before.lastIndexOf("\n") };
      expect(unknown.find(({ source: { path } }) => path?.includes(`${50_000 - at}`))?.source).toMatchObject(place);
    }
  });
});

describe("files that are no text, or no files", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "hostile-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each([
    ["utf16", Buffer.from("\ufeffkind: Service\n", "utf16le"), "1:1 encoding-utf16"],
    ["nul", Buffer.from("kind: Ser\0vice\n"), "1:10 binary-input"],
    ["gzip", Buffer.from([0x1f, 0x8b, 8, 0, 0]), "1:1 binary-input"],
    ["latin1", Buffer.from("a: b\nc: caf\xe9\n", "latin1"), "2:7 encoding-invalid"],
    ["cut-character", Buffer.from([0x61, 0x3a, 0x20, 0xe2, 0x82]), "1:4 encoding-invalid"],
    ["overlong", Buffer.from([0x61, 0x0a, 0xc0, 0xaf]), "2:1 encoding-invalid"],
    ["surrogate", Buffer.from([0x61, 0xed, 0xa0, 0x80]), "1:2 encoding-invalid"],
    ["delete", Buffer.from("a: \x7f\n"), "1:4 control-character"],
  ])("%s", async (name, bytes, expected) => {
    const file = join(folder, `${name}.yaml`);
    await writeFile(file, bytes);
    expect(await diagnose([file])).toMatch(new RegExp(`^${name}.yaml:${expected} `));
  });

  test("random bytes never get through", async () => {
    const bytes = Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * i * 31 + i * 7) % 256));
    await writeFile(join(folder, "junk.yaml"), bytes);
    expect(await diagnose([join(folder, "junk.yaml")])).toMatch(/binary-input|encoding-invalid/);
  });

  test("what cannot be read is named", async () => {
    await symlink(join(folder, "loop.yaml"), join(folder, "loop.yaml"));
    expect(await diagnose([join(folder, "loop.yaml")])).toContain("symbolic links lead in a circle");
    expect(await diagnose([join(folder, "absent.yaml")])).toContain("there is no such file or directory");
    expect(await diagnose(["https://example.com/web.yaml"])).toContain("cannot read");
    expect(await diagnose(["-"])).toContain("standard input is not available");
  });
});
