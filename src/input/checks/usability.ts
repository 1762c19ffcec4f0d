import type { ServiceManifest } from "../../types.ts";
import { type Bundle, type BundleCheck, keyOf } from "./bundle.ts";
import { service, slice } from "./examples.ts";

/** Services that are sound and joined, and still would not answer. */

interface Census {
  readonly total: number;
  /** Takes new connections now, or while it ends. */
  readonly usable: number;
  readonly onSomeNode: number;
  readonly onThisNode: number;
}

/** Counts the endpoints of a Service; undefined when the input says nothing about them. */
function censusOf(bundle: Bundle, key: string, nodeName: string | undefined): Census | undefined {
  const slices = bundle.slices.get(key);
  const legacy = bundle.endpoints.get(key);
  if (slices === undefined && legacy === undefined) return undefined;
  const census = { total: 0, usable: 0, onSomeNode: 0, onThisNode: 0 };
  const count = (isUsable: boolean, node: string | undefined) => {
    census.total++;
    if (isUsable) census.usable++;
    if (node !== undefined && node !== "") census.onSomeNode++;
    if (node !== undefined && node === nodeName) census.onThisNode++;
  };
  for (const { endpoints = [] } of slices ?? []) {
    for (const { conditions, nodeName: node } of endpoints) {
      const { ready = true, serving = true, terminating = false } = conditions ?? {};
      count(ready || (serving && terminating), node);
    }
  }
  for (const { addresses = [], notReadyAddresses = [] } of slices === undefined ? (legacy?.subsets ?? []) : []) {
    for (const { nodeName: node } of addresses) count(true, node);
    for (const { nodeName: node } of notReadyAddresses) count(false, node);
  }
  return census;
}

function isProxied({ spec }: ServiceManifest): boolean {
  return spec.type !== "ExternalName" && spec.clusterIP !== "None";
}

const body = (extra: string): string =>
  service(`spec:\n  clusterIP: 10.96.0.10\n${extra}  ports:\n  - {name: http, port: 80}`);
const webSlice = (endpoint: string): string =>
  slice(`addressType: IPv4\nendpoints:\n- ${endpoint}\nports: [{name: http, port: 8080}]`);

const unreadyOnly: BundleCheck = {
  code: "endpoints-all-unready",
  severity: "warning",
  title: "None of a Service's endpoints is ready",
  paragraph:
    "Connections to the Service are refused until one is. An endpoint that is ending still counts while it serves.",
  hint: "see why the endpoints are not ready, or set publishNotReadyAddresses",
  bad: `${body("")}---\n${webSlice("{addresses: [10.0.0.7], conditions: {ready: false}}")}`,
  good: `${body("")}---\n${webSlice("{addresses: [10.0.0.7], conditions: {ready: true}}")}`,
  run: (bundle, report) => {
    for (const [key, manifest] of bundle.services) {
      const census = isProxied(manifest) ? censusOf(bundle, key, undefined) : undefined;
      if (census === undefined || census.total === 0 || census.usable > 0) continue;
      report(manifest, "metadata.name", `none of the ${census.total} endpoints is ready: connections are refused`);
    }
  },
};

const localNowhere: BundleCheck = {
  code: "local-without-endpoint",
  severity: "warning",
  title: "Traffic policy Local, and no endpoint is local",
  paragraph:
    "Policy Local uses only endpoints whose nodeName is this node's. Endpoints that name no node are local nowhere, so the traffic is dropped on every node. With --node-name the warning is about that node.",
  hint: "set nodeName on the endpoints, or use policy Cluster",
  bad: `${body("  internalTrafficPolicy: Local\n")}---\n${webSlice("{addresses: [10.0.0.7]}")}`,
  good: `${body("  internalTrafficPolicy: Local\n")}---\n${webSlice("{addresses: [10.0.0.7], nodeName: node-1}")}`,
  run: (bundle, report, { nodeName }) => {
    for (const [key, manifest] of bundle.services) {
      const { externalTrafficPolicy, internalTrafficPolicy } = manifest.spec;
      const fields = [
        ...(externalTrafficPolicy === "Local" ? ["spec.externalTrafficPolicy"] : []),
        ...(internalTrafficPolicy === "Local" ? ["spec.internalTrafficPolicy"] : []),
      ];
      const census = fields.length > 0 && isProxied(manifest) ? censusOf(bundle, key, nodeName) : undefined;
      if (census === undefined || census.total === 0) continue;
      const isNowhere = census.onSomeNode === 0;
      if (!isNowhere && (nodeName === undefined || census.onThisNode > 0)) continue;
      const where = isNowhere ? "no endpoint says on which node it is" : `no endpoint is on node ${nodeName ?? ""}`;
      for (const path of fields) report(manifest, path, `${where}: this traffic is dropped`);
    }
  },
};

const headlessEmpty: BundleCheck = {
  code: "headless-without-endpoints",
  severity: "warning",
  title: "A headless Service without selector has no endpoints",
  paragraph:
    "DNS answers that its name does not exist. Reported only when the input holds endpoints of other Services.",
  hint: "add an EndpointSlice for it, or a selector",
  bad: `${service("spec:\n  clusterIP: None", "name: db")}---\n${body("")}---\n${webSlice("{addresses: [10.0.0.7]}")}`,
  good: `${service("spec:\n  clusterIP: None\n  selector: {app: db}", "name: db")}---\n${body("")}---\n${webSlice("{addresses: [10.0.0.7]}")}`,
  run: (bundle, report) => {
    if (bundle.slices.size + bundle.endpoints.size === 0) return;
    for (const [key, manifest] of bundle.services) {
      const { clusterIP, selector = {} } = manifest.spec;
      if (clusterIP !== "None" || Object.keys(selector).length > 0) continue;
      const census = censusOf(bundle, key, undefined);
      if (census === undefined || census.total === 0)
        report(manifest, "spec.clusterIP", `Service ${keyOf(manifest)} has neither selector nor endpoints`);
    }
  },
};

export const usabilityChecks: readonly BundleCheck[] = [unreadyOnly, localNowhere, headlessEmpty];
