import type { Chain, Dispatch, Line, Origin, RenderOptions, Rule, Ruleset, Table, TableObject } from "../../types.ts";
import { chainName, endpointChainName, firewallChainName } from "./names.ts";
import {
  FIXED_CHAINS,
  forwardRules,
  markRules,
  martianChain,
  nodePortTail,
  postroutingRules,
  sharedChains,
  UNORDERED_CHAINS,
} from "./scaffolding.ts";
import { comment, host, matchWords, oneOf, recentCheck, recentSet, reject, toAddress, toPort } from "./words.ts";

/** Above this many endpoints kube-proxy leaves out the comments of endpoint choices. */
const LARGE_CLUSTER_ENDPOINTS = 1000;

interface Writing {
  readonly ruleset: Ruleset;
  readonly options: RenderOptions;
  /** Whether endpoint choices carry comments. */
  readonly verbose: boolean;
  readonly filter: Map<string, Line[]>;
  readonly nat: Map<string, Line[]>;
}

/** kube-proxy's chains and rules (pkg/proxy/iptables/proxier.go), as iptables-save prints them back. */
export function render(ruleset: Ruleset, options: RenderOptions): readonly Table[] {
  const { comments } = options;
  const writing: Writing = {
    ruleset,
    options,
    verbose: comments === "always" || (comments === "auto" && ruleset.endpointCount <= LARGE_CLUSTER_ENDPOINTS),
    filter: fixedChains("filter"),
    nat: fixedChains("nat"),
  };
  add(writing.filter, "KUBE-FORWARD", forwardRules(options));
  add(writing.nat, "KUBE-POSTROUTING", postroutingRules(options));
  add(writing.nat, "KUBE-MARK-MASQ", markRules(options));
  writeClusterIPMasquerade(writing);
  for (const chain of ruleset.chains) writeChain(writing, chain);
  for (const dispatch of ruleset.dispatch) writeDispatch(writing, dispatch);
  for (const { port, origin } of ruleset.healthChecks) {
    const text = `${toPort("tcp", port, `${origin.servicePort.text} health check node port`)} -j ACCEPT`;
    push(writing.filter, "KUBE-NODEPORTS", { text, origin });
  }
  const { family } = ruleset;
  return [
    {
      family,
      name: "filter",
      objects: objectsOf([...sharedChains("filter"), martianChain(options)], writing.filter, []),
    },
    { family, name: "nat", objects: objectsOf(sharedChains("nat"), writing.nat, nodePortTail(options)) },
  ];
}

function fixedChains(table: "filter" | "nat"): Map<string, Line[]> {
  return new Map(FIXED_CHAINS[table].map((name) => [name, []]));
}

function push(chains: Map<string, Line[]>, name: string, line: Line): void {
  const lines = chains.get(name);
  if (lines === undefined) chains.set(name, [line]);
  else lines.push(line);
}

function add(chains: Map<string, Line[]>, name: string, lines: readonly Line[]): void {
  for (const line of lines) push(chains, name, line);
}

function objectsOf(
  shared: readonly TableObject[],
  chains: ReadonlyMap<string, Line[]>,
  servicesTail: readonly Line[],
): ReadonlyMap<string, TableObject> {
  const objects = new Map<string, TableObject>(shared.map((object) => [object.name, object]));
  for (const [name, lines] of chains) {
    const tail = name === "KUBE-SERVICES" ? { tail: servicesTail } : {};
    objects.set(name, { kind: "chain", name, ordered: !UNORDERED_CHAINS.has(name), lines, ...tail });
  }
  return objects;
}

/** The first rule of the chain that a ClusterIP leads to; other traffic enters that chain too. */
function writeClusterIPMasquerade({ ruleset, nat }: Writing): void {
  const { family, masqueradeClusterIP } = ruleset;
  if (masqueradeClusterIP === undefined) return;
  const { source, inputInterface } = matchWords(masqueradeClusterIP);
  for (const { destination, protocol, port, verdict, origin } of ruleset.dispatch) {
    if (destination.kind !== "clusterIP" || verdict.kind !== "goto") continue;
    const rest = `${comment(`${origin.servicePort.text} cluster IP`)} -m ${protocol} --dport ${port} -j KUBE-MARK-MASQ`;
    const text = `${source}-d ${host(family, destination.ip)} ${inputInterface}-p ${protocol} ${rest}`;
    push(nat, chainName(verdict.chain), { text, origin });
  }
}

// ── Dispatch ─────────────────────────────────────────────────────────────────────────────────────

const COMMENT_OF = {
  clusterIP: " cluster IP",
  externalIP: " external IP",
  loadBalancerIP: " loadbalancer IP",
} as const;

