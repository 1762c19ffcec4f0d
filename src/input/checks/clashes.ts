import { canonicalIP, contains, firstAddress, joinAddress } from "../../ip.ts";
import type { NodeManifest, ServiceManifest } from "../../types.ts";
import { quote } from "../quote.ts";
import { invalid } from "../words.ts";
import { type Bundle, type BundleCheck, keyOf, type Subject } from "./bundle.ts";
import { service } from "./examples.ts";
import { hasTooManyAddresses } from "./size.ts";

/** Two objects that want the same thing. What the API server refuses is an error, the rest a warning. */

const port = "\n  ports:\n  - port: 80";
const both = (a: string, b: string): string => `${a}---\n${b}`;

const identity: BundleCheck = {
  code: "object-duplicate",
  severity: "error",
  title: "The same object is given twice",
  paragraph:
    "Kind, namespace and name identify an object: kubectl create would fail, kubectl apply would let the last one win silently.",
  hint: "remove one of the two, or rename it",
  bad: both(service(`spec:${port}`), service(`spec:${port}`)),
  good: both(service(`spec:${port}`), service(`spec:${port}`, "name: web-2")),
  run: ({ manifests }, report) => {
    const seen = new Map<string, Subject>();
    for (const manifest of manifests) {
      const key = `${manifest.kind} ${keyOf(manifest)}`;
      const first = seen.get(key);
      if (first === undefined) seen.set(key, manifest);
      else report(manifest, "metadata.name", `${quote(manifest.metadata.name)} is already given in ${place(first)}`);
    }
  },
};

function place({ source }: Subject): string {
  const item = source.item === undefined ? "" : `, item ${source.item + 1}`;
  return `${quote(source.file)}, document ${source.document + 1}${item}`;
}

function clusterIPs({ spec }: ServiceManifest): readonly string[] {
  if (spec.type === "ExternalName") return [];
  return (spec.clusterIPs ?? []).filter((ip) => ip !== "None" && ip !== "");
}

const clusterIP: BundleCheck = {
  code: "cluster-ip-duplicate",
  severity: "error",
  title: "Two Services have the same cluster IP",
  paragraph:
    "A cluster IP belongs to one Service of the whole cluster, whatever the namespace. The first address of the Service CIDR belongs to default/kubernetes.",
  hint: "choose another address, or leave clusterIP out to have one allocated",
  bad: both(
    service(`spec:\n  clusterIP: 10.96.0.10${port}`),
    service(`spec:\n  clusterIP: 10.96.0.10${port}`, "name: web-2"),
  ),
  good: both(
    service(`spec:\n  clusterIP: 10.96.0.10${port}`),
    service(`spec:\n  clusterIP: 10.96.0.11${port}`, "name: web-2"),
  ),
  run: ({ manifests }, report, { serviceCIDRs }) => {
    const owners = new Map<string, string>();
    const reserved = serviceCIDRs[0] === undefined ? undefined : firstAddress(serviceCIDRs[0]);
    if (reserved !== undefined) owners.set(reserved, "default/kubernetes");
    for (const manifest of manifests) {
      if (manifest.kind !== "Service") continue;
      clusterIPs(manifest).forEach((text, i) => {
        const ip = canonicalIP(text) ?? text;
        const owner = owners.get(ip);
        if (owner !== undefined && owner !== keyOf(manifest)) {
          report(
            manifest,
            `spec.clusterIPs[${i}]`,
            invalid(text, `provided IP is already allocated to Service ${owner}`),
          );
        } else owners.set(ip, keyOf(manifest));
      });
    }
  },
};

const nodePort: BundleCheck = {
  code: "node-port-taken-twice",
  severity: "error",
  title: "Two Services have the same node port",
  paragraph:
    "Node ports and health-check ports share one pool of numbers for the whole cluster; the protocol makes no difference between Services.",
  hint: "choose another port, or leave it out to have one allocated",
  bad: both(
    service("spec:\n  type: NodePort\n  ports:\n  - {port: 53, nodePort: 30053}"),
    service("spec:\n  type: NodePort\n  ports:\n  - {port: 53, protocol: UDP, nodePort: 30053}", "name: web-2"),
  ),
  good: both(
    service("spec:\n  type: NodePort\n  ports:\n  - {port: 53, nodePort: 30053}"),
    service("spec:\n  type: NodePort\n  ports:\n  - {port: 53, protocol: UDP, nodePort: 30054}", "name: web-2"),
  ),
  run: ({ manifests }, report) => {
    const owners = new Map<number, string>();
    for (const manifest of manifests) {
      if (manifest.kind !== "Service") continue;
      for (const { number, path } of nodePorts(manifest)) {
        const owner = owners.get(number);
        if (owner !== undefined && owner !== keyOf(manifest)) {
          report(manifest, path, invalid(number, `provided port is already allocated to Service ${owner}`));
        } else owners.set(number, keyOf(manifest));
      }
    }
  },
};

