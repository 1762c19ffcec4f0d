/** Small clusters for tests of the rules themselves. */

export interface ServiceSketch {
  readonly name: string;
  readonly clusterIP: string;
  readonly nodePort?: number;
  readonly endpoints: readonly string[];
}

/** Manifests of Services with one port, 80, and a slice each; JSON, one List. */
export function clusterOf(sketches: readonly ServiceSketch[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items: sketches.flatMap(objectsOf) });
}

function objectsOf({ name, clusterIP, nodePort, endpoints }: ServiceSketch): readonly object[] {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: {
      type: nodePort === undefined ? "ClusterIP" : "NodePort",
      clusterIP,
      ports: [{ port: 80, ...(nodePort === undefined ? {} : { nodePort }) }],
    },
  };
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: clusterIP.includes(":") ? "IPv6" : "IPv4",
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
    endpoints: endpoints.map((ip) => ({ addresses: [ip], nodeName: "test-node" })),
  };
  return [service, slice];
}

export const WEB: ServiceSketch = {
  name: "web",
  clusterIP: "172.30.0.41",
  nodePort: 30080,
  endpoints: ["10.180.0.1", "10.180.0.2"],
};
export const DNS: ServiceSketch = { name: "dns", clusterIP: "172.30.0.10", endpoints: ["10.180.0.3"] };
export const WEB6: ServiceSketch = {
  name: "web6",
  clusterIP: "fd00:172:30::41",
  nodePort: 30086,
  endpoints: ["fd00:10:180::1"],
};
