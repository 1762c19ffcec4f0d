import {
  anyObject,
  closed,
  flag,
  int32,
  int64,
  intOrText,
  list,
  open,
  type Schema,
  text,
  textMap,
  texts,
  time,
} from "./shapes.ts";

/** The objects by kind, with every field that the API server knows. Nothing is required here: what is missing counts as empty, and the checks say what may not be empty. */

const objectReference = closed({
  apiVersion: text,
  kind: text,
  name: text,
  namespace: text,
  uid: text,
  resourceVersion: text,
  fieldPath: text,
});

const metadata = closed({
  name: text,
  generateName: text,
  namespace: text,
  uid: text,
  resourceVersion: text,
  selfLink: text,
  generation: int64,
  deletionGracePeriodSeconds: int64,
  creationTimestamp: time,
  deletionTimestamp: time,
  labels: textMap,
  annotations: textMap,
  finalizers: texts,
  ownerReferences: list(
    closed({ apiVersion: text, kind: text, name: text, uid: text, controller: flag, blockOwnerDeletion: flag }),
  ),
  managedFields: list(
    closed({
      manager: text,
      operation: text,
      apiVersion: text,
      time: time,
      fieldsType: text,
      fieldsV1: anyObject,
      subresource: text,
    }),
  ),
});

const condition = closed({
  type: text,
  status: text,
  observedGeneration: int64,
  lastTransitionTime: time,
  reason: text,
  message: text,
});

const servicePort = closed({
  name: text,
  protocol: text,
  appProtocol: text,
  port: int32,
  targetPort: intOrText,
  nodePort: int32,
});

const serviceSpec = closed({
  allocateLoadBalancerNodePorts: flag,
  clusterIP: text,
  clusterIPs: texts,
  externalIPs: texts,
  externalName: text,
  externalTrafficPolicy: text,
  healthCheckNodePort: int32,
  internalTrafficPolicy: text,
  ipFamilies: texts,
  ipFamilyPolicy: text,
  loadBalancerClass: text,
  loadBalancerIP: text,
  loadBalancerSourceRanges: texts,
  ports: list(servicePort),
  publishNotReadyAddresses: flag,
  selector: textMap,
  sessionAffinity: text,
  sessionAffinityConfig: closed({ clientIP: closed({ timeoutSeconds: int32 }) }),
  trafficDistribution: text,
  type: text,
});

const ingress = closed({
  ip: text,
  hostname: text,
  ipMode: text,
  ports: list(closed({ port: int32, protocol: text, error: text })),
});

const service = closed({
  apiVersion: text,
  kind: text,
  metadata,
  spec: serviceSpec,
  status: closed({ conditions: list(condition), loadBalancer: closed({ ingress: list(ingress) }) }),
});

const endpointAddress = closed({ ip: text, hostname: text, nodeName: text, targetRef: objectReference });

const endpoints = closed({
  apiVersion: text,
  kind: text,
  metadata,
  subsets: list(
    closed({
      addresses: list(endpointAddress),
      notReadyAddresses: list(endpointAddress),
      ports: list(closed({ name: text, port: int32, protocol: text, appProtocol: text })),
    }),
  ),
});

const hints = list(closed({ name: text }));

const endpointSlice = closed({
  apiVersion: text,
  kind: text,
  metadata,
  addressType: text,
  endpoints: list(
    closed({
      addresses: texts,
      conditions: closed({ ready: flag, serving: flag, terminating: flag }),
      hostname: text,
      nodeName: text,
      zone: text,
      targetRef: objectReference,
      hints: closed({ forZones: hints, forNodes: hints }),
      deprecatedTopology: textMap,
    }),
  ),
  ports: list(closed({ name: text, protocol: text, appProtocol: text, port: int32 })),
});

const openMetadata = open({
  name: text,
  namespace: text,
  uid: text,
  deletionTimestamp: time,
  labels: textMap,
  annotations: textMap,
});

const node = open({
  metadata: openMetadata,
  spec: open({ podCIDR: text, podCIDRs: texts }),
  status: open({ addresses: list(open({ type: text, address: text })) }),
});

const container = open({
  name: text,
  restartPolicy: text,
  ports: list(open({ name: text, containerPort: int32, protocol: text })),
});

const pod = open({
  metadata: openMetadata,
  spec: open({
    nodeName: text,
    hostname: text,
    subdomain: text,
    hostNetwork: flag,
    containers: list(container),
    initContainers: list(container),
  }),
  status: open({
    phase: text,
    podIP: text,
    podIPs: list(open({ ip: text })),
    conditions: list(open({ type: text, status: text })),
  }),
});

/** By kind; `scripts/validators.mjs` compiles each into a function of this name. */
export const schemas: Readonly<Record<"Service" | "Endpoints" | "EndpointSlice" | "Node" | "Pod", Schema>> = {
  Service: service,
  Endpoints: endpoints,
  EndpointSlice: endpointSlice,
  Node: node,
  Pod: pod,
};
