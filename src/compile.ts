import { contains, familyOf } from "./ip.ts";
import type {
  Chain,
  ChainRole,
  CompileOptions,
  Destination,
  Dispatch,
  Endpoint,
  HealthCheck,
  LocalDetector,
  Match,
  Origin,
  Rule,
  Ruleset,
  ServicePort,
  Verdict,
} from "./types.ts";

/**
 * Every traffic-policy decision, made once for both backends (kube-proxy decides the same twice, in the
 * syncProxyRules of each of its modes): what is dispatched where, what is refused or dropped, what is masqueraded.
 * What several claim goes to one of them, see `ownersOf`.
 */
export function compile(servicePorts: readonly ServicePort[], options: CompileOptions): Ruleset {
  const offers = servicePorts.map((servicePort) => {
    const origin: Origin = { source: servicePort.source, servicePort: servicePort.name };
    return { servicePort, origin, dispatches: dispatchesOf(servicePort, origin, options) };
  });
  const offered = offers.flatMap(({ dispatches }) => dispatches);
  const owners = ownersOf(offered);
  const owning = new Set(owners.values());
  const owns = (one: Dispatch) => owning.has(one);
  const chains: Chain[] = [];
  const healthChecks: HealthCheck[] = [];
  let endpointCount = 0;
  for (const { servicePort, origin, dispatches } of offers) {
    endpointCount += servicePort.endpoints.all.length;
    chains.push(...reachable(dispatches.filter(owns), chainsOf(servicePort, origin, options.localDetector)));
    if (servicePort.healthCheckNodePort !== 0) healthChecks.push({ port: servicePort.healthCheckNodePort, origin });
  }
  return {
    family: options.family,
    dispatch: offered.filter(owns),
    firewalled: firewalledOf(offered, owners),
    chains,
    healthChecks,
    masqueradeClusterIP: options.masqueradeAll ? [] : notFromPods(options.localDetector),
    endpointCount,
  };
}

// ── Who has what several claim ───────────────────────────────────────────────────────────────────

/**
 * Of dispatches with one address, protocol and port a cluster IP has it alone, with or without endpoints: whoever may
 * write externalIPs could else take another Service's traffic (CVE-2020-8554). Otherwise one that can serve the traffic
 * comes before one that would refuse it, then an external IP before a load balancer's, then the first by name.
 */
function ownersOf(offered: readonly Dispatch[]): ReadonlyMap<string, Dispatch> {
  const owners = new Map<string, Dispatch>();
  for (const one of offered) {
    const address = addressOf(one);
    const owner = owners.get(address);
    if (owner === undefined || rankOf(one) < rankOf(owner)) owners.set(address, one);
  }
  return owners;
}

/** In the order in which kube-proxy writes the rules of one ServicePort. */
const PRECEDENCE = ["clusterIP", "externalIP", "loadBalancerIP", "nodePort"] as const;

/** The lowest comes first. */
function rankOf({ destination, verdict }: Dispatch): number {
  const rank = PRECEDENCE.indexOf(destination.kind);
  return rank === 0 || verdict.kind === "goto" ? rank : rank + PRECEDENCE.length;
}

function addressOf({ destination, protocol, port }: Dispatch): string {
  return `${destination.kind === "nodePort" ? "" : destination.ip} ${protocol} ${port}`;
}

/**
 * kube-proxy's nftables mode knows the ranges of a load balancer's address by the address alone, so they hold for the
 * traffic of an equal external IP, too; but not for another Service's cluster IP. Of several, those of the Service
 * that has the traffic come first.
 */
function firewalledOf(offered: readonly Dispatch[], owners: ReadonlyMap<string, Dispatch>): readonly Dispatch[] {
  const firewalled = new Map<string, Dispatch>();
  for (const one of offered) {
    if (one.allowFrom === undefined) continue;
    const address = addressOf(one);
    const owner = owners.get(address);
    if (owner?.destination.kind === "clusterIP" && owner.origin !== one.origin) continue;
    if (owner === one || !firewalled.has(address)) firewalled.set(address, one);
  }
  return [...firewalled.values()];
}

/** The chains that some dispatch leads to; another ServicePort may have claimed all that led to the others. */
function reachable(dispatch: readonly Dispatch[], chains: readonly Chain[]): readonly Chain[] {
  const roles = new Set<ChainRole>();
  for (const { verdict } of dispatch) if (verdict.kind === "goto") roles.add(verdict.chain.role);
  if (roles.has("external")) {
    for (const { rules } of chains) {
      for (const { statement } of rules) {
        if (statement.kind === "verdict" && statement.verdict.kind === "goto") roles.add(statement.verdict.chain.role);
      }
    }
  }
  return chains.filter(({ id }) => roles.has(id.role));
}

// ── Who is sent where ────────────────────────────────────────────────────────────────────────────