function writeDispatch(writing: Writing, dispatch: Dispatch): void {
  const { verdict } = dispatch;
  if (verdict.kind === "reject") writeRefusal(writing, dispatch, "has no endpoints", reject(writing.options.family));
  if (verdict.kind === "drop" || dispatch.otherwise === "drop") {
    writeRefusal(writing, dispatch, "has no local endpoints", "-j DROP");
  }
  if (verdict.kind !== "goto") return;
  const target = chainName(verdict.chain);
  const { destination, protocol, port, origin } = dispatch;
  const { text: service } = origin.servicePort;
  if (destination.kind === "nodePort") {
    push(writing.nat, "KUBE-NODEPORTS", { text: `${toPort(protocol, port, service)} -j ${target}`, origin });
    return;
  }
  const entry =
    dispatch.allowFrom === undefined
      ? target
      : writeFirewall(writing, dispatch, destination.ip, target, dispatch.allowFrom);
  const text = toAddress(
    writing.ruleset.family,
    destination.ip,
    protocol,
    port,
    service + COMMENT_OF[destination.kind],
  );
  push(writing.nat, "KUBE-SERVICES", { text: `${text} -j ${entry}`, origin });
}

function writeRefusal({ filter, ruleset }: Writing, dispatch: Dispatch, why: string, verdict: string): void {
  const { destination, protocol, port, origin } = dispatch;
  const text = `${origin.servicePort.text} ${why}`;
  const match =
    destination.kind === "nodePort"
      ? toPort(protocol, port, text, "-m addrtype --dst-type LOCAL ")
      : toAddress(ruleset.family, destination.ip, protocol, port, text);
  const chain = destination.kind === "clusterIP" ? "KUBE-SERVICES" : "KUBE-EXTERNAL-SERVICES";
  push(filter, chain, { text: `${match} ${verdict}`, origin });
}

/** Admits the allowed sources; what falls off the end is not translated, and dropped by the filter table. */
function writeFirewall(
  { filter, nat, ruleset }: Writing,
  { origin, protocol, port }: Dispatch,
  vip: string,
  target: string,
  allowFrom: readonly string[],
): string {
  const { text: service } = origin.servicePort;
  const name = firewallChainName(origin.servicePort);
  const refused = toAddress(ruleset.family, vip, protocol, port, `${service} traffic not accepted by ${name}`);
  push(filter, "KUBE-PROXY-FIREWALL", { text: `${refused} -j DROP`, origin });
  if (nat.has(name)) return name;
  for (const cidr of allowFrom) {
    push(nat, name, { text: `-s ${cidr} ${comment(`${service} loadbalancer IP`)} -j ${target}`, origin });
  }
  push(nat, name, { text: comment(`other traffic to ${service} will be dropped by KUBE-PROXY-FIREWALL`), origin });
  return name;
}

// ── Chains of a ServicePort ──────────────────────────────────────────────────────────────────────

function writeChain(writing: Writing, chain: Chain): void {
  const name = chainName(chain.id);
  for (const rule of chain.rules) {
    if (rule.statement.kind === "dnat") writeEndpointChoice(writing, name, rule.statement, chain.origin);
    else push(writing.nat, name, { text: externalRule(rule, chain), origin: chain.origin });
  }
}

function externalRule({ matches, statement }: Rule, { origin }: Chain): string {
  const { source, inputInterface, module } = matchWords(matches);
  const service = origin.servicePort.text;
  const fromNode = matches.some(({ kind }) => kind === "sourceIsNode");
  const head = `${source}${inputInterface}`;
  if (statement.kind === "masquerade") {
    const traffic = fromNode ? "LOCAL traffic" : "traffic";
    return `${head}${comment(`masquerade ${traffic} for ${service} external destinations`)}${module} -j KUBE-MARK-MASQ`;
  }
  const jump =
    statement.kind === "verdict" && statement.verdict.kind === "goto" ? `-j ${chainName(statement.verdict.chain)}` : "";
  if (matches.length === 0) return jump;
  const traffic = fromNode ? "route LOCAL traffic" : "pod traffic";
  return `${head}${comment(`${traffic} for ${service} external destinations`)}${module} ${jump}`;
}

function writeEndpointChoice(
  writing: Writing,
  name: string,
  { endpoints, affinitySeconds }: Extract<Rule["statement"], { kind: "dnat" }>,
  origin: Origin,
): void {
  const { nat, options, verbose } = writing;
  const { family } = options;
  const service = origin.servicePort.text;
  const targets = endpoints.map((endpoint) => ({
    chain: endpointChainName(origin.servicePort, endpoint.address),
    why: verbose ? `${comment(`${service} -> ${endpoint.address}`)} ` : "",
    endpoint,
  }));
  if (affinitySeconds !== undefined) {
    for (const { chain, why } of targets) {
      push(nat, name, { text: `${why}${recentCheck(family, chain, affinitySeconds)} -j ${chain}`, origin });
    }
  }
  targets.forEach(({ chain, why }, index) => {
    const remaining = targets.length - index;
    const chance = remaining === 1 ? "" : `${oneOf(remaining)} `;
    push(nat, name, { text: `${why}${chance}-j ${chain}`, origin });
  });
  const { protocol } = origin.servicePort;
  for (const { chain, endpoint } of targets) {
    if (nat.has(chain)) continue;
    const why = verbose ? `${comment(service)} ` : "";
    const affinity = affinitySeconds === undefined ? "" : `${recentSet(family, chain)} `;
    nat.set(chain, [
      { text: `-s ${host(family, endpoint.ip)} ${why}-j KUBE-MARK-MASQ`, origin },
      { text: `-p ${protocol} ${why}${affinity}-m ${protocol} -j DNAT --to-destination ${endpoint.address}`, origin },
    ]);
  }
}
