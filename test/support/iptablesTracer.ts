import { contains, isLoopback } from "../../src/ip.ts";
import type { Fate, Packet } from "../../src/types.ts";
import { parseIptables, type TextMatch, type TextRule, type TextRuleset } from "./iptablesText.ts";

/**
 * Follows one new packet through iptables text, hook by hook, as netfilter would:
 *
 *   from outside  nat PREROUTING → filter INPUT                     (to the node)
 *                                → filter FORWARD → nat POSTROUTING (to others)
 *   from the node nat OUTPUT → filter OUTPUT → nat POSTROUTING [→ filter INPUT, when it is for the node]
 *
 * What is left to chance goes both ways, so the fate names every endpoint that the text can pick.
 */

interface Journey {
  readonly packet: Packet;
  readonly isLocal: (ip: string) => boolean;
  readonly rules: TextRuleset;
}

/** The packet at one moment. */
interface State {
  readonly destination: string;
  readonly port: number;
  readonly mark: number;
  /** "ip:port" after DNAT. */
  readonly endpoint: string | undefined;
  readonly masqueraded: boolean;
}

type Verdict = "ACCEPT" | "DROP" | "REJECT" | "RETURN";

interface End {
  readonly state: State;
  readonly verdict: Verdict;
}

/** `nodeAddresses`: what the kernel counts as LOCAL; loopback is always. Throws when fates of different kinds mix. */
export function traceIptables(text: string | TextRuleset, packet: Packet, nodeAddresses: readonly string[]): Fate {
  const local = new Set(nodeAddresses);
  const journey: Journey = {
    packet,
    isLocal: (ip) => isLoopback(ip) || local.has(ip),
    rules: typeof text === "string" ? parseIptables(text) : text,
  };
  const start: State = {
    destination: packet.destination,
    port: packet.port,
    mark: 0,
    endpoint: undefined,
    masqueraded: false,
  };
  const fromNode = packet.inputInterface === undefined;
  const routed = through(journey, "nat", fromNode ? "OUTPUT" : "PREROUTING", start);
  return combine(routed.flatMap((end) => afterDNAT(journey, end.state, fromNode)));
}

function afterDNAT(journey: Journey, state: State, fromNode: boolean): readonly End[] {
  const toNode = journey.isLocal(state.destination);
  if (fromNode) {
    const sent = passOn(through(journey, "filter", "OUTPUT", state), (next) => leave(journey, next));
    return toNode ? passOn(sent, (next) => through(journey, "filter", "INPUT", next)) : sent;
  }
  if (toNode) return through(journey, "filter", "INPUT", state);
  return passOn(through(journey, "filter", "FORWARD", state), (next) => leave(journey, next));
}

/** In nat ACCEPT only ends the chain: it lets nobody in. */
function leave(journey: Journey, state: State): readonly End[] {
  return through(journey, "nat", "POSTROUTING", state).map((end) => ({ ...end, verdict: "RETURN" }));
}

/** Goes on with what was let through. */
function passOn(ends: readonly End[], next: (state: State) => readonly End[]): readonly End[] {
  return ends.flatMap((end) => (end.verdict === "DROP" || end.verdict === "REJECT" ? [end] : next(end.state)));
}

function through(journey: Journey, table: string, chain: string, state: State): readonly End[] {
  return walk(journey, table, chain, [state]);
}

/** All ways out of a chain; RETURN means that it ended without a verdict. */
function walk(journey: Journey, table: string, chain: string, states: readonly State[]): readonly End[] {
  const rules = journey.rules.get(table)?.get(chain);
  if (rules === undefined) throw new Error(`no chain ${chain} in ${table}`);
  const ends: End[] = [];
  let active = states;
  for (const rule of rules) {
    const next: State[] = [];
    for (const state of active) {
      const answer = judge(journey, rule, state);
      if (answer !== "yes") next.push(state);
      if (answer !== "no") follow(journey, table, rule, state, next, ends);
    }
    active = distinct(next);
    if (active.length === 0) return ends;
  }
  return [...ends, ...active.map((state): End => ({ state, verdict: "RETURN" }))];
}

function follow(journey: Journey, table: string, { target }: TextRule, state: State, next: State[], ends: End[]): void {
  switch (target.kind) {
    case "none":
      next.push(state);
      return;
    case "setMark":
      next.push({ ...state, mark: ((state.mark & ~target.mask) ^ target.value) >>> 0 });
      return;
    case "verdict":
      ends.push({ state, verdict: target.verdict });
      return;
    case "masquerade":
      ends.push({ state: { ...state, masqueraded: true }, verdict: "ACCEPT" });
      return;
    case "dnat": {
      const colon = target.address.lastIndexOf(":");
      const destination = target.address.slice(0, colon).replace(/[[\]]/g, "");
      const port = Number(target.address.slice(colon + 1));
      ends.push({ state: { ...state, destination, port, endpoint: target.address }, verdict: "ACCEPT" });
      return;
    }
    case "chain":
      for (const end of walk(journey, table, target.name, [state])) {
        if (end.verdict === "RETURN" && !target.goto) next.push(end.state);
        else ends.push(end);
      }
  }
}

function distinct(states: readonly State[]): readonly State[] {
  if (states.length < 2) return states;
  return [...new Map(states.map((state) => [`${state.endpoint} ${state.mark}`, state])).values()];
}

function judge(journey: Journey, rule: TextRule, state: State): "yes" | "no" | "maybe" {
  let answer: "yes" | "maybe" = "yes";
  for (const match of rule.matches) {
    if (match.kind === "chance") answer = "maybe";
    else if (holds(journey, match, state) === match.negated) return "no";
  }
  return answer;
}

function holds({ packet, isLocal }: Journey, match: TextMatch, state: State): boolean {
  switch (match.kind) {
    case "source":
      return contains(match.cidr, packet.source);
    case "destination":
      return contains(match.cidr, state.destination);
    case "protocol":
      return packet.protocol === match.protocol;
    case "destinationPort":
      return state.port === match.port;
    case "inputInterface":
      return matchesInterface(match.pattern, packet.inputInterface ?? "");
    case "sourceIsLocal":
      return isLocal(packet.source);
    case "destinationIsLocal":
      return isLocal(state.destination);
    case "connectionState":
      return match.states.some((word) => word === "NEW" || (word === "DNAT" && state.endpoint !== undefined));
    case "mark":
      return (state.mark & match.mask) >>> 0 === match.value;
    case "chance":
      return true;
  }
}

function matchesInterface(pattern: string, name: string): boolean {
  return pattern.endsWith("+") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

function combine(ends: readonly End[]): Fate {
  const endpoints = new Map<string, boolean>();
  const others = new Set<"reject" | "drop" | "accept" | "pass">();
  for (const { state, verdict } of ends) {
    if (verdict === "DROP") others.add("drop");
    else if (verdict === "REJECT") others.add("reject");
    else if (state.endpoint !== undefined) {
      if (endpoints.get(state.endpoint) === !state.masqueraded)
        throw new Error(`${state.endpoint} is masqueraded by chance`);
      endpoints.set(state.endpoint, state.masqueraded);
    } else others.add(verdict === "ACCEPT" ? "accept" : "pass");
  }
  const [kind, ...more] = others;
  if (endpoints.size > 0 && kind === undefined) {
    return { kind: "endpoints", addresses: [...endpoints.keys()], masqueraded: [...endpoints.values()] };
  }
  if (kind === undefined || more.length > 0 || endpoints.size > 0) {
    throw new Error(`fates mix: ${[...endpoints.keys(), ...others].join(", ")}`);
  }
  return { kind };
}
