import { canonicalCIDR, canonicalIP, familyOf, prefixLength, trimSpace } from "../../ip.ts";
import { cidrProblem, familyOfText, ipProblem, otherForm } from "../grammar.ts";
import type { ServiceObject } from "../objects.ts";
import { quote } from "../quote.ts";
import type { Check } from "./check.ts";
import { service } from "./examples.ts";
import { isHeadless } from "./serviceType.ts";

/** What the API server accepts with a warning, or silently, and a user would still want to know. */

const ports = "\n  ports:\n  - port: 80";
const balancer = (body: string): string => service(`spec:\n  type: LoadBalancer\n${body}${ports}`);

const legacyAddress: Check<ServiceObject> = {
  code: "address-form",
  severity: "warning",
  title: "An address or range is not in its usual form",
  paragraph:
    "It is accepted, but programs disagree about leading zeros, IPv4-mapped IPv6, host bits behind a prefix and other spellings of IPv6. Rules always hold the canonical form.",
  hint: "write the canonical form",
  bad: service(`spec:\n  clusterIP: "2001:DB8::1"${ports}`),
  good: service(`spec:\n  clusterIP: "2001:db8::1"${ports}`),
  run: ({ spec, ingress }, report, { addressRules }) => {
    const judge = (path: string, text: string) => {
      const canonical = ipProblem(text, addressRules) === undefined ? otherForm(text) : undefined;
      if (canonical !== undefined) report(path, `${quote(text)} is read as ${quote(canonical)}`);
    };
    spec.clusterIPs.forEach((ip, i) => {
      judge(`spec.clusterIPs[${i}]`, ip);
    });
    spec.externalIPs.forEach((ip, i) => {
      judge(`spec.externalIPs[${i}]`, ip);
    });
    ingress.forEach(({ ip = "" }, i) => {
      judge(`status.loadBalancer.ingress[${i}].ip`, ip);
    });
    spec.loadBalancerSourceRanges.forEach((range, i) => {
      const canonical =
        cidrProblem(trimSpace(range), addressRules) === undefined ? canonicalCIDR(trimSpace(range)) : undefined;
      if (canonical === undefined || canonical === trimSpace(range)) return;
      report(`spec.loadBalancerSourceRanges[${i}]`, `${quote(range)} is read as ${quote(canonical)}`);
    });
  },
};

const balancerIPForm: Check<ServiceObject> = {
  code: "load-balancer-ip-form",
  severity: "warning",
  title: "loadBalancerIP is not a plain address",
  paragraph:
    "The API server never checks this deprecated field. A text that is no address, or an address in another form, is left to the provider. No rules are written for it: they need status.loadBalancer.",
  hint: "write a plain address",
  bad: balancer("  loadBalancerIP: 203.0.113.009"),
  good: balancer("  loadBalancerIP: 203.0.113.9"),
  run: ({ spec: { loadBalancerIP: ip } }, report) => {
    if (ip !== "" && canonicalIP(ip) !== ip)
      report("spec.loadBalancerIP", `${quote(ip)} is not an address in canonical form`);
  },
};

const headlessIgnored: Check<ServiceObject> = {
  code: "headless-field-ignored",
  severity: "warning",
  title: "A headless Service has fields that need a virtual address",
  paragraph:
    "Traffic to a headless Service goes to its endpoints directly, so externalIPs, loadBalancerIP and session affinity have no effect.",
  hint: "remove the field, or clusterIP: None",
  bad: service(`spec:\n  clusterIP: None\n  sessionAffinity: ClientIP${ports}`),
  good: service(`spec:\n  clusterIP: None${ports}`),
  run: ({ spec }, report) => {
    if (!isHeadless(spec) || spec.type === "ExternalName") return;
    if (spec.loadBalancerIP !== "") report("spec.loadBalancerIP", 'is ignored when spec.clusterIP is "None"');
    if (spec.externalIPs.length > 0) report("spec.externalIPs", 'is ignored when spec.clusterIP is "None"');
    if (spec.sessionAffinity !== "None") report("spec.sessionAffinity", 'is ignored when spec.clusterIP is "None"');
  },
};

