import type { Source } from "../types.ts";
import type { IngressPort, Labelled, Neighbours } from "./checks/bundle.ts";
import { fieldOf } from "./identify.ts";

/** Reads from objects of foreign kinds the little that concerns Services. They are not validated, so nothing is trusted. */

export interface NeighbourCollector extends Neighbours {
  readonly namespaces: Set<string>;
  readonly ingressPorts: IngressPort[];
  readonly podTemplates: Labelled[];
}

export function noNeighbours(): NeighbourCollector {
  return { namespaces: new Set(), ingressPorts: [], podTemplates: [] };
}

/** Notes what a foreign object says. */
export function noteForeign(found: NeighbourCollector, value: unknown, source: Source, defaultNamespace: string): void {
  const kind = textAt(value, "kind");
  const name = textAt(fieldOf(value, "metadata"), "name");
  if (name === undefined) return;
  if (kind === "Namespace" && textAt(value, "apiVersion") === "v1") found.namespaces.add(name);
  const namespace = textAt(fieldOf(value, "metadata"), "namespace") ?? defaultNamespace;
  const labels = labelsOf(fieldOf(fieldOf(fieldOf(value, "spec"), "template"), "metadata"));
  if (labels !== undefined) found.podTemplates.push({ metadata: { namespace, labels } });
  if (kind !== "Ingress" || textAt(value, "apiVersion") !== "networking.k8s.io/v1") return;
  for (const backend of backendsOf(fieldOf(value, "spec"))) {
    const service = textAt(fieldOf(backend, "service"), "name");
    const port = textAt(fieldOf(fieldOf(backend, "service"), "port"), "name");
    if (service !== undefined && port !== undefined) {
      found.ingressPorts.push({ source, ingress: `${namespace}/${name}`, service: `${namespace}/${service}`, port });
    }
  }
}

function labelsOf(metadata: unknown): Readonly<Record<string, string>> | undefined {
  const labels = fieldOf(metadata, "labels");
  if (typeof labels !== "object" || labels === null) return undefined;
  return Object.fromEntries(Object.entries(labels).filter(([, value]) => typeof value === "string"));
}

function backendsOf(spec: unknown): readonly unknown[] {
  const paths = listAt(spec, "rules").flatMap((rule) => listAt(fieldOf(rule, "http"), "paths"));
  return [fieldOf(spec, "defaultBackend"), ...paths.map((path) => fieldOf(path, "backend"))];
}

/** A short text; anything longer is no name. */
function textAt(value: unknown, field: string): string | undefined {
  const text = fieldOf(value, field);
  return typeof text === "string" && text.length <= 253 ? text : undefined;
}

function listAt(value: unknown, field: string): readonly unknown[] {
  const list = fieldOf(value, field);
  return Array.isArray(list) ? list : [];
}
