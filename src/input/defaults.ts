import type {
  ContainerObject,
  EndpointPortObject,
  EndpointSliceObject,
  EndpointsObject,
  IngressObject,
  InputObject,
  Kind,
  Metadata,
  NodeObject,
  PodObject,
  PortObject,
  ServiceObject,
  ServiceSpecObject,
  SliceEndpointObject,
  SubsetObject,
} from "./objects.ts";
import { schemas } from "./schemas/kinds.ts";
import type { Schema } from "./schemas/shapes.ts";

/**
 * Fills in what the API server fills in when an object is created, in its order, so that the checks and all that
 * follows see what it would see. Input are objects that their schema has accepted.
 */

type Raw = Readonly<Record<string, unknown>>;

/**
 * The value as the API server decodes it: a field that is null is not given, and null in a list or in a map of texts is
 * the empty value of its type. Unchanged parts are shared.
 */
function withoutNulls(value: unknown, schema: Schema | undefined): unknown {
  if (typeof value !== "object" || value === null || schema === undefined) return value;
  if (Array.isArray(value)) {
    const { items } = schema;
    for (let at = 0; at < value.length; at++) {
      const element: unknown = value[at];
      if (typeof element === "object" && entryOf(element, items) !== element) {
        return value.map((one) => entryOf(one, items));
      }
    }
    return value;
  }
  const fields = value as Raw;
  for (const key in fields) {
    const inner = fields[key];
    if (typeof inner !== "object") continue;
    if (inner === null || withoutNulls(inner, schema.properties?.[key]) !== inner) return pruned(fields, schema);
  }
  return value;
}

function pruned(fields: Raw, { properties, additionalProperties }: Schema): Raw {
  const named = Object.entries(fields);
  // Only maps of texts say what any field is.
  if (typeof additionalProperties === "object") {
    return Object.fromEntries(named.map(([key, inner]) => [key, entryOf(inner, additionalProperties)]));
  }
  const given = named.filter(([, inner]) => inner !== null);
  return Object.fromEntries(given.map(([key, inner]) => [key, withoutNulls(inner, properties?.[key])]));
}

function entryOf(value: unknown, schema: Schema | undefined): unknown {
  if (value !== null) return withoutNulls(value, schema);
  return schema?.type.includes("string") === true ? "" : {};
}

/** The object that a document of this kind stands for, defaults applied. The schema has vouched for its shape. */
export function objectOf(kind: Kind, document: Raw, defaultNamespace: string, standIns: StandIns): InputObject {
  const value = withoutNulls(document, schemas[kind]) as Raw;
  const given = (value.metadata ?? {}) as Partial<Metadata>;
  const metadata = metadataOf(given, kind, defaultNamespace, standIns);
  switch (kind) {
    case "Service":
      return serviceOf(metadata, value);
    case "Endpoints":
      return endpointsOf(metadata, value);
    case "EndpointSlice":
      return sliceOf(metadata, value);
    case "Node":
      return nodeOf(metadata, value);
    case "Pod":
      return podOf(metadata, value);
  }
}

/** How many names were made up, by kind, namespace and what they start with. */
export type StandIns = Map<string, number>;

/** What stands for a generated name: xxxxx for the server's five random characters, then xxxx1, xxxx2 and so on. */
function standInFor(generateName: string, kind: Kind, namespace: string, standIns: StandIns): string {
  if (generateName === "") return "";
  const prefix = generateName.slice(0, 58);
  const key = `${kind} ${namespace}/${prefix}`;
  const serial = standIns.get(key) ?? 0;
  standIns.set(key, serial + 1);
  return prefix + (serial === 0 ? "" : String(serial)).padStart(5, "x");
}

function metadataOf(metadata: Partial<Metadata>, kind: Kind, defaultNamespace: string, standIns: StandIns): Metadata {
  const namespace =
    kind === "Node"
      ? ""
      : metadata.namespace === undefined || metadata.namespace === ""
        ? defaultNamespace
        : metadata.namespace;
  const name = metadata.name || standInFor(metadata.generateName ?? "", kind, namespace, standIns);
  return { ...metadata, name, namespace };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };
type RawSpec = Partial<Omit<ServiceSpecObject, "ports">> & { readonly ports?: readonly Partial<PortObject>[] };

function serviceOf(metadata: Metadata, value: Raw): ServiceObject {
  const raw = (value.spec ?? {}) as RawSpec;
  const type = raw.type || "ClusterIP";
  const externalIPs = raw.externalIPs ?? [];
  const exposed = type === "NodePort" || type === "LoadBalancer" || (type === "ClusterIP" && externalIPs.length > 0);
  const virtual = type === "ClusterIP" || type === "NodePort" || type === "LoadBalancer";
  const internal = raw.internalTrafficPolicy ?? (virtual ? "Cluster" : undefined);
  const allocate = raw.allocateLoadBalancerNodePorts ?? (type === "LoadBalancer" ? true : undefined);
  const clusterIP = raw.clusterIP ?? "";
  const { sessionAffinity, sessionAffinityConfig } = affinityOf(
    raw.sessionAffinity || "None",
    raw.sessionAffinityConfig,
  );
  // Field by field: copying whole specs with spread costs most of the validation of a large cluster.
  const spec: Mutable<ServiceSpecObject> = {
    type,
    clusterIP,
    clusterIPs: raw.clusterIPs?.length ? raw.clusterIPs : clusterIP === "" ? [] : [clusterIP],
    ipFamilies: raw.ipFamilies ?? [],
    ports: (raw.ports ?? []).map(portOf),
    externalIPs,
    externalName: raw.externalName ?? "",
    externalTrafficPolicy: raw.externalTrafficPolicy || (exposed ? "Cluster" : ""),
    healthCheckNodePort: raw.healthCheckNodePort ?? 0,
    loadBalancerIP: raw.loadBalancerIP ?? "",
    loadBalancerSourceRanges: raw.loadBalancerSourceRanges ?? [],
    sessionAffinity,
  };
  if (raw.ipFamilyPolicy !== undefined) spec.ipFamilyPolicy = raw.ipFamilyPolicy;
  if (raw.selector !== undefined) spec.selector = raw.selector;
  if (internal !== undefined) spec.internalTrafficPolicy = internal;
  if (raw.loadBalancerClass !== undefined) spec.loadBalancerClass = raw.loadBalancerClass;
  if (allocate !== undefined) spec.allocateLoadBalancerNodePorts = allocate;
  if (raw.publishNotReadyAddresses !== undefined) spec.publishNotReadyAddresses = raw.publishNotReadyAddresses;
  if (sessionAffinityConfig !== undefined) spec.sessionAffinityConfig = sessionAffinityConfig;
  if (raw.trafficDistribution !== undefined) spec.trafficDistribution = raw.trafficDistribution;
  return { kind: "Service", metadata, spec, ingress: ingressOf(value, type) };
}

