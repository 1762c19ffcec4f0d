import { expect, test } from "vitest";
import { identify } from "../../../src/input/identify.ts";
import { parseYaml } from "../../../src/input/load/yaml.ts";
import { load } from "../../../src/input/load.ts";
import { shapeProblems } from "../../../src/input/shape.ts";
import type { Fields } from "./ruleTable.ts";

/** Slips that stand in many a repository, and what is said about them. */

test.each<readonly [slip: string, value: Fields, hint: string]>([
  ["a field at the left margin", { annotations: {} }, "it belongs under metadata"],
  ["a port's field too far to the left", { spec: { nodePort: 30080 } }, "it belongs under spec.ports"],
  ["a field too far to the right", { metadata: { spec: {} } }, "it belongs at the left margin"],
  ["another case", { spec: { ports: [{ targetport: 80 }] } }, "did you mean targetPort?"],
  ["one letter", { spec: { selecter: {} } }, "did you mean selector?"],
  ["nothing known", { spec: { replicas: 1 } }, "remove the field, or check where it belongs"],
  ["a name of every object", { spec: { constructor: 1 } }, "remove the field, or check where it belongs"],
  ["a field of 1.19", { spec: { ipFamily: "IPv6" } }, "write ipFamilies: with a list of one family"],
  [
    "no-break spaces",
    { "\u00a0\u00a0ports": [] },
    "indent with spaces: these are no-break spaces, as copied from a web page",
  ],
  ["a number in quotes", { spec: { ports: [{ port: "80" }] } }, "write the number without quotes"],
  ["a word for a number", { spec: { ports: [{ port: "http" }] } }, "write a number, or leave the field out"],
  ...["$PORT", "$" + "{PORT}", "$(PORT)", "<port>", "__PORT__", "{{ .Values.port }}"].map(
    (port) =>
      [
        `the placeholder ${port}`,
        { spec: { ports: [{ port }] } },
        "fill in the placeholder first, for example with helm template or envsubst",
      ] as const,
  ),
  [
    "a Deployment's selector",
    { spec: { selector: { matchLabels: { app: "web" } } } },
    "write the labels right under selector: a Service has no matchLabels",
  ],
  ["a selector as a list", { spec: { selector: [{ app: "web" }] } }, "write its fields without '- ' in front of them"],
  ["no space behind a dash", { spec: { "-port": 80 } }, "put a space behind the '-' that starts an entry of a list"],
  ["no space behind a colon", { spec: { ports: ["port:80"] } }, "put a space behind the colon, as in name: value"],
  ["another word", { spec: { ports: ["http"] } }, "write a mapping"],
  ...["port:\u00a080", "port\uff1a 80", "\u200bport: 80"].map(
    (port) =>
      [
        `the sign of a web page in ${JSON.stringify(port)}`,
        { spec: { ports: [port] } },
        "type the line anew: it holds a space or colon of another kind, as copied from a web page",
      ] as const,
  ),
  [
    "a no-break space behind a dash",
    { spec: { "-\u00a0port": 80 } },
    "type the line anew: it holds a space or colon of another kind, as copied from a web page",
  ],
])("%s", (_slip, value, hint) => {
  expect(shapeProblems("Service", value).map((problem) => problem.hint)).toEqual([hint]);
});

test("a field of slices that v1 does not have", () => {
  const problems = shapeProblems("EndpointSlice", { endpoints: [{ topology: { "kubernetes.io/hostname": "n1" } }] });
  expect(problems.map(({ hint }) => hint)).toEqual(["gone since discovery.k8s.io/v1: write nodeName and zone"]);
});

const hintOf = (text: string) => {
  const result = parseYaml(text, 0);
  return "problem" in result ? result.problem.hint : undefined;
};

test.each([
  "metadata:\n  name: {{ .Release.Name }}\n",
  "metadata:\n  labels:\n    {{- toYaml .Values.labels | nindent 4 }}\n",
  "spec:\n{{- if .Values.ip }}\n  clusterIP: x\n{{- end }}\n",
  "spec:\n{% if ip %}\n  clusterIP: x\n{% endif %}\n",
])("a template is told from a manifest: %j", (text) => {
  expect(hintOf(text)).toBe("this is a template: render it first, for example with helm template");
});

test("braces elsewhere do not make a manifest a template", () => {
  const text = 'metadata:\n  annotations:\n    format: "{{ .Name }}"\nspec:\n  type: NodePort\n    ports: []\n';
  expect(hintOf(text)).toBe("line up the fields of one object with spaces");
});

test.each([
  "{{- if .Values.enabled }}\nkind: Service\n{{- end }}\n",
  "{{/* a comment */}}\nkind: Service\n",
  "{% if enabled %}\nkind: Service\n{% endif %}\n",
  '{"kind": "Service", "spec": {"ports": [{"port": {{ .Values.port }}}]}}\n',
  '{"kind": "Service", {{ toJson .Values.rest }}}\n',
  '{"kind": "Service" {% if spec %}, "spec": {} {% endif %}}\n',
])("a template is told from JSON: %j", async (text) => {
  const { diagnostics } = await load(["-"], { stdin: async () => text });
  expect(diagnostics.map(({ hint }) => hint)).toEqual([
    "this is a template: render it first, for example with helm template",
  ]);
});

test("braces in a text do not make JSON a template", async () => {
  const { diagnostics } = await load(["-"], { stdin: async () => '{"format": "{{ .Name }}" "kind": "Service"}' });
  expect(diagnostics.map(({ hint }) => hint)).toEqual(["check commas, quotes and brackets before this place"]);
});

test.each([
  ["spec:\n  ports:\n    -protocol: TCP\n     port: 80\n", "put a space behind the '-' that starts an entry of a list"],
  [
    "spec:\n  ports:\n  - name: a\n    port:80\n    targetPort: 80\n",
    "put a space behind the colon, as in name: value",
  ],
  ["metadata:\n  name:web\r\n  namespace: shop\r\n", "put a space behind the colon, as in name: value"],
  ["spec:\n  name: web\n  - port: 80\n    image: example.org/web:1\n", "line up the fields of one object with spaces"],
  ["spec:\n  targetPort: 80nodePort: 30080\n", "check quotes, colons and indentation on this line and the one before"],
  ['metadata:\n  name: "web" // the shop\n', "a comment starts with #"],
  ["spec:\n  ports:\n  - port:80\n    targetPort: 80\n", "put a space behind the colon, as in name: value"],
  ["spec:\n  type: NodePort\n  clusterIP:10.96.0.7\n", "put a space behind the colon, as in name: value"],
  ["spec:\n  ports:\n    -port: 80\n    -port: 81\n", "put a space behind the '-' that starts an entry of a list"],
  ["spec:\n  ports:\n  - port: 80\n    port: 81\n", "keep one of the two"],
  ["args:\n  - docker:dind\n bad: x\n", "line up the fields of one object with spaces"],
  ["args:\n- docker:dind\nbad: x: y\n", "check quotes, colons and indentation on this line and the one before"],
])("a slip in %j", (text, hint) => {
  expect(hintOf(text)).toBe(hint);
});

test.each([
  [
    { resources: ["web.yaml"] },
    "say what the object is, for example kind: Service, or leave the file out if it holds no objects",
  ],
  [{ apiVersion: "v1", metadata: {} }, "say what the object is, for example kind: Service"],
])("%j has no kind", (value, hint) => {
  expect(identify(value)).toMatchObject({ code: "kind-missing", hint });
});