/** Numbers that a Service takes from the pool of node ports, with the field that names them. */
function nodePorts({ spec }: ServiceManifest): readonly { readonly number: number; readonly path: string }[] {
  const found: { number: number; path: string }[] = [];
  if (spec.type === "ExternalName") return found;
  spec.ports?.forEach(({ nodePort: number = 0 }, i) => {
    if (number !== 0) found.push({ number, path: `spec.ports[${i}].nodePort` });
  });
  const check = spec.healthCheckNodePort ?? 0;
  if (check !== 0) found.push({ number: check, path: "spec.healthCheckNodePort" });
  return found;
}

/** Addresses of a Service beside its cluster IPs, canonical, with the field that names them. */
function outerAddresses({ spec, status }: ServiceManifest): readonly { readonly ip: string; readonly path: string }[] {
  const found: { ip: string; path: string }[] = [];
  const add = (text: string, path: string) => {
    const ip = canonicalIP(text);
    if (ip !== undefined) found.push({ ip, path });
  };
  spec.externalIPs?.forEach((ip, i) => {
    add(ip, `spec.externalIPs[${i}]`);
  });
  status?.loadBalancer?.ingress?.forEach(({ ip, ipMode }, i) => {
    if (ip !== undefined && ipMode !== "Proxy") add(ip, `status.loadBalancer.ingress[${i}].ip`);
  });
  if ((spec.loadBalancerIP ?? "") !== "") add(spec.loadBalancerIP ?? "", "spec.loadBalancerIP");
  return found;
}

const addressShared: BundleCheck = {
  code: "address-shared",
  severity: "warning",
  title: "Two Services claim the same address, port and protocol",
  paragraph:
    "External and load-balancer addresses may be shared, as long as the ports differ. For one port kube-proxy leaves it open which Service gets the traffic. Here a cluster IP always keeps it; else a Service that has endpoints comes before one that has none, an external IP before a load balancer's address, and then the first by namespace and name.",
  hint: "give one of the Services another port or address",
  bad: both(
    service(`spec:\n  type: LoadBalancer\n  loadBalancerIP: 203.0.113.9${port}`),
    service(`spec:\n  type: LoadBalancer\n  loadBalancerIP: 203.0.113.9${port}`, "name: web-2"),
  ),
  good: both(
    service(`spec:\n  type: LoadBalancer\n  loadBalancerIP: 203.0.113.9${port}`),
    service(`spec:\n  type: LoadBalancer\n  loadBalancerIP: 203.0.113.10${port}`, "name: web-2"),
  ),
  run: ({ manifests }, report) => {
    const services = manifests.filter(
      (manifest): manifest is ServiceManifest =>
        manifest.kind === "Service" && manifest.spec.type !== "ExternalName" && !hasTooManyAddresses(manifest),
    );
    const claimed = services.map((manifest) => ({ manifest, addresses: outerAddresses(manifest) }));
    const wanted = new Set(claimed.flatMap(({ addresses }) => addresses.map(({ ip }) => ip)));
    if (wanted.size === 0) return;
    const owners = clusterOwners(services, wanted);
    for (const { manifest, addresses } of claimed) {
      const reported = new Set<string>();
      for (const { ip, path } of addresses) {
        for (const { port: number, protocol } of manifest.spec.ports ?? []) {
          const key = `${joinAddress(ip, number)}/${protocol}`;
          const owner = owners.get(key);
          if (owner === undefined) owners.set(key, { manifest, path });
          else if (keyOf(owner.manifest) !== keyOf(manifest) && !reported.has(key)) {
            const shared = (other: ServiceManifest) => `${key} is claimed by Service ${keyOf(other)} as well`;
            const rival = { subject: owner.manifest, path: owner.path, message: shared(manifest) };
            report(manifest, path, shared(owner.manifest), undefined, rival);
            reported.add(key);
          }
        }
      }
    }
  },
};

interface AddressOwner {
  readonly manifest: ServiceManifest;
  /** The field that names the address. */
  readonly path: string;
}

