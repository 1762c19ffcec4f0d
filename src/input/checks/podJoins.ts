import type { PodManifest, ServiceManifest } from "../../types.ts";
import { quote } from "../quote.ts";
import { append, type Bundle, type BundleCheck, hasSelector, keyOf, type Labelled } from "./bundle.ts";
import { service } from "./examples.ts";

/** Services and Pods of the same input. Reported only where the input holds Pods of the Service's namespace. */

const pod = (labels: string, spec = "containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]"): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: web-0, labels: ${labels}}\nspec: {${spec}}\nstatus: {phase: Running, podIPs: [{ip: 10.0.0.7}]}\n`;
const web = (targetPort = "http"): string =>
  service(`spec:\n  selector: {app: web}\n  ports:\n  - {port: 80, targetPort: ${targetPort}}`);

/** The Pods that every selecting Service has, found with one index per namespace. */
export function selections({
  services,
  pods,
}: Bundle): readonly { readonly owner: ServiceManifest; readonly pods: readonly PodManifest[] }[] {
  if (pods.size === 0) return [];
  const index = byLabel([...pods.values()].flat());
  const found: { owner: ServiceManifest; pods: readonly PodManifest[] }[] = [];
  for (const owner of services.values()) {
    const { namespace } = owner.metadata;
    if (!hasSelector(owner) || owner.spec.type === "ExternalName" || !pods.has(namespace)) continue;
    found.push({ owner, pods: selected(owner, index) });
  }
  return found;
}

/** By "namespace/key=value" of each label. */
function byLabel<T extends Labelled>(candidates: readonly T[]): ReadonlyMap<string, readonly T[]> {
  const index = new Map<string, T[]>();
  for (const candidate of candidates) {
    const { namespace, labels = {} } = candidate.metadata;
    for (const key in labels) append(index, `${namespace}/${key}=${labels[key] ?? ""}`, candidate);
  }
  return index;
}

/** Those that carry all labels of the selector. */
function selected<T extends Labelled>(owner: ServiceManifest, index: ReadonlyMap<string, readonly T[]>): readonly T[] {
  const { namespace } = owner.metadata;
  const pairs = Object.entries(owner.spec.selector ?? {});
  const lists = pairs.map(([key, value]) => index.get(`${namespace}/${key}=${value}`) ?? []);
  const shortest = lists.reduce((best, list) => (list.length < best.length ? list : best), lists[0] ?? []);
  return shortest.filter(({ metadata: { labels = {} } }) => pairs.every(([key, value]) => labels[key] === value));
}

const selectsNothing: BundleCheck = {
  code: "selector-selects-nothing",
  severity: "warning",
  title: "No Pod carries the labels of the selector",
  paragraph:
    "A Pod is selected when it has every label of the selector, in the Service's namespace. Without a Pod there are no endpoints. Pods that a Deployment or the like in the input would make count, too.",
  hint: "compare the selector with the Pods' labels",
  bad: `${web()}---\n${pod("{app: wep}")}`,
  good: `${web()}---\n${pod("{app: web}")}`,
  run: (bundle, report) => {
    const templates = byLabel(bundle.neighbours.podTemplates);
    for (const { owner, pods } of selections(bundle)) {
      if (pods.length > 0 || bundle.slices.has(keyOf(owner)) || bundle.endpoints.has(keyOf(owner))) continue;
      if (selected(owner, templates).length > 0) continue;
      report(owner, "spec.selector", `no Pod in namespace ${quote(owner.metadata.namespace)} carries these labels`);
    }
  },
};

/** Whether some container that serves has a port of this name and protocol. */
function hasPort({ spec }: PodManifest, name: string, protocol: string): boolean {
  const sidecars = (spec.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === "Always");
  return [...spec.containers, ...sidecars].some(({ ports = [] }) =>
    ports.some((port) => port.name === name && port.protocol === protocol),
  );
}

const targetUnresolved: BundleCheck = {
  code: "target-port-unresolved",
  severity: "warning",
  title: "A named targetPort does not exist in a selected Pod",
  paragraph:
    "The name is looked up in the containers of every selected Pod, with the Service port's protocol; a Pod without it does not serve that port. A number need not be declared anywhere.",
  hint: "name the container port, or use its number",
  bad: `${web("https")}---\n${pod("{app: web}")}`,
  good: `${web("http")}---\n${pod("{app: web}")}`,
  run: (bundle, report) => {
    for (const { owner, pods } of selections(bundle)) {
      owner.spec.ports?.forEach(({ targetPort, protocol }, i) => {
        if (typeof targetPort !== "string") return;
        const without = pods.filter((candidate) => !hasPort(candidate, targetPort, protocol));
        const [first] = without;
        if (first === undefined) return;
        const more = without.length > 1 ? ` and ${without.length - 1} more` : "";
        report(
          owner,
          `spec.ports[${i}].targetPort`,
          `Pod ${first.metadata.name}${more} has no ${protocol} port ${quote(targetPort)}`,
        );
      });
    }
  },
};

const subdomainWithoutService: BundleCheck = {
  code: "pod-subdomain-without-service",
  severity: "warning",
  title: "A Pod's subdomain is no headless Service that selects it",
  paragraph: "A Pod gets a name of its own in DNS only if a headless Service called like its subdomain selects it.",
  hint: "add the headless Service, or remove subdomain",
  bad: `${web()}---\n${pod("{app: web}", "hostname: web-0, subdomain: db, containers: [{name: web, ports: [{name: http, containerPort: 8080}]}]")}`,
  good: `${web()}---\n${pod("{app: web}")}`,
  run: ({ pods, services }, report) => {
    if (services.size === 0) return;
    for (const candidate of [...pods.values()].flat()) {
      const { subdomain = "" } = candidate.spec;
      if (subdomain === "") continue;
      const owner = services.get(`${candidate.metadata.namespace}/${subdomain}`);
      const labels = candidate.metadata.labels ?? {};
      const isSelected = Object.entries(owner?.spec.selector ?? {}).every(([key, value]) => labels[key] === value);
      if (owner?.spec.clusterIP === "None" && hasSelector(owner) && isSelected) continue;
      report(candidate, "spec.subdomain", `no headless Service ${quote(subdomain)} selects this Pod`);
    }
  },
};

export const podJoinChecks: readonly BundleCheck[] = [selectsNothing, targetUnresolved, subdomainWithoutService];
