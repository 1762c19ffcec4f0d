import type { ValidateOptions } from "../../../src/input/validate.ts";

/**
 * What the API server accepts and refuses, rule by rule. Each row holds objects that must pass and objects that
 * must be refused at `path` with `code`.
 */
export interface Rule {
  readonly rule: number;
  readonly code: string;
  readonly path: string;
  readonly valid: readonly unknown[];
  readonly invalid: readonly unknown[];
  readonly options?: ValidateOptions;
}

export type Fields = Readonly<Record<string, unknown>>;

export const port = { port: 80 };
const long = (length: number): string => "a".repeat(length);

export function service(spec: Fields = {}, metadata: Fields = {}, status?: Fields): Fields {
  const base = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", ...metadata },
    spec: { ports: [port], ...spec },
  };
  return status === undefined ? base : { ...base, status };
}

export function endpoints(subset: Fields = {}, metadata: Fields = {}): Fields {
  const whole = { addresses: [{ ip: "10.10.1.1" }], ports: [{ port: 8675 }], ...subset };
  return { apiVersion: "v1", kind: "Endpoints", metadata: { name: "web", ...metadata }, subsets: [whole] };
}

export function slice(fields: Fields = {}, metadata: Fields = {}): Fields {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "web-1", labels: { "kubernetes.io/service-name": "web" }, ...metadata },
    addressType: "IPv4",
    endpoints: [{ addresses: ["10.1.2.3"] }],
    ports: [{ port: 80 }],
    ...fields,
  };
}

/** The three kinds under the same metadata. */
const all = (metadata: Fields): readonly Fields[] => [
  service({}, metadata),
  endpoints({}, metadata),
  slice({}, metadata),
];
const ports = (...list: readonly Fields[]): Fields => service({ ports: list });
const nodePorts = (...list: readonly Fields[]): Fields => service({ type: "NodePort", ports: list });
/** 53/TCP, 53/UDP and 53/SCTP. */
const dnsPorts = (...numbers: readonly number[]): Fields =>
  nodePorts(
    ...numbers.map((nodePort, i) => ({ name: `p${i}`, port: 53, protocol: ["TCP", "UDP", "SCTP"][i], nodePort })),
  );
const alias = (spec: Fields = {}): Fields =>
  service({ type: "ExternalName", externalName: "db.example.com", ports: undefined, ...spec });
const balancer = (spec: Fields = {}, status?: Fields): Fields => service({ type: "LoadBalancer", ...spec }, {}, status);
const ingress = (...list: readonly Fields[]): Fields => ({ loadBalancer: { ingress: list } });
const address = (fields: Fields): Fields => endpoints({ addresses: [{ ip: "10.10.1.1", ...fields }] });
const endpointPort = (fields: Fields): Fields => endpoints({ ports: [{ port: 80, ...fields }] });
const endpoint = (fields: Fields): Fields => slice({ endpoints: [{ addresses: ["10.1.2.3"], ...fields }] });
const addresses = (addressType: string, ...list: readonly string[]): Fields =>
  slice({ addressType, endpoints: [{ addresses: list }] });
const slicePorts = (...list: readonly Fields[]): Fields => slice({ ports: list });
const repeat = <T>(count: number, make: (i: number) => T): readonly T[] =>
  Array.from({ length: count }, (_, i) => make(i));
const topology = (mode: string, hints: string): Fields =>
  service(
    {},
    {
      annotations: { "service.kubernetes.io/topology-mode": mode, "service.kubernetes.io/topology-aware-hints": hints },
    },
  );
const RANGES = "service.beta.kubernetes.io/load-balancer-source-ranges";
const owner = { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: "7d1a" };
const BAD_IPS = [
  "garbage",
  "none",
  "001.002.003.004",
  "::ffff:1.2.3.4",
  "::ffff:102:304",
  "::ffff:0:5",
  "::ffff:0:0",
  "1.2.3.0/24",
  "1.2.3",
  "fe80::1%eth0",
  "[2001:db8::1]",
  " 1.2.3.4",
  "1.2.3.256",
];
const UNUSABLE = [
  "127.0.0.1",
  "0.0.0.0",
  "::",
  "169.254.1.1",
  "169.254.169.254",
  "224.0.0.5",
  "::1",
  "fe80::1",
  "ff02::1",
  "ff12::5",
];
/** Only their first characters are those of link-local addresses. */
const NEARLY_UNUSABLE = ["fe8::1", "fea::1", "ff:2::1", "ff2::1"];
const BAD_LABELS = ["Web", "a.b", "-123", "a-", "a_b", long(64)];

const BAD_TIMES = [
  "",
  "yesterday",
  "2024-01-01",
  "2024-01-01 00:00:00Z",
  "2024-01-01t00:00:00Z",
  "2024-01-01T00:00:00z",
  "2024-01-01T00:00:00",
  "2024-01-01T00:00Z",
  "2024-01-01T24:00:00Z",
  "2024-01-01T00:00:60Z",
  "2024-01-01T00:00:00.Z",
  "2024-01-01T00:00:00+0100",
  "2024-02-30T00:00:00Z",
  "2023-02-29T00:00:00Z",
  "1900-02-29T00:00:00Z",
  "2024-04-31T00:00:00Z",
  "2024-13-01T00:00:00Z",
  "2024-01-00T00:00:00Z",
  "2024-01-01T00:00:00Z\n",
];
const GOOD_TIMES = [
  null,
  "2024-01-01T00:00:00Z",
  "2024-02-29T23:59:59.123456+05:30",
  "2000-02-29T00:00:00,5-24:60",
  "2024-12-31T7:00:00Z",
];

