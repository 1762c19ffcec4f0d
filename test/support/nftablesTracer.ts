import { contains, isLoopback } from "../../src/ip.ts";
import type { Fate, Packet } from "../../src/types.ts";
import { type NftTable, runNft } from "./nftKernel.ts";

/**
 * Follows one new packet through nftables text, hook by hook and by priority, as netfilter would:
 *
 *   from outside  prerouting → input (to the node), or forward → postrouting (to others)
 *   from the node output → postrouting [→ input, when it is for the node]
 *
 * What is left to chance goes all ways, so the fate names every endpoint that the text can pick. No client is
 * remembered by any endpoint yet.
 */

interface Journey {
  readonly packet: Packet;
  readonly isLocal: (ip: string) => boolean;
  readonly table: NftTable;
}

interface State {
  readonly destination: string;
  readonly port: number;
  readonly mark: number;
  readonly endpoint: string | undefined;
  readonly masqueraded: boolean;
}

type Verdict = "accept" | "drop" | "reject" | "return";

interface End {
  readonly state: State;
  readonly verdict: Verdict;
}

/** `nodeAddresses`: what the kernel counts as local; loopback is always. Throws when fates of different kinds mix. */
export function traceNftables(text: string | NftTable, packet: Packet, nodeAddresses: readonly string[]): Fate {
  const table = typeof text === "string" ? runNft(undefined, text) : text;
  if (table === undefined) return { kind: "pass" };
  const local = new Set(nodeAddresses);
  const journey: Journey = { packet, isLocal: (ip) => isLoopback(ip) || local.has(ip), table };
  const { destination, port } = packet;
  const start: State = { destination, port, mark: 0, endpoint: undefined, masqueraded: false };
  const fromNode = packet.inputInterface === undefined;
  const routed = through(journey, fromNode ? "output" : "prerouting", [start]);
  return combine(passOn(routed, (state) => afterRouting(journey, state, fromNode)));
}

function afterRouting(journey: Journey, state: State, fromNode: boolean): readonly End[] {
  const toNode = journey.isLocal(state.destination);
  if (fromNode) {
    const sent = through(journey, "postrouting", [state]);
    return toNode ? passOn(sent, (next) => through(journey, "input", [next])) : sent;
  }
  if (toNode) return through(journey, "input", [state]);
  return passOn(through(journey, "forward", [state]), (next) => through(journey, "postrouting", [next]));
}

/** All base chains of a hook, one after the other: accept ends only one of them. */
function through(journey: Journey, hook: string, states: readonly State[]): readonly End[] {
  const chains = [...journey.table.chains]
    .flatMap(([name, { hook: text }]) => {
      const priority = new RegExp(`hook ${hook} priority (-?\\d+)`).exec(text)?.[1];
      return priority === undefined ? [] : [{ name, priority: Number(priority), isNat: text.startsWith("type nat ") }];
    })
    .sort((a, b) => a.priority - b.priority);
  let ends: readonly End[] = states.map((state) => ({ state, verdict: "accept" }));
  for (const { name } of chains) ends = passOn(ends, (state) => walk(journey, name, [state]));
  return ends;
}

/** Goes on with what was let through. */
function passOn(ends: readonly End[], next: (state: State) => readonly End[]): readonly End[] {
  return ends.flatMap((end) => (end.verdict === "drop" || end.verdict === "reject" ? [end] : next(end.state)));
}

/** All ways out of a chain; `return` means that it ended without a verdict. */
function walk(journey: Journey, name: string, states: readonly State[]): readonly End[] {
  const chain = journey.table.chains.get(name);
  if (chain === undefined) throw new Error(`no chain ${name}`);
  const ends: End[] = [];
  let active = states;
  for (const rule of chain.rules) {
    const words = rule.replace(/ comment "[^"]*"$/, "");
    active = active.flatMap((state) => step(journey, words, state, ends));
    if (active.length === 0) return ends;
  }
  return [...ends, ...active.map((state): End => ({ state, verdict: "return" }))];
}

// ── One rule ─────────────────────────────────────────────────────────────────────────────────────

type Reading = (journey: Journey, match: RegExpExecArray, state: State, ends: End[]) => Outcome;

/** States that go on within the rule, and those that leave it for the next one. */
interface Outcome {
  readonly inside?: readonly State[];
  readonly next?: readonly State[];
}

