import type { Endpoint, EndpointSets, NodeFacts, TrafficPolicy } from "../types.ts";

/** Topology hints of one endpoint; empty sets where it has none. */
export interface Hints {
  readonly zones: readonly string[];
  readonly nodes: readonly string[];
}

export interface TopologyOptions {
  readonly node: Pick<NodeFacts, "name" | "zone">;
  readonly internalTrafficPolicy: TrafficPolicy;
  readonly externalTrafficPolicy: TrafficPolicy;
  readonly externallyAccessible: boolean;
}

type HintOf = (endpoint: Endpoint) => Hints | undefined;

/**
 * Which endpoints traffic may reach under each policy, as in kube-proxy's topology.go: ready ones that the hints
 * allow; where there are none, those that still serve while terminating. Locality ignores hints.
 */
export function categorizeEndpoints(all: readonly Endpoint[], hintsOf: HintOf, options: TopologyOptions): EndpointSets {
  const { externallyAccessible } = options;
  const internalLocal = options.internalTrafficPolicy === "Local";
  const externalLocal = options.externalTrafficPolicy === "Local" && externallyAccessible;
  const usesCluster = !internalLocal || externallyAccessible;
  const usesLocal = internalLocal || externalLocal;

  const cluster = usesCluster ? clusterEndpoints(all, hintsOf, options.node) : [];
  const local = usesLocal ? localEndpoints(all) : [];
  const hasAny = cluster.length > 0 || (usesLocal && all.some((endpoint) => endpoint.ready || stillServes(endpoint)));
  return { all, cluster, local, reachable: union(cluster, local), hasAny };
}

function stillServes(endpoint: Endpoint): boolean {
  return endpoint.serving && endpoint.terminating;
}

function clusterEndpoints(
  all: readonly Endpoint[],
  hintsOf: HintOf,
  node: TopologyOptions["node"],
): readonly Endpoint[] {
  const ready = all.filter((endpoint) => endpoint.ready);
  if (ready.length === 0) return all.filter(stillServes);
  return (
    hinted(ready, (endpoint) => hintsOf(endpoint)?.nodes, node.name) ??
    hinted(ready, (endpoint) => hintsOf(endpoint)?.zones, node.zone) ??
    ready
  );
}

/** The endpoints hinted for `here`, provided that all are hinted and one is for here. */
function hinted(
  ready: readonly Endpoint[],
  hintsFor: (endpoint: Endpoint) => readonly string[] | undefined,
  here: string,
): readonly Endpoint[] | undefined {
  const chosen: Endpoint[] = [];
  for (const endpoint of ready) {
    const hints = hintsFor(endpoint);
    if (hints === undefined || hints.length === 0) return undefined;
    if (hints.includes(here)) chosen.push(endpoint);
  }
  return chosen.length > 0 ? chosen : undefined;
}

function localEndpoints(all: readonly Endpoint[]): readonly Endpoint[] {
  const ready = all.filter((endpoint) => endpoint.isLocal && endpoint.ready);
  return ready.length > 0 ? ready : all.filter((endpoint) => endpoint.isLocal && stillServes(endpoint));
}

function union(cluster: readonly Endpoint[], local: readonly Endpoint[]): readonly Endpoint[] {
  if (local.length === 0) return cluster;
  if (cluster.length === 0) return local;
  const known = new Set(cluster);
  return [...cluster, ...local.filter((endpoint) => !known.has(endpoint))];
}
