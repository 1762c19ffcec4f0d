import { HEADLESS, SERVICE_NAME, SKIP_MIRROR, servedServiceOf } from "../labels.ts";
import type {
  EndpointSliceManifest,
  EndpointsManifest,
  Manifest,
  ServiceManifest,
  ServiceWithSlices,
} from "../types.ts";
import { mirrorEndpoints } from "./endpointsMirror.ts";

const LEADER_ANNOTATION = "control-plane.alpha.kubernetes.io/leader";

/**
 * Every Service with the EndpointSlices that serve it: its own (and its mirrored Endpoints when it has no selector), or
 * what its Endpoints object says when it has only that. Slices come sorted by name: where two list one address the
 * later counts, so that their order must not be that of the input. Slices labelled headless are for DNS alone; a proxy
 * does not see them.
 */
export function servicesWithSlices(
  manifests: readonly Manifest[],
  { seesHeadless }: { readonly seesHeadless: boolean },
): readonly ServiceWithSlices[] {
  const services = new Map<string, ServiceManifest>();
  const slices = new Map<string, EndpointSliceManifest[]>();
  const endpoints: EndpointsManifest[] = [];
  // Slices that are mirrored from Endpoints have their labels.
  const isSeen = ({ metadata: { labels = {} } }: Manifest): boolean => seesHeadless || !(HEADLESS in labels);
  for (const manifest of manifests) {
    if (manifest.kind === "Service") services.set(keyOf(manifest.metadata), manifest);
    else if (manifest.kind === "Endpoints" && isSeen(manifest)) endpoints.push(manifest);
    else if (manifest.kind === "EndpointSlice" && isSeen(manifest)) addSlice(slices, manifest);
  }
  mirrorInto(slices, endpoints, services);
  return [...services].map(([key, service]) => ({ service, slices: slices.get(key)?.sort(byName) ?? [] }));
}

function keyOf(metadata: { readonly namespace: string; readonly name: string }): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function byName(a: EndpointSliceManifest, b: EndpointSliceManifest): number {
  return a.metadata.name < b.metadata.name ? -1 : a.metadata.name > b.metadata.name ? 1 : 0;
}

function addSlice(slices: Map<string, EndpointSliceManifest[]>, slice: EndpointSliceManifest): void {
  if (!slice.metadata.labels?.[SERVICE_NAME]) return;
  const key = servedServiceOf(slice.metadata);
  const known = slices.get(key);
  if (known === undefined) slices.set(key, [slice]);
  else known.push(slice);
}

function mirrorInto(
  slices: Map<string, EndpointSliceManifest[]>,
  endpoints: readonly EndpointsManifest[],
  services: ReadonlyMap<string, ServiceManifest>,
): void {
  for (const manifest of endpoints) {
    const key = keyOf(manifest.metadata);
    const own = slices.get(key);
    if (own !== undefined && !isMirrored(manifest, services.get(key))) continue;
    const mirrored = mirrorEndpoints(manifest);
    slices.set(key, own === undefined ? [...mirrored] : [...own, ...mirrored]);
  }
}

/** Whether the mirroring controller would copy these Endpoints next to slices that exist already. */
function isMirrored(endpoints: EndpointsManifest, service: ServiceManifest | undefined): boolean {
  const { labels = {}, annotations = {} } = endpoints.metadata;
  const selectsPods = Object.keys(service?.spec.selector ?? {}).length > 0;
  return !selectsPods && labels[SKIP_MIRROR] !== "true" && !(LEADER_ANNOTATION in annotations);
}
