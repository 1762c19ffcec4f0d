import { canonicalIP, familyOf } from "../ip.ts";
import type {
  EndpointAddress,
  EndpointSliceManifest,
  EndpointsManifest,
  EndpointsSubset,
  SliceEndpoint,
  SlicePort,
} from "../types.ts";

/** The mirroring controller's default limit of addresses per subset. */
const MAX_ADDRESSES = 1000;

interface MirroredPort {
  readonly ports: readonly SlicePort[];
  readonly addresses: Map<string, SliceEndpoint>;
}

/**
 * The EndpointSlices that the mirroring controller would keep for an Endpoints object
 * (pkg/controller/endpointslicemirroring): one per port and family, only `ready` set. An address listed both ready and
 * not ready is not ready; its node and host name are those of its first mention.
 */
export function mirrorEndpoints(endpoints: EndpointsManifest): readonly EndpointSliceManifest[] {
  const ports = new Map<string, MirroredPort>();
  const mentions = new Map<string, EndpointAddress>();
  for (const subset of endpoints.subsets ?? []) {
    for (const address of [...(subset.addresses ?? []), ...(subset.notReadyAddresses ?? [])]) {
      const key = keyOf(address);
      if (!mentions.has(key)) mentions.set(key, address);
    }
    for (const slicePorts of portsOf(subset)) {
      const key = JSON.stringify(slicePorts);
      const mirrored = ports.get(key) ?? { ports: slicePorts, addresses: new Map() };
      ports.set(key, mirrored);
      addAddresses(mirrored, subset.addresses ?? [], true, mentions);
      addAddresses(mirrored, subset.notReadyAddresses ?? [], false, mentions);
    }
  }
  return [...ports.values()].flatMap((mirrored) => slicesOf(endpoints, mirrored));
}

/** One slice for each port; without any, a slice without ports, which only DNS has a use for. */
function portsOf({ ports = [] }: EndpointsSubset): readonly (readonly SlicePort[])[] {
  return ports.length === 0 ? [[]] : ports.map(({ name = "", protocol, port }) => [{ name, protocol, port }]);
}

/** What makes two mentions the same address; sorts by IP first. */
function keyOf({ ip, targetRef }: EndpointAddress): string {
  return `${canonicalIP(ip) ?? ip} ${targetRef?.uid ?? ""}`;
}

function addAddresses(
  mirrored: MirroredPort,
  addresses: readonly EndpointAddress[],
  ready: boolean,
  mentions: ReadonlyMap<string, EndpointAddress>,
): void {
  for (const address of addresses) {
    const ip = canonicalIP(address.ip);
    if (ip === undefined) continue;
    const key = keyOf(address);
    if (mirrored.addresses.has(key) && ready) continue;
    const { nodeName, hostname } = mentions.get(key) ?? address;
    mirrored.addresses.set(key, {
      addresses: [ip],
      conditions: { ready },
      ...(nodeName === undefined ? {} : { nodeName }),
      ...(hostname === undefined || hostname === "" ? {} : { hostname }),
    });
  }
}

function slicesOf(endpoints: EndpointsManifest, { ports, addresses }: MirroredPort): readonly EndpointSliceManifest[] {
  let kept: readonly SliceEndpoint[] = [...addresses.values()];
  if (kept.length > MAX_ADDRESSES) {
    const isReady = (endpoint: SliceEndpoint) => endpoint.conditions?.ready === true;
    const sorted = [...addresses].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, endpoint]) => endpoint);
    kept = [...sorted.filter(isReady), ...sorted.filter((endpoint) => !isReady(endpoint))].slice(0, MAX_ADDRESSES);
  }
  return (["IPv4", "IPv6"] as const).map((addressType) => ({
    kind: "EndpointSlice",
    source: endpoints.source,
    metadata: endpoints.metadata,
    addressType,
    ports,
    endpoints: kept.filter(({ addresses: [ip = ""] }) => (familyOf(ip) === "ipv4") === (addressType === "IPv4")),
  }));
}
