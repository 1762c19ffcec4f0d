import { createHash } from "node:crypto";
import { canonicalIP, familyOf, prefixLength } from "../ip.ts";
import type { Family } from "../types.ts";

/**
 * Numbers to give out, in two bands as the API server has them: a static one at the start, meant for values that
 * people choose, and the rest, from which automatic choices come first. An automatic choice starts at a place that
 * its owner's name determines and takes the next free number, so that it does not depend on the order of files.
 */
export interface Pool {
  /** Count of numbers 0 … size - 1. */
  readonly size: number;
  /** How many of them, from 0, form the static band. */
  readonly staticSize: number;
  readonly taken: Set<number>;
}

/** Takes the next free number for this owner, or undefined when there is none. */
export function takeNext(pool: Pool, owner: string): number | undefined {
  if (pool.taken.size >= pool.size) return undefined;
  const start = placeOf(owner);
  const number = scan(pool, pool.staticSize, pool.size, start) ?? scan(pool, 0, pool.staticSize, start);
  if (number !== undefined) pool.taken.add(number);
  return number;
}

function scan({ taken }: Pool, from: number, to: number, start: number): number | undefined {
  const count = to - from;
  for (let step = 0, at = count === 0 ? 0 : start % count; step < count; step++) {
    if (!taken.has(from + at)) return from + at;
    at = at + 1 === count ? 0 : at + 1;
  }
  return undefined;
}

/** 48 bits of a hash: the same on every machine and in every run. */
function placeOf(owner: string): number {
  return createHash("sha256").update(owner).digest().readUIntBE(0, 6);
}

/** Size of the static band: a fraction of the range within limits; small ranges have none. */
export function bandSize(size: number, fraction: number, most: number): number {
  return size <= 16 ? 0 : Math.min(Math.max(16, Math.floor(size / fraction)), most);
}

/** The addresses of one Service CIDR, counted from the one behind the network's own. */
export interface AddressPool extends Pool {
  readonly cidr: string;
  readonly family: Family;
  readonly base: bigint;
}

/** No more addresses than numbers can count exactly; an IPv6 range is larger than anybody needs anyway. */
const MOST_ADDRESSES = 2 ** 48;

/** Pool of a canonical CIDR. IPv4 ranges give out neither the network's nor the broadcast address. */
export function addressPool(cidr: string): AddressPool {
  const family = familyOf(cidr);
  const hostBits = (family === "ipv4" ? 32 : 128) - prefixLength(cidr);
  const size = Math.min(2 ** hostBits, MOST_ADDRESSES);
  const usable = Math.max(0, size - (family === "ipv4" ? 2 : 1));
  const staticSize = Math.min(bandSize(size, 16, 256), usable);
  return {
    cidr,
    family,
    base: toNumber(cidr.slice(0, cidr.lastIndexOf("/"))),
    size: usable,
    staticSize,
    taken: new Set(),
  };
}

export function addressAt(pool: AddressPool, index: number): string {
  return fromNumber(pool.base + 1n + BigInt(index), pool.family);
}

/** Index of a canonical address in the pool, or undefined when the pool does not give it out. */
export function indexOf(pool: AddressPool, ip: string): number | undefined {
  if (familyOf(ip) !== pool.family) return undefined;
  const index = toNumber(ip) - pool.base - 1n;
  return index >= 0n && index < BigInt(pool.size) ? Number(index) : undefined;
}

function toNumber(ip: string): bigint {
  if (!ip.includes(":")) return BigInt(ip.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0));
  const [head = "", tail] = ip.split("::");
  const front = head === "" ? [] : head.split(":");
  const back = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length;
  const groups = [...front, ...Array<string>(zeros).fill("0"), ...back];
  return groups.reduce((sum, group) => (sum << 16n) | BigInt(Number.parseInt(group, 16)), 0n);
}

function fromNumber(value: bigint, family: Family): string {
  const bits = family === "ipv4" ? 8n : 16n;
  const groups = Array.from({ length: family === "ipv4" ? 4 : 8 }, (_, i) => i).reverse();
  const parts = groups.map((i) =>
    ((value >> (BigInt(i) * bits)) & ((1n << bits) - 1n)).toString(family === "ipv4" ? 10 : 16),
  );
  const text = parts.join(family === "ipv4" ? "." : ":");
  return canonicalIP(text) ?? text;
}
