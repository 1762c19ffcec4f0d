// Made-up clusters of any size, written as `kubectl get services,endpointslices -A -o json` prints them.
import { createHash } from "node:crypto";
import { closeSync, openSync, writeSync } from "node:fs";

const CREATED = "2026-03-14T09:26:53Z";
const NODES = 100;
const BUFFERED_CHARACTERS = 1 << 20;

/**
 * Writes a cluster of `services` Services with `endpoints` endpoints each as one JSON List, the same bytes for the same
 * arguments; `compact`: an object a line, as `jq -c` prints them. `generation(service, endpoint)` numbers the Pod behind an endpoint: another number is another Pod.
 */
export function writeCluster(path, { services, endpoints, generation = () => 0, compact = false }) {
  const file = openSync(path, "w");
  try {
    let pending = '{\n    "apiVersion": "v1",\n    "items": [\n';
    for (const [position, object] of objects(services, endpoints, generation)) {
      pending += `${position > 0 ? ",\n" : ""}${compact ? JSON.stringify(object) : indented(object)}`;
      if (pending.length < BUFFERED_CHARACTERS) continue;
      writeSync(file, pending);
      pending = "";
    }
    writeSync(
      file,
      `${pending}\n    ],\n    "kind": "List",\n    "metadata": {\n        "resourceVersion": ""\n    }\n}\n`,
    );
  } finally {
    closeSync(file);
  }
}

/** Kind after kind, each object with its position in the list. */
function* objects(services, endpoints, generation) {
  for (let index = 0; index < services; index++) yield [index, service(index)];
  for (let index = 0; index < services; index++) yield [services + index, endpointSlice(index, endpoints, generation)];
}

const indented = (object) => `        ${JSON.stringify(object, undefined, 4).replaceAll("\n", "\n        ")}`;

export const nameOf = (index) => `app-${index}`;
export const namespaceOf = (index) => `team-${index % 50}`;
const nodeOf = (number) => `node-${number % NODES}`;

/** Cluster IPs are taken from 10.96.0.0/12. */
export const clusterIPOf = (index) => ip((10 << 24) + (96 << 16) + 1 + index);

/** Pods get 10.128.0.0/9, each generation a part of its own. */
export const podIPOf = (number, generation) => ip((10 << 24) + (128 << 16) + 1 + number + generation * 1_000_000);

const ip = (number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join(".");

function uid(text) {
  const hex = createHash("sha256").update(text).digest("hex");
  const cuts = [0, 8, 12, 16, 20, 32];
  return cuts
    .slice(1)
    .map((end, part) => hex.slice(cuts[part], end))
    .join("-");
}

function service(index) {
  const [name, namespace, clusterIP] = [nameOf(index), namespaceOf(index), clusterIPOf(index)];
  const ports = [{ name: "http", port: 80, protocol: "TCP", targetPort: 8080 }];
  const applied = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { annotations: {}, name, namespace },
    spec: { ports, selector: { app: name } },
  };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: {
      annotations: { "kubectl.kubernetes.io/last-applied-configuration": `${JSON.stringify(applied)}\n` },
      creationTimestamp: CREATED,
      labels: { app: name, "app.kubernetes.io/part-of": namespace },
      name,
      namespace,
      resourceVersion: String(10_000 + index),
      uid: uid(`service ${index}`),
    },
    spec: {
      clusterIP,
      clusterIPs: [clusterIP],
      internalTrafficPolicy: "Cluster",
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      ports,
      selector: { app: name },
      sessionAffinity: "None",
      type: "ClusterIP",
    },
    status: { loadBalancer: {} },
  };
}

function endpointSlice(index, count, generation) {
  const [name, namespace] = [nameOf(index), namespaceOf(index)];
  return {
    addressType: "IPv4",
    apiVersion: "discovery.k8s.io/v1",
    endpoints: Array.from({ length: count }, (_, position) =>
      endpoint(index, index * count + position, generation(index, position)),
    ),
    kind: "EndpointSlice",
    metadata: {
      annotations: { "endpoints.kubernetes.io/last-change-trigger-time": CREATED },
      creationTimestamp: CREATED,
      generateName: `${name}-`,
      generation: 1,
      labels: {
        app: name,
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": name,
      },
      name: `${name}-${uid(`slice ${index}`).slice(0, 5)}`,
      namespace,
      ownerReferences: [
        {
          apiVersion: "v1",
          blockOwnerDeletion: true,
          controller: true,
          kind: "Service",
          name,
          uid: uid(`service ${index}`),
        },
      ],
      resourceVersion: String(500_000 + index),
      uid: uid(`slice ${index}`),
    },
    ports: [{ name: "http", port: 8080, protocol: "TCP" }],
  };
}

function endpoint(index, number, generation) {
  const pod = `${nameOf(index)}-7d4b9c6f5-${uid(`pod ${number} ${generation}`).slice(0, 5)}`;
  return {
    addresses: [podIPOf(number, generation)],
    conditions: { ready: true, serving: true, terminating: false },
    nodeName: nodeOf(number),
    targetRef: { kind: "Pod", name: pod, namespace: namespaceOf(index), uid: uid(`pod ${number} ${generation}`) },
    zone: `zone-${(number % NODES) % 3}`,
  };
}
