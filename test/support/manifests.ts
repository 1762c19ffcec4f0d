import { compile } from "../../src/compile.ts";
import { resolve } from "../../src/resolve/servicePorts.ts";
import type {
  CompileOptions,
  EndpointSliceManifest,
  Family,
  LocalDetector,
  Manifest,
  NodeFacts,
  RenderOptions,
  Ruleset,
  ServiceManifest,
  ServicePort,
  ServicePortSpec,
  ServiceSpec,
  SliceEndpoint,
  Source,
} from "../../src/types.ts";

/** Short ways to write manifests and settings in tests. */

export const SOURCE: Source = { file: "test.yaml", document: 0 };

export const NODE: NodeFacts = {
  name: "test-node",
  zone: "zone-a",
  ips: { ipv4: "192.168.0.2", ipv6: "2001:db8::1" },
  addresses: ["192.168.0.2", "192.168.1.2", "192.168.99.11", "2001:db8::1", "2001:db8:1::2"],
};

export const PODS: LocalDetector = { kind: "cidr", cidr: "10.0.0.0/8" };

export function renderOptions(options: Partial<RenderOptions> = {}): RenderOptions {
  return {
    family: "ipv4",
    masqueradeMark: 0x4000,
    nodePortAddresses: { kind: "any" },
    localhostNodePorts: true,
    serviceCIDRs: ["172.30.0.0/16"],
    comments: "auto",
    dropInvalid: true,
    randomFully: false,
    ...options,
  };
}

export function service(
  identity: string,
  spec: Partial<Omit<ServiceSpec, "ports">> & { readonly ports?: readonly Partial<ServicePortSpec>[] },
  vips: readonly string[] = [],
): ServiceManifest {
  const [namespace = "", name = ""] = identity.split("/");
  return {
    kind: "Service",
    source: SOURCE,
    metadata: { namespace, name },
    spec: {
      type: "ClusterIP",
      ...spec,
      ports: (spec.ports ?? [{}]).map((port) => ({ protocol: "TCP", port: 80, ...port })),
    },
    status: { loadBalancer: { ingress: vips.map((ip) => ({ ip, ipMode: "VIP" as const })) } },
  };
}

export function slice(
  identity: string,
  endpoints: readonly (string | SliceEndpoint)[],
  options: Partial<EndpointSliceManifest> = {},
): EndpointSliceManifest {
  const [namespace = "", name = ""] = identity.split("/");
  return {
    kind: "EndpointSlice",
    source: SOURCE,
    metadata: { namespace, name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    ports: [{ name: "", protocol: "TCP", port: 80 }],
    endpoints: endpoints.map((endpoint) => (typeof endpoint === "string" ? { addresses: [endpoint] } : endpoint)),
    ...options,
  };
}

export function onNode(ip: string, nodeName = NODE.name): SliceEndpoint {
  return { addresses: [ip], nodeName };
}

interface Decided {
  readonly servicePorts: readonly ServicePort[];
  readonly ruleset: Ruleset;
}

export function decided(manifests: readonly Manifest[], options: Partial<CompileOptions> = {}): Decided {
  const family: Family = options.family ?? "ipv4";
  const node = options.node ?? NODE;
  const servicePorts = resolve(manifests, family, node);
  const full = { family, node, masqueradeAll: false, localDetector: PODS, ...options };
  return { servicePorts, ruleset: compile(servicePorts, full) };
}

export function rulesetOf(manifests: readonly Manifest[], options: Partial<CompileOptions> = {}): Ruleset {
  return decided(manifests, options).ruleset;
}
