/**
 * The nouns. Plain, readonly values that flow between the stages:
 *
 *   text → Document → Manifest → ServicePort → Ruleset → Table → Change → Transaction
 *
 * This file imports nothing and holds no code.
 */

export type Family = "ipv4" | "ipv6";
export type Protocol = "tcp" | "udp" | "sctp";
export type TrafficPolicy = "Cluster" | "Local";
export type BackendName = "iptables" | "nftables";

// ── Input ────────────────────────────────────────────────────────────────────────────────────────

/** Where something was written. Line and column (1-based) are found only when an error needs them. */
export interface Source {
  /** File name as the user gave it, or "-" for standard input. */
  readonly file: string;
  /** 0-based index of the YAML or JSON document inside the file. */
  readonly document: number;
  /** 0-based index inside the document's `items`, when the document is a List. */
  readonly item?: number;
  /** Field path inside the object, as the API server writes it: `spec.ports[0].name`. */
  readonly path?: string;
  readonly line?: number;
  readonly column?: number;
}

/** One object as it was read, before anything is known about it. */
export interface Document {
  readonly source: Source;
  readonly value: unknown;
}

export interface ObjectMeta {
  readonly name: string;
  readonly namespace: string;
  readonly uid?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly deletionTimestamp?: string;
}

interface ManifestOf<K extends string> {
  readonly kind: K;
  readonly source: Source;
  readonly metadata: ObjectMeta;
}

export interface ServicePortSpec {
  readonly name?: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly port: number;
  readonly targetPort?: number | string;
  readonly nodePort?: number;
  readonly appProtocol?: string;
}

export interface ServiceSpec {
  readonly type: "ClusterIP" | "NodePort" | "LoadBalancer" | "ExternalName";
  readonly clusterIP?: string;
  readonly clusterIPs?: readonly string[];
  readonly ipFamilies?: readonly ("IPv4" | "IPv6")[];
  readonly ipFamilyPolicy?: string;
  readonly ports?: readonly ServicePortSpec[];
  readonly selector?: Readonly<Record<string, string>>;
  readonly externalIPs?: readonly string[];
  readonly externalName?: string;
  readonly externalTrafficPolicy?: TrafficPolicy;
  readonly internalTrafficPolicy?: TrafficPolicy;
  readonly healthCheckNodePort?: number;
  readonly loadBalancerIP?: string;
  readonly loadBalancerSourceRanges?: readonly string[];
  readonly publishNotReadyAddresses?: boolean;
  readonly sessionAffinity?: "None" | "ClientIP";
  readonly sessionAffinityConfig?: { readonly clientIP?: { readonly timeoutSeconds?: number } };
  readonly trafficDistribution?: string;
  readonly allocateLoadBalancerNodePorts?: boolean;
}

export interface LoadBalancerIngress {
  readonly ip?: string;
  readonly hostname?: string;
  readonly ipMode?: "VIP" | "Proxy";
}

export interface ServiceManifest extends ManifestOf<"Service"> {
  readonly spec: ServiceSpec;
  readonly status?: { readonly loadBalancer?: { readonly ingress?: readonly LoadBalancerIngress[] } };
}

export interface EndpointAddress {
  readonly ip: string;
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly targetRef?: { readonly uid?: string; readonly name?: string };
}

export interface EndpointsSubset {
  readonly addresses?: readonly EndpointAddress[];
  readonly notReadyAddresses?: readonly EndpointAddress[];
  readonly ports?: readonly {
    readonly name?: string;
    readonly port: number;
    readonly protocol: "TCP" | "UDP" | "SCTP";
  }[];
}

export interface EndpointsManifest extends ManifestOf<"Endpoints"> {
  readonly subsets?: readonly EndpointsSubset[];
}

export interface SliceEndpoint {
  readonly addresses: readonly string[];
  readonly conditions?: {
    readonly ready?: boolean;
    readonly serving?: boolean;
    readonly terminating?: boolean;
  };
  readonly hostname?: string;
  readonly nodeName?: string;
  readonly zone?: string;
  readonly hints?: {
    readonly forZones?: readonly { readonly name: string }[];
    readonly forNodes?: readonly { readonly name: string }[];
  };
  readonly targetRef?: {
    readonly kind?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly uid?: string;
  };
}

export interface SlicePort {
  readonly name: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly port?: number;
  readonly appProtocol?: string;
}