function portOf(port: Partial<PortObject>): PortObject {
  const number = port.port ?? 0;
  const whole: Mutable<PortObject> = {
    name: port.name ?? "",
    protocol: port.protocol || "TCP",
    port: number,
    targetPort: port.targetPort || number,
    nodePort: port.nodePort ?? 0,
  };
  if (port.appProtocol !== undefined) whole.appProtocol = port.appProtocol;
  return whole;
}

const DEFAULT_AFFINITY_SECONDS = 10800;

type Affinity = Pick<ServiceSpecObject, "sessionAffinity" | "sessionAffinityConfig">;

/** A time-out without affinity is kept here, so that it can be reported; it ends at the manifest. */
function affinityOf(sessionAffinity: string, given: Affinity["sessionAffinityConfig"]): Affinity {
  if (sessionAffinity === "ClientIP") {
    const timeoutSeconds = given?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS;
    return { sessionAffinity, sessionAffinityConfig: { clientIP: { timeoutSeconds } } };
  }
  return given === undefined ? { sessionAffinity } : { sessionAffinity, sessionAffinityConfig: given };
}

function ingressOf(value: Raw, type: string): readonly IngressObject[] {
  const status = (value.status ?? {}) as {
    readonly loadBalancer?: { readonly ingress?: readonly IngressObject[] };
  };
  const ingress = status.loadBalancer?.ingress ?? [];
  if (type !== "LoadBalancer") return ingress;
  return ingress.map((entry) =>
    (entry.ip ?? "") !== "" && entry.ipMode === undefined ? { ...entry, ipMode: "VIP" } : entry,
  );
}

function endpointPortOf(port: Partial<EndpointPortObject>): EndpointPortObject {
  return { ...port, name: port.name ?? "", protocol: port.protocol || "TCP" };
}

function slicePortOf(port: Partial<EndpointPortObject>): EndpointPortObject {
  // Only what is not given is filled in here: an empty protocol stays, and is refused.
  return { ...port, name: port.name ?? "", protocol: port.protocol ?? "TCP" };
}

function endpointsOf(metadata: Metadata, value: Raw): EndpointsObject {
  const subsets = (value.subsets ?? []) as readonly (Omit<SubsetObject, "ports"> & {
    ports?: readonly Partial<EndpointPortObject>[];
  })[];
  const completed = subsets.map((subset) => ({ ...subset, ports: (subset.ports ?? []).map(endpointPortOf) }));
  return { kind: "Endpoints", metadata, subsets: completed };
}

function sliceOf(metadata: Metadata, value: Raw): EndpointSliceObject {
  const endpoints = (value.endpoints ?? []) as readonly SliceEndpointObject[];
  const ports = (value.ports ?? []) as readonly Partial<EndpointPortObject>[];
  const addressType = typeof value.addressType === "string" ? value.addressType : "";
  return { kind: "EndpointSlice", metadata, addressType, endpoints, ports: ports.map(slicePortOf) };
}

function nodeOf(metadata: Metadata, value: Raw): NodeObject {
  const { podCIDR = "", podCIDRs = [] } = (value.spec ?? {}) as Partial<{
    readonly podCIDR: string;
    readonly podCIDRs: readonly string[];
  }>;
  const status = (value.status ?? {}) as Partial<Pick<NodeObject, "addresses">>;
  // Where the two disagree, the API server takes the single one (Convert_v1_NodeSpec_To_core_NodeSpec).
  const isSingle = podCIDR !== "" && podCIDR !== podCIDRs[0];
  return { kind: "Node", metadata, podCIDRs: isSingle ? [podCIDR] : podCIDRs, addresses: status.addresses ?? [] };
}

function podOf(metadata: Metadata, value: Raw): PodObject {
  const spec = (value.spec ?? {}) as Partial<PodObject["spec"]>;
  const status = (value.status ?? {}) as Partial<PodObject["status"]>;
  const podIPs = status.podIPs?.length
    ? status.podIPs
    : (status.podIP ?? "") === ""
      ? []
      : [{ ip: status.podIP ?? "" }];
  return {
    kind: "Pod",
    metadata,
    spec: {
      ...spec,
      containers: (spec.containers ?? []).map(containerOf),
      initContainers: (spec.initContainers ?? []).map(containerOf),
    },
    status: { ...status, podIPs, conditions: status.conditions ?? [] },
  };
}

function containerOf(container: ContainerObject): ContainerObject {
  const ports = (container.ports ?? []).map((port) => ({ ...port, protocol: port.protocol || "TCP" }));
  return { ...container, ports };
}
