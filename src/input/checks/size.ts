import type { EndpointSliceManifest, EndpointsManifest, ServiceManifest } from "../../types.ts";
import type { Bundle, BundleCheck } from "./bundle.ts";
import { service } from "./examples.ts";
import { selections } from "./podJoins.ts";

/** Lists of one Service that multiply: each is short enough for the API server, and together they are not for a node. */

/** Rules or elements that are written for one Service at most: some ten seconds and a gigabyte. */
const MOST_RULES = 500_000;

function addressCount({ spec, status }: ServiceManifest): number {
  return (
    (spec.clusterIPs?.length ?? 0) + (spec.externalIPs?.length ?? 0) + (status?.loadBalancer?.ingress?.length ?? 0)
  );
}

/** Whether a Service has more addresses with a port than can be written; its other numbers are not looked at. */
export function hasTooManyAddresses(manifest: ServiceManifest): boolean {
  return addressCount(manifest) * (manifest.spec.ports?.length ?? 0) > MOST_RULES;
}

type ServedPort = { readonly name?: string; readonly protocol?: string };

/** Endpoints of the Service's ports, those of each port counted for themselves. Pods count where there are no slices. */
function endpointCount(
  { spec }: ServiceManifest,
  slices: readonly EndpointSliceManifest[],
  endpoints: EndpointsManifest | undefined,
  pods: number,
): number {
  const textOf = ({ name = "", protocol = "TCP" }: ServedPort) => `${name}/${protocol}`;
  const wanted = new Set((spec.ports ?? []).map(textOf));
  const joined = (ports: readonly ServedPort[] | undefined) =>
    ports?.reduce((count, port) => (wanted.has(textOf(port)) ? count + 1 : count), 0) ?? 0;
  let inSlices = 0;
  let inEndpoints = 0;
  for (const slice of slices) inSlices += joined(slice.ports) * (slice.endpoints?.length ?? 0);
  for (const { ports, addresses = [], notReadyAddresses = [] } of endpoints?.subsets ?? [])
    inEndpoints += joined(ports) * (addresses.length + notReadyAddresses.length);
  const inPods = slices.length > 0 ? 0 : wanted.size * pods;
  // Mostly the same ones.
  return Math.max(inSlices, inEndpoints, inPods);
}

/** What is multiplied for a Service, in words and in numbers. */
interface Product {
  readonly path: string;
  readonly factors: string;
  readonly count: number;
}

function productsOf(manifest: ServiceManifest, endpoints: number): readonly Product[] {
  const { spec, status } = manifest;
  const addresses = addressCount(manifest);
  const ports = spec.ports?.length ?? 0;
  const vips = status?.loadBalancer?.ingress?.length ?? 0;
  const ranges = spec.loadBalancerSourceRanges?.length ?? 0;
  return [
    { path: "spec.ports", factors: `${addresses} addresses with ${ports} ports`, count: addresses * ports },
    {
      path: "spec.ports",
      factors: `${addresses} addresses with ${endpoints} endpoints of their ports`,
      count: addresses * endpoints,
    },
    {
      path: "spec.loadBalancerSourceRanges",
      factors: `${vips} load balancer addresses with ${ports} ports and ${ranges} source ranges`,
      // The addresses themselves may be among the sources.
      count: ranges === 0 ? 0 : vips * ports * (ranges + vips),
    },
  ];
}

const listOf = (length: number, one: (index: number) => string): string =>
  `[${Array.from({ length }, (_, index) => one(index)).join(", ")}]`;

const balanced = (ports: number): string =>
  service(
    `spec:\n  type: LoadBalancer\n  clusterIP: 10.96.0.10\n  ports: ${listOf(ports, (i) => `{name: p${i}, port: ${8000 + i}}`)}\n  loadBalancerSourceRanges: ${listOf(200, (i) => `198.51.100.${i}/32`)}\nstatus:\n  loadBalancer: {ingress: ${listOf(60, (i) => `{ip: 203.0.113.${i + 1}}`)}}`,
  );

const tooLarge: BundleCheck = {
  code: "service-too-large",
  severity: "error",
  title: "A Service's lists multiply to more rules than can be written",
  paragraph:
    "Rules are written for each address with each port, in nftables also with each endpoint and with each source range. The API server bounds none of these lists, so that one manifest could keep a node busy for hours.",
  hint: "use fewer addresses, ports or ranges (a shorter prefix admits many sources), or spread them over several Services",
  bad: balanced(40),
  good: balanced(2),
  run: (bundle: Bundle, report) => {
    const { services, slices, endpoints } = bundle;
    const pods = new Map(selections(bundle).map(({ owner, pods: selected }) => [owner, selected.length]));
    for (const [key, manifest] of services) {
      if (manifest.spec.type === "ExternalName" || manifest.spec.clusterIP === "None") continue;
      const served = endpointCount(manifest, slices.get(key) ?? [], endpoints.get(key), pods.get(manifest) ?? 0);
      const found = productsOf(manifest, served).find(({ count }) => count > MOST_RULES);
      if (found === undefined) continue;
      const { path, factors, count } = found;
      report(manifest, path, `${factors} would take ${count} rules, and a Service has at most ${MOST_RULES}`);
    }
  },
};

export const sizeChecks: readonly BundleCheck[] = [tooLarge];
