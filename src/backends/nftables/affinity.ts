import { InternalError } from "../../errors.ts";
import type { Chain, ChainId, Endpoint, Line, Origin, ServicePortName } from "../../types.ts";
import { chain } from "./layout.ts";
import { affinityChain, affinityEndpointChain } from "./names.ts";
import { constant, constantIn, dnatTo } from "./words.ts";
import { externalLine, type Writing } from "./writing.ts";

/**
 * Session affinity as kube-proxy does it: every endpoint of a ServicePort remembers its clients, every new
 * connection refreshes that, and a client goes to the first of the endpoints that remembers it. kube-proxy keeps a
 * set for each endpoint; here all share one, in which a number stands for the endpoint. A number is never given to
 * another endpoint, so a removed endpoint is forgotten in the same transaction, and so it is when it comes back.
 */

interface Lists {
  readonly cluster: { readonly endpoints: readonly Endpoint[] };
  readonly local: { readonly endpoints: readonly Endpoint[] };
}

/** Writes a chain of a ServicePort with session affinity, and those that it leads to. Returns its name. */
export function writeAffinityChain(
  writing: Writing,
  { id, rules, origin }: Chain,
  lists: Lists,
  seconds: number,
): string {
  if (id.role !== "external") return writeChoice(writing, id, lists[id.role].endpoints, seconds, origin);
  const name = affinityChain("external", id.servicePort);
  if (writing.chains.has(name)) return name;
  const nameOf = (to: ChainId): string => {
    if (to.role === "external") throw new InternalError("an external chain leads to another");
    return writeChoice(writing, to, lists[to.role].endpoints, seconds, origin);
  };
  const lines = rules.map((rule) => ({ ...externalLine(writing, rule, nameOf), origin }));
  writing.chains.set(name, chain(name, "External traffic of a Service with session affinity", lines));
  return name;
}

/** Known clients first; others go to an endpoint picked evenly, by a cascade that needs no map. */
function writeChoice(
  writing: Writing,
  { role, servicePort }: ChainId,
  endpoints: readonly Endpoint[],
  seconds: number,
  origin: Origin,
): string {
  if (role === "external") throw new InternalError("an external chain holds no endpoints");
  const name = affinityChain(role, servicePort);
  if (writing.chains.has(name)) return name;
  const known: Line[] = [];
  const choice: Line[] = [];
  endpoints.forEach((endpoint, index) => {
    const { target, number } = writeEndpoint(writing, servicePort, endpoint, seconds, origin);
    const left = endpoints.length - index;
    known.push({ text: `${writing.words.ip} saddr . ${constant(number)} @affinity goto ${target}`, origin });
    choice.push({ text: left === 1 ? `goto ${target}` : `numgen random mod ${left} 0 goto ${target}`, origin });
  });
  const where = role === "local" ? " on this node" : "";
  const holds = `Sends clients to the endpoint${where} that remembers them, others to any`;
  writing.chains.set(name, chain(name, holds, [...known, ...choice]));
  return name;
}

/** Remembering may fail when the set is full; the client is then served all the same. */
function writeEndpoint(
  writing: Writing,
  name: ServicePortName,
  { ip, port, address }: Endpoint,
  seconds: number,
  origin: Origin,
): { readonly target: string; readonly number: number } {
  const target = affinityEndpointChain(name, ip, port);
  const known = writing.chains.get(target);
  if (known !== undefined) return { target, number: numberOf(known.lines) };
  const number = writing.nextEndpoint++;
  const client = `${writing.words.ip} saddr . ${constant(number)}`;
  const lines = [
    { text: `update @affinity { ${client} timeout ${duration(seconds)} }`, origin },
    { text: dnatTo(name.protocol, address), origin },
  ];
  writing.chains.set(target, chain(target, "Remembers the client for this endpoint", lines));
  return { target, number };
}

/** The number that stands for an endpoint, found in the rules of its chain; 0 when there is none. */
export function numberOf(lines: readonly Line[]): number {
  return constantIn(lines[0]?.text ?? "");
}

const UNITS: readonly (readonly [string, number])[] = [
  ["d", 86_400],
  ["h", 3600],
  ["m", 60],
  ["s", 1],
];

/** A time as nft prints it: `3h`, `1d`, `1m30s`. */
export function duration(seconds: number): string {
  let left = seconds;
  let text = "";
  for (const [unit, length] of UNITS) {
    const count = Math.floor(left / length);
    if (count > 0) text += `${count}${unit}`;
    left -= count * length;
  }
  return text;
}
