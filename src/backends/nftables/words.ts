import { assertNever } from "../../errors.ts";
import type { Family, Match, Protocol } from "../../types.ts";

/** The words of rules, in the form in which `nft list` prints them back (1.0.6 and 1.1.3 alike). */

export interface FamilyWords {
  /** Family of the table, and the word that names an address in a rule. */
  readonly ip: "ip" | "ip6";
  readonly addressType: "ipv4_addr" | "ipv6_addr";
  readonly loopback: string;
  readonly hostBits: number;
}

const WORDS: Readonly<Record<Family, FamilyWords>> = {
  ipv4: { ip: "ip", addressType: "ipv4_addr", loopback: "127.0.0.0/8", hostBits: 32 },
  ipv6: { ip: "ip6", addressType: "ipv6_addr", loopback: "::1", hostBits: 128 },
};

export function wordsOf(family: Family): FamilyWords {
  return WORDS[family];
}

/** A mark, or any other number of type `mark`: eight hexadecimal digits. */
export function mark(value: number): string {
  return `0x${value.toString(16).padStart(8, "0")}`;
}

/** A CIDR; one of a single host is printed without its prefix length. */
export function cidrText({ hostBits }: FamilyWords, cidr: string): string {
  const suffix = `/${hostBits}`;
  return cidr.endsWith(suffix) ? cidr.slice(0, -suffix.length) : cidr;
}

export function matchWords(words: FamilyWords, match: Match): string {
  switch (match.kind) {
    case "source":
      return `${words.ip} saddr ${match.negated ? "!= " : ""}${cidrText(words, match.cidr)}`;
    case "inputInterface":
      return `iifname ${match.negated ? "!= " : ""}"${match.name}${match.prefix ? "*" : ""}"`;
    case "sourceIsNode":
      return "fib saddr type local";
    default:
      return assertNever(match);
  }
}

export function comment(text: string): string {
  return ` comment "${text}"`;
}

const CONSTANT = /numgen inc mod 1 offset (\d+)/;

/** A number above 0 that is always the same, in a form that nft accepts as part of a concatenation. */
export function constant(value: number): string {
  return `numgen inc mod 1 offset ${value}`;
}

/** The number of the `constant` in a rule; 0 when there is none. */
export function constantIn(rule: string): number {
  return Number(CONSTANT.exec(rule)?.[1] ?? 0);
}

/** The same rule with another number in its `constant`. */
export function withConstant(rule: string, value: number): string {
  return rule.replace(CONSTANT, constant(value));
}

/** What a DNAT statement is told: `ip:port`, IPv6 in brackets. */
export function dnatTo(protocol: Protocol, address: string): string {
  return `meta l4proto ${protocol} dnat to ${address}`;
}
