import { canonicalCIDR, canonicalIP, familyOf, joinAddress, prefixLength, trimSpace } from "../ip.ts";
import type {
  Endpoint,
  EndpointSliceManifest,
  Family,
  Manifest,
  NodeFacts,
  Protocol,
  ServiceManifest,
  ServicePort,
  ServicePortName,
  ServicePortSpec,
  TrafficPolicy,
} from "../types.ts";
import { servicesWithSlices } from "./slices.ts";
import { categorizeEndpoints, type Hints } from "./topology.ts";

const PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name";

const PROTOCOLS = { TCP: "tcp", UDP: "udp", SCTP: "sctp" } as const satisfies Record<string, Protocol>;
const ADDRESS_TYPES = { ipv4: "IPv4", ipv6: "IPv6" } as const;

/**
 * Every ServicePort that this node serves in one family, with its endpoints, sorted by name: what kube-proxy keeps
 * after its change trackers (pkg/proxy/servicechangetracker.go, endpointslicecache.go). Slices are routed by their
 * addressType, joined by namespace, Service label, port name and protocol.
 */
export function resolve(manifests: readonly Manifest[], family: Family, node: NodeFacts): readonly ServicePort[] {
  const resolved: ServicePort[] = [];
  for (const { service, slices } of servicesWithSlices(manifests, { seesHeadless: false })) {
    const clusterIP = clusterIPOf(service, family);
    if (clusterIP !== undefined) resolved.push(...portsOf(service, clusterIP, slices, family, node));
  }
  return resolved.sort(byName);
}

function byName(a: ServicePort, b: ServicePort): number {
  if (a.name.text !== b.name.text) return a.name.text < b.name.text ? -1 : 1;
  return a.name.protocol < b.name.protocol ? -1 : a.name.protocol > b.name.protocol ? 1 : 0;
}

/** The ClusterIP of this family, or undefined when kube-proxy would leave the Service alone. */
function clusterIPOf(service: ServiceManifest, family: Family): string | undefined {
  const { clusterIP = "", type, ipFamilies = [] } = service.spec;
  if (PROXY_NAME_LABEL in (service.metadata.labels ?? {})) return undefined;
  if (clusterIP === "" || clusterIP === "None" || type === "ExternalName") return undefined;
  const clusterIPs = service.spec.clusterIPs?.length ? service.spec.clusterIPs : [clusterIP];
  const text = ipFamilies.length === 0 ? clusterIP : clusterIPs[ipFamilies.indexOf(ADDRESS_TYPES[family])];
  const ip = text === undefined ? undefined : canonicalIP(text);
  return ip !== undefined && familyOf(ip) === family ? ip : undefined;
}

function portsOf(
  service: ServiceManifest,
  clusterIP: string,
  slices: readonly EndpointSliceManifest[],
  family: Family,
  node: NodeFacts,
): readonly ServicePort[] {
  const { spec } = service;
  const externalIPs = canonicalOf(spec.externalIPs ?? [], family);
  const loadBalancerVIPs = vipsOf(service, family);
  const honoursExternalPolicy =
    spec.type === "LoadBalancer" || spec.type === "NodePort" || (spec.externalIPs ?? []).length > 0;
  const externalTrafficPolicy: TrafficPolicy =
    honoursExternalPolicy && spec.externalTrafficPolicy === "Local" ? "Local" : "Cluster";
  const internalTrafficPolicy: TrafficPolicy = spec.internalTrafficPolicy ?? "Cluster";
  const common = {
    family,
    clusterIP,
    externalIPs,
    loadBalancerVIPs,
    sourceRanges: sourceRangesOf(spec.loadBalancerSourceRanges ?? [], family),
    internalTrafficPolicy,
    externalTrafficPolicy,
    affinitySeconds:
      spec.sessionAffinity === "ClientIP" ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10800) : undefined,
    healthCheckNodePort:
      spec.type === "LoadBalancer" && externalTrafficPolicy === "Local" ? (spec.healthCheckNodePort ?? 0) : 0,
    source: service.source,
  };
  // Two ports of one name and protocol overwrite one another, as in kube-proxy.
  const ports = new Map<string, ServicePort>();
  for (const port of spec.ports ?? []) {
    const nodePort = port.nodePort ?? 0;
    const externallyAccessible = nodePort !== 0 || loadBalancerVIPs.length > 0 || externalIPs.length > 0;
    const { all, hints } = endpointsOf(port, slices, family, node);
    const endpoints = categorizeEndpoints(all, (endpoint) => hints.get(endpoint), {
      node,
      internalTrafficPolicy,
      externalTrafficPolicy,
      externallyAccessible,
    });
    const name = servicePortName(service, port);
    ports.set(`${name.port}/${name.protocol}`, { name, port: port.port, nodePort, endpoints, ...common });
  }
  return [...ports.values()];
}

