import { canonicalCIDR, familyOf } from "../../ip.ts";
import {
  ipProblem,
  labelProblem,
  labelValueProblem,
  portNameProblems,
  portProblem,
  subdomainProblem,
} from "../grammar.ts";
import type { NodeObject, PodObject } from "../objects.ts";
import { quote } from "../quote.ts";
import { invalid, notSupported } from "../words.ts";
import type { Check } from "./check.ts";
import { PROTOCOLS } from "./servicePorts.ts";

/** Checks of Nodes and Pods: only what is read from them, since the cluster printed them and has checked the rest. */

const node = (body: string): string => `apiVersion: v1\nkind: Node\nmetadata: {name: node-1}\n${body}\n`;
const pod = (body: string): string =>
  `apiVersion: v1\nkind: Pod\nmetadata: {name: web-0, labels: {app: web}}\n${body}\n`;

const nodeAddress: Check<NodeObject> = {
  code: "node-address-invalid",
  severity: "warning",
  title: "A Node's address is not an IP address",
  paragraph:
    "Addresses of type InternalIP and ExternalIP say what this node answers to. The API server stores any text there; one that is no IP address is passed over.",
  hint: "print the Node with kubectl get node -o yaml",
  bad: node("status:\n  addresses: [{type: InternalIP, address: node-1.example.com}]"),
  good: node("status:\n  addresses: [{type: InternalIP, address: 192.0.2.11}]"),
  run: ({ addresses }, report) => {
    addresses.forEach(({ type = "", address = "" }, i) => {
      const problem = type === "InternalIP" || type === "ExternalIP" ? ipProblem(address, "sloppy") : undefined;
      if (problem !== undefined)
        report(`status.addresses[${i}].address`, `${quote(address)} is no IP address, so it is passed over`);
    });
  },
};

const nodePodCIDR: Check<NodeObject> = {
  code: "node-pod-cidr-invalid",
  severity: "error",
  title: "A Node's Pod range is malformed",
  paragraph:
    "spec.podCIDRs holds CIDRs, with an address and a prefix length, at most one of each family: they say which traffic is local.",
  hint: "print the Node with kubectl get node -o yaml",
  bad: node("spec:\n  podCIDRs: [10.244.1.0]"),
  good: node("spec:\n  podCIDRs: [10.244.1.0/24]"),
  run: ({ podCIDRs }, report) => {
    podCIDRs.forEach((cidr, i) => {
      if (canonicalCIDR(cidr) === undefined) report(`spec.podCIDRs[${i}]`, invalid(cidr, "must be a valid CIDR value"));
    });
    const areValid = podCIDRs.every((cidr) => canonicalCIDR(cidr) !== undefined);
    if (areValid && new Set(podCIDRs.map(familyOf)).size < podCIDRs.length) {
      report("spec.podCIDRs", invalid(podCIDRs, "may specify no more than one CIDR for each IP family"));
    }
  },
};

const podNames: Check<PodObject> = {
  code: "pod-name-invalid",
  severity: "error",
  title: "A Pod's node, host or subdomain name is malformed",
  paragraph:
    "nodeName is a DNS name, hostname and subdomain are DNS labels; they decide where an endpoint is and what it is called.",
  hint: "print the Pod with kubectl get pod -o yaml",
  bad: pod("spec:\n  nodeName: Node_1"),
  good: pod("spec:\n  nodeName: node-1"),
  run: ({ spec: { nodeName = "", hostname = "", subdomain = "" } }, report) => {
    const nodeProblem = nodeName === "" ? undefined : subdomainProblem(nodeName);
    if (nodeProblem !== undefined) report("spec.nodeName", invalid(nodeName, nodeProblem));
    const hostProblem = hostname === "" ? undefined : labelProblem(hostname);
    if (hostProblem !== undefined) report("spec.hostname", invalid(hostname, hostProblem));
    const subProblem = subdomain === "" ? undefined : labelProblem(subdomain);
    if (subProblem !== undefined) report("spec.subdomain", invalid(subdomain, subProblem));
  },
};

const podAddress: Check<PodObject> = {
  code: "pod-ip-invalid",
  severity: "error",
  title: "A Pod's address is not an IP address",
  paragraph: "status.podIPs are the addresses to which endpoints send traffic.",
  hint: "print the Pod with kubectl get pod -o yaml",
  bad: pod("spec: {}\nstatus:\n  podIPs: [{ip: 10.0.0}]"),
  good: pod("spec: {}\nstatus:\n  podIPs: [{ip: 10.0.0.7}]"),
  run: ({ status: { podIPs } }, report) => {
    podIPs.forEach(({ ip = "" }, i) => {
      const problem = ipProblem(ip, "sloppy");
      if (problem !== undefined) report(`status.podIPs[${i}].ip`, invalid(ip, problem));
    });
  },
};

const podPorts: Check<PodObject> = {
  code: "pod-port-invalid",
  severity: "error",
  title: "A container port is malformed",
  paragraph:
    "A Service's named targetPort becomes the number of the container port of that name, so names, numbers and protocols must be sound: names have at most 15 lower case letters, digits and hyphens.",
  hint: "correct the container port",
  bad: pod("spec:\n  containers:\n  - {name: web, ports: [{name: http, containerPort: 0}]}"),
  good: pod("spec:\n  containers:\n  - {name: web, ports: [{name: http, containerPort: 8080}]}"),
  run: ({ spec }, report) => {
    for (const list of ["containers", "initContainers"] as const) {
      spec[list].forEach(({ ports = [] }, i) => {
        ports.forEach(({ name = "", containerPort = 0, protocol = "TCP" }, k) => {
          const path = `spec.${list}[${i}].ports[${k}]`;
          if (name !== "") for (const problem of portNameProblems(name)) report(`${path}.name`, invalid(name, problem));
          const problem = portProblem(containerPort);
          if (problem !== undefined) report(`${path}.containerPort`, invalid(containerPort, problem));
          if (!PROTOCOLS.includes(protocol)) report(`${path}.protocol`, notSupported(protocol, PROTOCOLS));
        });
      });
    }
  },
};

const ZONE_LABEL = "topology.kubernetes.io/zone";

const nodeZone: Check<NodeObject> = {
  code: "node-zone-invalid",
  severity: "error",
  title: "A Node's zone is not a label value",
  paragraph: `The label ${ZONE_LABEL} is compared with the zone hints of endpoints, so it has the form of a label value.`,
  hint: "print the Node with kubectl get node -o yaml",
  bad: `apiVersion: v1\nkind: Node\nmetadata: {name: node-1, labels: {${ZONE_LABEL}: "zone a"}}\n`,
  good: `apiVersion: v1\nkind: Node\nmetadata: {name: node-1, labels: {${ZONE_LABEL}: zone-a}}\n`,
  run: ({ metadata }, report) => {
    const zone = metadata.labels?.[ZONE_LABEL];
    const problem = zone === undefined ? undefined : labelValueProblem(zone);
    if (problem !== undefined) report(`metadata.labels[${ZONE_LABEL}]`, invalid(zone, problem));
  },
};

export const nodeChecks: readonly Check<NodeObject>[] = [nodeAddress, nodePodCIDR, nodeZone];
export const podChecks: readonly Check<PodObject>[] = [podNames, podAddress, podPorts];
