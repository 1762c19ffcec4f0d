import { expect, test } from "vitest";
import { validate } from "../../../src/input/validate.ts";

/** What objects of other kinds say about a Service. */

const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: { app: "web", tier: "front" }, ports: [{ port: 80 }] },
};
const pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "shell", labels: { app: "shell" } },
  spec: { containers: [{ name: "shell" }] },
};
const maker = (labels: unknown, namespace?: string, kind = "Deployment") => ({
  apiVersion: "apps/v1",
  kind,
  metadata: { name: "web", ...(namespace === undefined ? {} : { namespace }) },
  spec: { template: { metadata: { labels } } },
});
const codes = (...objects: readonly unknown[]) =>
  validate(objects.map((value, document) => ({ source: { file: "-", document }, value }))).diagnostics.map(
    ({ code }) => code,
  );

test.each([
  ["a Deployment's Pods", maker({ app: "web", tier: "front", version: "2" })],
  ["a StatefulSet's", maker({ app: "web", tier: "front" }, "default", "StatefulSet")],
])("%s would be selected, beside a Pod of something else", (_, workload) => {
  expect(codes(service, pod, workload)).toEqual([]);
});

test.each([
  ["nothing makes such Pods", undefined],
  ["other labels", maker({ app: "web", tier: "back" })],
  ["not all of the labels", maker({ app: "web" })],
  ["another namespace", maker({ app: "web", tier: "front" }, "shop")],
  ["labels that are none", maker("app=web")],
  ["labels that are no text", maker({ app: ["web"], tier: "front" })],
  ["its own labels only", { ...maker(null), metadata: { name: "web", labels: { app: "web", tier: "front" } } }],
])("a selector that selects nothing is told: %s", (_, workload) => {
  expect(codes(service, pod, ...(workload === undefined ? [] : [workload]))).toEqual(["selector-selects-nothing"]);
});
