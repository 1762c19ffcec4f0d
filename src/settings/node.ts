import { UserError } from "../errors.ts";
import { canonicalCIDR, canonicalIP, contains, familyOf, isLoopback } from "../ip.ts";
import type {
  CompileOptions,
  Family,
  LocalDetector,
  NodeFacts,
  NodeManifest,
  NodePortAddresses,
  RenderOptions,
} from "../types.ts";
import { ofFamily, type Settings } from "./settings.ts";

/** What the machine says about itself; a compilation for another machine has an empty `addresses`. */
export interface HostFacts {
  readonly hostName: string;
  /** Addresses of all interfaces, canonical. */
  readonly addresses: readonly string[];
  /** sysctl net.netfilter.nf_conntrack_tcp_be_liberal is set. */
  readonly conntrackIsLiberal: boolean;
  /** iptables knows MASQUERADE --random-fully. */
  readonly randomFully: boolean;
}

/** The node that the rules are for. */
export interface Node {
  readonly facts: NodeFacts;
  readonly podCIDRs: readonly string[];
  /** Whether the input holds the Node object. */
  readonly known: boolean;
}

const ZONE_LABEL = "topology.kubernetes.io/zone";
const ADDRESS_TYPES = ["InternalIP", "ExternalIP"];

/** Puts together what flags, the Node object of that name and the machine say; in this order of precedence. */
export function nodeOf(settings: Settings, manifests: readonly NodeManifest[], host: HostFacts): Node {
  const name = settings.nodeName ?? host.hostName.trim().toLowerCase();
  const manifest = manifests.find(({ metadata }) => metadata.name === name);
  const ofObject = ADDRESS_TYPES.flatMap((type) => addressesOfType(manifest, type));
  const candidates = [...settings.nodeIPs, ...ofObject];
  const podCIDRs = manifest?.spec?.podCIDRs ?? [];
  return {
    facts: {
      name,
      zone: settings.zone ?? manifest?.metadata.labels?.[ZONE_LABEL] ?? "",
      ips: { ipv4: ofFamily(candidates, "ipv4")[0], ipv6: ofFamily(candidates, "ipv6")[0] },
      addresses: [...new Set([...candidates, ...host.addresses])],
    },
    podCIDRs: podCIDRs.map((text) => canonicalCIDR(text)).filter((cidr) => cidr !== undefined),
    known: manifest !== undefined,
  };
}

function addressesOfType(manifest: NodeManifest | undefined, wanted: string): readonly string[] {
  const addresses = manifest?.status?.addresses ?? [];
  return addresses
    .filter(({ type }) => type === wanted)
    .map(({ address }) => canonicalIP(address))
    .filter((ip) => ip !== undefined);
}

/** @throws UserError if the chosen detection lacks what it needs */
export function compileOptions(settings: Settings, node: Node, family: Family): CompileOptions {
  return {
    family,
    node: node.facts,
    masqueradeAll: settings.masqueradeAll,
    localDetector: localDetector(settings, node, family),
  };
}

function localDetector(settings: Settings, node: Node, family: Family): LocalDetector {
  switch (settings.detectLocalMode) {
    case "ClusterCIDR":
      return byCIDR(settings.clusterCIDRs, family);
    case "NodeCIDR":
      if (node.podCIDRs.length === 0) {
        throw new UserError(
          `detect-local mode NodeCIDR needs the Node object ${node.facts.name} with spec.podCIDRs`,
          "add it to the input (kubectl get nodes -o yaml), set --node-name, or use --cluster-cidr",
        );
      }
      return byCIDR(node.podCIDRs, family);
    case "BridgeInterface":
      return {
        kind: "interface",
        name: needed(settings.podBridgeInterface, "BridgeInterface", "--pod-bridge-interface"),
      };
    case "InterfaceNamePrefix": {
      const flag = "--pod-interface-name-prefix";
      return { kind: "interfacePrefix", prefix: needed(settings.podInterfaceNamePrefix, "InterfaceNamePrefix", flag) };
    }
  }
}

