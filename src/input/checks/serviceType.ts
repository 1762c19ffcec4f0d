import { subdomainProblem } from "../grammar.ts";
import type { ServiceObject, ServiceSpecObject } from "../objects.ts";
import { forbidden, invalid, notSupported, required } from "../words.ts";
import type { Check } from "./check.ts";
import { service } from "./examples.ts";

/** Headless means exactly one cluster IP, the word None. */
export function isHeadless({ clusterIPs }: ServiceSpecObject): boolean {
  return clusterIPs.length === 1 && clusterIPs[0] === "None";
}

const TYPES = ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"];

const typeUnsupported: Check<ServiceObject> = {
  code: "service-type-unsupported",
  severity: "error",
  title: "The Service's type does not exist",
  paragraph:
    "spec.type is ClusterIP (the default), NodePort, LoadBalancer or ExternalName; upper and lower case matter. A headless Service is a ClusterIP Service with clusterIP: None.",
  hint: "use one of the four types, or leave the field out",
  bad: service("spec:\n  type: nodeport\n  ports:\n  - port: 80"),
  good: service("spec:\n  type: NodePort\n  ports:\n  - port: 80"),
  run: ({ spec }, report) => {
    if (!TYPES.includes(spec.type)) report("spec.type", notSupported(spec.type, TYPES));
  },
};

const portsRequired: Check<ServiceObject> = {
  code: "service-ports-required",
  severity: "error",
  title: "The Service has no ports",
  paragraph: "A Service needs at least one port, unless it is headless (clusterIP: None) or of type ExternalName.",
  hint: "add spec.ports with the port that clients use",
  bad: service("spec:\n  selector: {app: web}"),
  good: service("spec:\n  selector: {app: web}\n  ports:\n  - port: 80"),
  run: ({ spec }, report) => {
    if (spec.ports.length === 0 && !isHeadless(spec) && spec.type !== "ExternalName")
      report("spec.ports", required(""));
  },
};

const headlessType: Check<ServiceObject> = {
  code: "service-headless-type",
  severity: "error",
  title: "A headless Service cannot be of type NodePort or LoadBalancer",
  paragraph: "clusterIP: None means that there is no virtual address; NodePort and LoadBalancer build upon one.",
  hint: "remove clusterIP: None, or use type ClusterIP",
  bad: service("spec:\n  type: NodePort\n  clusterIP: None\n  ports:\n  - port: 80"),
  good: service("spec:\n  type: NodePort\n  ports:\n  - port: 80"),
  run: ({ spec }, report) => {
    if (!isHeadless(spec) || (spec.type !== "NodePort" && spec.type !== "LoadBalancer")) return;
    report("spec.clusterIPs[0]", invalid("None", `may not be set to 'None' for ${spec.type} services`));
  },
};

const externalNameAddresses: Check<ServiceObject> = {
  code: "external-name-cluster-ip",
  severity: "error",
  title: "An ExternalName Service has cluster IPs or families",
  paragraph: "ExternalName is an alias in DNS: it has no address, not even None, and so no families.",
  hint: "remove clusterIP, clusterIPs, ipFamilies and ipFamilyPolicy",
  bad: service("spec:\n  type: ExternalName\n  externalName: db.example.com\n  clusterIP: 10.96.0.7"),
  good: service("spec:\n  type: ExternalName\n  externalName: db.example.com"),
  run: ({ spec }, report) => {
    if (spec.type !== "ExternalName") return;
    const detail = "may not be set for ExternalName services";
    if (spec.clusterIPs.length > 0) report("spec.clusterIPs", forbidden(detail));
    if (spec.ipFamilies.length > 0) report("spec.ipFamilies", forbidden(detail));
    if (spec.ipFamilyPolicy !== undefined) report("spec.ipFamilyPolicy", forbidden(detail));
  },
};

const externalNameRequired: Check<ServiceObject> = {
  code: "external-name-required",
  severity: "error",
  title: "An ExternalName Service does not say which name",
  paragraph: "Type ExternalName needs spec.externalName, the DNS name that the Service stands for.",
  hint: "set spec.externalName",
  bad: service("spec:\n  type: ExternalName"),
  good: service("spec:\n  type: ExternalName\n  externalName: db.example.com"),
  run: ({ spec }, report) => {
    if (spec.type === "ExternalName" && withoutDot(spec.externalName) === "") report("spec.externalName", required(""));
  },
};

const externalNameInvalid: Check<ServiceObject> = {
  code: "external-name-invalid",
  severity: "error",
  title: "spec.externalName is not a DNS name",
  paragraph:
    "The name is lower case labels joined by dots; no port, scheme, wildcard or underscore. One trailing dot is allowed.",
  hint: "write a plain DNS name like db.example.com",
  bad: service("spec:\n  type: ExternalName\n  externalName: http://db.example.com"),
  good: service("spec:\n  type: ExternalName\n  externalName: db.example.com"),
  run: ({ spec }, report) => {
    const name = withoutDot(spec.externalName);
    if (spec.type !== "ExternalName" || name === "") return;
    const problem = subdomainProblem(name);
    if (problem !== undefined) report("spec.externalName", invalid(spec.externalName, problem));
  },
};

function withoutDot(name: string): string {
  return name.endsWith(".") ? name.slice(0, -1) : name;
}

export const serviceTypeChecks: readonly Check<ServiceObject>[] = [
  typeUnsupported,
  portsRequired,
  headlessType,
  externalNameAddresses,
  externalNameRequired,
  externalNameInvalid,
];
