import { join } from "node:path";
import { readState, STATE_FILE, writeState } from "../apply/state.ts";
import { UserError } from "../errors.ts";
import { yamlText } from "../input/load/write.ts";
import { canonicalIP } from "../ip.ts";
import { servedServiceOf } from "../labels.ts";
import type { Input } from "../pipeline.ts";
import { type Allocations, type Assignment, allocate, type ServiceAllocation } from "../resolve/allocate.ts";
import { slicesFromPods } from "../resolve/pods.ts";
import type { Settings } from "../settings/settings.ts";
import type { Diagnostic, Manifest, ServiceManifest } from "../types.ts";

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
  /** What must be recorded for these values to stay; empty when nothing was filled in, or ever was. */
  readonly allocations: Allocations;
  /** What could not be given out. */
  readonly findings: readonly Diagnostic[];
  /** How many Services have endpoints that were derived from Pods. */
  readonly fromPods: number;
  /** Why the record of what was given out cannot be used, where nothing was needed from it. */
  readonly unusable?: string;
}

/** What an input is: all that this node serves, or some of it. */
export interface Extent {
  /** Services that are recorded and not in this input are gone; otherwise they keep what they have. */
  readonly isWhole: boolean;
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

/**
 * Fills in what is missing. Values given out before are read from the state directory, and are kept. Who records what
 * is filled in must hold the lock from here on.
 * @throws UserError if values would be given out while those of before cannot be read
 */
export async function complete(
  input: Input,
  settings: Settings,
  { isWhole }: Extent = { isWhole: true },
): Promise<Completed> {
  if (!settings.standalone) return { input, findings: [], assignments: [], allocations: new Map(), fromPods: 0 };
  const services = input.manifests.filter(isService);
  const { recorded, unusable } = await recordedAllocations(settings.stateDir);
  const rangesAreSupposed = settings.serviceCIDRs.length === 0;
  const serviceCIDRs = rangesAreSupposed ? DEFAULT_SERVICE_CIDRS : settings.serviceCIDRs;
  const allocated = allocate(
    services,
    {
      serviceCIDRs,
      families: settings.families,
      rangesAreSupposed,
      nodePortRange: settings.nodePortRange,
      othersKeepTheirs: !isWhole,
    },
    recorded,
  );
  if (unusable !== undefined && (allocated.assignments.length > 0 || !isWhole)) throw cannotKnow(unusable);
  const whole: readonly Manifest[] = [...allocated.services, ...input.manifests.filter((one) => !isService(one))];
  // After the addresses: a Service without one would pass for headless.
  const slices = slicesFromPods(whole);
  const fromPods = new Set(slices.map(({ metadata }) => servedServiceOf(metadata))).size;
  const given = new Set(allocated.assignments.map(({ service }) => service));
  const others = isWhole ? [] : [...recorded].filter(([service]) => !allocated.allocations.has(service));
  const allocations = new Map([...others, ...[...allocated.allocations].filter(([service]) => given.has(service))]);
  return {
    input: { ...input, manifests: [...whole, ...slices] },
    findings: allocated.diagnostics,
    assignments: allocated.assignments,
    allocations,
    fromPods,
    ...(unusable === undefined ? {} : { unusable }),
  };
}

function cannotKnow(unusable: string): UserError {
  return new UserError(
    `what was given out before cannot be read: ${unusable}`,
    "run as root if it is only closed to you; else mend that file, or remove it: addresses and ports that no manifest names may then become others",
  );
}

function isService(manifest: Manifest): manifest is ServiceManifest {
  return manifest.kind === "Service";
}

/** Records what was given out, if that is not recorded yet. What is not among it is free again. */
export async function noteAllocations(allocations: Allocations, stateDir: string): Promise<void> {
  const { record } = await readState(stateDir);
  const before = record.sections[SECTION];
  const now = Object.fromEntries([...allocations].sort(([a], [b]) => (a < b ? -1 : 1)));
  if (before === undefined ? allocations.size === 0 : JSON.stringify(before) === JSON.stringify(now)) return;
  await writeState(stateDir, { ...record, sections: { ...record.sections, [SECTION]: now } });
}

/** What was given out, all of it or, where something is damaged, nothing and the reason. */
async function recordedAllocations(
  stateDir: string,
): Promise<{ readonly recorded: Allocations; readonly unusable: string | undefined }> {
  const file = join(stateDir, STATE_FILE);
  const state = await readState(stateDir);
  if (state.kind === "unusable") return { recorded: new Map(), unusable: `${file}: ${state.reason}` };
  const section = state.record.sections[SECTION] ?? {};
  const entries = typeof section === "object" && !Array.isArray(section) ? Object.entries(section) : undefined;
  const recorded = new Map<string, ServiceAllocation>();
  for (const [service, value] of entries ?? [["", section]]) {
    const allocation = SERVICE_KEY.test(service) ? allocationFrom(value) : undefined;
    if (allocation === undefined) {
      return { recorded: new Map(), unusable: `${file}: sections.${SECTION} holds what no run wrote` };
    }
    recorded.set(service, allocation);
  }
  return { recorded, unusable: undefined };
}

const SERVICE_KEY = /^[a-z0-9.-]+\/[a-z0-9.-]+$/;

/** One entry of the record, as far as it can become part of a rule; undefined if no run wrote it. */
function allocationFrom(value: unknown): ServiceAllocation | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  if (!("clusterIPs" in value && "nodePorts" in value && "healthCheckNodePort" in value)) return undefined;
  const { clusterIPs, nodePorts, healthCheckNodePort } = value;
  if (!Array.isArray(clusterIPs) || typeof nodePorts !== "object" || nodePorts === null) return undefined;
  const ips = clusterIPs.map((ip: unknown) => (typeof ip === "string" ? canonicalIP(ip) : undefined));
  const known = ips.filter((ip) => ip !== undefined);
  const ports: readonly (readonly [string, unknown])[] = Object.entries(nodePorts);
  if (known.length < ips.length || !ports.every((entry): entry is [string, number] => isPort(entry[1]))) {
    return undefined;
  }
  if (healthCheckNodePort !== 0 && !isPort(healthCheckNodePort)) return undefined;
  return { clusterIPs: known, nodePorts: Object.fromEntries(ports), healthCheckNodePort };
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;
}
