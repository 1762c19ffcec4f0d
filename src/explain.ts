import { contains, isLoopback } from "./ip.ts";
import type {
  BackendName,
  Chain,
  ChainId,
  Destination,
  Dispatch,
  Endpoint,
  Fate,
  Match,
  NodeFacts,
  Packet,
  RenderOptions,
  Ruleset,
  Statement,
  Trace,
} from "./types.ts";

/** What must be known besides the rules to tell a packet's fate. */
export interface ExplainOptions
  extends Pick<RenderOptions, "nodePortAddresses" | "localhostNodePorts" | "serviceCIDRs"> {
  /** kube-proxy's two modes treat some packets differently. */
  readonly backend: BackendName;
  readonly node: Pick<NodeFacts, "addresses">;
}

interface Walk extends ExplainOptions {
  readonly ruleset: Ruleset;
  readonly packet: Packet;
  /** Set once the packet has an endpoint as its destination: whether it carries the mark by then. */
  readonly translation?: { readonly isMarked: boolean };
  readonly steps: string[];
}

/**
 * The fate of the first packet of a connection, told from what the rules mean, without a kernel: source ranges,
 * translation, refusals, in the order in which the hooks of each mode ask. Affinity is left aside: every endpoint
 * that a new client could get is listed.
 */
export function explain(ruleset: Ruleset, packet: Packet, options: ExplainOptions): Trace {
  const steps: string[] = [];
  const walk: Walk = { ...options, ruleset, packet, steps };
  const fate = refusedSource(walk) ?? translated(walk) ?? filtered(walk) ?? { kind: "pass" };
  if (fate.kind === "pass") steps.push("no rule of a Service concerns it");
  return { packet, fate, steps };
}

// ── Where packets come from and go to ────────────────────────────────────────────────────────────

function isLocalAddress({ node }: Walk, ip: string): boolean {
  return isLoopback(ip) || node.addresses.includes(ip);
}

function isSentByNode({ packet }: Walk): boolean {
  return packet.inputInterface === undefined;
}

function isForAddress({ packet }: Walk, { destination, protocol, port }: Dispatch): boolean {
  return (
    destination.kind !== "nodePort" &&
    destination.ip === packet.destination &&
    protocol === packet.protocol &&
    port === packet.port
  );
}

function isForNodePort({ packet }: Walk, { destination, protocol, port }: Dispatch): boolean {
  return destination.kind === "nodePort" && protocol === packet.protocol && port === packet.port;
}

/** Whether the packet is for a cluster IP, at whatever port. */
function isClusterIP({ ruleset, packet }: Walk): boolean {
  return ruleset.dispatch.some(
    ({ destination }) => destination.kind === "clusterIP" && destination.ip === packet.destination,
  );
}

/** Whether NodePorts answer on the packet's destination. */
function answersNodePorts(walk: Walk): boolean {
  const { packet, nodePortAddresses, backend, localhostNodePorts } = walk;
  if (nodePortAddresses.kind === "addresses") return nodePortAddresses.addresses.includes(packet.destination);
  if (!isLocalAddress(walk, packet.destination)) return false;
  const answersLoopback = backend === "iptables" && packet.family === "ipv4" && localhostNodePorts;
  return answersLoopback || !isLoopback(packet.destination);
}

function matches(walk: Walk, match: Match): boolean {
  const { packet } = walk;
  switch (match.kind) {
    case "source":
      return contains(match.cidr, packet.source) !== match.negated;
    case "inputInterface": {
      const name = packet.inputInterface ?? "";
      return (match.prefix ? name.startsWith(match.name) : name === match.name) !== match.negated;
    }
    case "sourceIsNode":
      return isLocalAddress(walk, packet.source);
  }
}

function admits({ packet }: Walk, { allowFrom }: Dispatch): boolean {
  return allowFrom === undefined || allowFrom.some((cidr) => contains(cidr, packet.source));
}

