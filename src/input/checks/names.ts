import { portNameProblems } from "../grammar.ts";
import { quote } from "../quote.ts";
import type { Bundle, BundleCheck } from "./bundle.ts";
import { service } from "./examples.ts";

/** Names that lead from one object to another. */

const alias = (target: string, name: string): string =>
  service(`spec:\n  type: ExternalName\n  externalName: ${target}`, `name: ${name}`);
const web = service("spec:\n  ports:\n  - {name: http, port: 80}");

/** "namespace/name" of the Service that a name in the cluster's domain means. */
function serviceOf(externalName: string, domain: string): string | undefined {
  const name = externalName.endsWith(".") ? externalName.slice(0, -1) : externalName;
  const suffix = `.svc.${domain}`;
  if (!name.endsWith(suffix)) return undefined;
  const [target, namespace, more] = name.slice(0, -suffix.length).split(".");
  return target === undefined || namespace === undefined || more !== undefined ? undefined : `${namespace}/${target}`;
}

const aliasTarget: BundleCheck = {
  code: "external-name-target",
  severity: "warning",
  title: "An ExternalName leads to a Service that does not exist, or in a circle",
  paragraph:
    "An alias into the cluster's own domain must end at a Service of another type. Aliases that lead to one another never resolve. Missing targets are reported only for namespaces of which the input holds other Services.",
  hint: "name an existing Service, or an address outside the cluster",
  bad: `${alias("b.default.svc.cluster.local", "a")}---\n${alias("a.default.svc.cluster.local", "b")}`,
  good: `${alias("web.default.svc.cluster.local", "a")}---\n${web}`,
  run: (bundle, report, { clusterDomain }) => {
    const namespaces = new Set(
      [...bundle.services.values()]
        .filter(({ spec }) => spec.type !== "ExternalName")
        .map(({ metadata }) => metadata.namespace),
    );
    for (const [key, manifest] of bundle.services) {
      if (manifest.spec.type !== "ExternalName") continue;
      const target = serviceOf(manifest.spec.externalName ?? "", clusterDomain);
      if (target === undefined) continue;
      if (leadsInCircle(bundle, key, clusterDomain))
        report(manifest, "spec.externalName", "the alias leads back to itself");
      else if (!bundle.services.has(target) && namespaces.has(target.slice(0, target.indexOf("/")))) {
        report(manifest, "spec.externalName", `there is no Service ${target}`);
      }
    }
  },
};

function leadsInCircle({ services }: Bundle, start: string, domain: string): boolean {
  const passed = new Set<string>();
  for (let key: string | undefined = start; key !== undefined; ) {
    if (passed.has(key)) return key === start;
    passed.add(key);
    const next = services.get(key);
    key = next?.spec.type === "ExternalName" ? serviceOf(next.spec.externalName ?? "", domain) : undefined;
  }
  return false;
}

/** Namespaces that every cluster has. */
const BUILT_IN = new Set(["default", "kube-system", "kube-public", "kube-node-lease"]);

const namespaceMissing: BundleCheck = {
  code: "namespace-missing",
  severity: "warning",
  title: "The object's namespace is not among those in the input",
  paragraph:
    "A namespace must exist before objects can be created in it. Reported only when the input holds Namespace objects.",
  hint: "add the Namespace, or correct metadata.namespace",
  bad: "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shopp}\nspec:\n  ports: [{port: 80}]\n",
  good: "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n---\napiVersion: v1\nkind: Service\nmetadata: {name: web, namespace: shop}\nspec:\n  ports: [{port: 80}]\n",
  run: ({ manifests, neighbours: { namespaces } }, report) => {
    if (namespaces.size === 0) return;
    for (const manifest of manifests) {
      const { namespace } = manifest.metadata;
      if (manifest.kind === "Node" || namespaces.has(namespace) || BUILT_IN.has(namespace)) continue;
      report(manifest, "metadata.namespace", `there is no Namespace ${quote(namespace)}`);
    }
  },
};

const ingressPort: BundleCheck = {
  code: "ingress-port-name",
  severity: "warning",
  title: "An Ingress cannot refer to a port by this name",
  paragraph:
    "An Ingress takes port names of at most 15 characters with a letter and without double hyphens; a Service port's name may be longer. Such a port can only be referred to by number.",
  hint: "shorten the Service port's name, or use its number in the Ingress",
  bad: `${service("spec:\n  ports:\n  - {name: a-rather-long-name, port: 80}")}---\n${ingress("a-rather-long-name")}`,
  good: `${web}---\n${ingress("http")}`,
  run: ({ services, neighbours }, report) => {
    for (const { service: key, port, ingress: name } of neighbours.ingressPorts) {
      const target = services.get(key);
      const i = (target?.spec.ports ?? []).findIndex((candidate) => candidate.name === port);
      const [problem] = portNameProblems(port);
      if (target !== undefined && i >= 0 && problem !== undefined) {
        report(target, `spec.ports[${i}].name`, `Ingress ${quote(name)} cannot refer to ${quote(port)}: ${problem}`);
      }
    }
  },
};

/** How the names of a Service's environment variables begin. */
function variablePrefix(name: string): string {
  return name.toUpperCase().replaceAll("-", "_");
}

const SERVICE_SUFFIX = "-service";

/** What another Service would have to be called for both to make the same environment variable. */
export function variableRival(name: string): string | undefined {
  return name.endsWith(SERVICE_SUFFIX) ? name.slice(0, -SERVICE_SUFFIX.length) : undefined;
}

const environmentClash: BundleCheck = {
  code: "environment-variable-clash",
  severity: "warning",
  title: "Two Services give Pods the same environment variable",
  paragraph:
    "Pods see Service web as WEB_SERVICE_HOST, WEB_SERVICE_PORT, WEB_PORT and so on. A Service of the same namespace whose name adds -service makes WEB_SERVICE_PORT as well, with another meaning, and it is undefined which one wins.",
  hint: "rename one of the Services, or do not rely on these variables",
  bad: `${web}---\n${service("spec:\n  ports:\n  - {name: http, port: 80}", "name: web-service")}`,
  good: `${web}---\n${service("spec:\n  ports:\n  - {name: http, port: 80}", "name: web-2")}`,
  run: ({ services }, report) => {
    const owners = new Map<string, string>();
    const visible = [...services].filter(([, { spec }]) => spec.type !== "ExternalName" && spec.clusterIP !== "None");
    for (const [key, { metadata }] of visible)
      owners.set(`${metadata.namespace}/${variablePrefix(metadata.name)}`, key);
    for (const [, manifest] of visible) {
      const { namespace, name } = manifest.metadata;
      const rival = variableRival(name);
      if (rival === undefined) continue;
      const other = owners.get(`${namespace}/${variablePrefix(rival)}`);
      if (other === undefined) continue;
      const variable = `${variablePrefix(name)}_PORT`;
      report(manifest, "metadata.name", `Service ${other} makes the environment variable ${variable} as well`);
    }
  },
};

function ingress(port: string): string {
  return `apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: web}\nspec:\n  defaultBackend: {service: {name: web, port: {name: ${port}}}}\n`;
}

export const nameChecks: readonly BundleCheck[] = [aliasTarget, namespaceMissing, ingressPort, environmentClash];