const shape: readonly Rule[] = [
  {
    rule: 4,
    code: "wrong-type",
    path: "metadata.creationTimestamp",
    valid: GOOD_TIMES.flatMap((creationTimestamp) => all({ creationTimestamp })),
    invalid: [5, ...BAD_TIMES].flatMap((creationTimestamp) => all({ creationTimestamp })),
  },
  {
    rule: 4,
    code: "wrong-type",
    path: "metadata.deletionTimestamp",
    valid: [service({}, { deletionTimestamp: "2024-01-01T00:00:00Z" })],
    invalid: all({ deletionTimestamp: "soon" }),
  },
  {
    rule: 4,
    code: "wrong-type",
    path: "metadata.managedFields[0].time",
    valid: all({ managedFields: [{ operation: "Apply", time: "2024-01-01T00:00:00Z" }] }),
    invalid: all({ managedFields: [{ operation: "Apply", time: "now" }] }),
  },
  {
    rule: 4,
    code: "wrong-type",
    path: "status.conditions[0].lastTransitionTime",
    valid: [service({}, {}, { conditions: [{ lastTransitionTime: "2024-01-01T00:00:00Z" }] })],
    invalid: [service({}, {}, { conditions: [{ lastTransitionTime: "now" }] })],
  },
  {
    rule: 1,
    code: "api-version-wrong",
    path: "apiVersion",
    valid: [service(), slice()],
    invalid: [
      { ...slice(), apiVersion: "v1" },
      { ...slice(), apiVersion: "discovery.k8s.io/v1beta1" },
      { ...service(), apiVersion: "apps/v1" },
      { ...endpoints(), apiVersion: "v2" },
    ],
  },
  {
    rule: 1,
    code: "kind-misspelt",
    path: "kind",
    valid: [{ ...service(), apiVersion: "serving.knative.dev/v1", kind: "service" }],
    invalid: [
      { ...service(), kind: "service" },
      { ...service(), kind: "Services" },
      { ...endpoints(), kind: "Endpoint" },
      { ...slice(), kind: "Endpointslice" },
    ],
  },
  {
    rule: 1,
    code: "kind-missing",
    path: "kind",
    valid: [],
    invalid: [{ apiVersion: "v1" }, { apiVersion: "v1", kind: null }],
  },
  {
    rule: 1,
    code: "api-version-missing",
    path: "apiVersion",
    valid: [],
    invalid: [{ kind: "Service" }, { kind: "ConfigMap" }],
  },
  {
    rule: 2,
    code: "unknown-field",
    path: "spec.clusterIp",
    valid: [service({ clusterIP: "10.0.0.7" })],
    invalid: [service({ clusterIp: "10.0.0.7" })],
  },
  {
    rule: 4,
    code: "wrong-type",
    path: "spec.ports[0].port",
    valid: [ports({ port: 80 })],
    invalid: [ports({ port: "80" }), ports({ port: 80.5 }), ports({ port: true })],
  },
  {
    rule: 5,
    code: "integer-range",
    path: "spec.ports[0].nodePort",
    valid: [nodePorts({ port: 80, nodePort: 30080 })],
    invalid: [nodePorts({ port: 80, nodePort: 4294967296 }), nodePorts({ port: 80, nodePort: -2147483649 })],
  },
  {
    rule: 6,
    code: "wrong-type",
    path: "metadata.labels[version]",
    // null is the empty text.
    valid: [service({}, { labels: { version: "1.0" } }), service({}, { labels: { version: null } })],
    invalid: [service({}, { labels: { version: 1 } }), service({}, { labels: { version: true } })],
  },
  {
    rule: 7,
    code: "target-port-invalid",
    path: "spec.ports[0].targetPort",
    valid: [ports({ port: 80, targetPort: 8080 }), ports({ port: 80, targetPort: "http" })],
    invalid: [ports({ port: 80, targetPort: "8080" })],
  },
  {
    rule: 8,
    code: "wrong-type",
    path: "spec.externalIPs[0]",
    valid: [
      service({
        selector: null,
        clusterIP: null,
        clusterIPs: null,
        externalIPs: null,
        sessionAffinityConfig: { clientIP: null },
      }),
      slice({ endpoints: null, ports: null }),
      { ...endpoints(), subsets: null },
    ],
    invalid: [service({ externalIPs: [1] })],
  },
];

const metadata: readonly Rule[] = [
  {
    rule: 9,
    code: "name-required",
    path: "metadata.name",
    valid: all({ name: "web" }),
    invalid: [...all({ name: undefined }), ...all({ name: "" })],
  },
  {
    rule: 10,
    code: "name-invalid",
    path: "metadata.name",
    valid: ["web", "1-web", long(63), "a--b"].map((name) => service({}, { name })),
    invalid: BAD_LABELS.map((name) => service({}, { name })),
  },
  {
    rule: 10,
    code: "name-invalid",
    path: "metadata.name",
    options: { kubeVersion: "1.35" },
    valid: [service({}, { name: "web-1" })],
    invalid: ["1-web", long(64), "123"].map((name) => service({}, { name })),
  },
  {
    rule: 11,
    code: "name-invalid",
    path: "metadata.name",
    valid: ["my-svc", "a.b.c", `${long(200)}.b`].flatMap((name) => [endpoints({}, { name }), slice({}, { name })]),
    invalid: ["-_Bad^&", "*&^", "a..b", long(254)].flatMap((name) => [endpoints({}, { name }), slice({}, { name })]),
  },
  {
    rule: 12,
    code: "generate-name-invalid",
    path: "metadata.generateName",
    valid: ["web-", `${long(63)}-`, "web"].map((generateName) => service({}, { generateName })),
    invalid: ["-123", long(64), "Web-"].map((generateName) => service({}, { generateName })),
  },
  {
    rule: 13,
    code: "name-required",
    path: "metadata.name",
    valid: all({ name: undefined, generateName: `${long(57)}-` }),
    invalid: all({ name: undefined, generateName: "" }),
  },
  {
    // The test of generateName looks past its last two characters; the test of the name does not.
    rule: 13,
    code: "name-invalid",
    path: "metadata.name",
    valid: [],
    invalid: all({ name: undefined, generateName: "web|-" }),
  },
  {
    rule: 14,
    code: "namespace-invalid",
    path: "metadata.namespace",
    valid: [...all({}), ...all({ namespace: "" })],
    invalid: all({ namespace: " " }),
  },
  {
    rule: 15,
    code: "namespace-invalid",
    path: "metadata.namespace",
    valid: all({ namespace: "prod" }),
    invalid: ["-123", "a.b", "no@#x", long(64)].flatMap((namespace) => all({ namespace })),
  },
  {
    rule: 17,
    code: "label-key-invalid",
    path: "metadata.labels",
    valid: ["app.kubernetes.io/name", "A_b.c-D", long(63)].map((key) => service({}, { labels: { [key]: "x" } })),
    invalid: ["No=Equals", "a/b/c", "Example.com/x", "/x", "x/", "", long(64)].flatMap((key) =>
      all({ labels: { [key]: "x" } }),
    ),
  },
  {
    rule: 18,
    code: "label-value-invalid",
    path: "metadata.labels",
    valid: ["", "v1.2_3", "A", long(63)].map((value) => service({}, { labels: { key: value } })),
    invalid: ["-x", "x-", "a b", long(64)].flatMap((value) => all({ labels: { key: value } })),
  },
  {
    rule: 19,
    code: "annotation-key-invalid",
    path: "metadata.annotations",
    valid: [service({}, { annotations: { "Example.com/Key": "any text !" } })],
    invalid: ["No=Equals", "/x", "x/"].flatMap((key) => all({ annotations: { [key]: "x" } })),
  },
  {
    rule: 20,
    code: "annotations-too-long",
    path: "metadata.annotations",
    valid: [service({}, { annotations: { note: long(262_140) } })],
    invalid: [
      service({}, { annotations: { note: long(262_141) } }),
      service({}, { annotations: { note: "ü".repeat(131_071) } }),
    ],
  },
  {
    rule: 21,
    code: "owner-reference-invalid",
    path: "metadata.ownerReferences[0].uid",
    valid: all({ ownerReferences: [owner, { ...owner, controller: true }] }),
    invalid: all({ ownerReferences: [{ ...owner, uid: "" }] }),
  },
  {
    rule: 21,
    code: "owner-reference-invalid",
    path: "metadata.ownerReferences",
    valid: [],
    invalid: all({
      ownerReferences: [
        { ...owner, controller: true },
        { ...owner, name: "b", controller: true },
      ],
    }),
  },
  {
    rule: 21,
    code: "owner-reference-invalid",
    path: "metadata.ownerReferences[0].apiVersion",
    valid: all({ ownerReferences: [{ ...owner, apiVersion: "/v1" }] }),
    invalid: ["apps/", "/", "", "a/b/c"].flatMap((apiVersion) => all({ ownerReferences: [{ ...owner, apiVersion }] })),
  },
  {
    rule: 21,
    code: "owner-reference-invalid",
    path: "metadata.ownerReferences[0]",
    valid: [],
    invalid: ["v1", "/v1"].flatMap((apiVersion) => all({ ownerReferences: [{ ...owner, apiVersion, kind: "Event" }] })),
  },
  {
    rule: 22,
    code: "finalizer-invalid",
    path: "metadata.finalizers",
    valid: all({ finalizers: ["example.com/guard"] }),
    invalid: all({ finalizers: ["a/b/c"] }),
  },
  {
    rule: 23,
    code: "finalizer-invalid",
    path: "metadata.finalizers[0]",
    valid: all({ finalizers: ["foregroundDeletion", "kubernetes"] }),
    invalid: all({ finalizers: ["guard"] }),
  },
  {
    rule: 24,
    code: "finalizers-conflict",
    path: "metadata.finalizers",
    valid: all({ finalizers: ["orphan"] }),
    invalid: all({ finalizers: ["orphan", "foregroundDeletion"] }),
  },
  {
    rule: 25,
    code: "generation-negative",
    path: "metadata.generation",
    valid: [...all({ generation: 3 }), slice({}, { generation: -1 })],
    invalid: [service({}, { generation: -1 }), endpoints({}, { generation: -1 })],
  },
  {
    rule: 26,
    code: "managed-fields-invalid",
    path: "metadata.managedFields[0].operation",
    valid: all({
      managedFields: [{ manager: "kubectl", operation: "Apply", fieldsType: "FieldsV1", fieldsV1: { "f:spec": {} } }],
    }),
    invalid: all({ managedFields: [{ operation: "Foo" }] }),
  },
  {
    rule: 26,
    code: "managed-fields-invalid",
    path: "metadata.managedFields[0].manager",
    valid: [],
    invalid: [
      ...all({ managedFields: [{ operation: "Apply", manager: long(129) }] }),
      ...all({ managedFields: [{ operation: "Apply", manager: "a\tb" }] }),
    ],
  },
];

