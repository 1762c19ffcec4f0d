import { UserError } from "../errors.ts";
import { canonicalCIDR, canonicalIP, familyOf, isUnspecified } from "../ip.ts";

/**
 * Readers of single values. A flag gives text (a list of texts if it may be repeated), YAML gives what it read;
 * `where` is "--node-ip" or "nodeIp in FILE". All throw a UserError that names the place and what is expected there.
 */

export function wrong(where: string, value: unknown, expected: string, hint: string): UserError {
  return new UserError(`${where}: ${expected} is expected, found ${show(value)}`, hint);
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

export function readText(value: unknown, where: string, pattern: RegExp, expected: string, hint: string): string {
  if (typeof value !== "string" || !pattern.test(value)) throw wrong(where, value, expected, hint);
  return value;
}

export function readChoice<T extends string>(value: unknown, where: string, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw wrong(where, value, oneOf(choices), "the spelling counts");
  return found;
}

function oneOf(choices: readonly string[]): string {
  const last = choices.at(-1) ?? "";
  return choices.length < 2 ? last : `${choices.slice(0, -1).join(", ")} or ${last}`;
}

export function readBoolean(value: unknown, where: string): boolean {
  if (typeof value !== "boolean") throw wrong(where, value, "true or false", "write it without quotes");
  return value;
}

export function readInteger(value: unknown, where: string, min: number, max: number): number {
  const number = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof number !== "number" || !Number.isInteger(number) || number < min || number > max) {
    throw wrong(where, value, `a whole number from ${min} to ${max}`, "leave it out for the default");
  }
  return number;
}

/** A list, a comma-separated text, or a list of such texts; blanks around items are dropped. */
export function readList(value: unknown, where: string): readonly string[] {
  const texts = Array.isArray(value) ? value : [value];
  return texts.flatMap((text: unknown) => {
    if (typeof text !== "string") throw wrong(where, value, "a list of texts", "separate the items by commas");
    return text
      .split(",")
      .map((item) => item.trim())
      .filter((item) => item !== "");
  });
}

/** Addresses of a machine. */
export function readIPs(value: unknown, where: string): readonly string[] {
  return readList(value, where).map((text) => {
    const ip = canonicalIP(text);
    if (ip === undefined) throw wrong(where, text, "an IP address", "for example 192.0.2.10 or 2001:db8::10");
    if (isUnspecified(ip))
      throw wrong(where, text, "an address that a node can have", "leave it out if it is not known");
    return ip;
  });
}

export function readCIDRs(value: unknown, where: string): readonly string[] {
  return readList(value, where).map((text) => {
    const cidr = canonicalCIDR(text);
    if (cidr === undefined) throw wrong(where, text, "a CIDR", "for example 10.244.0.0/16 or fd00:10:244::/56");
    return cidr;
  });
}

/** At most one CIDR of each family, as kube-proxy's clusterCIDR. */
export function readDualCIDRs(value: unknown, where: string): readonly string[] {
  const cidrs = readCIDRs(value, where);
  if (new Set(cidrs.map(familyOf)).size < cidrs.length) {
    throw wrong(where, cidrs.join(","), "at most one CIDR of each family", "give one for IPv4 and one for IPv6");
  }
  return cidrs;
}
