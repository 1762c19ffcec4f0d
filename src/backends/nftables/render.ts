import { ExitCode, InternalError, UserError } from "../../errors.ts";
import { isLoopback } from "../../ip.ts";
import type {
  Chain,
  ChainId,
  Dispatch,
  Endpoint,
  Origin,
  Protocol,
  RenderOptions,
  Rule,
  Ruleset,
  Table,
  TableObject,
} from "../../types.ts";
import { writeAffinityChain } from "./affinity.ts";
import { EndpointElements } from "./endpointElements.ts";
import { addressElements, chain, declaredObjects, fixedChains, LOCAL_OFFSET, REFUSE } from "./layout.ts";
import {
  balanceChain,
  type Entry,
  endpointsMap,
  externalClusterChain,
  externalLocalChain,
  isEndpointsMap,
  TABLE,
} from "./names.ts";
import { withoutCovered } from "./sourceRanges.ts";
import { stamped } from "./stamp.ts";
import { cidrText, comment, wordsOf } from "./words.ts";
import { elementsOf, endpointsOf, externalLine, put, putNoted, type Writing } from "./writing.ts";

/** A ServicePort's chain, and what is needed to write the way to it for each of its addresses. */
interface Target {
  readonly chain: Chain;
  readonly cluster: EndpointList;
  readonly local: EndpointList;
  /** Seconds for which clients keep to their endpoint. */
  readonly affinitySeconds: number | undefined;
}

/** Endpoints that a chain can reach under one policy, and how they stand in an endpoints map. */
interface EndpointList {
  readonly endpoints: readonly Endpoint[];
  readonly values: readonly string[];
}

/**
 * Few shared maps that hold all state of all Services, as `nft list` prints them back. Indices of endpoints and
 * numbers for session affinity are as good as any: `settle` fits them to what a kernel holds.
 */
export function render(ruleset: Ruleset, options: RenderOptions): readonly Table[] {
  const words = wordsOf(ruleset.family);
  const declared = declaredObjects(words, options);
  const names = declared.map(({ name }) => name);
  const writing: Writing = {
    words,
    commented: options.comments !== "never",
    elements: new Map(names.filter((name) => !isEndpointsMap(name)).map((name) => [name, new Map()])),
    endpoints: new Map(names.filter(isEndpointsMap).map((name) => [name, new EndpointElements()])),
    claimed: new Set(),
    chains: new Map(fixedChains(words, options, ruleset).map((fixed) => [fixed.name, fixed])),
    nextEndpoint: 1,
  };
  const targets = targetsOf(ruleset);
  writeHairpins(writing, ruleset);
  for (const dispatch of ruleset.firewalled) writeFirewall(writing, ruleset, dispatch);
  for (const dispatch of ruleset.dispatch) writeDispatch(writing, targets, dispatch);
  const objects = new Map<string, TableObject>();
  for (const { kind, name, declaration, comment: holds } of declared) {
    const elements = isEndpointsMap(name) ? endpointsOf(writing, name) : elementsOf(writing, name);
    objects.set(name, { kind, name, declaration, comment: holds, elements });
  }
  if (options.nodePortAddresses.kind === "addresses") {
    const elements = addressElements(options.nodePortAddresses.addresses.filter((ip) => !isLoopback(ip)));
    objects.set("nodeport-ips", { ...declaredObject(objects, "nodeport-ips"), elements });
  }
  for (const [name, object] of writing.chains) objects.set(name, object);
  return [stamped({ family: ruleset.family, name: TABLE, objects }, writing.nextEndpoint)];
}

function declaredObject(objects: ReadonlyMap<string, TableObject>, name: string) {
  const object = objects.get(name);
  if (object?.kind !== "set" && object?.kind !== "map") throw new InternalError(`no set or map ${name}`);
  return object;
}

// ── Chains and endpoints of a ServicePort ────────────────────────────────────────────────────────

const NO_ENDPOINTS: EndpointList = { endpoints: [], values: [] };