// ── Before translation ───────────────────────────────────────────────────────────────────────────

/** nftables drops disallowed sources first; iptables leaves them untranslated and drops them in the filter table. */
function refusedSource(walk: Walk): Fate | undefined {
  if (walk.backend !== "nftables") return undefined;
  const dispatch = walk.ruleset.firewalled.find((one) => isForAddress(walk, one) && !admits(walk, one));
  return dispatch === undefined ? undefined : dropped(walk, dispatch, "its source is in none of the source ranges");
}

function dropped({ steps }: Walk, { origin }: Dispatch, why: string): Fate {
  steps.push(`dropped for ${origin.servicePort.text}: ${why}`);
  return { kind: "drop" };
}

// ── Translation ──────────────────────────────────────────────────────────────────────────────────

function translated(walk: Walk): Fate | undefined {
  const { ruleset, backend } = walk;
  for (const dispatch of ruleset.dispatch) {
    if (dispatch.verdict.kind !== "goto" || !isForAddress(walk, dispatch) || !admits(walk, dispatch)) continue;
    const fate = follow(walk, dispatch, dispatch.verdict.chain);
    // A verdict map sends the packet away for good; a jump comes back.
    if (fate !== undefined || backend === "nftables") return fate;
  }
  if (!answersNodePorts(walk)) return undefined;
  for (const dispatch of ruleset.dispatch) {
    if (dispatch.verdict.kind !== "goto" || !isForNodePort(walk, dispatch)) continue;
    return follow(walk, dispatch, dispatch.verdict.chain);
  }
  return undefined;
}

function follow(walk: Walk, { destination, origin }: Dispatch, start: ChainId): Fate | undefined {
  const { ruleset, steps } = walk;
  const what =
    destination.kind === "nodePort" ? "a NodePort" : `${DESTINATION_NAMES[destination.kind]} ${destination.ip}`;
  steps.push(`${what} of ${origin.servicePort.text}`);
  let masquerade = isMasqueradedClusterIP(walk, destination.kind);
  if (masquerade) steps.push("masqueraded, since it comes from outside the Pods");
  let chain = chainOf(ruleset, start);
  while (chain !== undefined) {
    let next: ChainId | undefined;
    for (const { matches: conditions, statement } of chain.rules) {
      if (!conditions.every((match) => matches(walk, match))) continue;
      if (statement.kind === "masquerade") masquerade = true;
      else if (statement.kind === "dnat") return toEndpoints(walk, statement, masquerade);
      else if (statement.verdict.kind === "goto") {
        next = statement.verdict.chain;
        steps.push(`policy ${next.role === "local" ? "Local: endpoints on this node" : "Cluster: any endpoint"}`);
        break;
      }
    }
    chain = next === undefined ? undefined : chainOf(ruleset, next);
  }
  steps.push("no endpoint that the policy allows");
  return undefined;
}

const DESTINATION_NAMES = {
  clusterIP: "cluster IP",
  externalIP: "external IP",
  loadBalancerIP: "load balancer IP",
} as const;

function chainOf({ chains }: Ruleset, { role, servicePort }: ChainId): Chain | undefined {
  return chains.find(
    ({ id }) =>
      id.role === role && id.servicePort.text === servicePort.text && id.servicePort.protocol === servicePort.protocol,
  );
}

/** nftables asks for the address alone, whichever Service has the port. */
function isMasqueradedClusterIP(walk: Walk, kind: Destination["kind"]): boolean {
  const isConcerned = walk.backend === "nftables" ? isClusterIP(walk) : kind === "clusterIP";
  return isConcerned && (walk.ruleset.masqueradeClusterIP?.every((match) => matches(walk, match)) ?? false);
}

