import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { withoutCovered } from "../../../../src/backends/nftables/sourceRanges.ts";
import { canonicalCIDR, contains } from "../../../../src/ip.ts";

const octet = fc.integer({ min: 0, max: 255 });
const cidr = fc
  .tuple(fc.constantFrom(10, 192), fc.constantFrom(0, 128), octet, octet, fc.integer({ min: 1, max: 32 }))
  .map(([a, b, c, d, prefix]) => canonicalCIDR(`${a}.${b}.${c}.${d}/${prefix}`) ?? "");

const base = (text: string): string => text.slice(0, text.indexOf("/"));

describe("source ranges", () => {
  it("lose those that another one covers, and doubles", () => {
    const given = ["10.1.0.0/16", "10.0.0.0/8", "192.168.1.1/32", "10.1.2.3/32", "192.168.1.1/32"];
    expect(withoutCovered("ipv4", given)).toEqual(["10.0.0.0/8", "192.168.1.1/32"]);
    expect(withoutCovered("ipv6", ["fd00::1/128", "fd00::/64", "fd00:0:0:1::/64"])).toEqual([
      "fd00::/64",
      "fd00:0:0:1::/64",
    ]);
  });

  it("cover what they covered before, and overlap nowhere", () => {
    fc.assert(
      fc.property(fc.array(cidr, { maxLength: 12 }), (given) => {
        const kept = withoutCovered("ipv4", given);
        for (const one of given) expect(kept.some((other) => contains(other, base(one)))).toBe(true);
        for (const one of kept) expect(kept.filter((other) => contains(other, base(one)))).toEqual([one]);
      }),
    );
  });

  it("take no more than a moment, however many there are", () => {
    const many = Array.from({ length: 20_000 }, (_, index) => `10.${index >> 8}.${index & 255}.0/24`);
    const start = performance.now();
    expect(withoutCovered("ipv4", many)).toHaveLength(20_000);
    expect(performance.now() - start).toBeLessThan(5000);
  });
});