function servicePortName(service: ServiceManifest, port: ServicePortSpec): ServicePortName {
  const { namespace, name } = service.metadata;
  const portName = port.name ?? "";
  const text = portName === "" ? `${namespace}/${name}` : `${namespace}/${name}:${portName}`;
  return { namespace, name, port: portName, protocol: PROTOCOLS[port.protocol], text };
}

function canonicalOf(addresses: readonly string[], family: Family): readonly string[] {
  return addresses.map(canonicalIP).filter((ip): ip is string => ip !== undefined && familyOf(ip) === family);
}

function vipsOf(service: ServiceManifest, family: Family): readonly string[] {
  const ingress = service.status?.loadBalancer?.ingress ?? [];
  return canonicalOf(
    ingress.filter(({ ipMode = "VIP" }) => ipMode === "VIP").map(({ ip = "" }) => ip),
    family,
  );
}

/** Canonical CIDRs of this family; a /0 among them admits all, which an empty list says. */
function sourceRangesOf(ranges: readonly string[], family: Family): readonly string[] {
  const canonical = ranges
    .map((range) => canonicalCIDR(trimSpace(range)))
    .filter((cidr): cidr is string => cidr !== undefined && familyOf(cidr) === family);
  return canonical.some((cidr) => prefixLength(cidr) === 0) ? [] : canonical;
}

interface HintedEndpoints {
  readonly all: readonly Endpoint[];
  readonly hints: ReadonlyMap<Endpoint, Hints>;
}

/** The union of the slices' endpoints for one port, sorted bytewise by address. */
function endpointsOf(
  port: ServicePortSpec,
  slices: readonly EndpointSliceManifest[],
  family: Family,
  node: NodeFacts,
): HintedEndpoints {
  const all: Endpoint[] = [];
  const places = new Map<string, number>();
  const hints = new Map<Endpoint, Hints>();
  for (const slice of slices) {
    if (slice.addressType !== ADDRESS_TYPES[family]) continue;
    for (const slicePort of slice.ports ?? []) {
      const number = slicePort.port ?? 0;
      if (slicePort.name !== (port.name ?? "") || slicePort.protocol !== port.protocol || number === 0) continue;
      for (const entry of slice.endpoints ?? []) {
        const ip = canonicalIP(entry.addresses[0] ?? "");
        if (ip === undefined) continue;
        const address = joinAddress(ip, number);
        const terminating = entry.conditions?.terminating ?? false;
        const place = places.get(address);
        // A repeat replaces what is known, unless it is on its way out.
        if (terminating && place !== undefined) continue;
        const endpoint: Endpoint = {
          ip,
          port: number,
          address,
          isLocal: entry.nodeName !== undefined && entry.nodeName !== "" && entry.nodeName === node.name,
          ready: entry.conditions?.ready ?? true,
          serving: entry.conditions?.serving ?? true,
          terminating,
        };
        if (place === undefined) places.set(address, all.push(endpoint) - 1);
        else all[place] = endpoint;
        if (entry.hints !== undefined) hints.set(endpoint, hintsOf(entry.hints));
      }
    }
  }
  all.sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  return { all, hints };
}

function hintsOf({
  forZones = [],
  forNodes = [],
}: NonNullable<NonNullable<EndpointSliceManifest["endpoints"]>[number]["hints"]>): Hints {
  return { zones: forZones.map(({ name }) => name), nodes: forNodes.map(({ name }) => name) };
}
