import type { Source } from "../types.ts";
import type { IngressPort, Neighbours } from "./checks/bundle.ts";

/** Reads from objects of foreign kinds the little that concerns Services. They are not validated, so nothing is trusted. */

export interface NeighbourCollector extends Neighbours {
  readonly namespaces: Set<string>;
  readonly ingressPorts: IngressPort[];
}

export function noNeighbours(): NeighbourCollector {
  return { namespaces: new Set(), ingressPorts: [] };
}

/** Notes what a foreign object says. */
export function noteForeign(found: NeighbourCollector, value: unknown, source: Source, defaultNamespace: string): void {
  const kind = textAt(value, "kind");
  const name = textAt(at(value, "metadata"), "name");
  if (name === undefined) return;
  if (kind === "Namespace" && textAt(value, "apiVersion") === "v1") found.namespaces.add(name);
  if (kind !== "Ingress" || textAt(value, "apiVersion") !== "networking.k8s.io/v1") return;
  const namespace = textAt(at(value, "metadata"), "namespace") ?? defaultNamespace;
  for (const backend of backendsOf(at(value, "spec"))) {
    const service = textAt(at(backend, "service"), "name");
    const port = textAt(at(at(backend, "service"), "port"), "name");
    if (service !== undefined && port !== undefined) {
      found.ingressPorts.push({ source, ingress: `${namespace}/${name}`, service: `${namespace}/${service}`, port });
    }
  }
}

function backendsOf(spec: unknown): readonly unknown[] {
  const paths = listAt(spec, "rules").flatMap((rule) => listAt(at(rule, "http"), "paths"));
  return [at(spec, "defaultBackend"), ...paths.map((path) => at(path, "backend"))];
}

function at(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, field)?.value : undefined;
}

/** A short text; anything longer is no name. */
function textAt(value: unknown, field: string): string | undefined {
  const text = at(value, field);
  return typeof text === "string" && text.length <= 253 ? text : undefined;
}

function listAt(value: unknown, field: string): readonly unknown[] {
  const list = at(value, field);
  return Array.isArray(list) ? list : [];
}
