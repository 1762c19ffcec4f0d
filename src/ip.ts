import { isIPv4, isIPv6 } from "node:net";
import { Address4, Address6 } from "ip-address";
import type { Family } from "./types.ts";

/**
 * IP addresses and CIDRs as the Kubernetes libraries read and print them: octets, groups and prefix lengths may
 * carry any number of leading zeros, octets are decimal, IPv4-mapped IPv6 counts as IPv4, IPv6 prints as RFC 5952 says.
 */

const LEADING_ZEROS = /(?<![0-9a-f])0+(?=[0-9a-f])/gi;
const SPACE = /\p{White_Space}/u;
const MAPPED_IPV4 = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** The canonical text of an IP, or undefined if it is none. Zone ids are refused. */
export function canonicalIP(text: string): string | undefined {
  if (isIPv4(text) || (isIPv6(text) && isShortestIPv6(text))) return text;
  const plain = text.replace(LEADING_ZEROS, "");
  if (isIPv4(plain)) return plain;
  if (plain.includes("%") || !isIPv6(plain)) return undefined;
  const canonical = new Address6(plain).correctForm();
  const mapped = MAPPED_IPV4.exec(canonical);
  if (mapped?.[1] === undefined || mapped[2] === undefined) return canonical;
  const bits = (Number.parseInt(mapped[1], 16) << 16) | Number.parseInt(mapped[2], 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
}

/**
 * Whether valid IPv6 text is written as RFC 5952 says already; most is, and the full conversion costs microseconds.
 * Texts that may be IPv4 in disguise are left to the conversion.
 */
function isShortestIPv6(text: string): boolean {
  if (!/^[0-9a-f:]+$/.test(text) || text.startsWith("::ffff:")) return false;
  const gap = text.indexOf("::");
  const head = gap < 0 ? text : text.slice(0, gap);
  const tail = gap < 0 ? "" : text.slice(gap + 2);
  const front = head === "" ? [] : head.split(":");
  const back = tail === "" ? [] : tail.split(":");
  const gapLength = gap < 0 ? 0 : 8 - front.length - back.length;
  // The gap must take in all zeros around it, be the longest run of zeros, and the first of that length.
  if (gap >= 0 && (gapLength < 2 || front.at(-1) === "0" || back[0] === "0")) return false;
  return runsBelow(front, gap < 0 ? 2 : gapLength) && runsBelow(back, gap < 0 ? 2 : gapLength + 1);
}

/** Whether no group has a leading zero and no run of zero groups is as long as the limit. */
function runsBelow(groups: readonly string[], limit: number): boolean {
  let run = 0;
  for (const group of groups) {
    if (group.length > 1 && group.startsWith("0")) return false;
    run = group === "0" ? run + 1 : 0;
    if (run >= limit) return false;
  }
  return true;
}

/** Family of a canonical IP or CIDR. */
export function familyOf(address: string): Family {
  return address.includes(":") ? "ipv6" : "ipv4";
}

/** "ip:port", with IPv6 in brackets. */
export function joinAddress(ip: string, port: number): string {
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

/** The canonical text of a CIDR, host bits cleared, or undefined if it is none. */
export function canonicalCIDR(text: string): string | undefined {
  const slash = text.lastIndexOf("/");
  if (slash < 0) return undefined;
  const written = text.slice(0, slash);
  const ip = canonicalIP(written);
  const prefixText = text.slice(slash + 1);
  if (ip === undefined || !/^\d+$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  // The prefix of IPv4-mapped IPv6 counts IPv6's bits, and a short one leaves no IPv4 at all.
  const isMapped = familyOf(ip) === "ipv4" && written.includes(":");
  if (isMapped && prefix < 96) return `${cidrBase(`::ffff:${ip}`, prefix)}/${prefix}`;
  const length = isMapped ? prefix - 96 : prefix;
  if (length > (familyOf(ip) === "ipv4" ? 32 : 128)) return undefined;
  return `${cidrBase(ip, length)}/${length}`;
}

function cidrBase(ip: string, prefix: number): string {
  return familyOf(ip) === "ipv4"
    ? new Address4(`${ip}/${prefix}`).startAddress().correctForm()
    : new Address6(`${ip}/${prefix}`).startAddress().correctForm();
}

/** Without white space at both ends, as Go sees it: U+0085 is some, U+FEFF is none. */
export function trimSpace(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && SPACE.test(text.charAt(start))) start++;
  while (end > start && SPACE.test(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

export function prefixLength(cidr: string): number {
  return Number(cidr.slice(cidr.lastIndexOf("/") + 1));
}

/** The address after the network's own, which the API server takes for itself; undefined where there is none. */
export function firstAddress(cidr: string): string | undefined {
  const network = familyOf(cidr) === "ipv4" ? new Address4(cidr) : new Address6(cidr);
  const first = network.startAddressExclusive().correctForm();
  return contains(cidr, first) ? first : undefined;
}

/** Whether a canonical CIDR contains a canonical IP; never across families. */
export function contains(cidr: string, ip: string): boolean {
  if (familyOf(cidr) !== familyOf(ip)) return false;
  return familyOf(ip) === "ipv4"
    ? new Address4(ip).isInSubnet(new Address4(cidr))
    : new Address6(ip).isInSubnet(new Address6(cidr));
}

/** Whether a canonical IP lies in 127.0.0.0/8 or is ::1. */
export function isLoopback(ip: string): boolean {
  return ip === "::1" || ip.startsWith("127.");
}

/** Whether a canonical IP is that of no host at all: a program that binds to it binds to every address. */
export function isUnspecified(ip: string): boolean {
  return ip === "0.0.0.0" || ip === "::";
}
