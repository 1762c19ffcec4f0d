import { MANAGED_BY, SERVICE_NAME, SKIP_MIRROR } from "../../labels.ts";
import type { EndpointSliceManifest, EndpointsManifest, Family, ServiceManifest } from "../../types.ts";
import { familyOfText } from "../grammar.ts";
import { quote } from "../quote.ts";
import { type Bundle, type BundleCheck, hasSelector, isHandWritten } from "./bundle.ts";
import { endpoints, service, slice } from "./examples.ts";

/** Services and the endpoints that should serve them: what joins and what does not. All warnings, since the API server checks none of it. */

const web = service("spec:\n  clusterIP: 10.96.0.10\n  ports:\n  - {name: http, port: 80}");
const webSlice = (
  ports = "[{name: http, port: 8080}]",
  endpoint = "{addresses: [10.0.0.7], nodeName: node-1}",
  type = "IPv4",
): string => slice(`addressType: ${type}\nendpoints:\n- ${endpoint}\nports: ${ports}`);
const webEndpoints = (ports = "[{name: http, port: 8080}]"): string =>
  endpoints(`subsets:\n- addresses: [{ip: 10.0.0.7}]\n  ports: ${ports}`);
const all = (...manifests: readonly string[]): string => manifests.join("---\n");

const orphanEndpoints: BundleCheck = {
  code: "endpoints-without-service",
  severity: "warning",
  title: "Endpoints belong to no Service",
  paragraph:
    "Endpoints are joined to the Service of the same name and namespace. Without one nobody uses them, and the cluster deletes them.",
  hint: "give the Endpoints the name of their Service, or add the Service",
  bad: all(web, endpoints("subsets:\n- addresses: [{ip: 10.0.0.7}]\n  ports: [{name: http, port: 80}]", "name: wep")),
  good: all(web, webEndpoints()),
  run: ({ endpoints: list, services }, report) => {
    if (services.size === 0) return;
    for (const [key, manifest] of list) {
      if (!services.has(key)) report(manifest, "metadata.name", `there is no Service ${key}`);
    }
  },
};

const orphanSlice: BundleCheck = {
  code: "slice-without-service",
  severity: "warning",
  title: "An EndpointSlice belongs to no Service",
  paragraph: `The label ${SERVICE_NAME} must name a Service of the same namespace.`,
  hint: "correct the label, or add the Service",
  bad: all(service("spec:\n  ports:\n  - {name: http, port: 80}", "name: wep"), webSlice()),
  good: all(web, webSlice()),
  run: ({ slices, services }, report) => {
    if (services.size === 0) return;
    for (const [key, list] of slices) {
      if (services.has(key) || key.endsWith("/")) continue;
      for (const manifest of list) report(manifest, `metadata.labels[${SERVICE_NAME}]`, `there is no Service ${key}`);
    }
  },
};

const endpointsOverwritten: BundleCheck = {
  code: "endpoints-of-selector",
  severity: "warning",
  title: "Hand-written Endpoints for a Service with a selector",
  paragraph:
    "In a cluster the controller owns the Endpoints of a Service with a selector and overwrites them with the selected Pods.",
  hint: "remove the selector, or the Endpoints",
  bad: all(service("spec:\n  selector: {app: web}\n  ports:\n  - {name: http, port: 80}"), webEndpoints()),
  good: all(web, webEndpoints()),
  run: ({ endpoints: list, services }, report) => {
    for (const [key, manifest] of list) {
      const owner = services.get(key);
      if (owner === undefined || !hasSelector(owner) || !isHandWritten(manifest) || owner.spec.type === "ExternalName")
        continue;
      report(manifest, "metadata.name", `Service ${key} has a selector, so its Endpoints are overwritten`);
    }
  },
};

const endpointsOfAlias: BundleCheck = {
  code: "endpoints-of-external-name",
  severity: "warning",
  title: "Endpoints for a Service that is an alias in DNS",
  paragraph: "Nothing is proxied for an ExternalName Service: its endpoints are ignored.",
  hint: "remove the endpoints, or change the Service's type",
  bad: all(service("spec:\n  type: ExternalName\n  externalName: db.example.com"), webEndpoints()),
  good: all(web, webEndpoints()),
  run: ({ endpoints: list, slices, services }, report) => {
    const isAlias = (key: string) => services.get(key)?.spec.type === "ExternalName";
    for (const [key, manifest] of list)
      if (isAlias(key)) report(manifest, "metadata.name", `Service ${key} is an alias in DNS`);
    for (const [key, of] of slices) {
      if (isAlias(key))
        for (const manifest of of)
          report(manifest, `metadata.labels[${SERVICE_NAME}]`, `Service ${key} is an alias in DNS`);
    }
  },
};