const types: readonly Rule[] = [
  {
    rule: 29,
    code: "service-type-unsupported",
    path: "spec.type",
    valid: [service({ type: "NodePort" }), service({ type: "" }), service()],
    invalid: ["nodeport", "Headless", "Loadbalancer"].map((type) => service({ type })),
  },
  {
    rule: 30,
    code: "service-ports-required",
    path: "spec.ports",
    valid: [service({ clusterIP: "None", ports: [] }), alias()],
    invalid: [service({ ports: [] }), service({ ports: null }), service({ type: "NodePort", ports: [] })],
  },
  {
    rule: 31,
    code: "service-headless-type",
    path: "spec.clusterIPs[0]",
    valid: [balancer({ clusterIP: "10.0.0.7" })],
    invalid: [balancer({ clusterIP: "None" })],
  },
  {
    rule: 32,
    code: "service-headless-type",
    path: "spec.clusterIPs[0]",
    valid: [service({ type: "NodePort", clusterIP: "10.0.0.7" })],
    invalid: [service({ type: "NodePort", clusterIP: "None" })],
  },
  {
    rule: 33,
    code: "external-name-cluster-ip",
    path: "spec.clusterIPs",
    valid: [alias({ clusterIP: "" })],
    invalid: ["1.2.3.4", "None"].map((clusterIP) => alias({ clusterIP })),
  },
  {
    rule: 34,
    code: "external-name-cluster-ip",
    path: "spec.ipFamilies",
    valid: [alias()],
    invalid: [alias({ ipFamilies: ["IPv4"] })],
  },
  {
    rule: 35,
    code: "external-name-cluster-ip",
    path: "spec.ipFamilyPolicy",
    valid: [alias()],
    invalid: [alias({ ipFamilyPolicy: "SingleStack" })],
  },
  {
    rule: 36,
    code: "external-name-required",
    path: "spec.externalName",
    valid: [alias()],
    invalid: [undefined, "", "."].map((externalName) => alias({ externalName })),
  },
  {
    rule: 37,
    code: "external-name-invalid",
    path: "spec.externalName",
    valid: ["foo.example.com.", "localhost", "10.0.0.1", `${long(64)}.b`].map((externalName) =>
      alias({ externalName }),
    ),
    invalid: ["-123", "My.Host", "a_b.com", "*.x.com", "http://x", "a..b", "x:80", "fd00::1", long(254)].map(
      (externalName) => alias({ externalName }),
    ),
  },
];

