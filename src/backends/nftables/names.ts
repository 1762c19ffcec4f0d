import { hash } from "node:crypto";
import type { Protocol, ServicePortName } from "../../types.ts";

/**
 * Names of the objects in our tables. Chains without session affinity are shared by all ServicePorts with equally
 * many endpoints, so their number is bounded by the distinct counts; only ServicePorts with session affinity have
 * chains of their own.
 */

export const TABLE = "svctables";

export const PROTOCOLS = ["tcp", "udp", "sctp"] as const;

/** Whether a chain is entered by an address (of a Service) or by a NodePort: their endpoints have different keys. */
export type Entry = "" | "nodeport-";

export function endpointsMap(entry: Entry, protocol: Protocol): string {
  return `${entry}endpoints-${protocol}`;
}

/** Maps of endpoints, in which the last part of a key is an index that may be assigned freely. */
export function isEndpointsMap(name: string): boolean {
  return /^(?:nodeport-)?endpoints-(?:tcp|udp|sctp)$/.test(name);
}

/** Picks one of `count` endpoints, of all or of the local ones. */
export function balanceChain(entry: Entry, role: "cluster" | "local", protocol: Protocol, count: number): string {
  return `${entry}load-balance-${role === "local" ? "local-" : ""}${protocol}-${count}`;
}

/** External traffic under policy Cluster: masqueraded, then balanced among `count` endpoints. */
export function externalClusterChain(entry: Entry, protocol: Protocol, count: number): string {
  return `${entry}external-${protocol}-${count}`;
}

/** External traffic under policy Local: `count` endpoints for the node and its Pods, `local` for all others. */
export function externalLocalChain(entry: Entry, protocol: Protocol, count: number, local: number): string {
  return `${entry}external-local-${protocol}-${count}-${local}`;
}

/** Whether a chain is one of those that ServicePorts share. */
export function isSharedChain(name: string): boolean {
  return /^(?:nodeport-)?(?:load-balance|external)-(?:local-)?(?:tcp|udp|sctp)-\d+(?:-\d+)?$/.test(name);
}

/** What a chain of one ServicePort with session affinity is for. */
export type AffinityRole = "cluster" | "local" | "external" | "endpoint";

export function affinityChain(role: Exclude<AffinityRole, "endpoint">, name: ServicePortName): string {
  return `affinity-${role}-${identity(name)}`;
}

const ENDPOINT = "affinity-endpoint-";
/** What nft takes. Only names of endpoints can be longer: three names of 63 characters and an IPv6 address. */
const NAME_LENGTH = 255;
const HASH_LENGTH = 16;

/**
 * Remembers the client, then sends it to this endpoint. Where nft would refuse the name it is cut, as kube-proxy cuts
 * it, with a hash of the whole in front; no whole name ends with dots.
 */
export function affinityEndpointChain(name: ServicePortName, ip: string, port: number): string {
  const whole = `${identity(name)}__${ip.replaceAll(":", ".")}/${port}`;
  const room = NAME_LENGTH - ENDPOINT.length;
  if (whole.length <= room) return ENDPOINT + whole;
  const head = `${hash("sha256", whole, "hex").slice(0, HASH_LENGTH)}-${whole}`;
  return `${ENDPOINT}${head.slice(0, room - 3)}...`;
}

export function isAffinityChain(name: string): boolean {
  return name.startsWith("affinity-");
}

export function isAffinityEndpointChain(name: string): boolean {
  return name.startsWith(ENDPOINT);
}

/** `namespace/service/protocol/port name`, as kube-proxy's nftables mode writes it. */
function identity({ namespace, name, protocol, port }: ServicePortName): string {
  return `${namespace}/${name}/${protocol}/${port}`;
}

const COMMENT_BYTES = 128;

/** The comment of an element: whose it is. Cut where nft would refuse it. */
export function elementComment(name: ServicePortName): string {
  const { text } = name;
  return text.length <= COMMENT_BYTES ? text : `${text.slice(0, COMMENT_BYTES - 3)}...`;
}
