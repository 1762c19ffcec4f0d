import { isIPv4, isIPv6 } from "node:net";
import { canonicalCIDR, canonicalIP, familyOf, isUnspecified, prefixLength } from "../ip.ts";
import type { Family } from "../types.ts";

/** The grammars of Kubernetes names and addresses. Each function answers why a text is refused; undefined: it is fine. */

const LABEL = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/;
const LABEL_1035 = /^[a-z](?:[-a-z0-9]*[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*$/;
const NAME_PART = /^(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;

const LONG_LABEL = "must be no more than 63 bytes";
const LABEL_CHARACTERS =
  "must consist of lower case letters, digits or '-', and must start and end with a letter or digit";

/** RFC 1123 label: Service names, port names, namespaces, host names. */
export function labelProblem(text: string): string | undefined {
  if (LABEL.test(text)) return text.length > 63 ? LONG_LABEL : undefined;
  return `a lowercase RFC 1123 label ${LABEL_CHARACTERS} (like 'my-name' or '123-abc')`;
}

/** RFC 1035 label: what Service names were before 1.36. */
export function label1035Problem(text: string): string | undefined {
  if (LABEL_1035.test(text)) return text.length > 63 ? LONG_LABEL : undefined;
  return `an RFC 1035 label ${LABEL_CHARACTERS.replace("start and end with a letter or digit", "start with a letter and end with a letter or digit")} (like 'my-name' or 'abc-123')`;
}

/** RFC 1123 subdomain: labels joined by dots, 253 bytes in all, no limit per label. */
export function subdomainProblem(text: string): string | undefined {
  if (SUBDOMAIN.test(text)) return text.length > 253 ? "must be no more than 253 bytes" : undefined;
  return `a lowercase RFC 1123 subdomain must consist of lower case letters, digits, '-' or '.', and must start and end with a letter or digit (like 'example.com')`;
}

/** Qualified name: `[prefix/]name`, as label keys are. */
export function qualifiedNameProblem(text: string): string | undefined {
  const slash = text.indexOf("/");
  const name = text.slice(slash + 1);
  if (name.includes("/")) return "a qualified name has at most one '/' (like 'example.com/my-name')";
  if (slash === 0) return "the prefix in front of '/' must not be empty";
  if (slash > 0) {
    const problem = subdomainProblem(text.slice(0, slash));
    if (problem !== undefined) return `prefix part ${problem}`;
  }
  if (name === "") return "name part must not be empty";
  if (name.length > 63) return `name part ${LONG_LABEL}`;
  if (!NAME_PART.test(name)) {
    return "name part must consist of letters, digits, '-', '_' or '.', and must start and end with a letter or digit (like 'MyName' or 'example.com/my-name')";
  }
  return undefined;
}

export function labelValueProblem(text: string): string | undefined {
  if (text === "") return undefined;
  if (!NAME_PART.test(text)) {
    return "a label value must be empty, or consist of letters, digits, '-', '_' or '.', and must start and end with a letter or digit (like 'MyValue' or '12345')";
  }
  return text.length > 63 ? LONG_LABEL : undefined;
}

/** IANA service name, as named target ports are: one reason for each clause that is broken. */
export function portNameProblems(text: string): readonly string[] {
  const problems: string[] = [];
  if (text.length > 15) problems.push("must be no more than 15 characters");
  if (!/^[-a-z0-9]+$/.test(text)) problems.push("must contain only lower case letters, digits and '-'");
  if (!/[a-z]/.test(text)) problems.push("must contain at least one lower case letter");
  if (text.includes("--")) problems.push("must not contain consecutive hyphens");
  if (text.startsWith("-") || text.endsWith("-")) problems.push("must not begin or end with a hyphen");
  return problems;
}

/** Fully qualified domain name: at least two labels of at most 63 bytes; one trailing dot is allowed. */
export function fqdnProblem(text: string): string | undefined {
  const name = text.endsWith(".") ? text.slice(0, -1) : text;
  const problem = subdomainProblem(name);
  if (problem !== undefined) return problem;
  const labels = name.split(".");
  if (labels.length < 2) return "should be a domain with at least two labels separated by dots";
  return labels.some((label) => label.length > 63) ? `each label ${LONG_LABEL}` : undefined;
}

export function portProblem(port: number): string | undefined {
  return port >= 1 && port <= 65535 ? undefined : "must be between 1 and 65535, inclusive";
}

/** How strictly addresses are read: `strict` is the server's default since 1.36, `sloppy` what it took before. */
export type AddressRules = "strict" | "sloppy";

const NOT_AN_IP = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const NOT_A_CIDR = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

export function ipProblem(text: string, rules: AddressRules): string | undefined {
  if (isIPv4(text)) return undefined;
  const canonical = canonicalIP(text);
  if (canonical === undefined) return NOT_AN_IP;
  if (rules === "sloppy") return undefined;
  if (!isIPv6(text)) return "must not have leading 0s";
  if (!canonical.includes(":")) return "must not be an IPv4-mapped IPv6 address";
  return undefined;
}

/** The canonical form, when the text is an address that is written otherwise. */
export function otherForm(text: string): string | undefined {
  if (isIPv4(text)) return undefined;
  const canonical = canonicalIP(text);
  return canonical === undefined || canonical === text ? undefined : canonical;
}

export function cidrProblem(text: string, rules: AddressRules): string | undefined {
  const canonical = canonicalCIDR(text);
  if (canonical === undefined) return NOT_A_CIDR;
  if (rules === "sloppy") return undefined;
  const slash = text.lastIndexOf("/");
  const ip = text.slice(0, slash);
  const problem = ipProblem(ip, "strict");
  if (problem !== undefined) return problem;
  if (text.slice(slash + 1) !== String(prefixLength(canonical))) return "must not have leading 0s";
  if (canonicalIP(ip) !== canonical.slice(0, canonical.lastIndexOf("/"))) {
    return `must not have bits set beyond the prefix length (expected ${JSON.stringify(canonical)})`;
  }
  return undefined;
}

/** Family of an address in any form that is read; undefined when it is none. */
export function familyOfText(text: string): Family | undefined {
  const canonical = canonicalIP(text);
  return canonical === undefined ? undefined : familyOf(canonical);
}

/** Why traffic cannot be sent to this address; the text must be an address. */
export function unusableProblem(text: string): string | undefined {
  const ip = canonicalIP(text) ?? text;
  if (isUnspecified(ip)) return "may not be unspecified (0.0.0.0 or ::)";
  if (ip.startsWith("127.") || ip === "::1") return "may not be in the loopback range (127.0.0.0/8, ::1/128)";
  if (ip.startsWith("169.254.") || /^fe[89ab][0-9a-f]:/.test(ip))
    return "may not be in the link-local range (169.254.0.0/16, fe80::/10)";
  if (ip.startsWith("224.0.0.") || /^ff[0-9a-f]2:/.test(ip)) {
    return "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)";
  }
  return undefined;
}