const FIELD = String.raw`(?:ip6? [sd]addr|meta l4proto|(?:th|tcp|udp|sctp) dport|numgen (?:random|inc) mod \d+(?: offset \d+)?)`;
const KEY = String.raw`(${FIELD}(?: \. ${FIELD})*)`;

const yes = (state: State): Outcome => ({ inside: [state] });
const when = (condition: boolean, state: State): Outcome => (condition ? { inside: [state] } : { next: [state] });

/** Beginnings of rules, most specific first; each takes its words away. */
const READINGS: readonly (readonly [RegExp, Reading])[] = [
  [/^ct state new /, (_, __, state) => yes(state)],
  [/^ct status dnat /, (_, __, state) => when(state.endpoint !== undefined, state)],
  [/^fib saddr type local /, ({ packet, isLocal }, _, state) => when(isLocal(packet.source), state)],
  [/^fib daddr type local /, ({ isLocal }, _, state) => when(isLocal(state.destination), state)],
  [
    /^iifname (!= )?"([^"]*)" /,
    ({ packet }, [, not, pattern = ""], state) => {
      const name = packet.inputInterface ?? "";
      const is = pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
      return when(is === (not === undefined), state);
    },
  ],
  [/^meta mark & (0x\w+) != 0x0+ /, (_, [, mask], state) => when((state.mark & Number(mask)) !== 0, state)],
  [/^meta mark set meta mark \| (0x\w+) ?/, (_, [, bit], state) => yes({ ...state, mark: state.mark | Number(bit) })],
  [/^meta mark set meta mark \^ (0x\w+) ?/, (_, [, bit], state) => yes({ ...state, mark: state.mark ^ Number(bit) })],
  [/^update @\S+ \{ [^}]* \} ?/, (_, __, state) => yes(state)],
  [/^numgen random mod (\d+) 0 /, (_, __, state) => ({ inside: [state], next: [state] })],
  [
    /^meta l4proto (tcp|udp|sctp) (?!\.)/,
    ({ packet }, [, protocol], state) => when(packet.protocol === protocol, state),
  ],
  [
    /^reject with tcp reset$/,
    ({ packet }, _, state, ends) => (packet.protocol === "tcp" ? end(ends, state, "reject") : { next: [state] }),
  ],
  [/^(reject|drop|accept)$/, (_, [, verdict], state, ends) => end(ends, state, verdict as Verdict)],
  [/^masquerade fully-random$/, (_, __, state, ends) => end(ends, { ...state, masqueraded: true }, "accept")],
  [/^(goto|jump) (\S+)$/, (journey, [, verb, name = ""], state, ends) => lead(journey, verb, name, state, ends)],
  [/^dnat to (\S+)$/, (_, [, address = ""], state, ends) => translate(ends, state, address)],
  [
    new RegExp(`^dnat ip6? to ${KEY} map @(\\S+)$`),
    (journey, [, key = "", name = ""], state, ends) => {
      const next: State[] = [];
      for (const text of keysOf(journey, key, state)) {
        const value = elementOf(journey, name, text);
        if (value === undefined) next.push(state);
        else translate(ends, state, addressOf(value));
      }
      return { next };
    },
  ],
  [
    new RegExp(`^${KEY} vmap @(\\S+)$`),
    (journey, [, key = "", name = ""], state, ends) => {
      const value = elementOf(journey, name, keysOf(journey, key, state)[0] ?? "");
      if (value === undefined) return { next: [state] };
      const [verb = "", target = ""] = value.split(" ");
      return target === "" ? end(ends, state, verb as Verdict) : lead(journey, verb, target, state, ends);
    },
  ],
  [
    new RegExp(`^${KEY} (!= )?@(\\S+) `),
    (journey, [, key = "", not, name = ""], state) => {
      const isIn = keysOf(journey, key, state).some((text) => elementOf(journey, name, text) !== undefined);
      return when(isIn === (not === undefined), state);
    },
  ],
  [
    /^ip6? ([sd])addr (!= )?([0-9a-f.:]+(?:\/\d+)?) /,
    ({ packet }, [, which, not, cidr = ""], state) => {
      const ip = which === "s" ? packet.source : state.destination;
      const is = cidr.includes("/") ? contains(cidr, ip) : cidr === ip;
      return when(is === (not === undefined), state);
    },
  ],
];

