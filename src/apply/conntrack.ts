import { joinAddress } from "../ip.ts";
import type { Command, Family, Runner, ServicePort } from "../types.ts";

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

export type FlushResult =
  | { readonly kind: "flushed"; readonly flows: readonly StaleFlow[] }
  | { readonly kind: "failed"; readonly reason: string };

/** Deletes the stale entries of one family; missing tools and refusals are told, not thrown. */
export async function flushStaleFlows(
  run: Runner,
  family: Family,
  servicePorts: readonly ServicePort[],
): Promise<FlushResult> {
  if (!servicePorts.some(({ name }) => name.protocol === "udp")) return { kind: "flushed", flows: [] };
  try {
    const listing = await run({ program: "conntrack", args: ["-L", "-f", family, "-p", "udp"] });
    if (listing.exitCode !== 0) return { kind: "failed", reason: listing.stderr.trim() };
    const flows = staleFlows(listing.stdout, servicePorts);
    for (const flow of flows) await run(deletion(family, flow));
    return { kind: "flushed", flows };
  } catch (error) {
    return { kind: "failed", reason: error instanceof Error ? error.message : String(error) };
  }
}

/** An entry may end by itself in between, so what the deletion finds does not matter. */
function deletion(family: Family, { destination, port, replySource, replyPort }: StaleFlow): Command {
  return {
    program: "conntrack",
    args: [
      ...["-D", "-f", family, "-p", "udp"],
      ...["--orig-dst", destination, "--orig-port-dst", String(port)],
      ...["--reply-src", replySource, "--reply-port-src", String(replyPort)],
    ],
  };
}

const ENTRY = /^udp\b.*? src=\S+ dst=(\S+) sport=\d+ dport=(\d+) .*?src=(\S+) dst=\S+ sport=(\d+) dport=\d+/;

/** The distinct stale flows in the output of `conntrack -L -p udp`. */
export function staleFlows(listing: string, servicePorts: readonly ServicePort[]): readonly StaleFlow[] {
  const { byAddress, byNodePort } = servingEndpoints(servicePorts);
  const stale = new Map<string, StaleFlow>();
  for (const line of listing.split("\n")) {
    const [, destination = "", port = "", replySource = "", replyPort = ""] = ENTRY.exec(line) ?? [];
    if (destination === "") continue;
    const answeredBy = joinAddress(replySource, Number(replyPort));
    // A NodePort is looked for on every destination, even where the address has a Service of its own.
    const owners = [byAddress.get(joinAddress(destination, Number(port))), byNodePort.get(Number(port))];
    if (owners.every((serving) => serving === undefined || serving.has(answeredBy))) continue;
    stale.set(`${destination} ${port} ${answeredBy}`, {
      destination,
      port: Number(port),
      replySource,
      replyPort: Number(replyPort),
    });
  }
  return [...stale.values()];
}

interface Serving {
  readonly byAddress: ReadonlyMap<string, ReadonlySet<string>>;
  readonly byNodePort: ReadonlyMap<number, ReadonlySet<string>>;
}

/** Serving endpoints of the UDP ServicePorts that have any; without one there is nowhere else to go. */
function servingEndpoints(servicePorts: readonly ServicePort[]): Serving {
  const byAddress = new Map<string, ReadonlySet<string>>();
  const byNodePort = new Map<number, ReadonlySet<string>>();
  for (const { name, port, nodePort, clusterIP, externalIPs, loadBalancerVIPs, endpoints } of servicePorts) {
    if (name.protocol !== "udp") continue;
    const serving = new Set(endpoints.all.filter((endpoint) => endpoint.serving).map(({ address }) => address));
    if (serving.size === 0) continue;
    for (const ip of [clusterIP, ...externalIPs, ...loadBalancerVIPs]) byAddress.set(joinAddress(ip, port), serving);
    if (nodePort !== 0) byNodePort.set(nodePort, serving);
  }
  return { byAddress, byNodePort };
}
