import type { Line, RenderOptions, TableObject } from "../../types.ts";
import { comment, host, mark } from "./words.ts";

/** What does not depend on any Service: the jumps from built-in chains and the fixed rules. */

interface Jump {
  readonly table: "filter" | "nat";
  readonly from: string;
  readonly text: string;
}

function jump(table: Jump["table"], from: string, to: string, match: string, why: string): Jump {
  const words = [match, why === "" ? "" : comment(why), `-j ${to}`];
  return { table, from, text: words.filter((word) => word !== "").join(" ") };
}

const NEW = "-m conntrack --ctstate NEW";
const EXTERNAL = "kubernetes externally-visible service portals";
const PORTALS = "kubernetes service portals";
const FIREWALL = "kubernetes load balancer firewall";

/** In the order of insertion: each goes to the head of its chain, so the last one is met first. */
export const JUMPS: readonly Jump[] = [
  jump("filter", "INPUT", "KUBE-EXTERNAL-SERVICES", NEW, EXTERNAL),
  jump("filter", "FORWARD", "KUBE-EXTERNAL-SERVICES", NEW, EXTERNAL),
  jump("filter", "INPUT", "KUBE-NODEPORTS", "", "kubernetes health check service ports"),
  jump("filter", "FORWARD", "KUBE-SERVICES", NEW, PORTALS),
  jump("filter", "OUTPUT", "KUBE-SERVICES", NEW, PORTALS),
  jump("filter", "FORWARD", "KUBE-FORWARD", "", "kubernetes forwarding rules"),
  jump("filter", "INPUT", "KUBE-PROXY-FIREWALL", NEW, FIREWALL),
  jump("filter", "OUTPUT", "KUBE-PROXY-FIREWALL", NEW, FIREWALL),
  jump("filter", "FORWARD", "KUBE-PROXY-FIREWALL", NEW, FIREWALL),
  jump("nat", "OUTPUT", "KUBE-SERVICES", "", PORTALS),
  jump("nat", "PREROUTING", "KUBE-SERVICES", "", PORTALS),
  jump("nat", "POSTROUTING", "KUBE-POSTROUTING", "", "kubernetes postrouting rules"),
  jump("filter", "INPUT", "KUBE-FIREWALL", "", ""),
  jump("filter", "OUTPUT", "KUBE-FIREWALL", "", ""),
];

/** Built-in chains that we jump from, with our jumps in the order of insertion. */
export function sharedChains(table: "filter" | "nat"): readonly TableObject[] {
  const byChain = new Map<string, Line[]>();
  for (const { table: owner, from, text } of JUMPS) {
    if (owner !== table) continue;
    byChain.set(from, [...(byChain.get(from) ?? []), { text }]);
  }
  return [...byChain].map(([name, lines]) => ({ kind: "sharedChain", name, lines }));
}

/** Chains that are ours, whole, whatever the Services are. */
export const FIXED_CHAINS = {
  filter: ["KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-FORWARD", "KUBE-NODEPORTS", "KUBE-PROXY-FIREWALL"],
  nat: ["KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ"],
} as const;

/** Chains in which the order of rules carries no meaning: each rule has a destination of its own. */
export const UNORDERED_CHAINS: ReadonlySet<string> = new Set([
  "KUBE-SERVICES",
  "KUBE-EXTERNAL-SERVICES",
  "KUBE-NODEPORTS",
  "KUBE-PROXY-FIREWALL",
]);

/** kubelet keeps a chain of this name with the same rule, so neither may take the other's away. */
export const MARTIAN_CHAIN = "KUBE-FIREWALL";
export const MARTIAN_RULE =
  `! -s 127.0.0.0/8 -d 127.0.0.0/8 ${comment("block incoming localnet connections")} ` +
  "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP";

export function martianChain({ localhostNodePorts }: RenderOptions): TableObject {
  return { kind: "sharedChain", name: MARTIAN_CHAIN, lines: localhostNodePorts ? [{ text: MARTIAN_RULE }] : [] };
}

export function forwardRules({ masqueradeMark, dropInvalid }: RenderOptions): readonly Line[] {
  const bit = mark(masqueradeMark);
  const accept = [
    { text: `${comment("kubernetes forwarding rules")} -m mark --mark ${bit}/${bit} -j ACCEPT` },
    {
      text: `${comment("kubernetes forwarding conntrack rule")} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
    },
  ];
  return dropInvalid ? [{ text: "-m conntrack --ctstate INVALID -j DROP" }, ...accept] : accept;
}

export function postroutingRules({ masqueradeMark, randomFully }: RenderOptions): readonly Line[] {
  const bit = mark(masqueradeMark);
  return [
    { text: `-m mark ! --mark ${bit}/${bit} -j RETURN` },
    // The mark is cleared, so that a packet which passes here again is not masqueraded twice.
    { text: `-j MARK --set-xmark ${bit}/0x0` },
    {
      text: `${comment("kubernetes service traffic requiring SNAT")} -j MASQUERADE${randomFully ? " --random-fully" : ""}`,
    },
  ];
}

export function markRules({ masqueradeMark }: RenderOptions): readonly Line[] {
  const bit = mark(masqueradeMark);
  return [{ text: `-j MARK --set-xmark ${bit}/${bit}` }];
}

/** The last rule of KUBE-SERVICES: what is for this node may be for a NodePort. */
export function nodePortTail(options: RenderOptions): readonly Line[] {
  const why = comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain");
  const { family, nodePortAddresses, localhostNodePorts } = options;
  if (nodePortAddresses.kind === "addresses") {
    return nodePortAddresses.addresses.map((ip) => ({ text: `-d ${host(family, ip)} ${why} -j KUBE-NODEPORTS` }));
  }
  const loopback = family === "ipv6" ? "! -d ::1/128 " : localhostNodePorts ? "" : "! -d 127.0.0.0/8 ";
  return [{ text: `${loopback}${why} -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS` }];
}