export interface EndpointSliceManifest extends ManifestOf<"EndpointSlice"> {
  readonly addressType: "IPv4" | "IPv6" | "FQDN";
  readonly endpoints?: readonly SliceEndpoint[];
  readonly ports?: readonly SlicePort[];
}

export interface NodeManifest extends ManifestOf<"Node"> {
  readonly spec?: { readonly podCIDRs: readonly string[] };
  readonly status?: { readonly addresses?: readonly { readonly type: string; readonly address: string }[] };
}

export interface ContainerPort {
  readonly name?: string;
  readonly containerPort: number;
  readonly protocol: "TCP" | "UDP" | "SCTP";
}

export interface Container {
  readonly name: string;
  readonly restartPolicy?: string;
  readonly ports?: readonly ContainerPort[];
}

export interface PodManifest extends ManifestOf<"Pod"> {
  readonly spec: {
    readonly nodeName?: string;
    readonly hostname?: string;
    readonly subdomain?: string;
    readonly hostNetwork?: boolean;
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
  };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** A validated object of a kind that matters here, with the API server's defaults filled in. */
export type Manifest = ServiceManifest | EndpointsManifest | EndpointSliceManifest | NodeManifest | PodManifest;

/** A Service and what serves it, whichever way the input says so. */
export interface ServiceWithSlices {
  readonly service: ServiceManifest;
  /** Sorted by name. */
  readonly slices: readonly EndpointSliceManifest[];
}

export type Severity = "error" | "warning";

/** A finding about the input: data, never thrown. */
export interface Diagnostic {
  /** Stable kebab-case name, e.g. `port-name-invalid`. */
  readonly code: string;
  readonly severity: Severity;
  readonly source: Source;
  /** "Service default/web", when the document says who it is. */
  readonly object?: string;
  /** What is wrong, what was found and what was expected, in one sentence. */
  readonly message: string;
  /** What to do about it. */
  readonly hint?: string;
}

// ── Node ─────────────────────────────────────────────────────────────────────────────────────────

/** How traffic of this node's Pods is told from other traffic, per family (kube-proxy's detect-local mode). */
export type LocalDetector =
  | { readonly kind: "none" }
  | { readonly kind: "cidr"; readonly cidr: string }
  | { readonly kind: "interface"; readonly name: string }
  | { readonly kind: "interfacePrefix"; readonly prefix: string };

/** What must be known about the node that the rules are for. */
export interface NodeFacts {
  /** Lower case; compared with an endpoint's `nodeName`. */
  readonly name: string;
  /** Value of the label `topology.kubernetes.io/zone`; "" when unknown. */
  readonly zone: string;
  /** Primary address of each family. */
  readonly ips: Readonly<Record<Family, string | undefined>>;
  /** Every address of this node, primary ones included, in canonical form. */
  readonly addresses: readonly string[];
}

/** The destinations on which NodePorts answer. */
export type NodePortAddresses =
  | { readonly kind: "any" }
  /** Exact local addresses; an empty list means that NodePorts answer nowhere. */
  | { readonly kind: "addresses"; readonly addresses: readonly string[] };

// ── Services as this node serves them ────────────────────────────────────────────────────────────

/** Identity of a ServicePort. `text` is "ns/name" or "ns/name:port", as kube-proxy prints it. */
export interface ServicePortName {
  readonly namespace: string;
  readonly name: string;
  /** Port name; "" when the port is unnamed. */
  readonly port: string;
  readonly protocol: Protocol;
  readonly text: string;
}

export interface Endpoint {
  readonly ip: string;
  readonly port: number;
  /** "ip:port", IPv6 in brackets: the sort key, and what DNAT is told. */
  readonly address: string;
  readonly isLocal: boolean;
  readonly ready: boolean;
  readonly serving: boolean;
  readonly terminating: boolean;
}

/** The endpoints of one ServicePort after topology and traffic policies (kube-proxy's topology.go). */
export interface EndpointSets {
  /** Every known endpoint, usable or not, in kube-proxy's order (bytewise by address). */
  readonly all: readonly Endpoint[];
  /** Used under policy Cluster. */
  readonly cluster: readonly Endpoint[];
  /** Used under policy Local. */
  readonly local: readonly Endpoint[];
  /** cluster ∪ local: the endpoints that some rule can reach. */
  readonly reachable: readonly Endpoint[];
  /** Whether any endpoint anywhere could take traffic: refuse without, drop with. */
  readonly hasAny: boolean;
}

/** One port of one Service in one family: the unit of everything that follows. Addresses are canonical. */
export interface ServicePort {
  readonly name: ServicePortName;
  readonly family: Family;
  readonly clusterIP: string;
  readonly port: number;
  /** 0 when there is none. */
  readonly nodePort: number;
  readonly externalIPs: readonly string[];
  readonly loadBalancerVIPs: readonly string[];
  /** Source CIDRs that the VIPs admit; empty admits all. */
  readonly sourceRanges: readonly string[];
  readonly internalTrafficPolicy: TrafficPolicy;
  /** "Cluster" where the Service's type does not honour the field. */
  readonly externalTrafficPolicy: TrafficPolicy;
  /** ClientIP affinity time-out in seconds; undefined for none. */
  readonly affinitySeconds: number | undefined;
  /** 0 when there is none. */
  readonly healthCheckNodePort: number;
  readonly endpoints: EndpointSets;
  readonly source: Source;
}

// ── What is meant ────────────────────────────────────────────────────────────────────────────────

/** Who caused a line: carried from the manifest to the change, so nothing is parsed back out of text. */
export interface Origin {
  readonly source: Source;
  readonly servicePort: ServicePortName;
}

export type ChainRole = "cluster" | "local" | "external";

/** A chain by its meaning; each backend names it in its own way. */
export interface ChainId {
  readonly role: ChainRole;
  readonly servicePort: ServicePortName;
}

export type Verdict =
  | { readonly kind: "accept" }
  | { readonly kind: "drop" }
  | { readonly kind: "reject" }
  | { readonly kind: "return" }
  | { readonly kind: "goto"; readonly chain: ChainId };

export type Match =
  | { readonly kind: "source"; readonly cidr: string; readonly negated: boolean }
  | { readonly kind: "inputInterface"; readonly name: string; readonly prefix: boolean; readonly negated: boolean }
  /** The packet was sent by this node itself. */
  | { readonly kind: "sourceIsNode" };

export type Statement =
  | { readonly kind: "verdict"; readonly verdict: Verdict }
  /** The source address is to be replaced by the node's when the packet leaves. */
  | { readonly kind: "masquerade" }
  /** One endpoint, picked evenly; hairpin traffic is always masqueraded. */
  | {
      readonly kind: "dnat";
      readonly endpoints: readonly Endpoint[];
      readonly affinitySeconds: number | undefined;
    };

export interface Rule {
  readonly matches: readonly Match[];
  readonly statement: Statement;
}

export interface Chain {
  readonly id: ChainId;
  readonly rules: readonly Rule[];
  readonly origin: Origin;
}

export type Destination =
  | { readonly kind: "clusterIP"; readonly ip: string }
  | { readonly kind: "externalIP"; readonly ip: string }
  | { readonly kind: "loadBalancerIP"; readonly ip: string }
  /** Any address on which NodePorts answer. */
  | { readonly kind: "nodePort" };

/** What happens to new traffic for one destination, protocol and port. */
export interface Dispatch {
  readonly destination: Destination;
  readonly protocol: Protocol;
  readonly port: number;
  /** goto a chain; reject: no endpoints anywhere; drop: none that the policy allows. */
  readonly verdict: Verdict;
  /** Only these source CIDRs are admitted, all others dropped; undefined admits all. */
  readonly allowFrom: readonly string[] | undefined;
  /** Fate of traffic that entered the chain and was not translated there (policy Local, none local). */
  readonly otherwise: "drop" | undefined;
  readonly origin: Origin;
}

/** A health-check port of a LoadBalancer Service with policy Local, to be let in. */
export interface HealthCheck {
  readonly port: number;
  readonly origin: Origin;
}

/** Everything that one family's rules mean, decided once for all backends. */
export interface Ruleset {
  readonly family: Family;
  readonly dispatch: readonly Dispatch[];
  /** One for each address and port whose sources are asked for before anything is translated, whoever has it (nftables). */
  readonly firewalled: readonly Dispatch[];
  readonly chains: readonly Chain[];
  readonly healthChecks: readonly HealthCheck[];
  /** ClusterIP traffic is masqueraded when all these match; undefined: never; []: always. */
  readonly masqueradeClusterIP: readonly Match[] | undefined;
  /** Endpoints in total, usable or not (kube-proxy's large-cluster mode counts them so). */
  readonly endpointCount: number;
}

/** Settings that change what is meant. */
export interface CompileOptions {
  readonly family: Family;
  readonly node: NodeFacts;
  readonly masqueradeAll: boolean;
  readonly localDetector: LocalDetector;
}

// ── What is written ──────────────────────────────────────────────────────────────────────────────

export type CommentPolicy = "auto" | "always" | "never";

/** Settings that change how it is written, for one family. */
export interface RenderOptions {
  readonly family: Family;
  /** Packet mark of traffic to masquerade: one bit, 1 << masqueradeBit. */
  readonly masqueradeMark: number;
  readonly nodePortAddresses: NodePortAddresses;
  /** NodePorts answer on 127.0.0.1 (iptables, IPv4 only). */
  readonly localhostNodePorts: boolean;
  /** Canonical CIDRs of this family. */
  readonly serviceCIDRs: readonly string[];
  readonly comments: CommentPolicy;
  /** False when sysctl nf_conntrack_tcp_be_liberal is set: INVALID packets are then not dropped. */
  readonly dropInvalid: boolean;
  /** MASQUERADE --random-fully, iptables ≥ 1.6.2. */
  readonly randomFully: boolean;
}

/** One rule as the tool prints it back, without the words that name its chain. */
export interface Line {
  readonly text: string;
  readonly origin?: Origin;
  /** Read from the kernel and tolerated: its presence is no difference (others rely on it, or it only counts). */
  readonly tolerated?: boolean;
  /** 1-based position in a chain shared with others, when read from the kernel. */
  readonly position?: number;
}

/** One element of a set or map. `value` is "" in a set. */
export interface Element {
  readonly key: string;
  readonly value: string;
  readonly origin?: Origin;
}

export type TableObject =
  | {
      readonly kind: "chain";
      readonly name: string;
      /** Hook text of an nft base chain, or undefined. */
      readonly hook?: string;
      readonly comment?: string;
      /** False: the order of the lines (the tail's too) carries no meaning. */
      readonly ordered: boolean;
      readonly lines: readonly Line[];
      /** Lines that must follow all others. */
      readonly tail?: readonly Line[];
      /** A rule of somebody else leads here, so the chain can be emptied but not deleted. */
      readonly pinned?: boolean;
    }
  /** A chain that belongs to others, in which only these lines are ours. */
  | {
      readonly kind: "sharedChain";
      readonly name: string;
      /** Wanted: in the order of insertion at the head. Read: ours only, in the kernel's order. */
      readonly lines: readonly Line[];
      /** Whether it also holds lines of others (or is theirs), so that it must stay. */
      readonly foreign?: boolean;
    }
  | {
      readonly kind: "set" | "map";
      readonly name: string;
      /** The type, flags and so on, in the tool's words. */
      readonly declaration: string;
      readonly comment?: string;
      /** By key. */
      readonly elements: ReadonlyMap<string, Element>;
    };

/** One table of one family, object by object, in canonical form. */
export interface Table {
  readonly family: Family;
  readonly name: string;
  readonly objects: ReadonlyMap<string, TableObject>;
}

/** One object that is not as it should be. `before` is what the kernel holds, `after` what is wanted. */
export interface Change {
  readonly family: Family;
  readonly table: string;
  readonly name: string;
  readonly before: TableObject | undefined;
  readonly after: TableObject | undefined;
  /** Lines or elements that go and come; what stays is in neither. */
  readonly removed: readonly Line[];
  readonly added: readonly Line[];
  /** Set where the table holds nothing before, or nothing after. */
  readonly wholeTable?: "comes" | "goes" | undefined;
}

/** Text for one run of a tool, written when it is first asked for. `origins[i]` is who caused line i + 1. */
export interface TransactionStep {
  readonly text: string;
  readonly origins: readonly (Origin | undefined)[];
  /** Whether it makes sense only after the one before it, so that it cannot be checked alone. */
  readonly isDependent?: boolean;
  /** Whether it may be taken at the same time as a neighbour that says so, too. */
  readonly isUnordered?: boolean;
}

/** What would be fed to the tool, in this order, and what takes it back. A value: print it, count it, check it. */
export interface Transaction {
  readonly backend: BackendName;
  readonly family: Family;
  readonly steps: readonly TransactionStep[];
  /** Written when it is asked for. */
  readonly undo: readonly TransactionStep[];
}

// ── Running ──────────────────────────────────────────────────────────────────────────────────────

/** A program to start: no shell, arguments as they are, input by stdin. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly input?: string;
  /** Called while the program runs: does a piece of other work, and tells whether there was any. */
  readonly meanwhile?: (() => boolean) | undefined;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts programs. The only implementation that touches the system is `apply/exec.ts`. */
export type Runner = (command: Command) => Promise<CommandResult>;

export type ApplyResult =
  | { readonly kind: "unchanged" }
  | { readonly kind: "applied"; readonly changes: readonly Change[] }
  | {
      readonly kind: "refused";
      readonly reason: string;
      readonly origin: Origin | undefined;
      readonly rolledBack: boolean;
    };

/** A new packet, as it is seen first. */
export interface Packet {
  readonly family: Family;
  readonly protocol: Protocol;
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  /** Interface it came in by; undefined for packets that this node sends. */
  readonly inputInterface?: string;
}

/** The fate of a packet; with several endpoints, each is equally likely. */
export type Fate =
  | { readonly kind: "endpoints"; readonly addresses: readonly string[]; readonly masqueraded: readonly boolean[] }
  | { readonly kind: "reject" }
  | { readonly kind: "drop" }
  | { readonly kind: "accept" }
  /** No rule of ours concerns it. */
  | { readonly kind: "pass" };

export interface Trace {
  readonly packet: Packet;
  readonly fate: Fate;
  /** What was met on the way, in order, for people. */
  readonly steps: readonly string[];
}

// ── Discovery ────────────────────────────────────────────────────────────────────────────────────

/** What a container finds in its environment about a Service. */
export interface EnvironmentVariable {
  readonly name: string;
  readonly value: string;
  /** "namespace/name" of the Service that it tells of. */
  readonly service: string;
}

/** A record of class IN; names are absolute, with their dot at the end. */
export interface DnsRecord {
  readonly name: string;
  readonly type: "A" | "AAAA" | "CNAME" | "PTR" | "SRV" | "TXT";
  /** As a zone file has it. */
  readonly content: string;
}

export interface DnsRecords {
  readonly records: readonly DnsRecord[];
  /** What has no record though it is in the input, and why. */
  readonly leftOut: readonly string[];
}

// ── Backends ─────────────────────────────────────────────────────────────────────────────────────

/** How one flavour of the tool is asked and told; made by a backend for one family. */
export interface KernelCommands {
  /** Prints what the kernel holds, one command after the other; their outputs are joined. */
  readonly list: readonly Command[];
  /** Asks the tool whether it would take this step; undefined when it cannot be asked. */
  check(step: TransactionStep): Command | undefined;
  apply(step: TransactionStep): Command;
  /** 1-based line of the input that a message of the tool blames. */
  failedLine(stderr: string): number | undefined;
  /** Whether a listing failed only because the kernel holds nothing of ours. */
  isAbsent?(result: CommandResult): boolean;
  /** The table that a listing says it cannot show: rules of others keep the tool from reading it. */
  unreadableTable?(listing: string): string | undefined;
  /** Prints the stamp alone, at a cost that does not grow with what the kernel holds. */
  readonly stamp?: Command;
}

/** What a backend can do: all pure. */
export interface Backend {
  readonly name: BackendName;
  /** Writes what is meant, canonical, object by object. */
  render(ruleset: Ruleset, options: RenderOptions): readonly Table[];
  /** Reads the tool's listing into the same shape; what is not ours is left out. */
  read(listing: string, family: Family): readonly Table[];
  /** A form of a line's text in which two that mean the same are equal; asked only where the texts differ. */
  comparable(object: string, text: string): string;
  /** `flavour` as in `commands`: what is quick for one tool may be slow for another. */
  transaction(family: Family, changes: readonly Change[], flavour: string): Transaction;
  /** `flavour`: "nft" or "legacy" for iptables; the nft program for nftables. */
  commands(family: Family, flavour: string): KernelCommands;
  /** What is wanted, with arbitrary choices (indices, numbers) made as the kernel holds them; before `diff`. */
  settle?(wanted: readonly Table[], held: readonly Table[]): readonly Table[];
  /** Whether no sequence of single changes leads there, so that `replacement` is the way. */
  mustReplace?(changes: readonly Change[]): boolean;
  /** Replaces everything at once; its only step, with nothing held, is what `compile` prints. */
  replacement?(family: Family, wanted: readonly Table[], held: readonly Table[]): Transaction;
  /** What `read` takes for these tables, piece by piece. */
  written?(tables: readonly Table[]): Iterable<string>;
  /** Whether the rules let packets write into the tables, so that listing them may take any time. */
  isWrittenByPackets?(tables: readonly Table[]): boolean;
  /** The stamp in tables that were rendered or read: equal stamps, equal tables. */
  stamp?(tables: readonly Table[]): string | undefined;
}