/** Cluster IPs that are also claimed from outside, with port and protocol, and who owns them. */
function clusterOwners(services: readonly ServiceManifest[], wanted: ReadonlySet<string>): Map<string, AddressOwner> {
  const owners = new Map<string, AddressOwner>();
  for (const manifest of services) {
    clusterIPs(manifest).forEach((text, i) => {
      const ip = canonicalIP(text) ?? text;
      if (!wanted.has(ip)) return;
      for (const { port: number, protocol } of manifest.spec.ports ?? [])
        owners.set(`${joinAddress(ip, number)}/${protocol}`, { manifest, path: `spec.clusterIPs[${i}]` });
    });
  }
  return owners;
}

const externalIPInside: BundleCheck = {
  code: "external-ip-inside-cluster",
  severity: "warning",
  title: "An external IP lies inside the cluster's own ranges",
  paragraph:
    "A Service with such an external IP takes over traffic that is meant for another Service or for a Pod (CVE-2020-8554). Service ranges come from --service-cidr, Pod ranges from the Nodes in the input. --allow-external-ips names ranges that are meant.",
  hint: "use an address outside the cluster",
  bad: `${service(`spec:\n  externalIPs: [10.244.1.7]${port}`)}---\napiVersion: v1\nkind: Node\nmetadata: {name: node-1}\nspec: {podCIDR: 10.244.1.0/24}\n`,
  good: `${service(`spec:\n  externalIPs: [203.0.113.5]${port}`)}---\napiVersion: v1\nkind: Node\nmetadata: {name: node-1}\nspec: {podCIDR: 10.244.1.0/24}\n`,
  run: (bundle, report, { serviceCIDRs, allowedExternalIPs = [] }) => {
    const pods = bundle.nodes.flatMap(({ spec }: NodeManifest) => spec?.podCIDRs ?? []);
    eachExternalIP(bundle, (manifest, ip, path) => {
      if (allowedExternalIPs.some((cidr) => contains(cidr, ip))) return;
      const service = serviceCIDRs.find((cidr) => contains(cidr, ip));
      const pod = pods.find((cidr) => contains(cidr, ip));
      if (service !== undefined) report(manifest, path, `${quote(ip)} lies in the Service range ${service}`);
      else if (pod !== undefined) report(manifest, path, `${quote(ip)} lies in the Pod range ${pod}`);
    });
  },
};

const externalIPNotAllowed: BundleCheck = {
  code: "external-ip-not-allowed",
  severity: "error",
  title: "An external IP lies outside the allowed ranges",
  paragraph:
    "When --allow-external-ips is given, externalIPs may only hold addresses of these ranges: whoever may create Services could otherwise take over any address.",
  hint: "use an address in the allowed ranges, or extend --allow-external-ips",
  flags: "--allow-external-ips 203.0.113.0/24",
  bad: service(`spec:\n  externalIPs: [198.51.100.5]${port}`),
  good: service(`spec:\n  externalIPs: [203.0.113.5]${port}`),
  run: (bundle, report, { allowedExternalIPs }) => {
    if (allowedExternalIPs === undefined) return;
    eachExternalIP(bundle, (manifest, ip, path) => {
      if (allowedExternalIPs.some((cidr) => contains(cidr, ip))) return;
      const allowed =
        allowedExternalIPs.length === 0 ? "none is allowed" : `allowed are ${allowedExternalIPs.join(", ")}`;
      report(manifest, path, `Forbidden: ${quote(ip)}: ${allowed}`);
    });
  },
};

function eachExternalIP(
  { manifests }: Bundle,
  found: (manifest: ServiceManifest, ip: string, path: string) => void,
): void {
  for (const manifest of manifests) {
    if (manifest.kind !== "Service") continue;
    manifest.spec.externalIPs?.forEach((text, i) => {
      const ip = canonicalIP(text);
      if (ip !== undefined) found(manifest, ip, `spec.externalIPs[${i}]`);
    });
  }
}

/** Every address, canonical, and every node port that a Service claims: two that share none of them never clash. */
export function claimedBy(manifest: ServiceManifest): readonly string[] {
  return [
    ...clusterIPs(manifest).map((text) => canonicalIP(text) ?? text),
    ...outerAddresses(manifest).map(({ ip }) => ip),
    ...nodePorts(manifest).map(({ number }) => String(number)),
  ];
}

/** What two Services cannot both have. */
export const claimChecks: readonly BundleCheck[] = [clusterIP, nodePort, addressShared];

export const clashChecks: readonly BundleCheck[] = [identity, ...claimChecks, externalIPInside, externalIPNotAllowed];
