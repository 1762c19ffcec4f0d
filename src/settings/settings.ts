import { familyOf } from "../ip.ts";
import type { BackendName, CommentPolicy, Family } from "../types.ts";
import type { OptionKey } from "./options.ts";
import {
  readBoolean,
  readChoice,
  readCIDRs,
  readDualCIDRs,
  readInteger,
  readIPs,
  readList,
  readText,
  wrong,
} from "./values.ts";

export const DETECT_LOCAL_MODES = ["ClusterCIDR", "NodeCIDR", "BridgeInterface", "InterfaceNamePrefix"] as const;
export type DetectLocalMode = (typeof DETECT_LOCAL_MODES)[number];

export const KUBE_VERSIONS = ["1.33", "1.34", "1.35", "1.36"] as const;

export type NodePortAddressSetting =
  | { readonly kind: "default" }
  | { readonly kind: "primary" }
  | { readonly kind: "cidrs"; readonly cidrs: readonly string[] };

/** What the user decided, defaults filled in; nothing of this depends on the machine or the input. */
export interface Settings {
  readonly kubeVersion: (typeof KUBE_VERSIONS)[number];
  readonly namespace: string;
  /** Both ends included. */
  readonly nodePortRange: { readonly first: number; readonly last: number };
  /** Fill in what an API server would have filled in, where a manifest lacks it. */
  readonly standalone: boolean;
  /** Where external IPs may lie; undefined: anywhere. */
  readonly allowedExternalIPs: readonly string[] | undefined;
  readonly nodeName: string | undefined;
  readonly nodeIPs: readonly string[];
  readonly zone: string | undefined;
  /** undefined: the families that the Services need. */
  readonly families: readonly Family[] | undefined;
  readonly clusterCIDRs: readonly string[];
  readonly serviceCIDRs: readonly string[];
  readonly detectLocalMode: DetectLocalMode;
  readonly podBridgeInterface: string | undefined;
  readonly podInterfaceNamePrefix: string | undefined;
  readonly masqueradeAll: boolean;
  readonly masqueradeBit: number;
  readonly nodePortAddresses: NodePortAddressSetting;
  readonly localhostNodePorts: boolean;
  readonly backend: BackendName | "auto";
  readonly comments: CommentPolicy;
  readonly iptablesVariant: "nft" | "legacy" | undefined;
  readonly stateDir: string;
  /** List all rules of the kernel, even where a stamp says that they are as they were left. */
  readonly verify: boolean;
  readonly lockTimeoutSeconds: number;
}

/** A value as it was written, and where: for error messages. */
export interface RawSetting {
  readonly key: OptionKey;
  readonly value: unknown;
  readonly where: string;
}

const FAMILY_CHOICES = ["ipv4", "ipv6", "dual"] as const;
const FAMILIES: Readonly<Record<(typeof FAMILY_CHOICES)[number], readonly Family[]>> = {
  ipv4: ["ipv4"],
  ipv6: ["ipv6"],
  dual: ["ipv4", "ipv6"],
};

const INTERFACE = /^[A-Za-z0-9_][A-Za-z0-9_.:-]{0,14}$/;
const NODE_NAME = /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-_.A-Za-z0-9]{0,61}[A-Za-z0-9])?)?$/;

/**
 * Reads every value once; of several for one key the last one counts (flags come after the file), and only that
 * one is judged.
 * @throws UserError naming the flag or key, what was expected and what was found
 */