function idText({ role, servicePort }: ChainId): string {
  return `${role} ${servicePort.protocol} ${servicePort.text}`;
}

function targetsOf(ruleset: Ruleset): (id: ChainId) => Target {
  const chains = new Map(ruleset.chains.map((one) => [idText(one.id), one]));
  const targets = new Map<string, Target>();
  return (id) => {
    const text = idText(id);
    const known = targets.get(text);
    if (known !== undefined) return known;
    const found = chains.get(text);
    if (found === undefined) throw new InternalError(`no chain ${text}`);
    const lists = { cluster: NO_ENDPOINTS, local: NO_ENDPOINTS };
    let affinitySeconds: number | undefined;
    for (const role of ["cluster", "local"] as const) {
      const reached = id.role === role ? found : chains.get(idText({ role, servicePort: id.servicePort }));
      const choice = leadsTo(found, role) ? reached?.rules.find(isChoice)?.statement : undefined;
      if (choice?.kind !== "dnat") continue;
      const { endpoints } = choice;
      lists[role] = { endpoints, values: endpoints.map(({ ip, port }) => `${ip} . ${port}`) };
      affinitySeconds = choice.affinitySeconds;
    }
    const target = { chain: found, ...lists, affinitySeconds };
    targets.set(text, target);
    return target;
  };
}

function isChoice({ statement }: Rule): boolean {
  return statement.kind === "dnat";
}

function leadsTo({ id, rules }: Chain, role: "cluster" | "local"): boolean {
  if (id.role === role) return true;
  return rules.some(
    ({ statement }) =>
      statement.kind === "verdict" && statement.verdict.kind === "goto" && statement.verdict.chain.role === role,
  );
}

/** Connections of an endpoint on this node to itself, whichever Service they went through. */
function writeHairpins(writing: Writing, { chains }: Ruleset): void {
  for (const { id, rules, origin } of chains) {
    for (const { statement } of rules) {
      if (statement.kind !== "dnat") continue;
      for (const { ip, port, isLocal } of statement.endpoints) {
        const { protocol } = id.servicePort;
        if (isLocal) put(writing, "hairpin-connections", `${ip} . ${ip} . ${protocol} . ${port}`, "", origin);
      }
    }
  }
}

// ── Dispatch ─────────────────────────────────────────────────────────────────────────────────────

function frontendOf({ destination, protocol, port }: Dispatch): string {
  return destination.kind === "nodePort" ? `${protocol} . ${port}` : `${destination.ip} . ${protocol} . ${port}`;
}

function writeFirewall(writing: Writing, { family }: Ruleset, dispatch: Dispatch): void {
  const { origin, allowFrom = [] } = dispatch;
  const frontend = frontendOf(dispatch);
  putNoted(writing, "firewalled-services", frontend, "", origin);
  for (const cidr of withoutCovered(family, allowFrom)) {
    put(writing, "allowed-sources", `${frontend} . ${cidrText(writing.words, cidr)}`, "", origin);
  }
}

function writeDispatch(writing: Writing, targets: (id: ChainId) => Target, dispatch: Dispatch): void {
  const { destination, protocol, port, verdict, origin } = dispatch;
  const isNodePort = destination.kind === "nodePort";
  if (destination.kind === "clusterIP") put(writing, "cluster-ips", destination.ip, "", origin);
  const frontend = frontendOf(dispatch);
  const refusal = verdict.kind === "reject" ? `goto ${REFUSE}` : "drop";
  if (verdict.kind !== "goto" || dispatch.otherwise === "drop") {
    putNoted(writing, isNodePort ? "no-endpoint-nodeports" : "no-endpoint-services", frontend, refusal, origin);
  }
  if (verdict.kind !== "goto") return;
  const target = targets(verdict.chain);
  const entry: Entry = isNodePort ? "nodeport-" : "";
  const name = isNodePort ? "service-nodeports" : "service-ips";
  const address = isNodePort ? `${port}` : `${destination.ip} . ${port}`;
  const isNew = putNoted(writing, name, frontend, entryVerdict(writing, target, entry, protocol), origin);
  if (!isNew || target.affinitySeconds !== undefined) return;
  if (target.local.values.length > 0 && target.cluster.values.length > LOCAL_OFFSET) throw tooMany(origin);
  const endpoints = endpointsOf(writing, endpointsMap(entry, protocol));
  const prefix = `${address} . `;
  endpoints.add({ prefix, first: 0, values: target.cluster.values, origin });
  endpoints.add({ prefix, first: LOCAL_OFFSET, values: target.local.values, origin });
}

