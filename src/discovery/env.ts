import { joinAddress } from "../ip.ts";
import type { EnvironmentVariable, Manifest, ServiceManifest } from "../types.ts";

const MASTER = { namespace: "default", name: "kubernetes" } as const;

/**
 * What a container that starts now in this namespace finds in its environment, Service by Service, sorted by name
 * (kubelet's getServiceEnvVarMap, pkg/kubelet/envvars). Two Services may define one name, of which a container
 * gets either (`environment-variable-clash` warns of it): both are listed.
 * @param serviceLinks the Pod's enableServiceLinks; without them it learns of default/kubernetes only
 */
export function environmentOf(
  manifests: readonly Manifest[],
  namespace: string,
  { serviceLinks }: { readonly serviceLinks: boolean },
): readonly EnvironmentVariable[] {
  const services = new Map<string, ServiceManifest>();
  for (const manifest of manifests) {
    if (manifest.kind !== "Service" || !hasClusterIP(manifest)) continue;
    const { metadata } = manifest;
    const isMaster = metadata.namespace === MASTER.namespace && metadata.name === MASTER.name;
    const isLinked = serviceLinks && metadata.namespace === namespace;
    // A Service of the Pod's own namespace displaces the one that every Pod sees.
    if (isMaster ? !services.has(MASTER.name) : isLinked) services.set(metadata.name, manifest);
  }
  const sorted = [...services].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.flatMap(([, service]) => variablesOf(service));
}

function hasClusterIP({ spec: { clusterIP = "" } }: ServiceManifest): boolean {
  return clusterIP !== "" && clusterIP !== "None";
}

function variablesOf({ metadata, spec: { clusterIP = "", ports = [] } }: ServiceManifest): EnvironmentVariable[] {
  const [first] = ports;
  if (first === undefined) return [];
  const service = `${metadata.namespace}/${metadata.name}`;
  const prefix = nameOf(metadata.name);
  const variables: EnvironmentVariable[] = [];
  const add = (name: string, value: string | number) => {
    variables.push({ name: `${prefix}_${name}`, value: String(value), service });
  };
  add("SERVICE_HOST", clusterIP);
  add("SERVICE_PORT", first.port);
  for (const { name = "", port } of ports) if (name !== "") add(`SERVICE_PORT_${nameOf(name)}`, port);
  for (const [position, { protocol, port }] of ports.entries()) {
    const url = `${protocol.toLowerCase()}://${joinAddress(clusterIP, port)}`;
    if (position === 0) add("PORT", url);
    const own = `PORT_${port}_${protocol}`;
    add(own, url);
    add(`${own}_PROTO`, protocol.toLowerCase());
    add(`${own}_PORT`, port);
    add(`${own}_ADDR`, clusterIP);
  }
  return variables;
}

function nameOf(text: string): string {
  return text.toUpperCase().replaceAll("-", "_");
}
