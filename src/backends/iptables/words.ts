import type { Family, Match, Protocol } from "../../types.ts";

/** The words of rules, in the order and form in which iptables-save prints them. */

const WORDS = {
  ipv4: { host: "/32", reject: "icmp-port-unreachable", recentMask: "255.255.255.255" },
  ipv6: { host: "/128", reject: "icmp6-port-unreachable", recentMask: "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
} as const;

export function comment(text: string): string {
  return `-m comment --comment "${text}"`;
}

/** A destination address and port: `-d IP/32 -p tcp COMMENT -m tcp --dport N`. */
export function toAddress(family: Family, ip: string, protocol: Protocol, port: number, text: string): string {
  return `-d ${ip}${WORDS[family].host} -p ${protocol} ${comment(text)} -m ${protocol} --dport ${port}`;
}

/** A port on whatever address; `extra` stands between the comment and the port. */
export function toPort(protocol: Protocol, port: number, text: string, extra = ""): string {
  return `-p ${protocol} ${comment(text)} ${extra}-m ${protocol} --dport ${port}`;
}

/** One host as source or destination. */
export function host(family: Family, ip: string): string {
  return ip + WORDS[family].host;
}

export function reject(family: Family): string {
  return `-j REJECT --reject-with ${WORDS[family].reject}`;
}

/** Remembers the source in the list of an endpoint's chain. */
export function recentSet(family: Family, list: string): string {
  return `-m recent --set --name ${list} --mask ${WORDS[family].recentMask} --rsource`;
}

/** Matches sources that are in the list since at most `seconds`. */
export function recentCheck(family: Family, list: string, seconds: number): string {
  return `-m recent --rcheck --seconds ${seconds} --reap --name ${list} --mask ${WORDS[family].recentMask} --rsource`;
}

/**
 * One of `n`, at random. kube-proxy writes 1/n with ten decimals; the kernel keeps 31 bits of it, and
 * iptables-save prints those with eleven.
 */
export function oneOf(n: number): string {
  return CHANCES[n] ?? chanceOf(n);
}

function chanceOf(n: number): string {
  return `-m statistic --mode random --probability ${kernelProbability((1 / n).toFixed(10))}`;
}

const TWO_TO_31 = 0x8000_0000;

export function kernelProbability(text: string): string {
  return (Math.round(Number(text) * TWO_TO_31) / TWO_TO_31).toFixed(11);
}

/** Every Service asks for the same few. */
const CHANCES: readonly string[] = Array.from({ length: 128 }, (_, n) => chanceOf(n));

export function mark(value: number): string {
  return `0x${value.toString(16)}`;
}

/** A match, split as iptables-save orders it: addresses and interfaces stand before the comment. */
export interface MatchWords {
  readonly source: string;
  readonly inputInterface: string;
  readonly module: string;
}

export function matchWords(matches: readonly Match[]): MatchWords {
  let words: MatchWords = { source: "", inputInterface: "", module: "" };
  for (const match of matches) {
    switch (match.kind) {
      case "source":
        words = { ...words, source: `${not(match.negated)}-s ${match.cidr} ` };
        break;
      case "inputInterface":
        words = { ...words, inputInterface: `${not(match.negated)}-i ${match.name}${match.prefix ? "+" : ""} ` };
        break;
      case "sourceIsNode":
        words = { ...words, module: " -m addrtype --src-type LOCAL" };
        break;
    }
  }
  return words;
}

function not(negated: boolean): string {
  return negated ? "! " : "";
}