/** The indices of those on this node would be others' as well. */
function tooMany({ servicePort: { text } }: Origin): UserError {
  return new UserError(
    `Service ${text} has more than ${LOCAL_OFFSET} endpoints, and some on this node: nftables maps have no room for both`,
    "spread the Pods over several Services, or use --backend iptables",
    ExitCode.inputRejected,
  );
}

/** Where an address's traffic is sent; a chain without rules would let it pass, and no later rule may catch it. */
function entryVerdict(writing: Writing, target: Target, entry: Entry, protocol: Protocol): string {
  if (target.chain.rules.length === 0) return "accept";
  if (target.affinitySeconds !== undefined) {
    return `goto ${writeAffinityChain(writing, target.chain, target, target.affinitySeconds)}`;
  }
  return `goto ${writeSharedChain(writing, target, entry, protocol)}`;
}

// ── Chains that ServicePorts share ───────────────────────────────────────────────────────────────

function writeSharedChain(writing: Writing, target: Target, entry: Entry, protocol: Protocol): string {
  const { role } = target.chain.id;
  if (role !== "external") return writeBalanceChain(writing, entry, role, protocol, target[role].endpoints.length);
  const count = target.cluster.endpoints.length;
  const local = target.local.endpoints.length;
  const isMasqueraded = target.chain.rules.some(
    ({ matches, statement }) => matches.length === 0 && statement.kind === "masquerade",
  );
  const name = isMasqueraded
    ? externalClusterChain(entry, protocol, count)
    : externalLocalChain(entry, protocol, count, local);
  if (!writing.chains.has(name)) {
    const lines = target.chain.rules.map((rule) =>
      externalLine(writing, rule, (id) => writeSharedTarget(writing, id, target, entry, protocol)),
    );
    const holds = isMasqueraded
      ? `Masquerades external traffic and sends it to one of ${count}`
      : `Sends external traffic to one of ${local} here, but that of this node and its Pods to one of ${count}`;
    writing.chains.set(name, chain(name, holds, lines));
  }
  return name;
}

function writeSharedTarget(writing: Writing, id: ChainId, target: Target, entry: Entry, protocol: Protocol): string {
  if (id.role === "external") throw new InternalError("an external chain leads to another");
  return writeBalanceChain(writing, entry, id.role, protocol, target[id.role].endpoints.length);
}

function writeBalanceChain(
  writing: Writing,
  entry: Entry,
  role: "cluster" | "local",
  protocol: Protocol,
  count: number,
): string {
  const name = balanceChain(entry, role, protocol, count);
  if (writing.chains.has(name)) return name;
  const { ip } = writing.words;
  const address = entry === "" ? `${ip} daddr . ${protocol} dport` : `${protocol} dport`;
  const offset = role === "local" ? ` offset ${LOCAL_OFFSET}` : "";
  const pick = (among: number, why: string) =>
    `dnat ${ip} to ${address} . numgen random mod ${among}${offset} map @${endpointsMap(entry, protocol)}${why}`;
  const lines = [pick(count, "")];
  if (count > 1) lines.push(pick(1, comment("when the list got shorter in this very moment")));
  const where = role === "local" ? " on this node" : "";
  writing.chains.set(name, chain(name, `Picks one of ${count} ${protocol} endpoints${where}`, lines));
  return name;
}
