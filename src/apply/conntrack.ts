import { joinAddress } from "../ip.ts";
import type { Command, Family, Ruleset, Runner, ServicePort } from "../types.ts";

/**
 * UDP has no end of a connection: a client that keeps its port keeps the connection-tracking entry, and with it an
 * endpoint that may be gone. As kube-proxy (pkg/proxy/conntrack/cleanup.go), entries of UDP ServicePorts are
 * deleted when they lead to anything but a serving endpoint; TCP and SCTP ones are left to their protocols.
 */

/** Entries that have the same destination before and the same answering side after translation. */
export interface StaleFlow {
  readonly destination: string;
  readonly port: number;
  readonly replySource: string;
  readonly replyPort: number;
}

/** Which endpoints serve, and who has which address. */
export interface Decided {
  readonly servicePorts: readonly ServicePort[];
  readonly ruleset: Pick<Ruleset, "dispatch">;
}

export type FlushResult =
  | { readonly kind: "flushed"; readonly flows: readonly StaleFlow[] }
  | { readonly kind: "failed"; readonly reason: string };

/** Deletes the stale entries of one family; missing tools and refusals are told, not thrown. */
export async function flushStaleFlows(run: Runner, family: Family, decided: Decided): Promise<FlushResult> {
  if (!decided.servicePorts.some(({ name }) => name.protocol === "udp")) return { kind: "flushed", flows: [] };
  try {
    const listing = await run({ program: "conntrack", args: ["-L", "-f", family, "-p", "udp"] });
    if (listing.exitCode !== 0) return { kind: "failed", reason: listing.stderr.trim() };
    const serving = servingEndpoints(decided);
    const flows = staleAmong(listing.stdout, serving);
    const deletions = new Map(
      flows.map((flow) => deletion(family, flow, serving)).map((one) => [one.args.join(" "), one]),
    );
    for (const one of deletions.values()) await run(one);
    return { kind: "flushed", flows };
  } catch (error) {
    return { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
}

/**
 * What deletes a flow and as many others as it may. Each run of the tool walks the kernel's whole table, and a Pod can
 * make any number of flows to a NodePort's number at addresses that nobody serves; so what is stale for every
 * destination, or whoever answers, goes at once. An entry may end by itself in between, so what is found does not matter.
 */
function deletion(family: Family, { destination, port, replySource, replyPort }: StaleFlow, serving: Serving): Command {
  const answeredBy = joinAddress(replySource, replyPort);
  const forNodePort = serving.byNodePort.get(port);
  const isNodePort = forNodePort !== undefined && !forNodePort.addresses.has(answeredBy);
  const owner = isNodePort ? forNodePort : serving.byAddress.get(joinAddress(destination, port));
  const isAnyStale = owner !== undefined && !owner.ports.has(replyPort);
  return {
    program: "conntrack",
    args: [
      ...["-D", "-f", family, "-p", "udp"],
      ...(isNodePort ? [] : ["--orig-dst", destination]),
      ...["--orig-port-dst", String(port)],
      ...(isAnyStale ? [] : ["--reply-src", replySource]),
      ...["--reply-port-src", String(replyPort)],
    ],
  };
}

const ENTRY = /^udp\b.*? src=\S+ dst=(\S+) sport=\d+ dport=(\d+) .*?src=(\S+) dst=\S+ sport=(\d+) dport=\d+/;

/** The distinct stale flows in the output of `conntrack -L -p udp`. */
export function staleFlows(listing: string, decided: Decided): readonly StaleFlow[] {
  return staleAmong(listing, servingEndpoints(decided));
}

function staleAmong(listing: string, { byAddress, byNodePort }: Serving): readonly StaleFlow[] {
  const stale = new Map<string, StaleFlow>();
  for (const line of listing.split("\n")) {
    const [, destination = "", port = "", replySource = "", replyPort = ""] = ENTRY.exec(line) ?? [];
    if (destination === "") continue;
    const answeredBy = joinAddress(replySource, Number(replyPort));
    // A NodePort is looked for on every destination, even where the address has a Service of its own.
    const owners = [byAddress.get(joinAddress(destination, Number(port))), byNodePort.get(Number(port))];
    if (owners.every((serving) => serving === undefined || serving.addresses.has(answeredBy))) continue;
    stale.set(`${destination} ${port} ${answeredBy}`, {
      destination,
      port: Number(port),
      replySource,
      replyPort: Number(replyPort),
    });
  }
  return [...stale.values()];
}

/** Serving endpoints of one ServicePort. */
interface Served {
  readonly addresses: ReadonlySet<string>;
  readonly ports: ReadonlySet<number>;
}

interface Serving {
  readonly byAddress: ReadonlyMap<string, Served>;
  readonly byNodePort: ReadonlyMap<number, Served>;
}

/**
 * Serving endpoints of the UDP ServicePorts that have any, by the addresses that are theirs: what several claim has one
 * owner. Without one there is nowhere else to go.
 */
function servingEndpoints({ servicePorts, ruleset }: Decided): Serving {
  const byName = new Map<string, Served>();
  for (const { name, endpoints } of servicePorts) {
    const all = name.protocol === "udp" ? endpoints.all.filter((endpoint) => endpoint.serving) : [];
    if (all.length === 0) continue;
    const addresses = new Set(all.map(({ address }) => address));
    byName.set(name.text, { addresses, ports: new Set(all.map(({ port }) => port)) });
  }
  const byAddress = new Map<string, Served>();
  const byNodePort = new Map<number, Served>();
  for (const { destination, protocol, port, origin } of ruleset.dispatch) {
    const serving = protocol === "udp" ? byName.get(origin.servicePort.text) : undefined;
    if (serving === undefined) continue;
    if (destination.kind === "nodePort") byNodePort.set(port, serving);
    else byAddress.set(joinAddress(destination.ip, port), serving);
  }
  return { byAddress, byNodePort };
}
