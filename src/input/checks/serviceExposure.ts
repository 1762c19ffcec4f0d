import { canonicalIP, trimSpace } from "../../ip.ts";
import { cidrProblem, ipProblem, qualifiedNameProblem, subdomainProblem, unusableProblem } from "../grammar.ts";
import type { ServiceObject } from "../objects.ts";
import { forbidden, invalid, notSupported, required } from "../words.ts";
import type { Check } from "./check.ts";
import { service } from "./examples.ts";

const balancer = (body: string): string => service(`spec:\n  type: LoadBalancer\n${body}\n  ports:\n  - port: 80`);
const clusterIP = (body: string): string => service(`spec:\n${body}\n  ports:\n  - port: 80`);
const ONLY_BALANCER = "may only be used when `type` is 'LoadBalancer'";

const externalIPInvalid: Check<ServiceObject> = {
  code: "external-ip-invalid",
  severity: "error",
  title: "An external IP cannot receive traffic from outside",
  paragraph:
    "externalIPs holds addresses (no names) that are routed to the nodes. Loopback, link-local, unspecified and link-local multicast addresses cannot be.",
  hint: "write an address that is routed to this node",
  bad: clusterIP("  externalIPs: [127.0.0.1]"),
  good: clusterIP("  externalIPs: [203.0.113.5]"),
  run: ({ spec }, report, context) => {
    spec.externalIPs.forEach((ip, i) => {
      const problem = ipProblem(ip, context.addressRules) ?? unusableProblem(ip);
      if (problem !== undefined) report(`spec.externalIPs[${i}]`, invalid(ip, problem));
    });
  },
};

const sourceRangesMisplaced: Check<ServiceObject> = {
  code: "source-ranges-misplaced",
  severity: "error",
  title: "Source ranges on a Service that is no LoadBalancer",
  paragraph: "loadBalancerSourceRanges, and the annotation of old, guard load-balancer addresses and nothing else.",
  hint: "use type: LoadBalancer, or remove the ranges",
  bad: clusterIP("  loadBalancerSourceRanges: [192.0.2.0/24]"),
  good: balancer("  loadBalancerSourceRanges: [192.0.2.0/24]"),
  run: ({ metadata, spec }, report) => {
    if (spec.type === "LoadBalancer") return;
    if (spec.loadBalancerSourceRanges.length > 0) report("spec.LoadBalancerSourceRanges", forbidden(ONLY_BALANCER));
    else if (metadata.annotations?.[RANGES_ANNOTATION] !== undefined) {
      report(`metadata.annotations[${RANGES_ANNOTATION}]`, forbidden(ONLY_BALANCER));
    }
  },
};

const RANGES_ANNOTATION = "service.beta.kubernetes.io/load-balancer-source-ranges";

const sourceRangeInvalid: Check<ServiceObject> = {
  code: "source-range-invalid",
  severity: "error",
  title: "A source range is not a CIDR",
  paragraph:
    "Each range is an address, a slash and a prefix length, without bits behind the prefix: 192.0.2.0/24, or 192.0.2.7/32 for one address.",
  hint: "write ranges like 192.0.2.0/24",
  bad: balancer("  loadBalancerSourceRanges: [192.0.2.7/24]"),
  good: balancer("  loadBalancerSourceRanges: [192.0.2.0/24]"),
  run: ({ metadata, spec }, report, context) => {
    spec.loadBalancerSourceRanges.forEach((range, i) => {
      const problem = cidrProblem(trimSpace(range), context.addressRules);
      if (problem !== undefined) report(`spec.LoadBalancerSourceRanges[${i}]`, invalid(range, problem));
    });
    const annotation = trimSpace(metadata.annotations?.[RANGES_ANNOTATION] ?? "");
    if (spec.type !== "LoadBalancer" || spec.loadBalancerSourceRanges.length > 0 || annotation === "") return;
    for (const range of annotation.split(",")) {
      const problem = cidrProblem(trimSpace(range), context.addressRules);
      if (problem !== undefined)
        report(`metadata.annotations[${RANGES_ANNOTATION}]`, invalid(trimSpace(range), problem));
    }
  },
};

const allocateMisplaced: Check<ServiceObject> = {
  code: "allocate-node-ports-misplaced",
  severity: "error",
  title: "allocateLoadBalancerNodePorts on a Service that is no LoadBalancer",
  paragraph: "The field says whether a load balancer needs node ports; for other types even false is refused.",
  hint: "remove allocateLoadBalancerNodePorts",
  bad: clusterIP("  allocateLoadBalancerNodePorts: true"),
  good: balancer("  allocateLoadBalancerNodePorts: false"),
  run: ({ spec }, report) => {
    if (spec.type === "LoadBalancer" || spec.allocateLoadBalancerNodePorts === undefined) return;
    report("spec.allocateLoadBalancerNodePorts", forbidden(ONLY_BALANCER));
  },
};

const classMisplaced: Check<ServiceObject> = {
  code: "load-balancer-class-misplaced",
  severity: "error",
  title: "loadBalancerClass on a Service that is no LoadBalancer",
  paragraph: "The class chooses who provides the load balancer, so it goes with type LoadBalancer only.",
  hint: "use type: LoadBalancer, or remove loadBalancerClass",
  bad: clusterIP("  loadBalancerClass: example.com/edge"),
  good: balancer("  loadBalancerClass: example.com/edge"),
  run: ({ spec }, report) => {
    if (spec.type !== "LoadBalancer" && spec.loadBalancerClass !== undefined)
      report("spec.loadBalancerClass", forbidden(ONLY_BALANCER));
  },
};