function toEndpoints(
  walk: Walk,
  { endpoints, affinitySeconds }: Extract<Statement, { kind: "dnat" }>,
  masquerade: boolean,
): Fate {
  const { packet, backend, ruleset, steps } = walk;
  steps.push(endpoints.length === 1 ? "its only endpoint" : `one of ${endpoints.length} endpoints`);
  if (affinitySeconds !== undefined) steps.push(`a client gets the same one again within ${affinitySeconds} s`);
  // An endpoint that calls itself would answer itself directly.
  const hairpins = endpoints.some(({ ip }) => ip === packet.source) ? hairpinsOf(walk) : undefined;
  const isMarked = ({ ip, port }: Endpoint) =>
    masquerade || (ip === packet.source && (backend === "iptables" || hairpins?.has(port) === true));
  // What comes in and is delivered here passes no POSTROUTING.
  const isSentOn = ({ ip }: Endpoint) => isSentByNode(walk) || !isLocalAddress(walk, ip);
  const around = { ...walk, ruleset: { ...ruleset, dispatch: dispatchesAround(ruleset, endpoints) } };
  const refusals = endpoints.map((endpoint) => refusedThere(around, endpoint, isMarked(endpoint)));
  const [refused] = refusals;
  if (refused !== undefined && !refusals.includes(undefined)) return refused;
  return {
    kind: "endpoints",
    addresses: endpoints.map(({ address }) => address),
    masqueraded: endpoints.map((endpoint) => isMarked(endpoint) && isSentOn(endpoint)),
  };
}

/** Ports of the sender that are endpoints on this node: those that nftables knows, whichever Service names the node. */
function hairpinsOf({ ruleset, packet }: Walk): ReadonlySet<number> {
  const ports = new Set<number>();
  for (const { id, rules } of ruleset.chains) {
    if (id.servicePort.protocol !== packet.protocol) continue;
    for (const { statement } of rules) {
      if (statement.kind !== "dnat") continue;
      for (const { ip, port, isLocal } of statement.endpoints) if (isLocal && ip === packet.source) ports.add(port);
    }
  }
  return ports;
}

/** What the filters do to a packet that was translated for this endpoint. */
function refusedThere(walk: Walk, { ip, port, address }: Endpoint, isMarked: boolean): Fate | undefined {
  const steps: string[] = [];
  const packet = { ...walk.packet, destination: ip, port };
  const fate = filtered({ ...walk, packet, translation: { isMarked }, steps });
  if (fate === undefined || fate.kind === "accept") return undefined;
  walk.steps.push(`${address} is out of reach: ${steps.join(", ")}`);
  return fate;
}

/** The few that may concern what is sent to these endpoints. */
function dispatchesAround({ dispatch }: Ruleset, endpoints: readonly Endpoint[]): readonly Dispatch[] {
  const ips = new Set(endpoints.map(({ ip }) => ip));
  const ports = new Set(endpoints.map(({ port }) => port));
  return dispatch.filter(({ destination, port }) =>
    destination.kind === "nodePort" ? ports.has(port) : ips.has(destination.ip),
  );
}

// ── After translation ────────────────────────────────────────────────────────────────────────────

/** Of what was translated, too, the filters see the destination that it has by then. */
function filtered(walk: Walk): Fate | undefined {
  const isLocal = isLocalAddress(walk, walk.packet.destination);
  if (!isSentByNode(walk)) return isLocal ? filteredInput(walk) : filteredForward(walk);
  // What the node sends to itself leaves by OUTPUT and comes back through INPUT.
  return filteredOutput(walk) ?? (isLocal ? filteredInput(walk) : undefined);
}

function filteredInput(walk: Walk): Fate | undefined {
  if (walk.backend === "nftables") return nodePortRefusal(walk) ?? addressRefusal(walk, EVERYWHERE);
  return martian(walk) ?? sourceRefusal(walk) ?? healthCheck(walk) ?? externalRefusal(walk);
}

function filteredForward(walk: Walk): Fate | undefined {
  if (walk.backend === "nftables") return addressRefusal(walk, EVERYWHERE) ?? clusterIPCheck(walk);
  // Marked traffic is accepted before anything but source ranges is asked for.
  return sourceRefusal(walk) ?? (walk.translation?.isMarked ? undefined : addressRefusal(walk, EVERYWHERE));
}