function dispatchesOf(servicePort: ServicePort, origin: Origin, { node }: CompileOptions): readonly Dispatch[] {
  const { endpoints, port } = servicePort;
  const base = { protocol: servicePort.name.protocol, origin, allowFrom: undefined, otherwise: undefined };
  const clusterIP: Dispatch = {
    ...base,
    destination: { kind: "clusterIP", ip: servicePort.clusterIP },
    port,
    verdict: internalVerdict(servicePort),
  };
  const external = {
    ...base,
    verdict: endpoints.hasAny ? goto(servicePort, "external") : REJECT,
    otherwise: endpoints.hasAny && externalEndpoints(servicePort).length === 0 ? ("drop" as const) : undefined,
  };
  const dispatches: Dispatch[] = [clusterIP];
  const add = (destination: Destination, at: number, allowFrom: readonly string[] | undefined) =>
    dispatches.push({ ...external, destination, port: at, allowFrom });

  for (const ip of servicePort.externalIPs) add({ kind: "externalIP", ip }, port, undefined);
  const allowFrom = admittedSources(servicePort, node.ips[servicePort.family]);
  for (const ip of servicePort.loadBalancerVIPs) add({ kind: "loadBalancerIP", ip }, port, allowFrom);
  if (servicePort.nodePort !== 0) add({ kind: "nodePort" }, servicePort.nodePort, undefined);
  return dispatches;
}

const REJECT: Verdict = { kind: "reject" };

function goto(servicePort: ServicePort, role: ChainRole): Verdict {
  return { kind: "goto", chain: { role, servicePort: servicePort.name } };
}

/** Without an endpoint anywhere ClusterIP traffic is refused; without one that the policy allows, dropped. */
function internalVerdict(servicePort: ServicePort): Verdict {
  const role = servicePort.internalTrafficPolicy === "Local" ? "local" : "cluster";
  if (servicePort.endpoints[role].length > 0) return goto(servicePort, role);
  return servicePort.endpoints.hasAny ? { kind: "drop" } : REJECT;
}

function externalEndpoints({ endpoints, externalTrafficPolicy }: ServicePort): readonly Endpoint[] {
  return externalTrafficPolicy === "Local" ? endpoints.local : endpoints.cluster;
}

/**
 * Sources that the load balancer's VIPs admit. When the node itself is among them, so are the VIPs: what the node
 * sends to a VIP that it holds has the VIP as its source.
 */
function admittedSources(servicePort: ServicePort, nodeIP: string | undefined): readonly string[] | undefined {
  const { sourceRanges, loadBalancerVIPs } = servicePort;
  if (sourceRanges.length === 0) return undefined;
  const admitsNode = nodeIP !== undefined && sourceRanges.some((cidr) => contains(cidr, nodeIP));
  return admitsNode ? [...sourceRanges, ...loadBalancerVIPs.map(hostCIDR)] : sourceRanges;
}

function hostCIDR(ip: string): string {
  return `${ip}/${familyOf(ip) === "ipv4" ? 32 : 128}`;
}

// ── What happens there ───────────────────────────────────────────────────────────────────────────

/** Those that could be needed; `reachable` knows which of them are. */
function chainsOf(servicePort: ServicePort, origin: Origin, detector: LocalDetector): readonly Chain[] {
  const { endpoints, name } = servicePort;
  const chains: Chain[] = [];
  const add = (role: ChainRole, rules: readonly Rule[]) =>
    chains.push({ id: { role, servicePort: name }, rules, origin });

  if (endpoints.hasAny) add("external", externalRules(servicePort, detector));
  for (const role of ["cluster", "local"] as const) {
    if (endpoints[role].length === 0) continue;
    const { affinitySeconds } = servicePort;
    add(role, [{ matches: [], statement: { kind: "dnat", endpoints: endpoints[role], affinitySeconds } }]);
  }
  return chains;
}

/**
 * Policy Cluster masquerades all external traffic. Policy Local keeps the source, but sends the node's own traffic
 * and its Pods' to any endpoint, as if they had used the ClusterIP.
 */
function externalRules(servicePort: ServicePort, detector: LocalDetector): readonly Rule[] {
  const masquerade = { kind: "masquerade" } as const;
  const toCluster = { kind: "verdict", verdict: goto(servicePort, "cluster") } as const;
  if (servicePort.externalTrafficPolicy === "Cluster") {
    return [
      { matches: [], statement: masquerade },
      { matches: [], statement: toCluster },
    ];
  }
  const rules: Rule[] = [];
  const fromPods = sourceMatch(detector, false);
  if (servicePort.endpoints.cluster.length > 0) {
    if (fromPods !== undefined) rules.push({ matches: [fromPods], statement: toCluster });
    rules.push(
      { matches: [{ kind: "sourceIsNode" }], statement: masquerade },
      { matches: [{ kind: "sourceIsNode" }], statement: toCluster },
    );
  }
  if (servicePort.endpoints.local.length > 0) {
    rules.push({ matches: [], statement: { kind: "verdict", verdict: goto(servicePort, "local") } });
  }
  return rules;
}

function notFromPods(detector: LocalDetector): readonly Match[] | undefined {
  const match = sourceMatch(detector, true);
  return match === undefined ? undefined : [match];
}

function sourceMatch(detector: LocalDetector, negated: boolean): Match | undefined {
  switch (detector.kind) {
    case "none":
      return undefined;
    case "cidr":
      return { kind: "source", cidr: detector.cidr, negated };
    case "interface":
      return { kind: "inputInterface", name: detector.name, prefix: false, negated };
    case "interfacePrefix":
      return { kind: "inputInterface", name: detector.prefix, prefix: true, negated };
  }
}
