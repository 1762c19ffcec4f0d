import { Address4, Address6 } from "ip-address";
import { prefixLength } from "../../ip.ts";
import type { Family } from "../../types.ts";

/**
 * CIDRs without those that another one covers, in their order: a set of intervals takes no overlapping ones.
 * Linear in the number of CIDRs.
 */
export function withoutCovered(family: Family, cidrs: readonly string[]): readonly string[] {
  const byBits = new Map<string, string>();
  for (const cidr of cidrs) byBits.set(networkBits(family, cidr), cidr);
  const lengths = [...new Set(cidrs.map(prefixLength))].sort((a, b) => a - b);
  const kept: string[] = [];
  for (const [bits, cidr] of byBits) {
    const isCovered = lengths.some((length) => length < bits.length && byBits.has(bits.slice(0, length)));
    if (!isCovered) kept.push(cidr);
  }
  return kept;
}

/** The bits that all addresses of a canonical CIDR share, as text. */
function networkBits(family: Family, cidr: string): string {
  const address = cidr.slice(0, cidr.lastIndexOf("/"));
  const bits = family === "ipv4" ? new Address4(address).binaryZeroPad() : new Address6(address).binaryZeroPad();
  return bits.slice(0, prefixLength(cidr));
}