const classInvalid: Check<ServiceObject> = {
  code: "load-balancer-class-invalid",
  severity: "error",
  title: "loadBalancerClass is not a qualified name",
  paragraph: "The class is a name such as internal-vip or example.com/edge. An empty text counts as given.",
  hint: "write a class like example.com/edge",
  bad: balancer("  loadBalancerClass: Bad/Class"),
  good: balancer("  loadBalancerClass: example.com/edge"),
  run: ({ spec }, report) => {
    const name = spec.loadBalancerClass;
    const problem = name === undefined || spec.type !== "LoadBalancer" ? undefined : qualifiedNameProblem(name);
    if (problem !== undefined) report("spec.loadBalancerClass", invalid(name, problem));
  },
};

const withStatus = (body: string, entry: string): string =>
  `${body}status:\n  loadBalancer:\n    ingress:\n    - ${entry}\n`;

const ingressMisplaced: Check<ServiceObject> = {
  code: "ingress-misplaced",
  severity: "error",
  title: "Load-balancer addresses in the status of a Service that is no LoadBalancer",
  paragraph:
    "status.loadBalancer.ingress belongs to type LoadBalancer. Rules would be written for these addresses nevertheless, so a left-over is worth removing.",
  hint: "remove status, or use type: LoadBalancer",
  bad: withStatus(clusterIP("  selector: {app: web}"), "ip: 203.0.113.9"),
  good: withStatus(balancer("  selector: {app: web}"), "ip: 203.0.113.9"),
  run: ({ spec, ingress }, report) => {
    if (spec.type !== "LoadBalancer" && ingress.length > 0)
      report("status.loadBalancer.ingress", forbidden(ONLY_BALANCER));
  },
};

const ingressIPInvalid: Check<ServiceObject> = {
  code: "ingress-ip-invalid",
  severity: "error",
  title: "A load-balancer address is not an IP address",
  paragraph:
    "status.loadBalancer.ingress[].ip is the address on which the load balancer's packets arrive; a name goes into hostname.",
  hint: "write a plain address",
  bad: withStatus(balancer("  selector: {app: web}"), "ip: 203.0.113.009"),
  good: withStatus(balancer("  selector: {app: web}"), "ip: 203.0.113.9"),
  run: ({ ingress }, report, context) => {
    ingress.forEach(({ ip = "" }, i) => {
      const problem = ip === "" ? undefined : ipProblem(ip, context.addressRules);
      if (problem !== undefined) report(`status.loadBalancer.ingress[${i}].ip`, invalid(ip, problem));
    });
  },
};

const MODES = ["VIP", "Proxy"];

const ingressModeInvalid: Check<ServiceObject> = {
  code: "ingress-mode-invalid",
  severity: "error",
  title: "The ipMode of a load-balancer address is wrong",
  paragraph:
    "ipMode goes with ip: VIP when packets arrive with that destination (the default), Proxy when the load balancer sends them to the node or the Pod.",
  hint: "use VIP or Proxy, beside ip only",
  bad: withStatus(balancer("  selector: {app: web}"), "{ip: 203.0.113.9, ipMode: Direct}"),
  good: withStatus(balancer("  selector: {app: web}"), "{ip: 203.0.113.9, ipMode: Proxy}"),
  run: ({ ingress }, report) => {
    ingress.forEach(({ ip = "", ipMode }, i) => {
      const path = `status.loadBalancer.ingress[${i}].ipMode`;
      if (ip === "" && ipMode !== undefined) report(path, forbidden("may not be specified when `ip` is not set"));
      else if (ip !== "" && ipMode === undefined) report(path, required("must be specified when `ip` is set"));
      else if (ipMode !== undefined && !MODES.includes(ipMode)) report(path, notSupported(ipMode, MODES));
    });
  },
};

const ingressHostnameInvalid: Check<ServiceObject> = {
  code: "ingress-hostname-invalid",
  severity: "error",
  title: "A load balancer's host name is not a DNS name",
  paragraph: "status.loadBalancer.ingress[].hostname is a lower case DNS name; an address goes into ip.",
  hint: "write a DNS name, or use ip",
  bad: withStatus(balancer("  selector: {app: web}"), "hostname: LB.example.com"),
  good: withStatus(balancer("  selector: {app: web}"), "hostname: lb.example.com"),
  run: ({ ingress }, report) => {
    ingress.forEach(({ hostname = "" }, i) => {
      if (hostname === "") return;
      const path = `status.loadBalancer.ingress[${i}].hostname`;
      const problem = subdomainProblem(hostname);
      if (problem !== undefined) report(path, invalid(hostname, problem));
      if (canonicalIP(hostname) !== undefined) report(path, invalid(hostname, "must be a DNS name, not an IP address"));
    });
  },
};

export const serviceExposureChecks: readonly Check<ServiceObject>[] = [
  externalIPInvalid,
  sourceRangesMisplaced,
  sourceRangeInvalid,
  allocateMisplaced,
  classMisplaced,
  classInvalid,
  ingressMisplaced,
  ingressIPInvalid,
  ingressModeInvalid,
  ingressHostnameInvalid,
];