function step(journey: Journey, words: string, state: State, ends: End[]): readonly State[] {
  let active: readonly State[] = [state];
  const next: State[] = [];
  let left = words;
  while (left !== "" && active.length > 0) {
    const found = READINGS.find(([pattern]) => pattern.test(left));
    const match = found?.[0].exec(left);
    if (found === undefined || match === null || match === undefined) throw new Error(`cannot read rule: ${left}`);
    const outcomes: Outcome[] = active.map((one) => found[1](journey, match, one, ends));
    for (const outcome of outcomes) next.push(...(outcome.next ?? []));
    active = outcomes.flatMap(({ inside }) => inside ?? []);
    left = left.slice(match[0].length);
  }
  return distinct([...next, ...active]);
}

function distinct(states: readonly State[]): readonly State[] {
  return [...new Map(states.map((state) => [`${state.endpoint} ${state.mark}`, state])).values()];
}

function end(ends: End[], state: State, verdict: Verdict): Outcome {
  ends.push({ state, verdict });
  return {};
}

function lead(journey: Journey, verb: string | undefined, name: string, state: State, ends: End[]): Outcome {
  const next: State[] = [];
  for (const one of walk(journey, name, [state])) {
    if (one.verdict === "return" && verb === "jump") next.push(one.state);
    else ends.push(one);
  }
  return { inside: next };
}

function translate(ends: End[], state: State, address: string): Outcome {
  const colon = address.lastIndexOf(":");
  const destination = address.slice(0, colon).replace(/[[\]]/g, "");
  return end(ends, { ...state, destination, port: Number(address.slice(colon + 1)), endpoint: address }, "accept");
}

/** `10.0.0.1 . 80` as "10.0.0.1:80", `fd00::1 . 80` as "[fd00::1]:80". */
function addressOf(value: string): string {
  const [ip = "", port = ""] = value.split(" . ");
  return ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
}

// ── Keys ─────────────────────────────────────────────────────────────────────────────────────────

/** Every key that an expression can stand for; none when the packet lacks a part of it. */
function keysOf(journey: Journey, expression: string, state: State): readonly string[] {
  const parts = expression.split(" . ").map((field) => valuesOf(journey, field, state));
  return parts
    .reduce((keys, values) => keys.flatMap((key) => values.map((value) => `${key} . ${value}`)), [""])
    .map((key) => key.slice(3));
}

function valuesOf({ packet }: Journey, field: string, { destination, port }: State): readonly string[] {
  if (field.endsWith(" saddr")) return [packet.source];
  if (field.endsWith(" daddr")) return [destination];
  if (field === "meta l4proto") return [packet.protocol];
  if (field.endsWith(" dport")) return field === "th dport" || field.startsWith(packet.protocol) ? [`${port}`] : [];
  const [, count, offset = "0"] = /mod (\d+)(?: offset (\d+))?$/.exec(field) ?? [];
  return Array.from({ length: Number(count) }, (_, index) => `${Number(offset) + index}`);
}

/** The value of a key; in a set of intervals its last part is found by the CIDR that holds it. */
function elementOf({ table }: Journey, name: string, key: string): string | undefined {
  const set = table.sets.get(name);
  if (set === undefined) throw new Error(`no set ${name}`);
  const exact = set.elements.get(key);
  if (exact !== undefined || !set.declaration.includes("flags interval")) return exact?.value;
  const split = key.lastIndexOf(" . ") + 3;
  for (const candidate of set.elements.keys()) {
    if (!candidate.startsWith(key.slice(0, split)) || !candidate.includes("/")) continue;
    if (contains(candidate.slice(split), key.slice(split))) return "";
  }
  return undefined;
}

// ── Fate ─────────────────────────────────────────────────────────────────────────────────────────

function combine(ends: readonly End[]): Fate {
  const endpoints = new Map<string, boolean>();
  const others = new Set<"reject" | "drop" | "pass">();
  for (const { state, verdict } of ends) {
    if (verdict === "drop" || verdict === "reject") others.add(verdict);
    else if (state.endpoint === undefined) others.add("pass");
    else {
      if (endpoints.get(state.endpoint) === !state.masqueraded)
        throw new Error(`${state.endpoint} is masqueraded by chance`);
      endpoints.set(state.endpoint, state.masqueraded);
    }
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
