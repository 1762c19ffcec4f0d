import { expect, test } from "vitest";
import { parseYaml } from "../../../src/input/load/yaml.ts";
import { shapeProblems } from "../../../src/input/shape.ts";
import type { Fields } from "./ruleTable.ts";

/** Slips that stand in many a repository, and what is said about them. */

test.each<[slip: string, value: Fields, hint: string]>([
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
  ["a placeholder", { spec: { ports: [{ port: "$PORT" }] } }, "write a number, or leave the field out"],
  [
    "a Deployment's selector",
    { spec: { selector: { matchLabels: { app: "web" } } } },
    "write the labels right under selector: a Service has no matchLabels",
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
])("a template is told from a manifest: %j", (text) => {
  expect(hintOf(text)).toBe("this is a template: render it first, for example with helm template");
});

test("braces elsewhere do not make a manifest a template", () => {
  const text = 'metadata:\n  annotations:\n    format: "{{ .Name }}"\nspec:\n  type: NodePort\n    ports: []\n';
  expect(hintOf(text)).toBe("line up the fields of one object with spaces");
});
