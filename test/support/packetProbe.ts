import type { Family } from "../../src/types.ts";
import { answeringAddresses, inFamily, type Place, VANTAGES } from "./addresses.ts";
import { judgeOutcomes } from "./judge.ts";
import type { Network } from "./network.ts";
import type { Flow } from "./packetTable.ts";
import type { Connection, Listener, Outcome } from "./probe.ts";

/** Sends the flows of a packet table as real connections. */

/**
 * Milliseconds of silence that count as dropped. The kernel takes note of an ICMPv6 error only when it sends the
 * SYN again, a second later.
 */
const SILENCE: Readonly<Record<Family, number>> = { ipv4: 600, ipv6: 1400 };
/** Milliseconds to wait for what should come: a busy machine must not turn an answer into silence. */
const PATIENCE = 8000;
/** Connections per expected endpoint: first round, and before one that stays away counts as missing. */
const FIRST_ROUND = 4;
const LAST_ROUND = 60;
/** Connections of a first round at least: half of them going astray unseen is then a matter of one in a million. */
const FEWEST = 20;
/** Connections of one client with session affinity. */
const STICKY = 20;

/** SCTP sockets need a kernel module that most test machines lack; such flows run on the model and the text only. */
export function canBeSent(flow: Flow): boolean {
  return flow.protocol !== "sctp";
}

/**
 * Opens the sockets that answer: every known address on every port, so that a connection which strays is seen to
 * stray and is not mistaken for a refused one; and the rest of the world on exactly what the flows ask for.
 */
export async function listenEverywhere(
  network: Network,
  family: Family,
  flows: readonly Flow[],
  ports: readonly number[],
): Promise<void> {
  const sockets = new Map<Place, Map<string, Listener>>();
  const add = (place: Place, listener: Listener): void => {
    const ofPlace = sockets.get(place) ?? new Map<string, Listener>();
    ofPlace.set(`${listener.protocol} ${listener.ip} ${listener.port}`, listener);
    sockets.set(place, ofPlace);
  };
  const known = answeringAddresses(family);
  for (const [ip, place] of known) {
    for (const port of ports) {
      add(place, { protocol: "tcp", ip, port });
      add(place, { protocol: "udp", ip, port });
    }
  }
  for (const { protocol, destination, port } of flows.filter(canBeSent)) {
    if (!known.has(destination)) add("world", { protocol, ip: destination, port });
  }
  await Promise.all([...sockets].map(([place, listeners]) => network.agent(place).listen([...listeners.values()])));
}

/** Sends all flows at once; returns the lines that did not hold, each with what was found instead. */
export async function probe(network: Network, family: Family, flows: readonly Flow[]): Promise<readonly string[]> {
  const groups = new Map<string, Flow[]>();
  for (const flow of flows.filter(canBeSent)) {
    const key = flow.sticky === undefined ? flow.text : `${flow.vantage} sticky ${flow.sticky}`;
    groups.set(key, [...(groups.get(key) ?? []), flow]);
  }
  const problems = await Promise.all([...groups.values()].map((group) => probeGroup(network, family, group)));
  return problems.flat();
}

/** Flows that share a client's affinity go one after the other, and must all end at one endpoint. */
async function probeGroup(network: Network, family: Family, group: readonly Flow[]): Promise<readonly string[]> {
  const all: Outcome[] = [];
  const problems: string[] = [];
  for (const flow of group) {
    all.push(...(await outcomesOf(network, family, flow)));
    const problem = judgeOutcomes(flow, all, family);
    if (problem !== undefined) problems.push(`${flow.text}\n    ${problem}`);
  }
  return problems;
}

async function outcomesOf(network: Network, family: Family, flow: Flow): Promise<readonly Outcome[]> {
  const { place, source } = VANTAGES[flow.vantage];
  const connection: Connection = {
    protocol: flow.protocol,
    source: inFamily(source, family),
    destination: flow.destination,
    port: flow.port,
    timeout: flow.expected.kind === "drop" ? SILENCE[family] : PATIENCE,
  };
  const connect = (times: number): Promise<readonly Outcome[]> =>
    Promise.all(Array.from({ length: times }, () => network.agent(place).connect(connection)));
  if (flow.sticky !== undefined) return [...(await connect(1)), ...(await connect(STICKY - 1))];
  if (flow.expected.kind !== "endpoints") return connect(2);
  const endpoints = flow.expected.endpoints.length;
  const outcomes: Outcome[] = [];
  while (outcomes.length < endpoints * LAST_ROUND) {
    outcomes.push(...(await connect(Math.max(FEWEST, endpoints * FIRST_ROUND))));
    if (judgeOutcomes(flow, outcomes, family) === undefined || outcomes.some(isUnanswered)) break;
  }
  return outcomes;
}

function isUnanswered(outcome: Outcome): boolean {
  return outcome.outcome !== "answered";
}
