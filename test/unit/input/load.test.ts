import { mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { glanceAt } from "../../../src/input/load/files.ts";
import { type LoadOptions, load, readSources } from "../../../src/input/load.ts";
import { validate } from "../../../src/input/validate.ts";

const read = (text: string | Uint8Array, options: LoadOptions = {}) =>
  load(["-"], { ...options, stdin: async () => text });
const values = async (text: string, options?: LoadOptions) =>
  (await read(text, options)).documents.map(({ value }) => value);
const sources = async (text: string) =>
  (await read(text)).documents.map(({ source: { document, item } }) => [document, item]);

describe("documents", () => {
  test.each([
    [
      "YAML, several",
      "a: 1\n---\nb: 2\n--- # comment\nc: 3\n...\n---\nd: 4\n",
      [{ a: 1 }, { b: 2 }, { c: 3 }, { d: 4 }],
    ],
    ["empty ones between", "---\n# nothing\n---\na: 1\n---\n---\n", [{ a: 1 }]],
    ["CRLF", "a: 1\r\n---\r\nb: |\r\n  x\r\n", [{ a: 1 }, { b: "x\n" }]],
    ["byte order mark", "\ufeffa: 1\n", [{ a: 1 }]],
    ["no line feed at the end", "a: 1\n---", [{ a: 1 }]],
    ["--- inside a text", "a: |\n  ---\n  x\nb: '\n  ---'\n", [{ a: "---\nx\n", b: " ---" }]],
    ["JSON", '{"a": 1}', [{ a: 1 }]],
    ["JSON, one after the other", '{"a":1}{"a":2}\n{"a":3}\n', [{ a: 1 }, { a: 2 }, { a: 3 }]],
    ["JSON between separators", '---\n{"a":1}\n---\n{"a":2}\n', [{ a: 1 }, { a: 2 }]],
    ["YAML in flow style", "{a: 1, b: [x, y]}\n", [{ a: 1, b: ["x", true] }]],
    ["flow style, then block style", '{"a": 1}\n---\nb: 2\n', [{ a: 1 }, { b: 2 }]],
    ["merge keys without aliases", "<<: {a: 1, b: 2}\nb: 3\n", [{ a: 1, b: 3 }]],
  ])("%s", async (_, text, expected) => {
    expect(await values(text)).toEqual(expected);
  });

  test("the hash tells inputs apart, also where one was cut in two", async () => {
    const folder = await mkdtemp(join(tmpdir(), "svctables-hash-"));
    const hashOf = async (...texts: readonly string[]) => {
      const files = texts.map((_, at) => join(folder, `${at}.yaml`));
      await Promise.all(texts.map((text, at) => writeFile(files[at] ?? "", text)));
      return (await readSources(files, undefined)).hash;
    };
    const whole = await hashOf("a: 1\nb: 2\n");
    expect(await hashOf("a: 1\nb: 2\n")).toBe(whole);
    const others = [await hashOf("a: 1\n", "b: 2\n"), await hashOf("a: 1\nb: 3\n"), await hashOf("a: 1\nb: 2\n", "")];
    expect(new Set([whole, ...others]).size).toBe(4);
    await rm(folder, { recursive: true });
  });

  describe("a glance", () => {
    let folder: string;
    const later = () => Date.now() + 60_000;
    const write = (name: string, text: string) => writeFileSync(join(folder, name), text);
    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), "svctables-glance-"));
      write("a.yaml", "a: 1\n");
    });
    afterEach(() => rmSync(folder, { recursive: true, force: true }));

    test("tells files that were written to from files that were not, without reading them", async () => {
      const before = await glanceAt([folder], later());
      expect(before).toBeDefined();
      expect(await glanceAt([folder], later())).toBe(before);
      write("a.yaml", "a: 2\n");
      const after = await glanceAt([folder], later());
      expect(after).not.toBe(before);
      write("b.yaml", "b: 1\n");
      expect(await glanceAt([folder], later())).not.toBe(after);
    });

    test("is not deceived by times that were put back", async () => {
      const { atime, mtime } = statSync(join(folder, "a.yaml"));
      const before = await glanceAt([folder], later());
      write("a.yaml", "a: 2\n");
      utimesSync(join(folder, "a.yaml"), atime, mtime);
      expect(await glanceAt([folder], later())).not.toBe(before);
    });

    test("says nothing about what changed just now, what is no file, and what is not there", async () => {
      expect(await glanceAt([folder], Date.now())).toBeUndefined();
      expect(await glanceAt(["-"], later())).toBeUndefined();
      expect(await glanceAt(["/dev/null"], later())).toBeUndefined();
      expect(await glanceAt([join(folder, "none.yaml")], later())).toBeUndefined();
    });
  });

  test.each([
    ["plainly", '{"a":1,"a":2}'],
    ["with spaces before a colon, evened out by a text that looks like a key", '{"a" :1,"a"\n:2,"b":":x"}'],
    ["with a backslash at its end, evened out by a text that looks like a key", '{"a\\\\":1,"a\\\\":2,"b":":x"}'],
    ["escaped once", '{"a":1,"\\u0061":2}'],
  ])("a key given twice is found: %s", async (_, text) => {
    expect((await read(text)).diagnostics.map(({ code }) => code)).toEqual(["duplicate-key"]);
  });

  test.each(['{"a":":"}', '{"a":"\\":"}', '{"a\\\\":1,"b\\\\" : " :"}'])(
    "no key is given twice in %s",
    async (text) => {
      expect(await values(text)).toEqual([JSON.parse(text)]);
    },
  );

  test("aliases are followed only as far as allowed", async () => {
    const text = "a: &x {p: 1}\nb: *x\nc:\n  <<: *x\n";
    expect((await read(text)).diagnostics.map(({ code }) => code)).toEqual(["alias-forbidden"]);
    expect(await values(text, { maxAliases: 2 })).toEqual([{ a: { p: 1 }, b: { p: 1 }, c: { p: 1 } }]);
    expect((await read(text, { maxAliases: 1 })).diagnostics.map(({ code }) => code)).toEqual(["alias-forbidden"]);
    expect((await read("a: &x\n  b: *x\n", { maxAliases: 2 })).diagnostics.map(({ code }) => code)).toEqual([
      "alias-forbidden",
    ]);
  });

  test("the same YAML bomb as always stops at once", async () => {
    const lines = ["a0: &a0 [x, x]"];
    for (let i = 1; i < 40; i++) lines.push(`a${i}: &a${i} [*a${i - 1}, *a${i - 1}]`);
    const { diagnostics } = await read(`${lines.join("\n")}\n`, { maxAliases: 16 });
    expect(diagnostics.map(({ code }) => code)).toEqual(["alias-forbidden"]);
  });
});

