import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { canonicalCIDR, canonicalIP, contains } from "../../src/ip.ts";
import * as addresses from "./addresses.ts";
import { ipv6Twin, ipv6TwinOfText } from "./ipv6Twin.ts";
import { caseFolders } from "./packetCases.ts";

const IPV4 = /(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?:\/\d{1,2})?(?![\d.])/g;

describe("IPv6 twins", () => {
  test.each([
    ["172.30.0.41", "fd00:172:30::41"],
    ["172.30.1.1", "fd00:172:30::1001"],
    ["10.180.0.1", "fd00:10:180::1"],
    ["10.180.1.2", "fd00:10:180:1::2"],
    ["10.96.100.100", "fd00:10:96::100:100"],
    ["192.168.99.11", "fd00:192:168:99::11"],
    ["203.0.113.130", "2001:db8:113::130"],
    ["127.0.0.1", "::1"],
    ["10.180.0.0/16", "fd00:10:180::/48"],
    ["203.0.113.0/25", "2001:db8:113::/120"],
    ["192.168.0.2/32", "fd00:192:168::2/128"],
    ["0.0.0.0/0", "::/0"],
  ])("%s is %s", (ipv4, ipv6) => {
    expect(ipv6Twin(ipv4)).toBe(ipv6);
  });

  test("refuses what has no twin", () => {
    expect(() => ipv6Twin("8.8.8.8")).toThrow(/no IPv6 twin/);
    expect(() => ipv6Twin("203.0.113.0/26")).toThrow(/no IPv6 twin/);
  });

  test("translates text, also endpoints and address types", () => {
    expect(ipv6TwinOfText("addressType: IPv4 # 10.180.0.1:80 from 203.0.113.0/25")).toBe(
      "addressType: IPv6 # [fd00:10:180::1]:80 from 2001:db8:113::/120",
    );
  });

  test("are canonical, distinct, and keep who is inside of which network, for all that scenarios speak of", () => {
    const texts = caseFolders().flatMap((folder) =>
      ["input.yaml", "packets.txt"].map((file) => readFileSync(join(folder, file), "utf8")),
    );
    const found = new Set([...texts, JSON.stringify(addresses)].flatMap((text) => text.match(IPV4) ?? []));
    const ips = [...found].filter((text) => canonicalIP(text) === text);
    const cidrs = [...found].filter((text) => canonicalCIDR(text) === text);
    expect(ips.filter((ip) => canonicalIP(ipv6Twin(ip)) !== ipv6Twin(ip))).toEqual([]);
    expect(cidrs.filter((cidr) => canonicalCIDR(ipv6Twin(cidr)) !== ipv6Twin(cidr))).toEqual([]);
    expect(new Set(ips.map(ipv6Twin)).size).toBe(ips.length);
    const moved = cidrs.flatMap((cidr) =>
      ips.filter((ip) => contains(cidr, ip) !== contains(ipv6Twin(cidr), ipv6Twin(ip))).map((ip) => `${ip} ${cidr}`),
    );
    expect(moved).toEqual([]);
  });
});
