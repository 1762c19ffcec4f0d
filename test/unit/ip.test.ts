import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalCIDR,
  canonicalIP,
  contains,
  familyOf,
  firstAddress,
  isLoopback,
  isUnspecified,
  joinAddress,
} from "../../src/ip.ts";

describe("canonicalIP", () => {
  it.each([
    ["10.0.0.1", "10.0.0.1"],
    ["172.30.0.041", "172.30.0.41"],
    ["010.010.010.010", "10.10.10.10"],
    ["2001:DB8::0001", "2001:db8::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["::ffff:1.2.3.4", "1.2.3.4"],
    ["::ffff:102:304", "1.2.3.4"],
    ["0:0:0:0:0:ffff:c0a8:1", "192.168.0.1"],
    ["::ffff:0.0.0.5", "0.0.0.5"],
    ["::ffff:0:5", "0.0.0.5"],
    ["::ffff:0:0", "0.0.0.0"],
    ["::ffff:0:1.2.3.4", "::ffff:0:102:304"],
    ["::ffff:010.020.00030.4", "10.20.30.4"],
    ["2001:00000db8::0007", "2001:db8::7"],
    ["64:ff9b::192.0.002.33", "64:ff9b::c000:221"],
    ["::ffff:0:0:0", "::ffff:0:0:0"],
    ["::", "::"],
  ])("%s is %s", (text, canonical) => expect(canonicalIP(text)).toBe(canonical));

  it.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "0x7f.1",
    "1.2.3.4/24",
    "fe80::1%eth0",
    "[::1]",
    " 1.2.3.4",
    "1:2",
    "::g",
    "00000fe80::1%eth0",
    "2001:0ffff0::1",
    "::ffff:1.2.3.0256",
    "0000",
  ])("%j is no IP", (text) => expect(canonicalIP(text)).toBeUndefined());

  it("keeps what it has made canonical", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const canonical = canonicalIP(text);
        expect(canonical).toBeDefined();
        expect(canonicalIP(canonical ?? "")).toBe(canonical);
      }),
    );
  });
});

describe("canonicalCIDR", () => {
  it.each([
    ["203.0.113.000/025", "203.0.113.0/25"],
    ["1.2.3.4/28", "1.2.3.0/28"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["2001:DB8::1/64", "2001:db8::/64"],
    ["::/0", "::/0"],
    ["::ffff:198.51.100.77/122", "198.51.100.64/26"],
    ["::ffff:198.51.100.77/0128", "198.51.100.77/32"],
    ["::ffff:198.51.100.77/96", "0.0.0.0/0"],
    ["::ffff:198.51.100.77/88", "::ff00:0:0/88"],
    ["::ffff:198.51.100.77/24", "::/24"],
  ])("%s is %s", (text, canonical) => expect(canonicalCIDR(text)).toBe(canonical));

  it.each(["1.2.3.4", "1.2.3.4/33", "1.2.3.4/-1", "1.2.3.4/", "::1/129", "::ffff:1.2.3.4/129", "1.2.3.4/2 ", "foo/8"])(
    "%j is no CIDR",
    (text) => expect(canonicalCIDR(text)).toBeUndefined(),
  );
});

describe("firstAddress", () => {
  it.each([
    ["10.96.0.0/12", "10.96.0.1"],
    ["10.0.0.7/32", undefined],
    ["fd00::/112", "fd00::1"],
    ["2001:db8:1:2:3:4:5:0/112", "2001:db8:1:2:3:4:5:1"],
    ["fd00::7/128", undefined],
  ])("of %s is %s", (cidr, first) => expect(firstAddress(cidr)).toBe(first));
});

describe("contains", () => {
  it.each([
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["0.0.0.0/0", "203.0.113.1", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["2001:db8::/32", "2001:db8:ffff::1", true],
    ["2001:db8::/32", "2001:db9::1", false],
  ])("%s, %s: %s", (cidr, ip, expected) => expect(contains(cidr, ip)).toBe(expected));
});

describe("small facts", () => {
  it("knows families, loopback and how to join", () => {
    expect(familyOf("::1")).toBe("ipv6");
    expect(familyOf("10.0.0.0/8")).toBe("ipv4");
    expect(["127.0.0.1", "127.9.9.9", "::1", "10.127.0.1"].map(isLoopback)).toEqual([true, true, true, false]);
    expect(["0.0.0.0", "::", "0.0.0.1", "::1"].map(isUnspecified)).toEqual([true, true, false, false]);
    expect(joinAddress("10.0.0.1", 80)).toBe("10.0.0.1:80");
    expect(joinAddress("::1", 80)).toBe("[::1]:80");
  });
});