describe("Lists", () => {
  const item = (name: string, indent = "") =>
    `${indent}- apiVersion: v1\n${indent}  kind: Service\n${indent}  metadata:\n${indent}    name: ${name}\n`;
  const named = (name: string) => ({ apiVersion: "v1", kind: "Service", metadata: { name } });
  const shapes: readonly (readonly [string, string])[] = [
    [
      "as kubectl prints them",
      `apiVersion: v1\nitems:\n${item("a")}${item("b")}kind: List\nmetadata:\n  resourceVersion: ""\n`,
    ],
    ["indented", `apiVersion: v1\nkind: List\nitems:\n${item("a", "  ")}${item("b", "  ")}`],
    [
      "with comments and blank lines",
      `apiVersion: v1\nkind: List\nitems: # these\n\n# one\n${item("a")}\n# two\n${item("b")}\n# end\n`,
    ],
    [
      "in flow style",
      "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Service, metadata: {name: a}}, {apiVersion: v1, kind: Service, metadata: {name: b}}]}\n",
    ],
    ["CRLF", `apiVersion: v1\nitems:\n${item("a")}${item("b")}kind: List\n`.replaceAll("\n", "\r\n")],
  ];
  test.each(shapes)("%s", async (_, text) => {
    expect(await values(text)).toEqual([named("a"), named("b")]);
    expect(await sources(text)).toEqual([
      [0, 0],
      [0, 1],
    ]);
  });

  test("typed lists lend their kind and version to items that have none", async () => {
    const text =
      "apiVersion: discovery.k8s.io/v1\nkind: EndpointSliceList\nitems:\n- metadata: {name: a}\n- {apiVersion: v1, kind: Service}\n";
    expect(await values(text)).toEqual([
      { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: { name: "a" } },
      { apiVersion: "v1", kind: "Service" },
    ]);
  });

  test("an empty List holds nothing, and a kind that only sounds like one is an object", async () => {
    expect(await values("apiVersion: v1\nkind: List\nitems: []\n")).toEqual([]);
    expect((await read("apiVersion: v1\nkind: List\nitems: []\n")).diagnostics).toEqual([]);
    const allow = { apiVersion: "example.com/v1", kind: "AllowList", spec: { items: [1] } };
    expect(await values(JSON.stringify(allow))).toEqual([allow]);
  });

  test("items of something else are left alone", async () => {
    const text = "apiVersion: v1\nkind: ConfigMap\nitems:\n- a\n- b\n";
    expect(await values(text)).toEqual([{ apiVersion: "v1", kind: "ConfigMap", items: ["a", "b"] }]);
  });

  test("lines that look like items inside texts do not cut them", async () => {
    const text =
      'apiVersion: v1\nitems:\n- kind: A\n  note: |\n    - x\n     kind: y\n  other: "a\n    - b"\n- kind: B\nkind: List\n';
    expect(await values(text)).toEqual([{ kind: "A", note: "- x\n kind: y\n", other: "a - b" }, { kind: "B" }]);
  });
});

