import { familyOf } from "../ip.ts";
import type { Diagnostic, Family, ServiceManifest } from "../types.ts";
import { type AddressPool, addressAt, addressPool, bandSize, indexOf, type Pool, takeNext } from "./addressPool.ts";

/** The books of one allocation: who holds which address and port, and what was given out. */

/** What one Service was given. Plain data, to be stored as JSON. */
export interface ServiceAllocation {
  readonly clusterIPs: readonly string[];
  /** By port name; "" for an unnamed port. */
  readonly nodePorts: Readonly<Record<string, number>>;
  /** 0 when there is none. */
  readonly healthCheckNodePort: number;
}

export interface AllocateOptions {
  /** Canonical CIDRs; the family of the first is the default one. Empty: no cluster IPs can be given out. */
  readonly serviceCIDRs: readonly string[];
  /** Families to give out, the default one first, unless a Service names others. Undefined: those of the CIDRs. */
  readonly families?: readonly Family[] | undefined;
  /** The CIDRs are a guess: addresses that manifests name may well be others. */
  readonly rangesAreSupposed?: boolean;
  /** Both ends included. */
  readonly nodePortRange: { readonly first: number; readonly last: number };
  /** Services that are recorded and not given are not gone: what they hold is taken. */
  readonly othersKeepTheirs?: boolean;
}

/** One value that no manifest gave. */
export interface Assignment {
  /** "namespace/name" */
  readonly service: string;
  /** Field path as the API server writes it. */
  readonly path: string;
  readonly value: string | number;
  /** False when it was given out in an earlier run. */
  readonly isNew: boolean;
}

export interface Allocator {
  readonly pools: readonly AddressPool[];
  readonly families: readonly Family[];
  readonly ports: Pool;
  readonly firstPort: number;
  readonly ipOwners: Map<string, string>;
  readonly portOwners: Map<number, string>;
  readonly assignments: Assignment[];
  readonly diagnostics: Diagnostic[];
}

export const KUBERNETES = "default/kubernetes";

export const FAMILY_NAMES = { ipv4: "IPv4", ipv6: "IPv6" } as const satisfies Record<Family, string>;
export function keyOf({ metadata }: ServiceManifest): string {
  return `${metadata.namespace}/${metadata.name}`;
}

export function newAllocator({ serviceCIDRs, families: chosen, nodePortRange }: AllocateOptions): Allocator {
  const pools = serviceCIDRs.map(addressPool);
  const present = [...new Set(pools.map(({ family }) => family))];
  const possible = present.filter((family) => chosen?.includes(family) ?? true);
  const families = possible.length === 0 ? (chosen ?? []) : possible;
  const size = Math.max(0, nodePortRange.last - nodePortRange.first + 1);
  const ports = { size, staticSize: bandSize(size, 32, 128), taken: new Set<number>() };
  const ipOwners = new Map<string, string>();
  const first = pools.find(({ family }) => family === families[0]);
  // The API server itself always holds the first address.
  if (first !== undefined && first.size > 0) {
    first.taken.add(0);
    ipOwners.set(addressAt(first, 0), KUBERNETES);
  }
  return {
    pools,
    families,
    ports,
    firstPort: nodePortRange.first,
    ipOwners,
    portOwners: new Map(),
    assignments: [],
    diagnostics: [],
  };
}

/** Marks an address as used; gives the other Service that holds it already. */
export function takeIP({ pools, ipOwners }: Allocator, ip: string, service: string): string | undefined {
  const owner = ipOwners.get(ip);
  if (owner !== undefined) return owner === service ? undefined : owner;
  ipOwners.set(ip, service);
  for (const pool of pools) {
    const index = pool.family === familyOf(ip) ? indexOf(pool, ip) : undefined;
    if (index !== undefined) pool.taken.add(index);
  }
  return undefined;
}

export function takePort(
  { ports, portOwners, firstPort }: Allocator,
  port: number,
  service: string,
): string | undefined {
  const owner = portOwners.get(port);
  if (owner !== undefined) return owner === service ? undefined : owner;
  portOwners.set(port, service);
  const index = port - firstPort;
  if (index >= 0 && index < ports.size) ports.taken.add(index);
  return undefined;
}

/** The address recorded for the Service, or the next free one of the family; says so when there is none. */
export function addressFor(
  allocator: Allocator,
  service: ServiceManifest,
  family: Family,
  record: ServiceAllocation | undefined,
  path: string,
): string | undefined {
  const key = keyOf(service);
  const before = record?.clusterIPs.find((ip) => familyOf(ip) === family && allocator.ipOwners.get(ip) === key);
  if (before !== undefined) return assign(allocator, key, path, before, false);
  const pools = allocator.pools.filter((pool) => pool.family === family);
  for (const pool of pools) {
    const own = pool === allocator.pools[0] && key === KUBERNETES ? 0 : takeNext(pool, key);
    if (own === undefined) continue;
    const ip = addressAt(pool, own);
    allocator.ipOwners.set(ip, key);
    return assign(allocator, key, path, ip, true);
  }
  const where = pools.map(({ cidr }) => cidr).join(", ");
  const isUnknown = pools.length === 0;
  allocator.diagnostics.push({
    code: isUnknown ? "cluster-ip-missing" : "cluster-ip-exhausted",
    severity: isUnknown ? "warning" : "error",
    source: { ...service.source, path: "spec.clusterIPs" },
    object: `Service ${key}`,
    message: isUnknown
      ? `spec.clusterIPs: there is no ${FAMILY_NAMES[family]} address, and no range to take one from: no rules are written for it`
      : `spec.clusterIPs: failed to allocate an address: ${where} is full`,
    hint: isUnknown ? "set clusterIP, or name a range with --service-cidr" : "use a larger --service-cidr",
  });
  return undefined;
}

export function assign<T extends string | number>(
  { assignments }: Allocator,
  service: string,
  path: string,
  value: T,
  isNew: boolean,
): T {
  assignments.push({ service, path, value, isNew });
  return value;
}

/** The port recorded for the purpose, or the next free one; 0, and a diagnostic, when there is none. */
export function portFor(
  allocator: Allocator,
  service: ServiceManifest,
  path: string,
  before: number | undefined,
  purpose: string,
): number {
  const key = keyOf(service);
  if (before !== undefined && before !== 0 && allocator.portOwners.get(before) === key)
    return assign(allocator, key, path, before, false);
  const index = takeNext(allocator.ports, `${key}:${purpose}`);
  if (index !== undefined) {
    allocator.portOwners.set(allocator.firstPort + index, key);
    return assign(allocator, key, path, allocator.firstPort + index, true);
  }
  allocator.diagnostics.push({
    code: "node-port-exhausted",
    severity: "error",
    source: { ...service.source, path },
    object: `Service ${key}`,
    message: `${path}: failed to allocate a node port: the range is full`,
    hint: "use a larger --node-port-range",
  });
  return 0;
}
