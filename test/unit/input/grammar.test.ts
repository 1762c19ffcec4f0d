import fc from "fast-check";
import { Address6 } from "ip-address";
import { describe, expect, test } from "vitest";
import {
  cidrProblem,
  fqdnProblem,
  ipProblem,
  labelProblem,
  otherForm,
  portNameProblems,
  qualifiedNameProblem,
  unusableProblem,
} from "../../../src/input/grammar.ts";
import { canonicalIP } from "../../../src/ip.ts";

describe("IPv6 text", () => {
  /** Groups with many zeros, since these are what the shortest form is about. */
  const groups = fc.array(fc.oneof(fc.constant(0), fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
    minLength: 8,
    maxLength: 8,
  });
  const long = groups.map((list) => list.map((group) => group.toString(16)).join(":"));

  test("the canonical form is that of RFC 5952, and its own canonical form", () => {
    fc.assert(
      fc.property(long, (text) => {
        const canonical = canonicalIP(text) ?? "";
        // IPv4 in disguise counts as IPv4.
        fc.pre(canonical.includes(":"));
        expect(canonical).toBe(new Address6(text).correctForm());
        expect(canonicalIP(canonical)).toBe(canonical);
        expect(otherForm(canonical)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test("any way to write an address gives the same canonical form", () => {
    fc.assert(
      fc.property(long, fc.integer({ min: 0, max: 7 }), fc.integer({ min: 1, max: 8 }), (text, start, count) => {
        const list = text.split(":");
        const end = Math.min(8, start + count);
        fc.pre(list.slice(start, end).every((group) => group === "0"));
        const shortened = `${list.slice(0, start).join(":")}::${list.slice(end).join(":")}`;
        expect([shortened, canonicalIP(shortened)]).toEqual([shortened, canonicalIP(text)]);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ["2001:DB8::1", "2001:db8::1"],
    ["2001:0db8::1", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:db8::0:1", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:0:0:2::3", "1:0:0:2::3"],
    ["1:0:0:0:2::3", "1::2:0:0:3"],
    ["1::2:0:0:3", "1::2:0:0:3"],
    ["1:0:0:2:3::", "1:0:0:2:3::"],
    ["1:0:0:2:3:4::", "1::2:3:4:0:0"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["::ffff:102:304", "1.2.3.4"],
    ["::1", "::1"],
  ])("%s is %s", (text, canonical) => {
    expect(canonicalIP(text)).toBe(canonical);
  });
});

describe("reasons", () => {
  test.each([
    [labelProblem("a".repeat(63)), undefined],
    [labelProblem("a".repeat(64)), "must be no more than 63 bytes"],
    [qualifiedNameProblem("a/b/c"), "a qualified name has at most one '/' (like 'example.com/my-name')"],
    [qualifiedNameProblem("/x"), "the prefix in front of '/' must not be empty"],
    [qualifiedNameProblem("x/"), "name part must not be empty"],
    [ipProblem("010.0.0.1", "strict"), "must not have leading 0s"],
    [ipProblem("010.0.0.1", "sloppy"), undefined],
    [ipProblem("2001:00db8::7", "strict"), "must not have leading 0s"],
    [ipProblem("2001:00db8::7", "sloppy"), undefined],
    [ipProblem("2001:0db8::7", "strict"), undefined],
    [ipProblem("::ffff:198.51.100.07", "strict"), "must not have leading 0s"],
    [ipProblem("::ffff:198.51.100.07", "sloppy"), undefined],
    [ipProblem("::ffff:1.2.3.4", "strict"), "must not be an IPv4-mapped IPv6 address"],
    [cidrProblem("1.2.3.4/24", "strict"), 'must not have bits set beyond the prefix length (expected "1.2.3.0/24")'],
    [cidrProblem("1.2.3.4/24", "sloppy"), undefined],
    [cidrProblem("::ffff:198.51.100.0/120", "strict"), "must not be an IPv4-mapped IPv6 address"],
    [cidrProblem("::ffff:198.51.100.0/120", "sloppy"), undefined],
    [fqdnProblem("com"), "should be a domain with at least two labels separated by dots"],
    [unusableProblem("ff02::1:2"), "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"],
    [unusableProblem("ff05::2"), undefined],
    [unusableProblem("febf::1"), "may not be in the link-local range (169.254.0.0/16, fe80::/10)"],
    [unusableProblem("fec0::1"), undefined],
  ])("%#", (found, expected) => {
    expect(found).toBe(expected);
  });

  test("every broken clause of a port name is a reason of its own", () => {
    expect(portNameProblems("http")).toEqual([]);
    expect(portNameProblems("-1--2-")).toHaveLength(3);
    expect(portNameProblems(`A${"-".repeat(16)}`)).toHaveLength(5);
  });

  test("no text takes long to judge", () => {
    const started = performance.now();
    for (const text of [
      "a".repeat(100_000),
      `${"a-".repeat(50_000)}!`,
      `${"a.".repeat(50_000)}!`,
      `${"0".repeat(100_000)}.1.1.1`,
      ":".repeat(100_000),
    ]) {
      labelProblem(text);
      qualifiedNameProblem(text);
      fqdnProblem(text);
      ipProblem(text, "strict");
      cidrProblem(`${text}/8`, "strict");
      portNameProblems(text);
    }
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