describe("positions", () => {
  async function place(text: string, document: number, path: string, item?: number): Promise<string | undefined> {
    const loaded = await read(text);
    const source = item === undefined ? { file: "-", document, path } : { file: "-", document, item, path };
    const position = loaded.locate(source);
    if (position === undefined) return undefined;
    const line = position.frame.find(({ number }) => number === position.line)?.text ?? "";
    return `${position.line}:${position.column} ${line.slice(position.frameColumn - 1, position.frameColumn + 3)}`;
  }
  const yaml = 'a: 1\n---\n# c\nspec:\n  ports:\n  - name: x\n    "port": 80\n  labels: {k/l: v, "m": [1, 22]}\n';
  test.each([
    ["spec.ports[0].port", '7:5 "por'],
    ["spec.ports[0]", "6:5 name"],
    ["spec.ports[1].name", "5:3 port"],
    ["spec.gone.deep", "4:1 spec"],
    ["spec.labels[k/l]", "8:12 k/l:"],
    ["spec.labels.m[1]", "8:29 22]}"],
    ["", "4:1 spec"],
  ])("YAML %s", async (path, expected) => {
    expect(await place(yaml, 1, path)).toBe(expected);
  });

  const json =
    '{"a": 1}\n{"kind": "List", "items": [\n  {"kind": "A", "spec": {"p": [10, 20]}},\n  {"kind": "ü", "spec": {"q": 7}}]}\n';
  test.each([
    [0, "spec.p[1]", "3:36 20]}"],
    [1, "spec.q", '4:26 "q":'],
    [1, "spec.r", '4:17 "spe'],
    [1, "", '4:3 {"ki'],
  ])("JSON item %d %s", async (item, path, expected) => {
    expect(await place(json, 1, path, item)).toBe(expected);
  });

  test("in a long line the frame is the part around the place", async () => {
    const text = JSON.stringify({ a: "x".repeat(5000), port: 7 });
    const position = (await read(text)).locate({ file: "-", document: 0, path: "port" });
    expect(position).toMatchObject({ line: 1, column: 5009, frameColumn: 51 });
    expect(position?.frame[0]?.text).toHaveLength(59);
  });

  test("the lines around are there, and only those", async () => {
    const position = (await read("a: 1\nb: 2\nc: 3\nd: 4\ne: 5\n")).locate({ file: "-", document: 0, path: "b" });
    expect(position?.frame).toEqual(
      [1, 2, 3, 4].map((number) => ({ number, text: `${"abcd"[number - 1]}: ${number}` })),
    );
  });

  test("an unknown file or document has none", async () => {
    expect((await read("a: 1\n")).locate({ file: "other", document: 0 })).toBeUndefined();
    expect((await read("a: 1\n")).locate({ file: "-", document: 3, path: "a" })).toBeUndefined();
  });
});

