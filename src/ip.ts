import { isIPv4, isIPv6 } from "node:net";
import { Address4, Address6 } from "ip-address";
import type { Family } from "./types.ts";

/**
 * IP addresses and CIDRs as the Kubernetes libraries read and print them: IPv4 octets and prefix lengths may
 * carry leading zeros and are decimal, IPv4-mapped IPv6 counts as IPv4, IPv6 prints as RFC 5952 says.
 */

const SLOPPY_IPV4 = /^0*(\d{1,3})\.0*(\d{1,3})\.0*(\d{1,3})\.0*(\d{1,3})$/;
const MAPPED_IPV4 = /^::ffff:(?:0:)?([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** The canonical text of an IP, or undefined if it is none. Zone ids are refused. */
export function canonicalIP(text: string): string | undefined {
  if (isIPv4(text)) return text;
  const octets = SLOPPY_IPV4.exec(text);
  if (octets !== null) {
    const plain = octets.slice(1).map(Number).join(".");
    return isIPv4(plain) ? plain : undefined;
  }
  if (!text.includes(":") || text.includes("%") || !isIPv6(text)) return undefined;
  const canonical = new Address6(text).correctForm();
  const mapped = MAPPED_IPV4.exec(canonical);
  if (mapped?.[1] === undefined || mapped[2] === undefined || canonical.startsWith("::ffff:0:")) return canonical;
  const bits = (Number.parseInt(mapped[1], 16) << 16) | Number.parseInt(mapped[2], 16);
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 255).join(".");
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
  const ip = canonicalIP(text.slice(0, slash));
  const prefixText = text.slice(slash + 1);
  if (ip === undefined || !/^\d+$/.test(prefixText)) return undefined;
  const prefix = Number(prefixText);
  if (prefix > (familyOf(ip) === "ipv4" ? 32 : 128)) return undefined;
  return `${cidrBase(ip, prefix)}/${prefix}`;
}

function cidrBase(ip: string, prefix: number): string {
  return familyOf(ip) === "ipv4"
    ? new Address4(`${ip}/${prefix}`).startAddress().correctForm()
    : new Address6(`${ip}/${prefix}`).startAddress().correctForm();
}

export function prefixLength(cidr: string): number {
  return Number(cidr.slice(cidr.lastIndexOf("/") + 1));
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
