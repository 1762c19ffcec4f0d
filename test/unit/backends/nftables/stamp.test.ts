import { describe, expect, it } from "vitest";
import { nftables } from "../../../../src/backends/nftables/index.ts";
import { stamped, stampOf } from "../../../../src/backends/nftables/stamp.ts";
import type { Element, Table, TableObject } from "../../../../src/types.ts";
import { renderOptions, rulesetOf } from "../../../support/manifests.ts";

const STAMP: TableObject = { kind: "map", name: "stamp", declaration: "type mark : mark", elements: new Map() };

/** A table with one map, which holds just this element. */
function tableWith(key: string, value: string): Table {
  const map: TableObject = {
    kind: "map",
    name: "some",
    declaration: "type mark : mark",
    elements: new Map([[key, { key, value }]]),
  };
  return {
    family: "ipv4",
    name: "svctables",
    objects: new Map([
      ["some", map],
      ["stamp", STAMP],
    ]),
  };
}

/** Both hashes of its stamp. */
function hashesOf(key: string, value: string): readonly [string, string] {
  const stamp = stampOf(stamped(tableWith(key, value), 1)) ?? "";
  return [stamp.slice(0, 10), stamp.slice(10, 20)];
}

describe("the stamp", () => {
  it("has two numbers, and where one is the same for two elements the other is not", () => {
    const first = new Map<string, string>();
    const pairs: (readonly [string, string])[] = [];
    // Of 200,000 random numbers of 32 bits some four or five are equal to another.
    for (let at = 0; at < 200_000; at++) {
      const value = `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`;
      const [one, other] = hashesOf("10.96.0.10 . 53 . 0", value);
      const twin = first.get(one);
      if (twin !== undefined) pairs.push([twin, other]);
      first.set(one, other);
    }
    expect(pairs.length).toBeGreaterThan(0);
    expect(pairs.length).toBeLessThan(30);
    for (const [one, other] of pairs) expect(one).not.toBe(other);
  });

  it("tells where a key ends and its value begins", () => {
    expect(hashesOf("ab", "c")).not.toEqual(hashesOf("a", "bc"));
  });

  it("tells whether a number for affinity was given out in between", () => {
    expect(stampOf(stamped(tableWith("a", "b"), 2))).not.toBe(stampOf(stamped(tableWith("a", "b"), 1)));
  });

  it("of a version that hashed otherwise is none, and its number for affinity is kept", () => {
    const elements = [
      ["0x00000001", "0x01234567"],
      ["0x00000002", "0x89abcdef"],
      ["0x00000003", "0x00000007"],
    ].map(([key = "", value = ""]): [string, Element] => [key, { key, value }]);
    const table = tableWith("a", "b");
    const former = {
      ...table,
      objects: new Map(table.objects).set("stamp", { ...STAMP, elements: new Map(elements) }),
    };
    expect(nftables.stamp([former])).toBeUndefined();
    const [settled] = nftables.settle(nftables.render(rulesetOf([]), renderOptions()), [former]);
    const now = settled?.objects.get("stamp");
    expect(now?.kind === "map" ? [...now.elements.keys()] : []).toEqual(["0x00000004", "0x00000005", "0x00000003"]);
    expect(now?.kind === "map" ? now.elements.get("0x00000003")?.value : undefined).toBe("0x00000007");
  });
});