describe("files", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "load-"));
    await mkdir(join(folder, "tree/b/.hidden"), { recursive: true });
    await writeFile(join(folder, "tree/z.yaml"), "id: z\n");
    await writeFile(join(folder, "tree/a.json"), '{"id": "a"}');
    await writeFile(join(folder, "tree/b/c.yml"), "id: c\n---\nid: d\n");
    await writeFile(join(folder, "tree/b/empty.yaml"), "# later\n");
    await writeFile(join(folder, "tree/b/notes.txt"), "id: no\n");
    await writeFile(join(folder, "tree/b/.hidden/x.yaml"), "id: no\n");
    await writeFile(join(folder, "tree/.swap.yaml"), "id: no\n");
    await symlink(join(folder, "tree"), join(folder, "tree/b/loop"));
    await symlink(join(folder, "tree/z.yaml"), join(folder, "tree/b/link.yaml"));
    await mkdir(join(folder, "none"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test("a directory is read through, in order, without hidden files and never in circles", async () => {
    const { documents, diagnostics } = await load([join(folder, "tree")]);
    expect(documents.map(({ value }) => (value as { id: string }).id)).toEqual(["a", "c", "d", "z", "z"]);
    expect(diagnostics.map(({ code, severity }) => `${severity} ${code}`)).toEqual(["warning input-empty"]);
  });

  test("a directory without manifests is an error", async () => {
    expect((await load([join(folder, "none")])).diagnostics.map(({ code }) => code)).toEqual(["input-empty"]);
  });

  test("inputs are read in the order given, and one that fails does not stop the others", async () => {
    const { documents, diagnostics } = await load([join(folder, "tree/z.yaml"), join(folder, "gone.yaml"), "-"], {
      stdin: async () => "id: in\n",
    });
    expect(documents.map(({ value }) => (value as { id: string }).id)).toEqual(["z", "in"]);
    expect(diagnostics.map(({ code }) => code)).toEqual(["input-unreadable"]);
  });

  test("findings come out in the order of the inputs, then of the lines", async () => {
    const second = join(folder, "second.yaml");
    const first = join(folder, "third.yaml");
    const text = "apiVersion: v1\nkind: Service\nmetadata: {name: X}\nspec: {ports: [{port: 0}]}\n";
    await writeFile(second, text);
    await writeFile(first, `${text}---\n${text}`);
    const loaded = await load([first, second]);
    const found = loaded.positioned([...validate(loaded.documents).diagnostics].reverse());
    const order = found.map(({ source }) => `${source.file.slice(folder.length + 1)}:${source.line}`);
    expect(order).toEqual([
      "third.yaml:3",
      "third.yaml:4",
      "third.yaml:4",
      "third.yaml:8",
      "third.yaml:9",
      "third.yaml:9",
      "second.yaml:3",
      "second.yaml:4",
      "second.yaml:4",
    ]);
  });

  test("a file that is gone since has findings without lines", async () => {
    const file = join(folder, "short-lived.yaml");
    await writeFile(file, "apiVersion: v1\nkind: Service\nmetadata: {name: X}\nspec: {ports: [{port: 80}]}\n");
    const loaded = await load([file]);
    const { diagnostics } = validate(loaded.documents);
    await rm(file);
    expect(loaded.positioned(diagnostics).map(({ source }) => source.line)).toEqual([undefined]);
  });
});