export function settingsOf(raw: readonly RawSetting[]): Settings {
  const byKey = new Map(raw.map((setting) => [setting.key, setting]));
  const read = <T>(key: OptionKey, reader: (value: unknown, where: string) => T): T | undefined => {
    const found = byKey.get(key);
    return found === undefined ? undefined : reader(found.value, found.where);
  };
  const ipFamily = read("ipFamily", (value, where) => readChoice(value, where, FAMILY_CHOICES));
  return {
    kubeVersion: read("kubeVersion", (value, where) => readChoice(value, where, KUBE_VERSIONS)) ?? "1.36",
    namespace: read("namespace", readNamespace) ?? "default",
    nodePortRange: read("nodePortRange", readPortRange) ?? { first: 30000, last: 32767 },
    standalone: read("standalone", readBoolean) ?? true,
    allowedExternalIPs: read("allowExternalIps", readCIDRs),
    nodeName: read("nodeName", readNodeName),
    nodeIPs: read("nodeIp", readIPs) ?? [],
    zone: read("zone", (value, where) =>
      readText(value, where, LABEL_VALUE, "a label value", "for example eu-west-1a"),
    ),
    families: ipFamily === undefined ? undefined : FAMILIES[ipFamily],
    clusterCIDRs: read("clusterCidr", readDualCIDRs) ?? [],
    serviceCIDRs: read("serviceCidr", readCIDRs) ?? [],
    detectLocalMode:
      read("detectLocalMode", (value, where) => readChoice(value, where, DETECT_LOCAL_MODES)) ?? "ClusterCIDR",
    podBridgeInterface: read("podBridgeInterface", readInterface),
    podInterfaceNamePrefix: read("podInterfaceNamePrefix", readInterface),
    masqueradeAll: read("masqueradeAll", readBoolean) ?? false,
    masqueradeBit: read("masqueradeBit", (value, where) => readInteger(value, where, 0, 31)) ?? 14,
    nodePortAddresses: read("nodeportAddresses", readNodePortAddresses) ?? { kind: "default" },
    localhostNodePorts: read("localhostNodeports", readBoolean) ?? true,
    backend:
      read("backend", (value, where) => readChoice(value, where, ["iptables", "nftables", "auto"])) ?? "iptables",
    comments: read("comments", (value, where) => readChoice(value, where, ["auto", "always", "never"])) ?? "auto",
    iptablesVariant: read("iptablesVariant", (value, where) => readChoice(value, where, ["nft", "legacy"])),
    stateDir: read("stateDir", readDirectory) ?? "/var/lib/svctables",
    verify: read("verify", readBoolean) ?? false,
    lockTimeoutSeconds: read("lockTimeout", (value, where) => readInteger(value, where, 0, 86_400)) ?? 5,
  };
}

function readNodeName(value: unknown, where: string): string {
  const lower = typeof value === "string" ? value.trim().toLowerCase() : value;
  return readText(
    lower,
    where,
    NODE_NAME,
    "the name of a node",
    "for example worker-1, as `kubectl get nodes` prints it",
  );
}

function readNamespace(value: unknown, where: string): string {
  return readText(value, where, /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "a namespace", "for example default");
}

function readPortRange(value: unknown, where: string): Settings["nodePortRange"] {
  const [first = 0, last = 0] = typeof value === "string" ? value.split("-").map(Number) : [];
  const isRange = typeof value === "string" && /^\d{1,5}-\d{1,5}$/.test(value);
  if (!isRange || first < 1 || last > 65535 || first > last) {
    throw wrong(where, value, "a range of ports", "for example 30000-32767");
  }
  return { first, last };
}

function readInterface(value: unknown, where: string): string {
  return readText(
    value,
    where,
    INTERFACE,
    "the name of an interface",
    "at most 15 letters, for example cni0; without +",
  );
}

function readDirectory(value: unknown, where: string): string {
  return readText(value, where, /^[^\0]+$/, "a directory", "for example /var/lib/svctables");
}

function readNodePortAddresses(value: unknown, where: string): NodePortAddressSetting {
  const items = readList(value, where);
  if (Array.isArray(value) && value.length === 0) return { kind: "default" };
  // A template may have left a blank; to answer everywhere then would open ports.
  if (items.length === 0) throw wrong(where, value, "a CIDR, primary or all", "leave it out for the default");
  if (items.length === 1 && items[0] === "primary") return { kind: "primary" };
  if (items.length === 1 && items[0] === "all") return { kind: "cidrs", cidrs: ["0.0.0.0/0", "::/0"] };
  return { kind: "cidrs", cidrs: readCIDRs(items, where) };
}

/** The families that a run reads and writes. */
export function familiesOf({ families }: Pick<Settings, "families">): readonly Family[] {
  return families ?? ["ipv4", "ipv6"];
}

export function ofFamily(addresses: readonly string[], family: Family): readonly string[] {
  return addresses.filter((address) => familyOf(address) === family);
}