const CONTROLLERS = new Set(["endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"]);

const falseManager: BundleCheck = {
  code: "slice-managed-by-controller",
  severity: "warning",
  title: "A hand-written EndpointSlice claims to belong to a controller",
  paragraph: `The controllers delete slices with their own value of the label ${MANAGED_BY} that they did not make.`,
  hint: "use a value of your own, such as my-team",
  bad: `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, labels: {${SERVICE_NAME}: web, ${MANAGED_BY}: endpointslice-controller.k8s.io}}\naddressType: IPv4\nendpoints: []\n`,
  good: `apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1, labels: {${SERVICE_NAME}: web, ${MANAGED_BY}: my-team}}\naddressType: IPv4\nendpoints: []\n`,
  run: ({ slices }, report) => {
    for (const list of slices.values()) {
      for (const manifest of list) {
        const manager = manifest.metadata.labels?.[MANAGED_BY] ?? "";
        if (!CONTROLLERS.has(manager) || !isHandWritten(manifest)) continue;
        report(manifest, `metadata.labels[${MANAGED_BY}]`, `${quote(manager)} deletes slices that it did not make`);
      }
    }
  },
};

const doubled: BundleCheck = {
  code: "endpoints-doubled",
  severity: "warning",
  title: "A Service without selector has both Endpoints and EndpointSlices",
  paragraph:
    "The cluster mirrors the Endpoints into slices of their own, so every backend that is in both counts twice.",
  hint: `keep one kind, or label the Endpoints ${SKIP_MIRROR}: "true"`,
  bad: all(web, webEndpoints(), webSlice()),
  good: all(web, webSlice()),
  run: ({ endpoints: list, slices, services }, report) => {
    for (const [key, manifest] of list) {
      const owner = services.get(key);
      if (owner === undefined || hasSelector(owner) || owner.spec.type === "ExternalName") continue;
      if (manifest.metadata.labels?.[SKIP_MIRROR] === "true") continue;
      const own = (slices.get(key) ?? []).filter(
        ({ metadata }) => !CONTROLLERS.has(metadata.labels?.[MANAGED_BY] ?? ""),
      );
      if (own.length > 0) report(manifest, "metadata.name", `Service ${key} has EndpointSlices beside its Endpoints`);
    }
  },
};

/** Ports that endpoints serve, as "name/protocol", with the first manifest and field that does. */
interface ServedPort {
  readonly manifest: EndpointsManifest | EndpointSliceManifest;
  readonly path: string;
}

function servedPorts(bundle: Bundle, key: string): ReadonlyMap<string, ServedPort> | undefined {
  const slices = bundle.slices.get(key) ?? [];
  const served = new Map<string, ServedPort>();
  const add = (name: string, protocol: string, manifest: ServedPort["manifest"], path: string) => {
    if (!served.has(`${name}/${protocol}`)) served.set(`${name}/${protocol}`, { manifest, path });
  };
  for (const manifest of slices) {
    // A slice without endpoints is the controller's placeholder and says nothing about ports.
    if ((manifest.endpoints ?? []).length === 0) continue;
    manifest.ports?.forEach(({ name, protocol }, k) => {
      add(name, protocol, manifest, `ports[${k}]`);
    });
  }
  const legacy = slices.length > 0 ? undefined : bundle.endpoints.get(key);
  for (const [i, { ports = [] }] of (legacy?.subsets ?? []).entries()) {
    if (legacy === undefined) break;
    ports.forEach(({ name = "", protocol }, k) => {
      add(name, protocol, legacy, `subsets[${i}].ports[${k}]`);
    });
  }
  return served.size === 0 ? undefined : served;
}

function isProxied({ spec }: ServiceManifest): boolean {
  return spec.type !== "ExternalName" && spec.clusterIP !== "None";
}

const named = (name: string): string => (name === "" ? "without a name" : quote(name));