describe("what kubectl prints", () => {
  test("passes as it is, server-side fields included", async () => {
    const text = `apiVersion: v1
items:
- apiVersion: v1
  kind: Service
  metadata:
    annotations:
      kubectl.kubernetes.io/last-applied-configuration: |
        {"apiVersion":"v1","kind":"Service","metadata":{"annotations":{},"name":"web"},"spec":{}}
    creationTimestamp: "2026-01-01T00:00:00Z"
    finalizers:
    - service.kubernetes.io/load-balancer-cleanup
    managedFields:
    - {apiVersion: v1, fieldsType: FieldsV1, fieldsV1: {"f:spec": {"f:ports": {}}}, manager: kubectl-client-side-apply, operation: Update, time: "2026-01-01T00:00:00Z"}
    name: web
    namespace: default
    resourceVersion: "123"
    uid: 5e0d29cb-5d3f-4a55-8a2e-4d5c6ad0a1b2
  spec:
    allocateLoadBalancerNodePorts: true
    clusterIP: 10.96.100.100
    clusterIPs: [10.96.100.100]
    externalTrafficPolicy: Local
    healthCheckNodePort: 31000
    internalTrafficPolicy: Cluster
    ipFamilies: [IPv4]
    ipFamilyPolicy: SingleStack
    ports:
    - {name: http, nodePort: 30008, port: 80, protocol: TCP, targetPort: 80}
    selector: {app: webui}
    sessionAffinity: ClientIP
    sessionAffinityConfig: {clientIP: {timeoutSeconds: 10800}}
    type: LoadBalancer
  status:
    conditions: [{type: LoadBalancerPortsError, status: "False", reason: x, message: "", lastTransitionTime: "2026-01-01T00:00:00Z", observedGeneration: 1}]
    loadBalancer: {ingress: [{ip: 203.0.113.9, ipMode: VIP, ports: [{port: 80, protocol: TCP}]}]}
- addressType: IPv4
  apiVersion: discovery.k8s.io/v1
  endpoints:
  - addresses: [10.244.0.7]
    conditions: {ready: true, serving: true, terminating: false}
    hints: {forZones: [{name: zone-a}]}
    nodeName: node-1
    targetRef: {kind: Pod, name: webui-0, namespace: default, uid: 3a1f}
    zone: zone-a
  kind: EndpointSlice
  metadata:
    creationTimestamp: null
    generateName: web-
    generation: 4
    labels: {endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io, kubernetes.io/service-name: web}
    name: web-abcde
    namespace: default
    ownerReferences: [{apiVersion: v1, blockOwnerDeletion: true, controller: true, kind: Service, name: web, uid: 5e0d29cb}]
    uid: 77aa
  ports:
  - {name: http, port: 80, protocol: TCP}
- apiVersion: v1
  kind: Node
  metadata: {name: node-1, labels: {topology.kubernetes.io/zone: zone-a}, annotations: {node.alpha.kubernetes.io/ttl: "0"}}
  spec: {podCIDR: 10.244.0.0/24, podCIDRs: [10.244.0.0/24], taints: [{effect: NoSchedule, key: a}]}
  status:
    addresses: [{address: 192.0.2.11, type: InternalIP}, {address: node-1.example.com, type: Hostname}]
    capacity: {cpu: "2"}
- apiVersion: v1
  kind: Pod
  metadata: {name: webui-0, namespace: default, labels: {app: webui}}
  spec:
    containers: [{image: nginx, name: web, ports: [{containerPort: 80, name: http, protocol: TCP}], resources: {}}]
    nodeName: node-1
  status: {phase: Running, podIP: 10.244.0.7, podIPs: [{ip: 10.244.0.7}], conditions: [{type: Ready, status: "True"}]}
- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: webui}
kind: List
metadata:
  resourceVersion: ""
`;
    const loaded = await read(text);
    const { manifests, diagnostics, foreign } = validate(loaded.documents, { serviceCIDRs: ["10.96.0.0/12"] });
    expect([...loaded.diagnostics, ...diagnostics]).toEqual([]);
    expect(manifests.map(({ kind }) => kind)).toEqual(["Service", "EndpointSlice", "Node", "Pod"]);
    expect([...foreign]).toEqual([["Deployment", 1]]);
  });

  test("what is passed over may hold numbers that nothing here could hold", async () => {
    const foreign = "{apiVersion: v1, kind: ConfigMap, metadata: {name: a}, data: {x: 9007199254740993, y: 1e300}}";
    const service = "{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}";
    for (const text of [`${foreign}\n---\n${service}\n`, `kind: List\nitems:\n- ${foreign}\n- ${service}\n`]) {
      const loaded = await read(text);
      const { manifests, diagnostics, foreign: others } = validate(loaded.documents);
      expect([...loaded.diagnostics, ...diagnostics]).toEqual([]);
      expect([manifests.map(({ kind }) => kind), [...others]]).toEqual([["Service"], [["ConfigMap", 1]]]);
    }
  });
});