/** iptables does not ask about external destinations in OUTPUT. */
function filteredOutput(walk: Walk): Fate | undefined {
  if (walk.backend === "nftables") return addressRefusal(walk, EVERYWHERE) ?? clusterIPCheck(walk);
  return sourceRefusal(walk) ?? addressRefusal(walk, INSIDE);
}

type Kinds = ReadonlySet<Dispatch["destination"]["kind"]>;
const INSIDE: Kinds = new Set(["clusterIP"] as const);
const OUTSIDE: Kinds = new Set(["externalIP", "loadBalancerIP"] as const);
const EVERYWHERE: Kinds = new Set(["clusterIP", "externalIP", "loadBalancerIP"] as const);

function martian({ packet, translation, localhostNodePorts, steps }: Walk): Fate | undefined {
  if (translation !== undefined) return undefined;
  const { family, source, destination } = packet;
  const isMartian = family === "ipv4" && localhostNodePorts && isLoopback(destination) && !isLoopback(source);
  if (!isMartian) return undefined;
  steps.push("dropped: only this node may send to 127.0.0.0/8");
  return { kind: "drop" };
}

function sourceRefusal(walk: Walk): Fate | undefined {
  const dispatch = walk.ruleset.dispatch.find(
    (one) => one.allowFrom !== undefined && one.verdict.kind === "goto" && isForAddress(walk, one),
  );
  return dispatch === undefined ? undefined : dropped(walk, dispatch, "not accepted by its source ranges");
}

function healthCheck({ ruleset, packet, steps }: Walk): Fate | undefined {
  if (packet.protocol !== "tcp") return undefined;
  const found = ruleset.healthChecks.find(({ port }) => port === packet.port);
  if (found === undefined) return undefined;
  steps.push(`health check port of ${found.origin.servicePort.text}`);
  return { kind: "accept" };
}

function addressRefusal(walk: Walk, kinds: Kinds): Fate | undefined {
  return refusal(walk, (one) => kinds.has(one.destination.kind) && isForAddress(walk, one));
}

/** Those of nftables, which refuses only where NodePorts answer. */
function nodePortRefusal(walk: Walk): Fate | undefined {
  return answersNodePorts(walk) ? refusal(walk, (one) => isForNodePort(walk, one)) : undefined;
}

/** iptables has external addresses and NodePorts in one chain, Service by Service, and refuses these on every local address. */
function externalRefusal(walk: Walk): Fate | undefined {
  return refusal(
    walk,
    (one) => (OUTSIDE.has(one.destination.kind) && isForAddress(walk, one)) || isForNodePort(walk, one),
  );
}

function refusal(walk: Walk, concerns: (dispatch: Dispatch) => boolean): Fate | undefined {
  for (const dispatch of walk.ruleset.dispatch) {
    const { verdict, otherwise, origin } = dispatch;
    if (!concerns(dispatch)) continue;
    if (verdict.kind === "reject") {
      walk.steps.push(`refused: ${origin.servicePort.text} has no endpoints`);
      return { kind: "reject" };
    }
    if (verdict.kind === "drop" || otherwise === "drop") return dropped(walk, dispatch, "it has no local endpoints");
  }
  return undefined;
}

/** nftables refuses unknown ports of ClusterIPs and drops what is for an unallocated one. */
function clusterIPCheck(walk: Walk): Fate | undefined {
  const { packet, serviceCIDRs, steps } = walk;
  if (isClusterIP(walk)) {
    steps.push("refused: a ClusterIP, but none of its ports");
    return { kind: "reject" };
  }
  if (!serviceCIDRs.some((cidr) => contains(cidr, packet.destination))) return undefined;
  steps.push("dropped: an unallocated ClusterIP");
  return { kind: "drop" };
}
