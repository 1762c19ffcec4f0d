import { createHash } from "node:crypto";
import { canonicalIP, familyOf } from "../ip.ts";
import { HEADLESS, MANAGED_BY, SERVICE_NAME, servedServiceOf } from "../labels.ts";
import type {
  Container,
  EndpointSliceManifest,
  Family,
  Manifest,
  ObjectMeta,
  PodManifest,
  ServiceManifest,
  ServicePortSpec,
  SliceEndpoint,
  SlicePort,
} from "../types.ts";

/**
 * EndpointSlices of Services whose Pods are in the input, as the endpoint slice controller makes them
 * (k8s.io/endpointslice, reconciler.go and utils.go), for input that has Pods instead of slices.
 */

const ZONE = "topology.kubernetes.io/zone";
const CONTROLLER = "endpointslice-controller.k8s.io";
const TOPOLOGY_MODE = "service.kubernetes.io/topology-mode";
const OLDER_TOPOLOGY_MODE = "service.kubernetes.io/topology-aware-hints";
const RESERVED_LABELS = new Set([SERVICE_NAME, MANAGED_BY, HEADLESS]);
const DISTRIBUTIONS = new Set(["PreferClose", "PreferSameZone", "PreferSameNode"]);
const MOST_PER_SLICE = 100;
const ADDRESS_TYPES = { ipv4: "IPv4", ipv6: "IPv6" } as const satisfies Record<Family, string>;

/**
 * The slices for every Service with a selector that has none in the input and selects at least one Pod in it.
 * A Service whose Pods are all gone or absent keeps what else the input has for it. Independent of the order of
 * the manifests. Two rules of the controller cannot hold here: Pods on Nodes that are not in the input count
 * (an input seldom holds all Nodes), and topology mode Auto gives no hints (it needs the Nodes' CPUs).
 */
export function slicesFromPods(manifests: readonly Manifest[]): readonly EndpointSliceManifest[] {
  if (!manifests.some(({ kind }) => kind === "Pod")) return [];
  const served = new Set<string>();
  const zones = new Map<string, string>();
  const pods: PodManifest[] = [];
  const services: ServiceManifest[] = [];
  for (const manifest of manifests) {
    const { name, labels = {} } = manifest.metadata;
    if (manifest.kind === "EndpointSlice") served.add(servedServiceOf(manifest.metadata));
    else if (manifest.kind === "Node") zones.set(name, labels[ZONE] ?? "");
    else if (manifest.kind === "Pod" && isAlive(manifest)) pods.push(manifest);
    else if (manifest.kind === "Service" && isSelecting(manifest)) services.push(manifest);
  }
  const index = podsByLabel(pods);
  return services
    .filter(({ metadata }) => !served.has(`${metadata.namespace}/${metadata.name}`))
    .flatMap((service) => slicesOf(service, selectedPods(service, index), zones));
}

function isSelecting({ spec }: ServiceManifest): boolean {
  return spec.type !== "ExternalName" && spec.selector !== undefined && Object.keys(spec.selector).length > 0;
}

/** Pods that have ended, or have no address yet, are no endpoints. */
function isAlive({ status }: PodManifest): boolean {
  return status?.phase !== "Succeeded" && status?.phase !== "Failed" && (status?.podIPs ?? []).length > 0;
}

type PodIndex = ReadonlyMap<string, readonly PodManifest[]>;

/** Pods by namespace and label, each list sorted by name, so that a selector looks only at candidates. */
function podsByLabel(pods: readonly PodManifest[]): PodIndex {
  const index = new Map<string, PodManifest[]>();
  const sorted = [...pods].sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const pod of sorted) {
    const { namespace, labels = {} } = pod.metadata;
    for (const [key, value] of Object.entries(labels)) {
      const place = `${namespace}/${key}=${value}`;
      const list = index.get(place);
      if (list === undefined) index.set(place, [pod]);
      else list.push(pod);
    }
  }
  return index;
}

function selectedPods({ metadata, spec }: ServiceManifest, index: PodIndex): readonly PodManifest[] {
  const pairs = Object.entries(spec.selector ?? {});
  const lists = pairs.map(([key, value]) => index.get(`${metadata.namespace}/${key}=${value}`) ?? []);
  const shortest = lists.reduce((best, list) => (list.length < best.length ? list : best), lists[0] ?? []);
  return shortest.filter(({ metadata: { labels = {} } }) => pairs.every(([key, value]) => labels[key] === value));
}

// ── One Service ──────────────────────────────────────────────────────────────────────────────────

function slicesOf(
  service: ServiceManifest,
  pods: readonly PodManifest[],
  zones: ReadonlyMap<string, string>,
): readonly EndpointSliceManifest[] {
  return familiesOf(service).flatMap((family) => {
    // Pods may resolve a named port to different numbers; those with equal numbers share slices.
    const groups = new Map<string, { readonly ports: readonly SlicePort[]; readonly endpoints: SliceEndpoint[] }>();
    for (const pod of pods) {
      const endpoint = endpointOf(service, pod, family, zones);
      if (endpoint === undefined) continue;
      const ports = portsOf(service, pod);
      const key = JSON.stringify(ports);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { ports, endpoints: [endpoint] });
      else group.endpoints.push(endpoint);
    }
    return [...groups].flatMap(([key, { ports, endpoints }]) => pack(service, family, key, ports, endpoints));
  });
}