const externalIPsDeprecated: Check<ServiceObject> = {
  code: "external-ips-deprecated",
  severity: "warning",
  title: "externalIPs is deprecated since 1.36",
  paragraph:
    "Whoever may create Services can take over any address with it. It still works, and rules are written for it; --allow-external-ips limits it to ranges that are yours.",
  hint: "use type LoadBalancer where you can",
  bad: service(`spec:\n  externalIPs: [203.0.113.5]${ports}`),
  good: service(`spec:${ports}`),
  run: ({ spec }, report, { kubeVersion }) => {
    if (spec.externalIPs.length === 0 || isHeadless(spec)) return;
    if (spec.type === "ExternalName")
      report("spec.externalIPs", "is ignored for ExternalName services", "remove externalIPs");
    else if (kubeVersion === "1.36") report("spec.externalIPs", "is deprecated");
  },
};

const externalNameIgnored: Check<ServiceObject> = {
  code: "external-name-ignored",
  severity: "warning",
  title: "externalName on a Service of another type",
  paragraph: "Only type ExternalName is an alias; for other types the field has no effect.",
  hint: "set type: ExternalName, or remove externalName",
  bad: service(`spec:\n  externalName: db.example.com${ports}`),
  good: service("spec:\n  type: ExternalName\n  externalName: db.example.com"),
  run: ({ spec }, report) => {
    if (spec.type !== "ExternalName" && spec.externalName !== "")
      report("spec.externalName", "is ignored unless spec.type is ExternalName");
  },
};

const externalNameUnreachable: Check<ServiceObject> = {
  code: "external-name-no-alias",
  severity: "warning",
  title: "The external name cannot be answered by DNS",
  paragraph:
    "An address is no target for an alias: DNS answers that the name does not exist. A label of more than 63 characters cannot be asked for.",
  hint: "for an address use a Service without selector and an EndpointSlice",
  bad: service("spec:\n  type: ExternalName\n  externalName: 192.0.2.7"),
  good: service("spec:\n  type: ExternalName\n  externalName: db.example.com"),
  run: ({ spec }, report) => {
    if (spec.type !== "ExternalName") return;
    if (canonicalIP(spec.externalName) !== undefined)
      report("spec.externalName", `${quote(spec.externalName)} is an address, not a DNS name`);
    else if (spec.externalName.split(".").some((label) => label.length > 63)) {
      report("spec.externalName", "has a label of more than 63 characters, which DNS cannot carry");
    }
  },
};

const externalNamePorts: Check<ServiceObject> = {
  code: "external-name-node-port",
  severity: "warning",
  title: "A nodePort on an ExternalName Service has no effect",
  paragraph:
    "Nothing is proxied for an alias in DNS, so its ports mean nothing; the API server accepts them all the same.",
  hint: "remove nodePort",
  bad: service(
    "spec:\n  type: ExternalName\n  externalName: db.example.com\n  ports:\n  - {port: 80, nodePort: 30000}",
  ),
  good: service("spec:\n  type: ExternalName\n  externalName: db.example.com"),
  run: ({ spec }, report) => {
    if (spec.type !== "ExternalName") return;
    spec.ports.forEach(({ nodePort }, i) => {
      if (nodePort !== 0) report(`spec.ports[${i}].nodePort`, "is ignored for ExternalName services");
    });
  },
};

const affinityIgnored: Check<ServiceObject> = {
  code: "session-affinity-config-ignored",
  severity: "warning",
  title: "sessionAffinityConfig without session affinity",
  paragraph: "With sessionAffinity None (the default) the API server drops the time-out silently.",
  hint: "set sessionAffinity: ClientIP, or remove sessionAffinityConfig",
  bad: service(`spec:\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}${ports}`),
  good: service(
    `spec:\n  sessionAffinity: ClientIP\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}${ports}`,
  ),
  run: ({ spec }, report) => {
    if (spec.sessionAffinity !== "None" || spec.sessionAffinityConfig === undefined) return;
    report("spec.sessionAffinityConfig", "is dropped when spec.sessionAffinity is None");
  },
};