const servicePorts: readonly Rule[] = [
  {
    rule: 40,
    code: "port-name-required",
    path: "spec.ports[1].name",
    valid: [ports({ port: 80, name: "http" }, { port: 443, name: "https" })],
    invalid: [ports({ port: 80, name: "http" }, { port: 443 })],
  },
  {
    rule: 41,
    code: "port-name-invalid",
    path: "spec.ports[0].name",
    valid: ["http", "8083", "123-abc", "web", "a--b", long(63)].map((name) => ports({ port: 80, name })),
    invalid: ["INVALID", "http_alt", "123_abc", "-web", "a.b", "-a", long(64)].map((name) => ports({ port: 80, name })),
  },
  {
    rule: 42,
    code: "port-name-duplicate",
    path: "spec.ports[1].name",
    valid: [ports({ port: 80, name: "a" }, { port: 81, name: "b" })],
    invalid: [
      ports({ port: 80, name: "p" }, { port: 81, name: "p" }),
      ports({ port: 80, name: "P" }, { port: 81, name: "P" }),
    ],
  },
  {
    rule: 43,
    code: "port-invalid",
    path: "spec.ports[0].port",
    valid: [1, 80, 65535].map((number) => ports({ port: number })),
    invalid: [0, -1, 65536, undefined].map((number) => ports({ port: number })),
  },
  {
    rule: 45,
    code: "port-protocol-unsupported",
    path: "spec.ports[0].protocol",
    valid: ["SCTP", "UDP", "TCP", "", undefined].map((protocol) => ports({ port: 80, protocol })),
    invalid: ["tcp", "HTTP"].map((protocol) => ports({ port: 80, protocol })),
  },
  {
    rule: 46,
    code: "target-port-invalid",
    path: "spec.ports[0].targetPort",
    valid: [8080, 0, 65535].map((targetPort) => ports({ port: 80, targetPort })),
    invalid: [65536, -5].map((targetPort) => ports({ port: 80, targetPort })),
  },
  {
    rule: 47,
    code: "target-port-invalid",
    path: "spec.ports[0].targetPort",
    valid: ["http", "1-a", "pop3", "", long(15)].map((targetPort) => ports({ port: 80, targetPort })),
    invalid: ["12345", "two--hyphens", "-begin", "end-", long(16), "HTTP", "whois++"].map((targetPort) =>
      ports({ port: 80, targetPort }),
    ),
  },
  {
    rule: 48,
    code: "target-port-invalid",
    path: "spec.ports[0].targetPort",
    valid: [service({ clusterIP: "None", ports: [{ port: 11722, targetPort: "target" }] })],
    invalid: [service({ clusterIP: "None", ports: [{ port: 11722, targetPort: "Target" }] })],
  },
  {
    rule: 49,
    code: "app-protocol-invalid",
    path: "spec.ports[0].appProtocol",
    valid: ["http", "HTTP", "kubernetes.io/h2c", null].map((appProtocol) => ports({ port: 80, appProtocol })),
    invalid: ["a/b/c", "x_{y}", "~https", ""].map((appProtocol) => ports({ port: 80, appProtocol })),
  },
  {
    rule: 50,
    code: "port-duplicate",
    path: "spec.ports[1]",
    valid: [ports({ port: 53, name: "a" }, { port: 53, protocol: "UDP", name: "b" })],
    invalid: [ports({ port: 80, name: "a" }, { port: 80, protocol: "TCP", name: "b" })],
  },
  {
    rule: 51,
    code: "node-port-duplicate",
    path: "spec.ports[1].nodePort",
    valid: [
      nodePorts({ port: 53, nodePort: 30053, name: "a" }, { port: 53, protocol: "UDP", nodePort: 30053, name: "b" }),
    ],
    invalid: [nodePorts({ port: 80, nodePort: 30080, name: "a" }, { port: 81, nodePort: 30080, name: "b" })],
  },
  {
    rule: 52,
    code: "node-port-forbidden",
    path: "spec.ports[0].nodePort",
    valid: [ports({ port: 80, nodePort: 0 })],
    invalid: [
      ports({ port: 80, nodePort: 30080 }),
      service({ clusterIP: "None", ports: [{ port: 80, nodePort: 30080 }] }),
    ],
  },
  {
    rule: 53,
    code: "node-port-range",
    path: "spec.ports[0].nodePort",
    valid: [30000, 30080, 32767].map((nodePort) => nodePorts({ port: 80, nodePort })),
    invalid: [80, -1, 40000, 29999].map((nodePort) => nodePorts({ port: 80, nodePort })),
  },
  {
    rule: 53,
    code: "node-port-range",
    path: "spec.ports[0].nodePort",
    options: { nodePortRange: { first: 80, last: 90 } },
    valid: [nodePorts({ port: 80, nodePort: 85 })],
    invalid: [nodePorts({ port: 80, nodePort: 30080 })],
  },
  {
    rule: 54,
    code: "node-port-shared",
    path: "spec.ports[1].nodePort",
    valid: [
      nodePorts({ port: 53, nodePort: 30053, name: "a" }, { port: 53, protocol: "UDP", nodePort: 30053, name: "b" }),
    ],
    invalid: [
      nodePorts({ port: 93, nodePort: 30093, name: "a" }, { port: 76, protocol: "UDP", nodePort: 30093, name: "b" }),
    ],
  },
  {
    rule: 54,
    code: "node-port-shared",
    path: "spec.ports[2].nodePort",
    valid: [dnsPorts(30053, 30054, 30053), dnsPorts(30053, 30054, 30055), dnsPorts(0, 30054, 30054)],
    invalid: [dnsPorts(30053, 30054, 30054)],
  },
  {
    rule: 56,
    code: "node-port-range",
    path: "spec.ports[0].nodePort",
    valid: [balancer({ allocateLoadBalancerNodePorts: false, ports: [{ port: 80, nodePort: 31000 }] })],
    invalid: [balancer({ allocateLoadBalancerNodePorts: false, ports: [{ port: 80, nodePort: 1000 }] })],
  },
];

const affinity = (seconds: number): Fields =>
  service({ sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: seconds } } });
const local = (spec: Fields = {}): Fields => balancer({ externalTrafficPolicy: "Local", ...spec });

const policies: readonly Rule[] = [
  {
    rule: 57,
    code: "selector-invalid",
    path: "spec.selector",
    valid: [service({ selector: { app: "web", "example.com/x": "" } })],
    invalid: [service({ selector: { "No=Equals": "bar" } }), service({ selector: { app: "a b" } })],
  },
  {
    rule: 57,
    code: "wrong-type",
    path: "spec.selector[matchLabels]",
    valid: [],
    invalid: [service({ selector: { matchLabels: { app: "web" } } })],
  },
  {
    rule: 58,
    code: "selector-invalid",
    path: "spec.selector",
    valid: [service(), service({ selector: {} })],
    invalid: [service({ selector: { "": "x" } })],
  },
  {
    rule: 60,
    code: "session-affinity-unsupported",
    path: "spec.sessionAffinity",
    valid: ["ClientIP", "None", ""].map((sessionAffinity) => service({ sessionAffinity })),
    invalid: ["Cookie", "clientip"].map((sessionAffinity) => service({ sessionAffinity })),
  },
  {
    rule: 62,
    code: "session-affinity-timeout",
    path: "spec.sessionAffinityConfig.clientIP.timeoutSeconds",
    valid: [1, 10800, 86400].map(affinity),
    invalid: [0, -1, 86401].map(affinity),
  },
  {
    rule: 65,
    code: "internal-traffic-policy-unsupported",
    path: "spec.internalTrafficPolicy",
    valid: [service({ internalTrafficPolicy: "Local" }), alias({ internalTrafficPolicy: "Local" })],
    invalid: ["invalid", "local", ""].map((internalTrafficPolicy) => service({ internalTrafficPolicy })),
  },
  {
    rule: 66,
    code: "external-traffic-policy-misplaced",
    path: "spec.externalTrafficPolicy",
    valid: [service({ externalTrafficPolicy: "Local", externalIPs: ["203.0.113.5"] })],
    invalid: [service({ externalTrafficPolicy: "Local" }), alias({ externalTrafficPolicy: "Cluster" })],
  },
  {
    rule: 68,
    code: "external-traffic-policy-unsupported",
    path: "spec.externalTrafficPolicy",
    valid: [service({ type: "NodePort", externalTrafficPolicy: "Local" })],
    invalid: ["Global", "invalid"].map((externalTrafficPolicy) => service({ type: "NodePort", externalTrafficPolicy })),
  },
  {
    rule: 69,
    code: "health-check-node-port-misplaced",
    path: "spec.healthCheckNodePort",
    valid: [local({ healthCheckNodePort: 32000 })],
    invalid: [
      service({ type: "NodePort", externalTrafficPolicy: "Local", healthCheckNodePort: 32000 }),
      balancer({ healthCheckNodePort: 32000 }),
    ],
  },
  {
    rule: 71,
    code: "health-check-node-port-invalid",
    path: "spec.healthCheckNodePort",
    valid: [local({ healthCheckNodePort: 31100 }), local()],
    invalid: [-1, 70000].map((healthCheckNodePort) => local({ healthCheckNodePort })),
  },
  {
    rule: 72,
    code: "health-check-node-port-range",
    path: "spec.healthCheckNodePort",
    valid: [local({ healthCheckNodePort: 30500 })],
    invalid: [
      local({ healthCheckNodePort: 8080 }),
      local({ healthCheckNodePort: 30080, ports: [{ port: 80, nodePort: 30080 }] }),
    ],
  },
  {
    rule: 73,
    code: "traffic-distribution-unsupported",
    path: "spec.trafficDistribution",
    valid: ["PreferClose", "PreferSameZone", "PreferSameNode"].map((trafficDistribution) =>
      service({ trafficDistribution }),
    ),
    invalid: ["Random", "preferclose", ""].map((trafficDistribution) => service({ trafficDistribution })),
  },
  {
    rule: 73,
    code: "traffic-distribution-unsupported",
    path: "spec.trafficDistribution",
    options: { kubeVersion: "1.33" },
    valid: [service({ trafficDistribution: "PreferClose" })],
    invalid: ["PreferSameZone", "PreferSameNode"].map((trafficDistribution) => service({ trafficDistribution })),
  },
  {
    rule: 74,
    code: "wrong-type",
    path: "spec.publishNotReadyAddresses",
    valid: [service({ publishNotReadyAddresses: true })],
    invalid: [service({ publishNotReadyAddresses: "true" })],
  },
  {
    rule: 75,
    code: "topology-mode-conflict",
    path: "metadata.annotations[service.kubernetes.io/topology-mode]",
    valid: [topology("Auto", "Auto"), topology("free text", "free text")],
    invalid: [topology("original", "different")],
  },
];

