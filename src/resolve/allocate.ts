import { canonicalIP, familyOf } from "../ip.ts";
import type { Diagnostic, Family, ServiceManifest, ServicePortSpec, ServiceSpec } from "../types.ts";
import {
  type AllocateOptions,
  type Allocator,
  type Assignment,
  addressFor,
  assign,
  FAMILY_NAMES,
  KUBERNETES,
  keyOf,
  newAllocator,
  portFor,
  type ServiceAllocation,
  takeIP,
  takePort,
} from "./allocator.ts";

export type { AllocateOptions, Assignment, ServiceAllocation } from "./allocator.ts";

/**
 * What the API server fills in when a Service is created, for nodes that have none: IP families, cluster IPs, node
 * ports and health-check ports. Pure: what was given out before comes in, what is given out now goes out.
 */

/** By "namespace/name". */
export type Allocations = ReadonlyMap<string, ServiceAllocation>;

export interface Allocated {
  /** All Services in the order given, completed; those that lacked nothing are the same objects. */
  readonly services: readonly ServiceManifest[];
  /** To be recorded, and handed in again the next time. */
  readonly allocations: Allocations;
  /** What was filled in, sorted by Service. */
  readonly assignments: readonly Assignment[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Completes the Services. A value once given out stays with its Service while that exists; explicit values are
 * kept; what is new starts at a place that the Service's name determines. Neither the order of the Services nor
 * adding or removing one changes what the others have (given the recorded allocations).
 */
export function allocate(
  services: readonly ServiceManifest[],
  options: AllocateOptions,
  recorded: Allocations = new Map(),
): Allocated {
  const allocator = newAllocator(options);
  const named = services.map((service, index): Named => ({ service, index, key: keyOf(service) }));
  named.sort((a, b) => (a.key < b.key ? -1 : 1));
  if (recorded.size > 0) for (const one of named) reserveRecorded(allocator, one, recorded.get(one.key));
  const supposed = options.rangesAreSupposed === true;
  for (const one of named) reserveExplicit(allocator, one, supposed);
  if (options.othersKeepTheirs === true) reserveOthers(allocator, new Set(named.map(({ key }) => key)), recorded);
  const completed = [...services];
  const allocations = new Map<string, ServiceAllocation>();
  for (const { service, index, key } of named) {
    const whole = complete(allocator, service, recorded.get(key));
    completed[index] = whole;
    allocations.set(key, allocationOf(whole));
  }
  const { assignments, diagnostics } = allocator;
  return { services: completed, allocations, assignments, diagnostics };
}

/** A Service with its place among those given and its "namespace/name". */
interface Named {
  readonly service: ServiceManifest;
  readonly index: number;
  readonly key: string;
}

// ── Reserving ────────────────────────────────────────────────────────────────────────────────────

function hasVirtualIP({ spec }: ServiceManifest): boolean {
  return spec.type !== "ExternalName" && spec.clusterIP !== "None" && spec.clusterIPs?.[0] !== "None";
}

function explicitIPs({ spec }: ServiceManifest): readonly string[] {
  if (spec.clusterIPs !== undefined && spec.clusterIPs.length > 0) return spec.clusterIPs;
  return spec.clusterIP === undefined || spec.clusterIP === "" ? [] : [spec.clusterIP];
}

/** None for an alias in DNS: whatever port it names, nothing listens there, and the API server reserves nothing. */
function explicitPorts({ spec }: ServiceManifest): readonly number[] {
  if (spec.type === "ExternalName") return [];
  const ports = (spec.ports ?? []).map(({ nodePort = 0 }) => nodePort);
  return [...ports, spec.healthCheckNodePort ?? 0].filter((port) => port !== 0);
}

/** What was given out before stays reserved while the Service still leaves the choice to us. */
function reserveRecorded(allocator: Allocator, { service, key }: Named, record: ServiceAllocation | undefined): void {
  if (record === undefined) return;
  if (hasVirtualIP(service)) {
    const given = new Set(explicitIPs(service).map(familyOf));
    for (const ip of record.clusterIPs) if (!given.has(familyOf(ip))) takeIP(allocator, ip, key);
  }
  for (const port of wantsNodePorts(service.spec) ? (service.spec.ports ?? []) : []) {
    const before = recordedPort(record, port);
    if (before !== 0 && (port.nodePort ?? 0) === 0) takePort(allocator, before, key);
  }
  const check = record.healthCheckNodePort;
  if (check !== 0 && wantsHealthCheck(service.spec) && (service.spec.healthCheckNodePort ?? 0) === 0)
    takePort(allocator, check, key);
}

/** After all explicit values: these are no reason to refuse a Service that is here. */
function reserveOthers(allocator: Allocator, given: ReadonlySet<string>, recorded: Allocations): void {
  for (const [key, { clusterIPs, nodePorts, healthCheckNodePort }] of recorded) {
    if (given.has(key)) continue;
    for (const ip of clusterIPs) takeIP(allocator, ip, key);
    for (const port of [...Object.values(nodePorts), healthCheckNodePort]) {
      if (port !== 0) takePort(allocator, port, key);
    }
  }
}

/** A port may be called like something that every JavaScript object has. */
function recordedPort(record: ServiceAllocation | undefined, { name = "" }: ServicePortSpec): number {
  return record !== undefined && Object.hasOwn(record.nodePorts, name) ? (record.nodePorts[name] ?? 0) : 0;
}

/** @param rangesAreSupposed so nobody knows whether the first address is the API server's */
function reserveExplicit(allocator: Allocator, { service, key }: Named, rangesAreSupposed: boolean): void {
  if (hasVirtualIP(service)) {
    explicitIPs(service).forEach((text, i) => {
      const ip = canonicalIP(text) ?? text;
      const owner = takeIP(allocator, ip, key);
      if (owner === undefined || (owner === KUBERNETES && rangesAreSupposed)) return;
      report(allocator, service, "cluster-ip-taken", `spec.clusterIPs[${i}]`, text, owner);
    });
  }
  for (const port of explicitPorts(service)) {
    const owner = takePort(allocator, port, key);
    if (owner === undefined) continue;
    const at = (service.spec.ports ?? []).findIndex(({ nodePort }) => nodePort === port);
    report(
      allocator,
      service,
      "node-port-taken",
      at < 0 ? "spec.healthCheckNodePort" : `spec.ports[${at}].nodePort`,
      port,
      owner,
    );
  }
}

function report(
  { diagnostics }: Allocator,
  { metadata, source }: ServiceManifest,
  code: "cluster-ip-taken" | "node-port-taken",
  path: string,
  value: string | number,
  owner: string,
): void {
  const what = code === "cluster-ip-taken" ? "provided IP is already allocated" : "provided port is already allocated";
  diagnostics.push({
    code,
    severity: "error",
    source: { ...source, path },
    object: `Service ${metadata.namespace}/${metadata.name}`,
    message: `${path}: Invalid value: ${JSON.stringify(value)}: ${what} to Service ${owner}`,
    hint: "choose another value, or leave the field out to have one chosen",
  });
}

// ── Completing ───────────────────────────────────────────────────────────────────────────────────

function wantsNodePorts({ type, allocateLoadBalancerNodePorts }: ServiceSpec): boolean {
  return type === "NodePort" || (type === "LoadBalancer" && allocateLoadBalancerNodePorts !== false);
}

function wantsHealthCheck({ type, externalTrafficPolicy }: ServiceSpec): boolean {
  return type === "LoadBalancer" && externalTrafficPolicy === "Local";
}

function complete(
  allocator: Allocator,
  service: ServiceManifest,
  record: ServiceAllocation | undefined,
): ServiceManifest {
  const before = allocator.assignments.length;
  const addresses = completeAddresses(allocator, service, record);
  const ports = completePorts(allocator, service, record);
  const healthCheckNodePort = completeHealthCheck(allocator, service, ports, record);
  const isUntouched = allocator.assignments.length === before && addresses.isUntouched;
  if (isUntouched) return service;
  const { ports: _, healthCheckNodePort: __, ...rest } = service.spec;
  const spec: ServiceSpec = {
    ...rest,
    ...addresses.fields,
    ...(ports === undefined ? {} : { ports }),
    ...(healthCheckNodePort === 0 ? {} : { healthCheckNodePort }),
  };
  return { ...service, spec };
}

interface Addresses {
  readonly isUntouched: boolean;
  readonly fields: Pick<ServiceSpec, "clusterIP" | "clusterIPs" | "ipFamilies" | "ipFamilyPolicy">;
}

const FAMILIES = { IPv4: "ipv4", IPv6: "ipv6" } as const satisfies Record<string, Family>;

function completeAddresses(
  allocator: Allocator,
  service: ServiceManifest,
  record: ServiceAllocation | undefined,
): Addresses {
  const { spec } = service;
  if (spec.type === "ExternalName") return { isUntouched: true, fields: {} };
  const ipFamilyPolicy = spec.ipFamilyPolicy ?? (isBareHeadless(service) ? "RequireDualStack" : "SingleStack");
  const families = familiesOf(service, ipFamilyPolicy, allocator.families);
  const ipFamilies = families.map((family) => FAMILY_NAMES[family]);
  const sameFamilies = ipFamilies.join() === (spec.ipFamilies ?? []).join() && spec.ipFamilyPolicy !== undefined;
  if (!hasVirtualIP(service))
    return {
      isUntouched: sameFamilies,
      fields: { clusterIP: "None", clusterIPs: ["None"], ipFamilies, ipFamilyPolicy },
    };
  const clusterIPs = [...explicitIPs(service)];
  const given = clusterIPs.length;
  for (const family of families.slice(given)) {
    const ip = addressFor(allocator, service, family, record, `spec.clusterIPs[${clusterIPs.length}]`);
    if (ip === undefined) break;
    clusterIPs.push(ip);
  }
  const [clusterIP] = clusterIPs;
  if (clusterIP === undefined) return { isUntouched: true, fields: {} };
  const isUntouched = sameFamilies && clusterIPs.length === given && spec.clusterIPs?.length === given;
  return { isUntouched, fields: { clusterIP, clusterIPs, ipFamilies, ipFamilyPolicy } };
}

function isBareHeadless(service: ServiceManifest): boolean {
  return !hasVirtualIP(service) && Object.keys(service.spec.selector ?? {}).length === 0;
}

/** The Service's families: those it names, else those of its addresses, else the default one; a second by policy. */
function familiesOf(service: ServiceManifest, policy: string, cluster: readonly Family[]): readonly Family[] {
  const { spec } = service;
  const families: Family[] = (spec.ipFamilies ?? []).map((name) => FAMILIES[name]);
  if (hasVirtualIP(service)) for (const ip of explicitIPs(service).slice(families.length)) families.push(familyOf(ip));
  if (families.length === 0) families.push(cluster[0] ?? "ipv4");
  const other: Family = families[0] === "ipv4" ? "ipv6" : "ipv4";
  const mayAdd = isBareHeadless(service) || policy === "RequireDualStack" || cluster.includes(other);
  if (policy !== "SingleStack" && families.length === 1 && mayAdd) families.push(other);
  return families;
}

/**
 * Node ports in list order. Ports that share a number share the node port (53/TCP and 53/UDP); a number that one of
 * them names is used for all of them, else one that was given out before.
 */
function completePorts(
  allocator: Allocator,
  service: ServiceManifest,
  record: ServiceAllocation | undefined,
): readonly ServicePortSpec[] | undefined {
  const { spec } = service;
  if (!wantsNodePorts(spec) || spec.ports === undefined) return spec.ports;
  const byPort = knownNodePorts(allocator, service, record);
  return spec.ports.map((port, i) => {
    if ((port.nodePort ?? 0) !== 0) return port;
    const path = `spec.ports[${i}].nodePort`;
    const known = byPort.get(port.port);
    const nodePort =
      known === undefined
        ? portFor(allocator, service, path, undefined, `${port.name ?? ""}/${port.port}`)
        : assign(allocator, keyOf(service), path, known, known !== recordedPort(record, port));
    if (nodePort === 0) return port;
    byPort.set(port.port, nodePort);
    return { ...port, nodePort };
  });
}

/**
 * The node ports that need not be chosen, by port number. One that was given out before serves one port number, and
 * none where the Service itself names it now.
 */
function knownNodePorts(
  allocator: Allocator,
  service: ServiceManifest,
  record: ServiceAllocation | undefined,
): Map<number, number> {
  const { ports = [] } = service.spec;
  const byPort = new Map<number, number>();
  for (const { port, nodePort = 0 } of ports) if (nodePort !== 0 && !byPort.has(port)) byPort.set(port, nodePort);
  const inUse = new Set(explicitPorts(service));
  for (const port of ports) {
    const before = recordedPort(record, port);
    if (byPort.has(port.port) || inUse.has(before) || allocator.portOwners.get(before) !== keyOf(service)) continue;
    byPort.set(port.port, before);
    inUse.add(before);
  }
  return byPort;
}

/** @param ports with their node ports, of which none is free for health checks */
function completeHealthCheck(
  allocator: Allocator,
  service: ServiceManifest,
  ports: readonly ServicePortSpec[] | undefined,
  record: ServiceAllocation | undefined,
): number {
  const given = service.spec.healthCheckNodePort ?? 0;
  if (given !== 0 || !wantsHealthCheck(service.spec)) return given;
  const before = record?.healthCheckNodePort;
  const isInUse = ports?.some(({ nodePort }) => nodePort === before) === true;
  return portFor(allocator, service, "spec.healthCheckNodePort", isInUse ? undefined : before, "health check");
}

function allocationOf({ spec }: ServiceManifest): ServiceAllocation {
  const nodePorts: Record<string, number> = {};
  for (const { name = "", nodePort = 0 } of spec.ports ?? []) if (nodePort !== 0) nodePorts[name] = nodePort;
  const clusterIPs = (spec.clusterIPs ?? []).filter((ip) => ip !== "None");
  return { clusterIPs, nodePorts, healthCheckNodePort: spec.healthCheckNodePort ?? 0 };
}
