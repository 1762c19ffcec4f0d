import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { load } from "../../../src/input/load.ts";

/** Reads `key: TEXT` and gives the value. */
async function read(text: string): Promise<unknown> {
  const { documents, diagnostics } = await load(["-"], { stdin: async () => `key: ${text}\n` });
  const [first] = diagnostics;
  if (first !== undefined) throw new Error(first.code);
  return (documents[0]?.value as Record<string, unknown> | undefined)?.key;
}

describe("plain scalars are read as kubectl reads them", () => {
  test.each([
    ["0644", 420],
    ["010", 8],
    ["-010", -8],
    ["0o644", 420],
    ["0O17", 15],
    ["0x1F", 31],
    ["0X1f", 31],
    ["-0x10", -16],
    ["0b101", 5],
    ["0B11", 3],
    ["1_000", 1000],
    ["1__0", 10],
    ["0x_1F", 31],
    ["1_000.5", 1000.5],
    ["80", 80],
    ["+80", 80],
    ["-5", -5],
    ["0", 0],
    ["-0", 0],
    ["089", 89],
    ["08", 8],
    ["1e3", 1000],
    ["1E3", 1000],
    ["1.5e+2", 150],
    ["1.", 1],
    [".5", 0.5],
    ["-.5", -0.5],
    ["80.0", 80],
    ["9007199254740991", 9007199254740991],
  ] as const)("%s is the number %d", async (text, expected) => {
    expect(await read(text)).toBe(expected);
  });

  test.each(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"])("%s is true", async (text) => {
    expect(await read(text)).toBe(true);
  });
  test.each(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"])(
    "%s is false",
    async (text) => {
      expect(await read(text)).toBe(false);
    },
  );
  test.each(["~", "null", "Null", "NULL", ""])("%j is null", async (text) => {
    expect(await read(text)).toBeNull();
  });

  test.each([
    "2026-03-01",
    "2026-03-01T10:00:00Z",
    "22:22",
    "1:30",
    "10.0.0.1",
    "1.2.3",
    "0x",
    "0xG",
    "0b2",
    "0o8",
    "1e",
    "e3",
    ".",
    "+",
    "_1",
    "._5",
    "yES",
    "tRUE",
    "nULL",
    "oN",
    "10.96.0.0/12",
    "fd00::1",
    "::1",
    "1.0.0",
    "v1",
    "0.0.0.0/0",
    "1,000",
    "=",
    "<",
    "on-call",
    "null-a",
    "1234e5678",
    "-12e4567",
    "1e400",
    "9".repeat(400),
    "0xAb5801a7D398351b8bE11C439e05C5B3259aeC9B",
    "0x10000000000000000",
    "-0x8000000000000001",
    "+0x8000000000000000",
    `0b${"1".repeat(65)}`,
    `-0b${"1".repeat(64)}`,
    "0o7777777777777777777777",
    "-0o1777777777777777777777",
  ])("%s is text", async (text) => {
    expect(await read(text)).toBe(text);
  });

  test.each([".inf", "-.Inf", ".NaN"])("%s is refused", async (text) => {
    await expect(read(text)).rejects.toThrow("number-out-of-range");
  });

  test.each([
    "9007199254740993",
    "18446744073709551616",
    "1e300",
    "0xFFFFFFFFFFFFFFFF",
    "-0x8000000000000000",
    "-9007199254740993",
  ])("%s is rounded, as in JSON", async (text) => {
    const sign = text.startsWith("-") ? -1 : 1;
    expect(await read(text)).toBe(sign * Number(text.replace("-", "")));
  });

  test.each([
    ["0o1777777777777777777777", 2 ** 64],
    ["07777777777777777777777777", 8 ** 25],
  ])("%s is rounded", async (text, expected) => {
    expect(await read(text)).toBe(expected);
  });

  test.each([
    ['"80"', "80"],
    ["'yes'", "yes"],
    ["!!str 80", "80"],
    ["! on", "on"],
    ["!!int 0x10", 16],
    ["!!float 1", 1],
    ["!!bool yes", true],
    ["|\n  80\n", "80\n"],
    ["\n- 1\n- y", [1, true]],
  ])("%s", async (text, expected) => {
    expect(await read(text)).toEqual(expected);
  });

  test.each(["!!int x", "!!bool 7", "!!timestamp 2026-03-01", "!x y"])("tag %s is refused", async (text) => {
    await expect(read(text)).rejects.toThrow();
  });

  test("keys are text, whatever they look like", async () => {
    const { documents } = await load(["-"], { stdin: async () => "8080: a\ny: b\n0x10: c\n" });
    expect(documents[0]?.value).toEqual({ "8080": "a", true: "b", "16": "c" });
  });

  test("keys are no numbers that are rounded", async () => {
    for (const text of ["9007199254740993: a\n", "9007199254740993: a\n9007199254740992: b\n"]) {
      const { diagnostics } = await load(["-"], { stdin: async () => text });
      expect(diagnostics.map(({ code, source }) => `${code} ${source.line}:${source.column}`)).toEqual([
        "number-out-of-range 1:1",
      ]);
    }
  });

  test("every decimal that is written plainly is itself", () => {
    fc.assert(
      fc.asyncProperty(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), async (number) => {
        expect(await read(String(number))).toBe(number);
      }),
      { numRuns: 50 },
    );
  });
});