const dual = { ipFamilyPolicy: "RequireDualStack" };
const ips = (...clusterIPs: readonly string[]): Fields => service({ ...dual, clusterIP: clusterIPs[0], clusterIPs });
const v4only: ValidateOptions = { families: ["ipv4"] };

const clusterAddresses: readonly Rule[] = [
  {
    rule: 77,
    code: "cluster-ips-mismatch",
    path: "spec.clusterIPs",
    valid: [service({ clusterIP: "10.0.0.10", clusterIPs: ["10.0.0.10"] })],
    invalid: [
      service({ clusterIP: "10.0.0.10", clusterIPs: ["10.0.0.1"] }),
      service({ clusterIP: "2001:DB8::1", clusterIPs: ["2001:db8::1"] }),
    ],
  },
  {
    rule: 78,
    code: "cluster-ips-mismatch",
    path: "spec.clusterIPs",
    valid: [service(), service({ clusterIP: "", clusterIPs: [] })],
    invalid: [service({ clusterIPs: ["10.0.0.10"] })],
  },
  {
    rule: 79,
    code: "cluster-ips-none",
    path: "spec.clusterIPs",
    valid: [service({ clusterIP: "None", clusterIPs: ["None"] })],
    invalid: [service({ clusterIP: "None", clusterIPs: ["None", "2001::1"] })],
  },
  {
    rule: 80,
    code: "cluster-ip-invalid",
    path: "spec.clusterIPs[0]",
    valid: ["10.0.0.1", "2001:DB8::1", "2001:db8::1"].map((clusterIP) => service({ clusterIP })),
    invalid: BAD_IPS.map((clusterIP) => service({ clusterIP })),
  },
  {
    rule: 80,
    code: "cluster-ip-invalid",
    path: "spec.clusterIPs[1]",
    valid: [],
    invalid: [ips("10.0.0.1", "None"), ips("10.0.0.1", "")],
  },
  {
    rule: 80,
    code: "cluster-ip-invalid",
    path: "spec.clusterIPs[0]",
    options: { kubeVersion: "1.35" },
    valid: ["001.002.003.004", "::ffff:1.2.3.4"].map((clusterIP) => service({ clusterIP })),
    invalid: [service({ clusterIP: "garbage" })],
  },
  {
    rule: 81,
    code: "cluster-ips-too-many",
    path: "spec.clusterIPs",
    valid: [ips("10.0.0.1", "fd00::1")],
    invalid: [ips("10.0.0.1", "fd00::1", "10.0.0.2")],
  },
  {
    rule: 82,
    code: "cluster-ips-one-family",
    path: "spec.clusterIPs",
    valid: [ips("fd00::1", "10.0.0.1")],
    invalid: [ips("10.0.0.1", "10.0.0.10"), ips("fd00::1", "fd00::2")],
  },
  {
    rule: 83,
    code: "cluster-ip-family",
    path: "spec.clusterIPs[0]",
    valid: [service({ ...dual, clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1", "fd00::1"], ipFamilies: ["IPv4"] })],
    invalid: [service({ clusterIP: "10.0.0.1", ipFamilies: ["IPv6"] })],
  },
  {
    rule: 84,
    code: "ip-family-unsupported",
    path: "spec.ipFamilies[0]",
    valid: [service({ ipFamilies: ["IPv6"] })],
    invalid: ["ipv6", "IP", ""].map((family) => service({ ipFamilies: [family] })),
  },
  {
    rule: 85,
    code: "ip-family-duplicate",
    path: "spec.ipFamilies[2]",
    valid: [service({ ...dual, ipFamilies: ["IPv6", "IPv4"] })],
    invalid: [service({ ...dual, ipFamilies: ["IPv4", "IPv6", "IPv4"] })],
  },
  {
    rule: 86,
    code: "ip-family-policy-unsupported",
    path: "spec.ipFamilyPolicy",
    valid: ["SingleStack", "PreferDualStack", "RequireDualStack"].map((ipFamilyPolicy) => service({ ipFamilyPolicy })),
    invalid: ["garbage", "DualStack", ""].map((ipFamilyPolicy) => service({ ipFamilyPolicy })),
  },
  {
    rule: 87,
    code: "single-stack-two-families",
    path: "spec.ipFamilyPolicy",
    valid: [ips("10.0.0.1", "fd00::1")],
    invalid: [undefined, "SingleStack"].map((ipFamilyPolicy) =>
      service({ ipFamilyPolicy, clusterIP: "10.0.0.1", clusterIPs: ["10.0.0.1", "fd00::1"] }),
    ),
  },
  {
    rule: 88,
    code: "single-stack-two-families",
    path: "spec.ipFamilyPolicy",
    valid: [
      service({ ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv4", "IPv6"] }),
      service({ clusterIP: "None", ipFamilies: ["IPv4", "IPv6"] }),
    ],
    invalid: [
      service({ ipFamilies: ["IPv4", "IPv6"] }),
      service({ clusterIP: "None", selector: { app: "a" }, ipFamilies: ["IPv4", "IPv6"] }),
    ],
  },
  {
    rule: 89,
    code: "family-not-served",
    path: "spec.clusterIPs[0]",
    options: v4only,
    valid: [service({ clusterIP: "10.0.0.1" })],
    invalid: [service({ clusterIP: "2000::1" })],
  },
  {
    rule: 90,
    code: "family-not-served",
    path: "spec.ipFamilyPolicy",
    options: v4only,
    valid: [service({ ipFamilyPolicy: "PreferDualStack" }), service({ clusterIP: "None", ...dual })],
    invalid: [service(dual)],
  },
  {
    rule: 90,
    code: "family-not-served",
    path: "spec.ipFamilyPolicy",
    options: { serviceCIDRs: ["10.0.0.0/24"] },
    valid: [service({ ipFamilyPolicy: "PreferDualStack" }), service({ clusterIP: "None", ...dual })],
    invalid: [service(dual), service({ clusterIP: "None", selector: { app: "web" }, ...dual })],
  },
  {
    rule: 91,
    code: "family-not-served",
    path: "spec.ipFamilies[1]",
    options: { serviceCIDRs: ["fd00::/112"] },
    valid: [service({ ipFamilies: ["IPv6"] }), service({ clusterIP: "None", ipFamilies: ["IPv4"] })],
    invalid: [service({ ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv6", "IPv4"] })],
  },
  {
    rule: 91,
    code: "family-not-served",
    path: "spec.ipFamilies[0]",
    options: v4only,
    valid: [service({ ipFamilies: ["IPv4"] }), service({ clusterIP: "None", ipFamilies: ["IPv6"] })],
    invalid: [service({ ipFamilies: ["IPv6"] })],
  },
  {
    rule: 92,
    code: "cluster-ip-range",
    path: "spec.clusterIPs",
    options: { serviceCIDRs: ["10.96.0.0/12", "fd00::/112"] },
    valid: ["10.96.0.10", "10.111.255.254", "fd00::7", "fd00::ffff"].map((clusterIP) => service({ clusterIP })),
    invalid: ["10.96.0.0", "10.111.255.255", "192.0.2.1", "fd00::", "fd01::1"].map((clusterIP) =>
      service({ clusterIP }),
    ),
  },
];

const exposure: readonly Rule[] = [
  {
    rule: 95,
    code: "external-ip-invalid",
    path: "spec.externalIPs[0]",
    valid: [service({ externalIPs: ["1.2.3.4", "1.2.3.4", "fd00::1"] })],
    invalid: ["myhost.mydomain", "", ...BAD_IPS].map((ip) => service({ externalIPs: [ip] })),
  },
  {
    rule: 96,
    code: "external-ip-invalid",
    path: "spec.externalIPs[0]",
    valid: ["203.0.113.5", "239.1.2.3", "240.0.0.1", "192.168.1.2", ...NEARLY_UNUSABLE].map((ip) =>
      service({ externalIPs: [ip] }),
    ),
    invalid: UNUSABLE.map((ip) => service({ externalIPs: [ip] })),
  },
  {
    rule: 99,
    code: "source-ranges-misplaced",
    path: "spec.LoadBalancerSourceRanges",
    valid: [balancer({ loadBalancerSourceRanges: ["1.2.3.0/24"] })],
    invalid: [service({ loadBalancerSourceRanges: ["1.2.3.0/24"] })],
  },
  {
    rule: 100,
    code: "source-range-invalid",
    path: "spec.LoadBalancerSourceRanges[0]",
    valid: ["1.2.3.0/24", " 5.6.0.0/16", "\u0085 1.2.3.0/24\u00a0\n", "::/0", "0.0.0.0/0", "fd00::/8"].map((range) =>
      balancer({ loadBalancerSourceRanges: [range] }),
    ),
    invalid: [
      "foo.bar",
      "1.2.3.4/33",
      "1.2.3.4/24",
      "001.002.003.000/24",
      "   ",
      "1.2.3.4",
      "1.2.3.0/024",
      "::ffff:1.2.3.0/120",
      "fd00::1/64",
      "1.2.3.0/+24",
      "1.2.3.0/24\ufeff",
    ].map((range) => balancer({ loadBalancerSourceRanges: [range] })),
  },
  {
    rule: 101,
    code: "source-ranges-misplaced",
    path: `metadata.annotations[${RANGES}]`,
    valid: [service({ type: "LoadBalancer" }, { annotations: { [RANGES]: "1.2.3.0/24" } })],
    invalid: ["", "1.2.3.0/24"].map((text) => service({}, { annotations: { [RANGES]: text } })),
  },
  {
    rule: 102,
    code: "source-range-invalid",
    path: `metadata.annotations[${RANGES}]`,
    valid: ["1.2.3.0/24,  5.6.0.0/16", "  ", "\u0085"].map((text) =>
      service({ type: "LoadBalancer" }, { annotations: { [RANGES]: text } }),
    ),
    invalid: ["foo.bar", "1.2.3.4/33", "1.2.3.0/24,", "\ufeff1.2.3.0/24"].map((text) =>
      service({ type: "LoadBalancer" }, { annotations: { [RANGES]: text } }),
    ),
  },
  {
    rule: 103,
    code: "allocate-node-ports-misplaced",
    path: "spec.allocateLoadBalancerNodePorts",
    valid: [balancer({ allocateLoadBalancerNodePorts: false })],
    invalid: [true, false].map((allocateLoadBalancerNodePorts) => service({ allocateLoadBalancerNodePorts })),
  },
  {
    rule: 105,
    code: "load-balancer-class-misplaced",
    path: "spec.loadBalancerClass",
    valid: [balancer({ loadBalancerClass: "x.com/y" })],
    invalid: [service({ loadBalancerClass: "x.com/y" })],
  },
  {
    rule: 106,
    code: "load-balancer-class-invalid",
    path: "spec.loadBalancerClass",
    valid: ["internal-vip", "test.com/lb"].map((loadBalancerClass) => balancer({ loadBalancerClass })),
    invalid: ["Bad/Class", "a/b/c", ""].map((loadBalancerClass) => balancer({ loadBalancerClass })),
  },
  {
    rule: 107,
    code: "ingress-misplaced",
    path: "status.loadBalancer.ingress",
    valid: [balancer({}, ingress({ ip: "1.2.3.4" })), service({}, {}, { loadBalancer: {} })],
    invalid: [service({}, {}, ingress({ ip: "1.2.3.4" }))],
  },
  {
    rule: 108,
    code: "ingress-ip-invalid",
    path: "status.loadBalancer.ingress[0].ip",
    valid: [balancer({}, ingress({ ip: "1.2.3.4" }, { ip: "fd00::1" }))],
    invalid: BAD_IPS.map((ip) => balancer({}, ingress({ ip }))),
  },
  {
    rule: 109,
    code: "ingress-mode-invalid",
    path: "status.loadBalancer.ingress[0].ipMode",
    valid: [
      balancer(
        {},
        ingress({ ip: "1.2.3.4", ipMode: "VIP" }, { ip: "1.2.3.5", ipMode: "Proxy" }, { hostname: "lb.example.com" }),
      ),
    ],
    invalid: [
      balancer({}, ingress({ hostname: "lb.example.com", ipMode: "VIP" })),
      balancer({}, ingress({ ip: "1.2.3.4", ipMode: "dummy" })),
    ],
  },
  {
    rule: 110,
    code: "ingress-hostname-invalid",
    path: "status.loadBalancer.ingress[0].hostname",
    valid: [balancer({}, ingress({ hostname: "lb.example.com" }))],
    invalid: ["1.2.3.4", "LB.x"].map((hostname) => balancer({}, ingress({ hostname }))),
  },
];

const legacy: readonly Rule[] = [
  {
    rule: 120,
    code: "endpoints-subset-empty",
    path: "subsets[0]",
    valid: [endpoints()],
    invalid: [endpoints({ addresses: [] }), endpoints({ addresses: null, notReadyAddresses: [] })],
  },
  {
    rule: 121,
    code: "endpoints-subset-empty",
    path: "subsets[0]",
    valid: [
      { ...endpoints(), subsets: [] },
      { ...endpoints(), subsets: undefined },
    ],
    invalid: [{ ...endpoints(), subsets: [{}] }],
  },
  {
    rule: 122,
    code: "endpoints-ip-invalid",
    path: "subsets[0].addresses[0].ip",
    valid: [address({ ip: "2001:db8::5" })],
    invalid: [undefined, "", "host", ...BAD_IPS].map((ip) => address({ ip })),
  },
  {
    rule: 122,
    code: "endpoints-ip-invalid",
    path: "subsets[0].notReadyAddresses[0].ip",
    valid: [endpoints({ notReadyAddresses: [{ ip: "10.10.1.2" }] })],
    invalid: [endpoints({ notReadyAddresses: [{ ip: "host" }] })],
  },
  {
    rule: 123,
    code: "endpoints-ip-invalid",
    path: "subsets[0].addresses[0].ip",
    valid: ["10.1.2.3", "244.1.2.3", "239.255.255.253", ...NEARLY_UNUSABLE].map((ip) => address({ ip })),
    invalid: [...UNUSABLE, "224.0.0.1"].map((ip) => address({ ip })),
  },
  {
    rule: 124,
    code: "endpoints-hostname-invalid",
    path: "subsets[0].addresses[0].hostname",
    valid: [address({ hostname: "zk-0" }), address({ hostname: "" })],
    invalid: ["Zk_0", "a.b"].map((hostname) => address({ hostname })),
  },
  {
    rule: 125,
    code: "endpoints-node-name-invalid",
    path: "subsets[0].addresses[0].nodeName",
    valid: ["node-1", "10.10.1.1"].map((nodeName) => address({ nodeName })),
    invalid: ["illegal*.nodename", ""].map((nodeName) => address({ nodeName })),
  },
  {
    rule: 126,
    code: "wrong-type",
    path: "subsets[0].addresses[0].targetRef",
    valid: [address({ targetRef: { kind: "Any", name: "thing here" } })],
    invalid: [address({ targetRef: "pod" })],
  },
  {
    rule: 127,
    code: "endpoints-port-name-required",
    path: "subsets[0].ports[1].name",
    valid: [
      endpoints({
        ports: [
          { port: 1, name: "a" },
          { port: 2, name: "b" },
        ],
      }),
    ],
    invalid: [endpoints({ ports: [{ port: 1, name: "a" }, { port: 2 }] })],
  },
  {
    rule: 128,
    code: "endpoints-port-invalid",
    path: "subsets[0].ports[0].name",
    valid: [
      endpointPort({ name: "http" }),
      endpoints({
        ports: [
          { port: 1, name: "a" },
          { port: 2, name: "a" },
        ],
      }),
    ],
    invalid: ["HTTP", long(64)].map((name) => endpointPort({ name })),
  },
  {
    rule: 129,
    code: "endpoints-port-invalid",
    path: "subsets[0].ports[0].port",
    valid: [endpointPort({ port: 8675 })],
    invalid: [0, 66000, undefined].map((number) => endpointPort({ port: number })),
  },
  {
    rule: 130,
    code: "endpoints-port-invalid",
    path: "subsets[0].ports[0].protocol",
    valid: ["UDP", "", undefined].map((protocol) => endpointPort({ protocol })),
    invalid: [endpointPort({ protocol: "Protocol" })],
  },
  {
    rule: 131,
    code: "endpoints-port-invalid",
    path: "subsets[0].ports[0].appProtocol",
    valid: [endpointPort({ appProtocol: "HTTP" })],
    invalid: [endpointPort({ appProtocol: "lots-of[invalid]" })],
  },
  {
    rule: 132,
    code: "endpoints-port-invalid",
    path: "subsets[0].ports[0].port",
    valid: [endpoints({ ports: [] }), endpoints({ ports: undefined })],
    invalid: [endpoints({ ports: [{}] })],
  },
];

const slices: readonly Rule[] = [
  {
    rule: 134,
    code: "slice-address-type-required",
    path: "addressType",
    valid: [slice()],
    invalid: [slice({ addressType: undefined }), slice({ addressType: "" })],
  },
  {
    rule: 135,
    code: "slice-address-type-unsupported",
    path: "addressType",
    valid: [addresses("IPv6", "a00:100::4")],
    invalid: ["IP", "other", "ipv4"].map((addressType) => slice({ addressType })),
  },
  {
    rule: 137,
    code: "slice-too-large",
    path: "endpoints",
    valid: [
      slice({ endpoints: repeat(1000, () => ({ addresses: ["10.1.2.3"] })) }),
      slice({ endpoints: [] }),
      slice({ endpoints: null }),
      slice({ endpoints: undefined }),
    ],
    invalid: [slice({ endpoints: repeat(1001, () => ({ addresses: ["bad"] })) })],
  },
  {
    rule: 138,
    code: "slice-addresses-required",
    path: "endpoints[0].addresses",
    valid: [slice()],
    invalid: [slice({ endpoints: [{ addresses: [] }] }), slice({ endpoints: [{}] })],
  },
  {
    rule: 139,
    code: "slice-too-large",
    path: "endpoints[0].addresses",
    valid: [addresses("IPv4", ...repeat(100, (i) => `10.1.2.${i}`))],
    invalid: [addresses("IPv4", ...repeat(101, (i) => `10.1.2.${i}`))],
  },
  {
    rule: 140,
    code: "slice-address-invalid",
    path: "endpoints[0].addresses[0]",
    valid: [addresses("IPv4", "10.1.2.3")],
    invalid: ["123.456.789.012", "012.034.056.078", "127.0.0.1", "", "10.0.0.7 -j ACCEPT"].map((ip) =>
      addresses("IPv4", ip),
    ),
  },
  {
    rule: 140,
    code: "slice-address-invalid",
    path: "endpoints[0].addresses[0]",
    options: { kubeVersion: "1.35" },
    valid: ["10.1.2.3", "010.001.002.003", "::ffff:10.1.2.3"].map((ip) => addresses("IPv4", ip)),
    invalid: ["10.1.2", "127.000.0.1", "::ffff:127.0.0.1"].map((ip) => addresses("IPv4", ip)),
  },
  {
    rule: 140,
    code: "slice-address-invalid",
    path: "endpoints[0].addresses",
    valid: [],
    invalid: [addresses("IPv4", "2001:db8::1")],
  },
  {
    rule: 141,
    code: "slice-address-invalid",
    path: "endpoints[0].addresses[0]",
    valid: [addresses("IPv6", "a00:100::4")],
    invalid: ["2001:DB8::1", "2001:0db8::1", "2001:4860:4860:defg", "fe80::1", "::1", "ff02::1"].map((ip) =>
      addresses("IPv6", ip),
    ),
  },
  {
    rule: 141,
    code: "slice-address-invalid",
    path: "endpoints[0].addresses[0]",
    options: { kubeVersion: "1.35" },
    valid: [addresses("IPv6", "2001:db8::1")],
    invalid: ["2001:DB8::1", "2001:0db8::1", "::ffff:10.1.2.3"].map((ip) => addresses("IPv6", ip)),
  },
  {
    rule: 141,
    code: "slice-address-invalid",
    path: "endpoints[0].addresses",
    valid: [],
    invalid: [addresses("IPv6", "10.0.0.1")],
  },
  {
    rule: 142,
    code: "slice-address-invalid",
    path: "endpoints[0].addresses[0]",
    valid: ["example.com.", "10.0.0.1"].map((name) => addresses("FQDN", name)),
    invalid: ["com", "FOO.example.com", "*.example.com", "a_b.example.com", "foo.*", "", `${long(64)}.com`].map(
      (name) => addresses("FQDN", name),
    ),
  },
  {
    rule: 144,
    code: "wrong-type",
    path: "endpoints[0].conditions.ready",
    valid: [endpoint({ conditions: {} }), endpoint({ conditions: { ready: false, serving: true, terminating: true } })],
    invalid: [endpoint({ conditions: { ready: "true" } })],
  },
  {
    rule: 145,
    code: "slice-endpoint-name-invalid",
    path: "endpoints[0].hostname",
    valid: [endpoint({ hostname: "valid-123" })],
    invalid: ["--INVALID", "", "a.b"].map((hostname) => endpoint({ hostname })),
  },
  {
    rule: 146,
    code: "slice-endpoint-name-invalid",
    path: "endpoints[0].nodeName",
    valid: [endpoint({ nodeName: "valid-node-name" })],
    invalid: ["INvalid-node-name", ""].map((nodeName) => endpoint({ nodeName })),
  },
  {
    rule: 148,
    code: "wrong-type",
    path: "endpoints[0].targetRef",
    valid: [endpoint({ targetRef: { kind: "Pod", name: "!" } })],
    invalid: [endpoint({ targetRef: [] })],
  },
  {
    rule: 150,
    code: "slice-too-large",
    path: "endpoints[0].hints.forZones",
    valid: [endpoint({ hints: { forZones: repeat(8, (i) => ({ name: `z${i}` })) } })],
    invalid: [endpoint({ hints: { forZones: repeat(9, (i) => ({ name: `z${i}` })) } })],
  },
  {
    rule: 151,
    code: "slice-hints-invalid",
    path: "endpoints[0].hints.forZones[2].name",
    valid: [endpoint({ hints: { forZones: [{ name: "a" }, { name: "b" }] } })],
    invalid: [endpoint({ hints: { forZones: [{ name: "a" }, { name: "b" }, { name: "a" }] } })],
  },
  {
    rule: 152,
    code: "slice-hints-invalid",
    path: "endpoints[0].hints.forZones[0].name",
    valid: ["zone-a", ""].map((name) => endpoint({ hints: { forZones: [{ name }] } })),
    invalid: [endpoint({ hints: { forZones: [{ name: "inv@lid" }] } })],
  },
  {
    rule: 153,
    code: "slice-too-large",
    path: "endpoints[0].hints.forNodes",
    valid: [endpoint({ hints: { forNodes: repeat(8, (i) => ({ name: `n${i}` })) } })],
    invalid: [endpoint({ hints: { forNodes: repeat(9, (i) => ({ name: `n${i}` })) } })],
  },
  {
    rule: 154,
    code: "slice-hints-invalid",
    path: "endpoints[0].hints.forNodes[0].name",
    valid: [endpoint({ hints: { forNodes: [{ name: "node-1" }] } })],
    invalid: ["!@#$!@", ""].map((name) => endpoint({ hints: { forNodes: [{ name }] } })),
  },
  {
    rule: 154,
    code: "slice-hints-invalid",
    path: "endpoints[0].hints.forNodes[1].name",
    valid: [],
    invalid: [endpoint({ hints: { forNodes: [{ name: "a" }, { name: "a" }] } })],
  },
  {
    rule: 155,
    code: "slice-too-large",
    path: "ports",
    valid: [slice({ ports: repeat(20_000, (i) => ({ name: `p${i}`, port: 80 })) }), slice({ ports: [] })],
    invalid: [slice({ ports: repeat(20_001, () => ({ name: "BAD" })) })],
  },
  {
    rule: 156,
    code: "slice-port-invalid",
    path: "ports[0].name",
    valid: ["", "http", long(63), undefined].map((name) => slicePorts({ name, port: 80 })),
    invalid: ["aCapital", "almost_valid", long(64)].map((name) => slicePorts({ name, port: 80 })),
  },
  {
    rule: 157,
    code: "slice-port-invalid",
    path: "ports[1].name",
    valid: [slicePorts({ name: "", port: 80 }, { name: "http", port: 81 })],
    invalid: [slicePorts({ port: 80 }, { port: 81 })],
  },
  {
    rule: 158,
    code: "slice-port-invalid",
    path: "ports[0].protocol",
    valid: ["SCTP", null].map((protocol) => slicePorts({ port: 80, protocol })),
    invalid: ["foo", ""].map((protocol) => slicePorts({ port: 80, protocol })),
  },
  {
    rule: 160,
    code: "slice-port-invalid",
    path: "ports[0].appProtocol",
    valid: ["https", "example.com/x"].map((appProtocol) => slicePorts({ port: 80, appProtocol })),
    invalid: [slicePorts({ port: 80, appProtocol: "--" })],
  },
];

export const rules: readonly Rule[] = [
  ...shape,
  ...metadata,
  ...types,
  ...servicePorts,
  ...policies,
  ...clusterAddresses,
  ...exposure,
  ...legacy,
  ...slices,
];
