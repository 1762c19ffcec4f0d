import { readState, writeState } from "../apply/state.ts";
import { yamlText } from "../input/load/write.ts";
import type { Input } from "../pipeline.ts";
import { type Allocations, type Assignment, allocate, type ServiceAllocation } from "../resolve/allocate.ts";
import { slicesFromPods } from "../resolve/pods.ts";
import type { Settings } from "../settings/settings.ts";
import type { Diagnostic, EndpointSliceManifest, Manifest, ServiceManifest } from "../types.ts";

/**
 * What a cluster would have added to manifests that never saw one: cluster IPs, node ports and health-check ports,
 * and the EndpointSlices of Services that select Pods of the input. Object by object, where something is missing.
 */

/** kubeadm's range for IPv4, and one of its like for IPv6: used where --service-cidr is not given. */
const DEFAULT_SERVICE_CIDRS = ["10.96.0.0/12", "fd00:10:96::/112"];
const SECTION = "allocations";

export interface Completed {
  readonly input: Input;
  /** Every value that was filled in, sorted by Service. */
  readonly assignments: readonly Assignment[];
  /** What must be recorded for these values to stay; empty when nothing was filled in. */
  readonly allocations: Allocations;
  /** What could not be given out. */
  readonly findings: readonly Diagnostic[];
  /** How many Services have endpoints that were derived from Pods. */
  readonly fromPods: number;
}

const API_VERSIONS = {
  Service: "v1",
  Endpoints: "v1",
  EndpointSlice: "discovery.k8s.io/v1",
  Node: "v1",
  Pod: "v1",
} as const satisfies Record<Manifest["kind"], string>;

/** The Services and their endpoints as YAML, complete, as an API server would hold them. */
export function manifestYaml(manifests: readonly Manifest[]): string {
  const shown = manifests.filter(({ kind }) => kind === "Service" || kind === "Endpoints" || kind === "EndpointSlice");
  return yamlText(
    shown.map(({ kind, source: _, ...rest }) => ({ apiVersion: API_VERSIONS[kind], kind, ...said(rest) })),
  );
}

/** Without fields of the specification that say nothing. */
function said(manifest: object): object {
  if (!("spec" in manifest) || typeof manifest.spec !== "object" || manifest.spec === null) return manifest;
  const fields = Object.entries(manifest.spec).filter(
    ([, value]) => value !== "" && !(Array.isArray(value) && value.length === 0),
  );
  return { ...manifest, spec: Object.fromEntries(fields) };
}

/** Fills in what is missing. Values given out before are read from the state directory, and are kept. */
export async function complete(input: Input, settings: Settings): Promise<Completed> {
  if (!settings.standalone) return { input, findings: [], assignments: [], allocations: new Map(), fromPods: 0 };
  const services = input.manifests.filter(isService);
  const { record } = await readState(settings.stateDir);
  const recorded = allocationsIn(record.sections[SECTION]);
  const rangesAreSupposed = settings.serviceCIDRs.length === 0;
  const serviceCIDRs = rangesAreSupposed ? DEFAULT_SERVICE_CIDRS : settings.serviceCIDRs;
  const allocated = allocate(
    services,
    { serviceCIDRs, families: settings.families, rangesAreSupposed, nodePortRange: settings.nodePortRange },
    recorded,
  );
  const whole: readonly Manifest[] = [...allocated.services, ...input.manifests.filter((one) => !isService(one))];
  // After the addresses: a Service without one would pass for headless.
  const slices = slicesFromPods(whole);
  const fromPods = new Set(slices.map(serviceKeyOf)).size;
  const given = new Set(allocated.assignments.map(({ service }) => service));
  const allocations = new Map([...allocated.allocations].filter(([service]) => given.has(service)));
  return {
    input: { ...input, manifests: [...whole, ...slices] },
    findings: allocated.diagnostics,
    assignments: allocated.assignments,
    allocations,
    fromPods,
  };
}

const SERVICE_NAME = "kubernetes.io/service-name";

function serviceKeyOf({ metadata }: EndpointSliceManifest): string {
  return `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME] ?? ""}`;
}

function isService(manifest: Manifest): manifest is ServiceManifest {
  return manifest.kind === "Service";
}

/** Records what was given out, if that is not recorded yet. What no Service needs any more is free again. */
export async function noteAllocations(allocations: Allocations, stateDir: string): Promise<void> {
  const { record } = await readState(stateDir);
  const before = record.sections[SECTION];
  const now = Object.fromEntries([...allocations].sort(([a], [b]) => (a < b ? -1 : 1)));
  if (before === undefined ? allocations.size === 0 : JSON.stringify(before) === JSON.stringify(now)) return;
  await writeState(stateDir, { ...record, sections: { ...record.sections, [SECTION]: now } });
}

function allocationsIn(section: unknown): Allocations {
  if (typeof section !== "object" || section === null) return new Map();
  return new Map(
    Object.entries(section).filter((entry): entry is [string, ServiceAllocation] => isAllocation(entry[1])),
  );
}

function isAllocation(value: unknown): value is ServiceAllocation {
  if (typeof value !== "object" || value === null) return false;
  if (!("clusterIPs" in value && "nodePorts" in value && "healthCheckNodePort" in value)) return false;
  const { clusterIPs, nodePorts, healthCheckNodePort } = value;
  return (
    Array.isArray(clusterIPs) &&
    clusterIPs.every((ip) => typeof ip === "string") &&
    typeof nodePorts === "object" &&
    nodePorts !== null &&
    Object.values(nodePorts).every((port) => typeof port === "number") &&
    typeof healthCheckNodePort === "number"
  );
}
