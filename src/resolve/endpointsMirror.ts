import { canonicalIP, familyOf } from "../ip.ts";
import type { EndpointAddress, EndpointSliceManifest, EndpointsManifest, SliceEndpoint, SlicePort } from "../types.ts";

/** The mirroring controller's default limit of addresses per subset. */
const MAX_ADDRESSES = 1000;

interface MirroredPort {
  readonly port: SlicePort;
  readonly addresses: Map<string, SliceEndpoint>;
}

/**
 * The EndpointSlices that the mirroring controller would keep for an Endpoints object
 * (pkg/controller/endpointslicemirroring): one per port and family, only `ready` set, and an address listed both
 * ready and not ready is not ready.
 */
export function mirrorEndpoints(endpoints: EndpointsManifest): readonly EndpointSliceManifest[] {
  const ports = new Map<string, MirroredPort>();
  for (const subset of endpoints.subsets ?? []) {
    for (const { name = "", protocol, port } of subset.ports ?? []) {
      const key = `${port}/${protocol}/${name}`;
      const mirrored = ports.get(key) ?? { port: { name, protocol, port }, addresses: new Map() };
      ports.set(key, mirrored);
      addAddresses(mirrored, subset.addresses ?? [], true);
      addAddresses(mirrored, subset.notReadyAddresses ?? [], false);
    }
  }
  return [...ports.values()].flatMap((mirrored) => slicesOf(endpoints, mirrored));
}

function addAddresses(mirrored: MirroredPort, addresses: readonly EndpointAddress[], ready: boolean): void {
  for (const address of addresses) {
    const ip = canonicalIP(address.ip);
    if (ip === undefined) continue;
    const key = `${ip} ${address.targetRef?.uid ?? ""}`;
    if (mirrored.addresses.has(key) && ready) continue;
    mirrored.addresses.set(key, {
      addresses: [ip],
      conditions: { ready },
      ...(address.nodeName === undefined ? {} : { nodeName: address.nodeName }),
    });
  }
}

function slicesOf(endpoints: EndpointsManifest, { port, addresses }: MirroredPort): readonly EndpointSliceManifest[] {
  let kept: readonly SliceEndpoint[] = [...addresses.values()];
  if (kept.length > MAX_ADDRESSES) {
    const isReady = (endpoint: SliceEndpoint) => endpoint.conditions?.ready === true;
    kept = [...kept.filter(isReady), ...kept.filter((endpoint) => !isReady(endpoint))].slice(0, MAX_ADDRESSES);
  }
  return (["IPv4", "IPv6"] as const).map((addressType) => ({
    kind: "EndpointSlice",
    source: endpoints.source,
    metadata: endpoints.metadata,
    addressType,
    ports: [port],
    endpoints: kept.filter(({ addresses: [ip = ""] }) => (familyOf(ip) === "ipv4") === (addressType === "IPv4")),
  }));
}