const portMismatch: BundleCheck = {
  code: "port-name-mismatch",
  severity: "warning",
  title: "A Service's port and its endpoints' ports do not have the same name",
  paragraph:
    "Endpoints are joined to a Service port by name and protocol, never by number. A Service port that no endpoint port matches has no backends; an endpoint port that matches none is unused. An unnamed port matches only an unnamed one.",
  hint: "give the port the same name and protocol on both sides",
  bad: all(web, webSlice("[{name: web, port: 8080}]")),
  good: all(web, webSlice()),
  run: (bundle, report) => {
    for (const [key, manifest] of bundle.services) {
      const served = isProxied(manifest) ? servedPorts(bundle, key) : undefined;
      if (served === undefined) continue;
      const wanted = new Set((manifest.spec.ports ?? []).map(({ name = "", protocol }) => `${name}/${protocol}`));
      for (const [i, { name = "", protocol }] of (manifest.spec.ports ?? []).entries()) {
        if (served.has(`${name}/${protocol}`)) continue;
        report(
          manifest,
          `spec.ports[${i}]`,
          `no endpoint port ${named(name)} for ${protocol}: this port has no backends`,
        );
      }
      for (const [port, { manifest: owner, path }] of served) {
        if (wanted.has(port)) continue;
        const [name = "", protocol] = port.split("/");
        report(owner, path, `Service ${key} has no port ${named(name)} for ${protocol}: this port is unused`);
      }
    }
  },
};

const FAMILY_OF_TYPE: Readonly<Record<string, Family>> = { IPv4: "ipv4", IPv6: "ipv6" };

function familiesOf({ spec }: ServiceManifest): ReadonlySet<Family> | undefined {
  const named = (spec.ipFamilies ?? []).map((name) => FAMILY_OF_TYPE[name]);
  const found = named.length > 0 ? named : (spec.clusterIPs ?? []).map(familyOfText);
  const families = found.filter((family): family is Family => family !== undefined);
  return families.length === 0 ? undefined : new Set(families);
}

const familyMismatch: BundleCheck = {
  code: "family-mismatch",
  severity: "warning",
  title: "Endpoints of a family that the Service does not have",
  paragraph: "IPv4 traffic goes to IPv4 endpoints and IPv6 to IPv6: endpoints of another family are never used.",
  hint: "add the family to the Service (ipFamilyPolicy, ipFamilies), or remove the endpoints",
  bad: all(web, webSlice(undefined, '{addresses: ["2001:db8::7"]}', "IPv6")),
  good: all(web, webSlice()),
  run: ({ services, slices, endpoints: list }, report) => {
    for (const [key, manifest] of services) {
      const families = isProxied(manifest) ? familiesOf(manifest) : undefined;
      if (families === undefined) continue;
      for (const candidate of slices.get(key) ?? []) {
        const family = FAMILY_OF_TYPE[candidate.addressType];
        if (family === undefined || families.has(family) || (candidate.endpoints ?? []).length === 0) continue;
        report(candidate, "addressType", `Service ${key} has no ${candidate.addressType} address`);
      }
      const legacy = list.get(key);
      if (legacy !== undefined) reportStrangers(legacy, key, families, report);
    }
  },
};

function reportStrangers(
  manifest: EndpointsManifest,
  key: string,
  families: ReadonlySet<Family>,
  report: Parameters<BundleCheck["run"]>[1],
): void {
  for (const [i, subset] of (manifest.subsets ?? []).entries()) {
    for (const list of ["addresses", "notReadyAddresses"] as const) {
      subset[list]?.forEach(({ ip }, j) => {
        const family = familyOfText(ip);
        if (family === undefined || families.has(family)) return;
        report(
          manifest,
          `subsets[${i}].${list}[${j}].ip`,
          `Service ${key} has no address of the family of ${quote(ip)}`,
        );
      });
    }
  }
}

const slicePortMissing: BundleCheck = {
  code: "slice-port-missing",
  severity: "warning",
  title: "A port of an EndpointSlice has no number",
  paragraph: "A port that is left out or 0 takes no traffic.",
  hint: "set port to the number on which the endpoints listen",
  bad: all(web, webSlice("[{name: http}]")),
  good: all(web, webSlice()),
  run: ({ services, slices }, report) => {
    for (const [key, list] of slices) {
      if (!services.has(key)) continue;
      for (const manifest of list) {
        manifest.ports?.forEach(({ port = 0 }, k) => {
          if (port === 0) report(manifest, `ports[${k}].port`, "there is no number: this port takes no traffic");
        });
      }
    }
  },
};

export const joinChecks: readonly BundleCheck[] = [
  orphanEndpoints,
  orphanSlice,
  endpointsOverwritten,
  endpointsOfAlias,
  falseManager,
  doubled,
  portMismatch,
  familyMismatch,
  slicePortMissing,
];
