import { servedServiceOf } from "../../labels.ts";
import type {
  EndpointSliceManifest,
  EndpointsManifest,
  Manifest,
  NodeManifest,
  PodManifest,
  ServiceManifest,
  Source,
} from "../../types.ts";
import type { CheckContext, Finding } from "./check.ts";

/** All sound objects of one run, joined as the cluster joins them. */
export interface Bundle {
  readonly manifests: readonly Manifest[];
  /** By "namespace/name"; the last one of a name counts. */
  readonly services: ReadonlyMap<string, ServiceManifest>;
  readonly endpoints: ReadonlyMap<string, EndpointsManifest>;
  /** By "namespace/name" of the Service. */
  readonly slices: ReadonlyMap<string, readonly EndpointSliceManifest[]>;
  /** By namespace. */
  readonly pods: ReadonlyMap<string, readonly PodManifest[]>;
  readonly nodes: readonly NodeManifest[];
  readonly neighbours: Neighbours;
}

/** What objects of foreign kinds say about ours. */
export interface Neighbours {
  /** Names of the Namespace objects in the input. */
  readonly namespaces: ReadonlySet<string>;
  /** Service ports that Ingresses refer to by name. */
  readonly ingressPorts: readonly IngressPort[];
  /** Pods that Deployments and their like would make. */
  readonly podTemplates: readonly Labelled[];
}

/** What a selector may select. */
export interface Labelled {
  readonly metadata: { readonly namespace: string; readonly labels?: Readonly<Record<string, string>> };
}

export interface IngressPort {
  readonly source: Source;
  readonly ingress: string;
  /** "namespace/name" of the Service. */
  readonly service: string;
  readonly port: string;
}

/** Who a finding is about. */
export type Subject = Pick<Manifest, "kind" | "metadata" | "source">;

/** A finding about one object. */
export interface Side {
  readonly subject: Subject;
  readonly path: string;
  readonly message: string;
}

/** `rival`: the other one of two that claim the same, where it is no matter of course who has to give way. */
export type BundleReport = (subject: Subject, path: string, message: string, hint?: string, rival?: Side) => void;

/** A check that needs more than one object. */
export interface BundleCheck extends Finding {
  readonly hint: string;
  readonly run: (bundle: Bundle, report: BundleReport, context: CheckContext) => void;
}

export function keyOf({ metadata }: Pick<Manifest, "metadata">): string {
  return `${metadata.namespace}/${metadata.name}`;
}

export function bundleOf(manifests: readonly Manifest[], neighbours: Neighbours): Bundle {
  const services = new Map<string, ServiceManifest>();
  const endpoints = new Map<string, EndpointsManifest>();
  const slices = new Map<string, EndpointSliceManifest[]>();
  const pods = new Map<string, PodManifest[]>();
  const nodes: NodeManifest[] = [];
  for (const manifest of manifests) {
    switch (manifest.kind) {
      case "Service":
        services.set(keyOf(manifest), manifest);
        break;
      case "Endpoints":
        endpoints.set(keyOf(manifest), manifest);
        break;
      case "EndpointSlice":
        append(slices, servedServiceOf(manifest.metadata), manifest);
        break;
      case "Pod":
        append(pods, manifest.metadata.namespace, manifest);
        break;
      case "Node":
        nodes.push(manifest);
    }
  }
  return { manifests, services, endpoints, slices, pods, nodes, neighbours };
}

export function append<T>(map: Map<string, T[]>, key: string, value: T): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

export function hasSelector({ spec }: ServiceManifest): boolean {
  return spec.selector !== undefined && Object.keys(spec.selector).length > 0;
}

/** A manifest that people wrote: a cluster gives every object a uid. */
export function isHandWritten({ metadata }: Pick<Manifest, "metadata">): boolean {
  return metadata.uid === undefined;
}
