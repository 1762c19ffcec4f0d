import { hash } from "node:crypto";
import type { ChainId, ServicePortName } from "../../types.ts";

/**
 * Chain names as kube-proxy makes them (pkg/proxy/iptables/proxier.go): a prefix and the first 16 characters
 * of the base32 SHA-256 of what the chain is for; 25 characters, of the 28 that iptables allows.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
/** The two base32 characters of every 10-bit number. */
const PAIRS: readonly string[] = Array.from(
  { length: 1024 },
  (_, bits) => ALPHABET.charAt(bits >> 5) + ALPHABET.charAt(bits & 31),
);

/** First 16 base32 characters (RFC 4648) of the SHA-256 of a text. */
export function shortHash(text: string): string {
  const digest = hash("sha256", text, "binary");
  let name = "";
  // Five bytes are four pairs.
  for (let at = 0; at < 10; at += 5) {
    const high = (digest.charCodeAt(at) << 16) | (digest.charCodeAt(at + 1) << 8) | digest.charCodeAt(at + 2);
    const low = ((high & 0xf) << 16) | (digest.charCodeAt(at + 3) << 8) | digest.charCodeAt(at + 4);
    name += `${PAIRS[high >> 14]}${PAIRS[(high >> 4) & 1023]}${PAIRS[low >> 10]}${PAIRS[low & 1023]}`;
  }
  return name;
}

/** What a ServicePort's chains and its endpoints' chains are hashed from. */
function identity(name: ServicePortName): string {
  return name.text + name.protocol;
}

const PREFIX_OF_ROLE = { cluster: "KUBE-SVC-", local: "KUBE-SVL-", external: "KUBE-EXT-" } as const;

export function chainName(id: ChainId): string {
  return PREFIX_OF_ROLE[id.role] + hashOf(id.servicePort);
}

/** Several rules name the chain of one ServicePort. */
const hashes = new WeakMap<ServicePortName, string>();

function hashOf(name: ServicePortName): string {
  const known = hashes.get(name);
  if (known !== undefined) return known;
  const found = shortHash(identity(name));
  hashes.set(name, found);
  return found;
}

/** The chain that admits a load balancer's source ranges. */
export function firewallChainName(name: ServicePortName): string {
  return `KUBE-FW-${hashOf(name)}`;
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