function byCIDR(cidrs: readonly string[], family: Family): LocalDetector {
  const cidr = ofFamily(cidrs, family)[0];
  return cidr === undefined ? { kind: "none" } : { kind: "cidr", cidr };
}

function needed(value: string | undefined, mode: string, flag: string): string {
  if (value !== undefined) return value;
  throw new UserError(`detect-local mode ${mode} needs ${flag}`, `give ${flag}, or choose another --detect-local-mode`);
}

export function renderOptions(settings: Settings, node: Node, host: HostFacts, family: Family): RenderOptions {
  const cidrs = nodePortCIDRs(settings, node.facts, family);
  const localhost =
    settings.backend === "iptables" && family === "ipv4" && settings.localhostNodePorts && includesLoopback(cidrs);
  return {
    family,
    masqueradeMark: 2 ** settings.masqueradeBit,
    nodePortAddresses: nodePortAddresses(cidrs, node.facts, localhost),
    localhostNodePorts: localhost,
    serviceCIDRs: ofFamily(settings.serviceCIDRs, family),
    comments: settings.comments,
    dropInvalid: !host.conntrackIsLiberal,
    randomFully: host.randomFully,
  };
}

// ── Where NodePorts answer (kube-proxy's pkg/proxy/util/nodeport_addresses.go) ───────────────────

const EVERYWHERE = { ipv4: "0.0.0.0/0", ipv6: "::/0" } as const;

/**
 * CIDRs of one family; a family that is left with none answers everywhere, whatever the other one does. By default
 * iptables answers everywhere, nftables on the primary address, and everywhere, as kube-proxy's does, where none is
 * known.
 * @throws UserError if only the primary address was asked for, and none is known: answering everywhere would open ports
 */
function nodePortCIDRs(settings: Settings, facts: NodeFacts, family: Family): readonly string[] {
  const { nodePortAddresses: setting } = settings;
  const kind = setting.kind === "default" && settings.backend === "nftables" ? "primary" : setting.kind;
  switch (kind) {
    case "default":
      return [EVERYWHERE[family]];
    case "primary": {
      const ip = facts.ips[family];
      if (setting.kind === "primary" && !Object.values(facts.ips).some(isPrimary)) throw primaryIsUnknown(facts);
      if (!isPrimary(ip)) return [EVERYWHERE[family]];
      return [`${ip}/${family === "ipv4" ? 32 : 128}`];
    }
    case "cidrs": {
      const own = setting.kind === "cidrs" ? ofFamily(setting.cidrs, family) : [];
      return own.length === 0 ? [EVERYWHERE[family]] : own;
    }
  }
}

function isPrimary(ip: string | undefined): ip is string {
  return ip !== undefined && !isLoopback(ip);
}

function primaryIsUnknown({ name }: NodeFacts): UserError {
  return new UserError(
    `--nodeport-addresses primary: no address of the node ${name} is known`,
    "give it with --node-ip, or add the Node object to the input (kubectl get nodes -o yaml)",
  );
}

function includesLoopback(cidrs: readonly string[]): boolean {
  return cidrs.some((cidr) => isLoopback(cidr) || contains(cidr, "127.0.0.0"));
}

/** All addresses of the node in any of the CIDRs, sorted; loopback only where localhost NodePorts are on. */
function nodePortAddresses(cidrs: readonly string[], facts: NodeFacts, localhost: boolean): NodePortAddresses {
  if (cidrs.some((cidr) => cidr.endsWith("/0"))) return { kind: "any" };
  const wanted = facts.addresses.filter((ip) => {
    if (isLoopback(ip) && (!localhost || familyOf(ip) === "ipv6")) return false;
    return cidrs.some((cidr) => contains(cidr, ip));
  });
  return { kind: "addresses", addresses: wanted.toSorted() };
}
