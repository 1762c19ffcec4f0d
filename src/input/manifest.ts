import type {
  EndpointSliceManifest,
  EndpointsManifest,
  Manifest,
  NodeManifest,
  ObjectMeta,
  PodManifest,
  ServiceManifest,
  Source,
} from "../types.ts";
import type { EndpointSliceObject, InputObject, Metadata, ServiceObject } from "./objects.ts";

/**
 * Turns an object that all checks have passed into the manifest that the next stage reads. The casts are the
 * only place where "checked" becomes a type: each narrows texts and numbers to what its checks have admitted.
 */
export function manifestOf(object: InputObject, source: Source): Manifest {
  const metadata = metaOf(object.metadata);
  switch (object.kind) {
    case "Service":
      return serviceOf(object, metadata, source);
    case "Endpoints":
      return {
        kind: "Endpoints",
        source,
        metadata,
        subsets: object.subsets as NonNullable<EndpointsManifest["subsets"]>,
      };
    case "EndpointSlice":
      return sliceOf(object, metadata, source);
    case "Node":
      return {
        kind: "Node",
        source,
        metadata,
        spec: { podCIDRs: object.podCIDRs },
        status: { addresses: object.addresses.map(({ type = "", address = "" }) => ({ type, address })) },
      } satisfies NodeManifest;
    case "Pod":
      return {
        kind: "Pod",
        source,
        metadata,
        spec: object.spec as PodManifest["spec"],
        status: object.status as NonNullable<PodManifest["status"]>,
      };
  }
}

function metaOf({ name, namespace, uid, labels, annotations, deletionTimestamp }: Metadata): ObjectMeta {
  return {
    name,
    namespace,
    ...(uid === undefined ? {} : { uid }),
    ...(labels === undefined ? {} : { labels }),
    ...(annotations === undefined ? {} : { annotations }),
    ...(deletionTimestamp === undefined ? {} : { deletionTimestamp }),
  };
}

function withoutAffinity(spec: ServiceObject["spec"]): ServiceObject["spec"] {
  if (spec.sessionAffinityConfig === undefined) return spec;
  const { sessionAffinityConfig: _, ...rest } = spec;
  return rest;
}

function serviceOf({ spec: checked, ingress }: ServiceObject, metadata: ObjectMeta, source: Source): ServiceManifest {
  const spec = checked.sessionAffinity === "ClientIP" ? checked : withoutAffinity(checked);
  const manifest = { kind: "Service", source, metadata, spec: spec as ServiceManifest["spec"] } as const;
  if (ingress.length === 0) return manifest;
  const entries = ingress as NonNullable<
    NonNullable<NonNullable<ServiceManifest["status"]>["loadBalancer"]>["ingress"]
  >;
  return { ...manifest, status: { loadBalancer: { ingress: entries } } };
}

function sliceOf(object: EndpointSliceObject, metadata: ObjectMeta, source: Source): EndpointSliceManifest {
  return {
    kind: "EndpointSlice",
    source,
    metadata,
    addressType: object.addressType as EndpointSliceManifest["addressType"],
    endpoints: object.endpoints as NonNullable<EndpointSliceManifest["endpoints"]>,
    ports: object.ports as NonNullable<EndpointSliceManifest["ports"]>,
  };
}