const preferClose: Check<ServiceObject> = {
  code: "traffic-distribution-deprecated",
  severity: "warning",
  title: "trafficDistribution PreferClose has a better name",
  paragraph: "PreferSameZone means the same since 1.34 and says what it does.",
  hint: "use PreferSameZone",
  bad: service(`spec:\n  trafficDistribution: PreferClose${ports}`),
  good: service(`spec:\n  trafficDistribution: PreferSameZone${ports}`),
  run: ({ spec }, report, { kubeVersion }) => {
    if (spec.trafficDistribution !== "PreferClose" || kubeVersion === "1.33") return;
    report("spec.trafficDistribution", "PreferClose is deprecated, use PreferSameZone");
  },
};

const OLD_HINTS = "service.kubernetes.io/topology-aware-hints";

const oldTopology: Check<ServiceObject> = {
  code: "topology-annotation-deprecated",
  severity: "warning",
  title: "The annotation topology-aware-hints is deprecated",
  paragraph: "Its name is service.kubernetes.io/topology-mode since 1.27.",
  hint: "use service.kubernetes.io/topology-mode",
  bad: service(`spec:${ports}`, `{name: web, annotations: {${OLD_HINTS}: Auto}}`),
  good: service(`spec:${ports}`, "{name: web, annotations: {service.kubernetes.io/topology-mode: Auto}}"),
  run: ({ metadata }, report) => {
    if (metadata.annotations?.[OLD_HINTS] !== undefined) report(`metadata.annotations[${OLD_HINTS}]`, "is deprecated");
  },
};

const rangesAdmitAll: Check<ServiceObject> = {
  code: "source-ranges-admit-all",
  severity: "warning",
  title: "The source ranges admit everybody",
  paragraph:
    "One range of prefix length 0 opens the load balancer's addresses of that family to all, whatever the other ranges say. A list that names only one family leaves addresses of the other family open as well.",
  hint: "remove the range, or all ranges if everybody is meant",
  bad: balancer("  loadBalancerSourceRanges: [192.0.2.0/24, 0.0.0.0/0]"),
  good: balancer("  loadBalancerSourceRanges: [192.0.2.0/24]"),
  run: ({ spec, ingress }, report) => {
    const ranges = spec.loadBalancerSourceRanges.map((range) => canonicalCIDR(trimSpace(range)));
    ranges.forEach((range, i) => {
      if (range === undefined || prefixLength(range) !== 0) return;
      report(`spec.loadBalancerSourceRanges[${i}]`, `${quote(range)} admits every source`);
    });
    if (ranges.length === 0 || !ranges.every((range) => range !== undefined)) return;
    const covered = new Set(ranges.map(familyOf));
    ingress.forEach(({ ip = "", ipMode }, i) => {
      const family = familyOfText(ip);
      if (family === undefined || ipMode === "Proxy" || covered.has(family)) return;
      report(
        `status.loadBalancer.ingress[${i}].ip`,
        `no source range is ${family === "ipv4" ? "IPv4" : "IPv6"}, so ${quote(ip)} admits every source`,
      );
    });
  },
};

const MOST_DNS_PORT_NAME = 62;

const portNameForDns: Check<ServiceObject> = {
  code: "port-name-too-long-for-dns",
  severity: "warning",
  title: "A port's name is too long for its SRV record",
  paragraph: "The SRV record's label is the port's name behind an underscore, and a DNS label ends at 63 characters.",
  hint: "use a name of at most 62 characters",
  bad: service(`spec:\n  ports:\n  - {port: 80, name: ${"a".repeat(63)}}`),
  good: service("spec:\n  ports:\n  - {port: 80, name: http}"),
  run: ({ spec }, report) => {
    spec.ports.forEach(({ name }, i) => {
      if (name.length > MOST_DNS_PORT_NAME)
        report(`spec.ports[${i}].name`, `${quote(name)} has no room for the underscore of its SRV record`);
    });
  },
};

export const serviceWarnings: readonly Check<ServiceObject>[] = [
  legacyAddress,
  balancerIPForm,
  headlessIgnored,
  externalIPsDeprecated,
  externalNameIgnored,
  externalNameUnreachable,
  externalNamePorts,
  affinityIgnored,
  preferClose,
  oldTopology,
  rangesAdmitAll,
  portNameForDns,
];
