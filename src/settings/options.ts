/**
 * Every option that has a value in the configuration file, too: the flag is the key in kebab-case. A plain table,
 * so that the command line can be described without loading what reads the values.
 */
export interface Option {
  /** Key in the configuration file. */
  readonly key: OptionKey;
  /** Placeholder of the value; undefined for a switch. */
  readonly argument?: string;
  /** Given more than once, or as a comma-separated list. */
  readonly list?: true;
  /** A switch that can also be switched off: --no-… */
  readonly negatable?: true;
  readonly description: string;
}

export type OptionKey =
  | "kubeVersion"
  | "namespace"
  | "nodePortRange"
  | "nodeName"
  | "nodeIp"
  | "zone"
  | "ipFamily"
  | "clusterCidr"
  | "serviceCidr"
  | "detectLocalMode"
  | "podBridgeInterface"
  | "podInterfaceNamePrefix"
  | "masqueradeAll"
  | "masqueradeBit"
  | "nodeportAddresses"
  | "localhostNodeports"
  | "backend"
  | "comments"
  | "iptablesVariant"
  | "allowExternalIps"
  | "standalone"
  | "stateDir"
  | "verify"
  | "lockTimeout";

/** About the cluster for which the manifests were written: what is valid. */
export const CLUSTER_OPTIONS: readonly Option[] = [
  { key: "kubeVersion", argument: "VERSION", description: "judge by the rules of 1.33, 1.34, 1.35 or 1.36 (default)" },
  { key: "namespace", argument: "NAME", description: "of objects that name none (default: default)" },
  {
    key: "nodePortRange",
    argument: "FIRST-LAST",
    description: "node ports that a Service may have (default: 30000-32767)",
  },
  {
    key: "allowExternalIps",
    argument: "CIDR",
    list: true,
    description: "where external IPs may lie; all others are errors (default: anywhere)",
  },
];

/** About life without a cluster. */
export const STANDALONE_OPTIONS: readonly Option[] = [
  {
    key: "standalone",
    negatable: true,
    description: "fill in addresses, ports and endpoints that a manifest lacks (default: on; --no-standalone: off)",
  },
];

/** About the node and its network: what the rules mean. */
export const NODE_OPTIONS: readonly Option[] = [
  { key: "nodeName", argument: "NAME", description: "the node that the rules are for (default: host name)" },
  { key: "nodeIp", argument: "IP", list: true, description: "the node's own address, the first of each family counts" },
  { key: "zone", argument: "ZONE", description: "zone of the node, for topology hints (default: its Node's label)" },
  { key: "ipFamily", argument: "FAMILY", description: "ipv4, ipv6 or dual (default: what the Services need)" },
  { key: "clusterCidr", argument: "CIDR", list: true, description: "Pod network, at most one of each family" },
  { key: "serviceCidr", argument: "CIDR", list: true, description: "networks of cluster IPs" },
  {
    key: "detectLocalMode",
    argument: "MODE",
    description: "how Pod traffic is told: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix",
  },
  { key: "podBridgeInterface", argument: "NAME", description: "the Pods' bridge, for BridgeInterface" },
  {
    key: "podInterfaceNamePrefix",
    argument: "PREFIX",
    description: "of the Pods' interfaces, for InterfaceNamePrefix",
  },
  { key: "masqueradeAll", negatable: true, description: "masquerade all traffic to cluster IPs" },
  { key: "masqueradeBit", argument: "BIT", description: "bit of the packet mark, 0 to 31 (default: 14)" },
  {
    key: "nodeportAddresses",
    argument: "CIDR",
    list: true,
    description: "where NodePorts answer: CIDRs, primary or all",
  },
  {
    key: "localhostNodeports",
    negatable: true,
    description: "NodePorts answer on 127.0.0.1 (default: on; --no-localhost-nodeports: off)",
  },
];

/** About how it is written. */
export const BACKEND_OPTIONS: readonly Option[] = [
  { key: "backend", argument: "NAME", description: "iptables, nftables or auto (default: iptables)" },
  { key: "comments", argument: "WHEN", description: "rule comments: auto, always or never (default: auto)" },
];

/** About the machine on which the rules are. */
export const KERNEL_OPTIONS: readonly Option[] = [
  { key: "iptablesVariant", argument: "NAME", description: "nft or legacy (default: what this node uses)" },
  { key: "stateDir", argument: "DIR", description: "state between runs (default: /var/lib/svctables)" },
  { key: "verify", description: "nftables: list all rules of the kernel, even if nothing seems to have changed" },
  { key: "lockTimeout", argument: "SECONDS", description: "how long to wait for another run (default: 5)" },
];

export const ALL_OPTIONS: readonly Option[] = [
  ...CLUSTER_OPTIONS,
  ...STANDALONE_OPTIONS,
  ...NODE_OPTIONS,
  ...BACKEND_OPTIONS,
  ...KERNEL_OPTIONS,
];

/** nodeIp → --node-ip */
export function flagOf(key: OptionKey): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}
