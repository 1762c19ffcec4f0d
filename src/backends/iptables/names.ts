import { hash } from "node:crypto";
import type { ChainId, ServicePortName } from "../../types.ts";

/**
 * Chain names as kube-proxy makes them (pkg/proxy/iptables/proxier.go): a prefix and the first 16 characters
 * of the base32 SHA-256 of what the chain is for; 25 characters, of the 28 that iptables allows.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** The two base32 characters of every 10-bit number, since 20 bits are five hexadecimal digits. */
const PAIRS: readonly string[] = Array.from(
  { length: 1024 },
  (_, bits) => ALPHABET.charAt(bits >> 5) + ALPHABET.charAt(bits & 31),
);

/** First 16 base32 characters (RFC 4648) of the SHA-256 of a text. */
export function shortHash(text: string): string {
  const digest = hash("sha256", text, "hex");
  let name = "";
  for (let offset = 0; offset < 20; offset += 5) {
    const bits = Number.parseInt(digest.slice(offset, offset + 5), 16);
    name += `${PAIRS[bits >> 10]}${PAIRS[bits & 1023]}`;
  }
  return name;
}

/** What a ServicePort's chains and its endpoints' chains are hashed from. */
function identity(name: ServicePortName): string {
  return name.text + name.protocol;
}

const PREFIX_OF_ROLE = { cluster: "KUBE-SVC-", local: "KUBE-SVL-", external: "KUBE-EXT-" } as const;

export function chainName(id: ChainId): string {
  return PREFIX_OF_ROLE[id.role] + shortHash(identity(id.servicePort));
}

/** The chain that admits a load balancer's source ranges. */
export function firewallChainName(name: ServicePortName): string {
  return `KUBE-FW-${shortHash(identity(name))}`;
}

/** The chain of one endpoint of one ServicePort; `address` is "ip:port", IPv6 in brackets. */
export function endpointChainName(name: ServicePortName, address: string): string {
  return `KUBE-SEP-${shortHash(identity(name) + address)}`;
}

const PER_SERVICE_PREFIXES = ["KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-SEP-"] as const;

/** Whether a nat chain belongs to one ServicePort. */
export function isPerService(chain: string): boolean {
  return PER_SERVICE_PREFIXES.some((prefix) => chain.startsWith(prefix));
}

/** Whether kube-proxy leaves out a chain's comments in large clusters. */
export function isEndpointChoice(chain: string): boolean {
  return chain.startsWith("KUBE-SVC-") || chain.startsWith("KUBE-SVL-") || chain.startsWith("KUBE-SEP-");
}