/** The Service's families; without any, that of its address; a headless Service without either has both. */
function familiesOf({ spec }: ServiceManifest): readonly Family[] {
  const named = spec.ipFamilies ?? [];
  if (named.length > 0) return named.map((name) => (name === "IPv4" ? "ipv4" : "ipv6"));
  const ip = spec.clusterIP === undefined || spec.clusterIP === "None" ? undefined : canonicalIP(spec.clusterIP);
  return ip === undefined ? ["ipv4", "ipv6"] : [familyOf(ip)];
}

function endpointOf(
  service: ServiceManifest,
  pod: PodManifest,
  family: Family,
  zones: ReadonlyMap<string, string>,
): SliceEndpoint | undefined {
  const addresses: string[] = [];
  for (const { ip } of pod.status?.podIPs ?? []) {
    const canonical = canonicalIP(ip);
    if (canonical !== undefined && familyOf(canonical) === family) addresses.push(canonical);
  }
  if (addresses.length === 0) return undefined;
  const { namespace, name, uid } = pod.metadata;
  const { nodeName = "", hostname = "", subdomain } = pod.spec;
  const zone = zones.get(nodeName) ?? "";
  const serving = (pod.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
  const terminating = pod.metadata.deletionTimestamp !== undefined;
  const ready = service.spec.publishNotReadyAddresses === true || (serving && !terminating);
  const isNamed = hostname !== "" && subdomain === service.metadata.name;
  const hints = ready ? hintsOf(service, zone, nodeName) : undefined;
  return {
    addresses,
    conditions: { ready, serving, terminating },
    ...(isNamed ? { hostname } : {}),
    ...(nodeName === "" ? {} : { nodeName }),
    ...(zone === "" ? {} : { zone }),
    ...(hints === undefined ? {} : { hints }),
    targetRef: { kind: "Pod", namespace, name, ...(uid === undefined ? {} : { uid }) },
  };
}

/** Topology mode Auto displaces the traffic distribution, even where it then finds no hints to give. */
function isTopologyAuto({ annotations = {} }: ObjectMeta): boolean {
  const mode = annotations[OLDER_TOPOLOGY_MODE] ?? annotations[TOPOLOGY_MODE];
  return mode === "Auto" || mode === "auto";
}

function hintsOf({ metadata, spec }: ServiceManifest, zone: string, nodeName: string): SliceEndpoint["hints"] {
  const { trafficDistribution = "" } = spec;
  if (!DISTRIBUTIONS.has(trafficDistribution) || isTopologyAuto(metadata)) return undefined;
  const prefersNode = trafficDistribution === "PreferSameNode" && nodeName !== "";
  if (zone === "" && !prefersNode) return undefined;
  return {
    ...(zone === "" ? {} : { forZones: [{ name: zone }] }),
    ...(prefersNode ? { forNodes: [{ name: nodeName }] } : {}),
  };
}

function portsOf({ spec }: ServiceManifest, pod: PodManifest): readonly SlicePort[] {
  const ports: SlicePort[] = [];
  for (const servicePort of spec.ports ?? []) {
    const { name = "", protocol, appProtocol } = servicePort;
    const port = targetPortOf(servicePort, pod);
    if (port !== undefined) ports.push({ name, protocol, port, ...(appProtocol === undefined ? {} : { appProtocol }) });
  }
  return ports;
}

/** The number behind a target port; a name is looked up in the Pod. Undefined: this Pod does not serve the port. */
export function targetPortOf(
  { targetPort, port, protocol }: ServicePortSpec,
  { spec }: PodManifest,
): number | undefined {
  if (targetPort === undefined || typeof targetPort === "number") return targetPort ?? port;
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return portNamed(spec.containers, targetPort, protocol) ?? portNamed(sidecars, targetPort, protocol);
}

function portNamed(containers: readonly Container[], name: string, protocol: string): number | undefined {
  for (const { ports = [] } of containers) {
    const port = ports.find((candidate) => candidate.name === name && candidate.protocol === protocol);
    if (port !== undefined) return port.containerPort;
  }
  return undefined;
}

// ── Slices ───────────────────────────────────────────────────────────────────────────────────────

function pack(
  service: ServiceManifest,
  family: Family,
  portsKey: string,
  ports: readonly SlicePort[],
  endpoints: readonly SliceEndpoint[],
): readonly EndpointSliceManifest[] {
  const slices: EndpointSliceManifest[] = [];
  for (let from = 0; from < endpoints.length; from += MOST_PER_SLICE) {
    slices.push({
      kind: "EndpointSlice",
      source: service.source,
      metadata: metadataOf(service, `${family} ${portsKey} ${from}`),
      addressType: ADDRESS_TYPES[family],
      endpoints: endpoints.slice(from, from + MOST_PER_SLICE),
      ports,
    });
  }
  return slices;
}

/** The controller's metadata, but with a name that is the same in every run. */
function metadataOf({ metadata, spec }: ServiceManifest, content: string): ObjectMeta {
  const kept = Object.entries(metadata.labels ?? {}).filter(([key]) => !RESERVED_LABELS.has(key));
  const isHeadless = spec.clusterIP === undefined || spec.clusterIP === "" || spec.clusterIP === "None";
  const suffix = createHash("sha256").update(content).digest("hex").slice(0, 5);
  return {
    name: `${metadata.name}-${suffix}`,
    namespace: metadata.namespace,
    labels: {
      ...Object.fromEntries(kept),
      [SERVICE_NAME]: metadata.name,
      [MANAGED_BY]: CONTROLLER,
      ...(isHeadless ? { [HEADLESS]: "" } : {}),
    },
  };
}
