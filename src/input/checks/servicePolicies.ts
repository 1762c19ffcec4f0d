import { labelValueProblem, portProblem, qualifiedNameProblem } from "../grammar.ts";
import type { ServiceObject, ServiceSpecObject } from "../objects.ts";
import { invalid, notSupported } from "../words.ts";
import type { Check } from "./check.ts";
import { service } from "./examples.ts";

const POLICIES = ["Cluster", "Local"];

const selectorInvalid: Check<ServiceObject> = {
  code: "selector-invalid",
  severity: "error",
  title: "The selector is not made of labels",
  paragraph: "A Service selects Pods by label keys and values, so both follow the rules of labels.",
  hint: "use keys and values that a label can have",
  bad: service('spec:\n  selector: {"No=Equals": web}\n  ports:\n  - port: 80'),
  good: service("spec:\n  selector: {app: web}\n  ports:\n  - port: 80"),
  run: ({ spec }, report) => {
    const selector = spec.selector ?? {};
    for (const key in selector) {
      const keyProblem = qualifiedNameProblem(key);
      if (keyProblem !== undefined) report("spec.selector", invalid(key, keyProblem));
      const valueProblem = labelValueProblem(selector[key] ?? "");
      if (valueProblem !== undefined) report("spec.selector", invalid(selector[key], valueProblem));
    }
  },
};

const AFFINITIES = ["ClientIP", "None"];

const affinityUnsupported: Check<ServiceObject> = {
  code: "session-affinity-unsupported",
  severity: "error",
  title: "The session affinity does not exist",
  paragraph: "sessionAffinity is None (the default) or ClientIP: packets do not show cookies.",
  hint: "use ClientIP or None",
  bad: service("spec:\n  sessionAffinity: Cookie\n  ports:\n  - port: 80"),
  good: service("spec:\n  sessionAffinity: ClientIP\n  ports:\n  - port: 80"),
  run: ({ spec }, report) => {
    if (!AFFINITIES.includes(spec.sessionAffinity))
      report("spec.sessionAffinity", notSupported(spec.sessionAffinity, AFFINITIES));
  },
};

const affinityTimeout: Check<ServiceObject> = {
  code: "session-affinity-timeout",
  severity: "error",
  title: "The affinity time-out is not between one second and one day",
  paragraph:
    "timeoutSeconds says for how long a client stays with its endpoint after its last connection: 1 to 86400 seconds, 10800 by default.",
  hint: "set a value from 1 to 86400",
  bad: service(
    "spec:\n  sessionAffinity: ClientIP\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: 86401}}\n  ports:\n  - port: 80",
  ),
  good: service(
    "spec:\n  sessionAffinity: ClientIP\n  sessionAffinityConfig: {clientIP: {timeoutSeconds: 86400}}\n  ports:\n  - port: 80",
  ),
  run: ({ spec }, report) => {
    const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds;
    if (spec.sessionAffinity !== "ClientIP" || seconds === undefined || (seconds >= 1 && seconds <= 86400)) return;
    const path = "spec.sessionAffinityConfig.clientIP.timeoutSeconds";
    report(path, invalid(seconds, "must be greater than 0 and less than or equal to 86400"));
  },
};

const internalPolicy: Check<ServiceObject> = {
  code: "internal-traffic-policy-unsupported",
  severity: "error",
  title: "The internal traffic policy does not exist",
  paragraph: "internalTrafficPolicy is Cluster (the default) or Local.",
  hint: "use Cluster or Local",
  bad: service("spec:\n  internalTrafficPolicy: local\n  ports:\n  - port: 80"),
  good: service("spec:\n  internalTrafficPolicy: Local\n  ports:\n  - port: 80"),
  run: ({ spec }, report) => {
    const policy = spec.internalTrafficPolicy;
    if (policy !== undefined && !POLICIES.includes(policy))
      report("spec.internalTrafficPolicy", notSupported(policy, POLICIES));
  },
};

/** Whether traffic from outside has a way in by design of the type. */
function isExposed({ type, externalIPs }: ServiceSpecObject): boolean {
  return type === "NodePort" || type === "LoadBalancer" || (type === "ClusterIP" && externalIPs.length > 0);
}

const externalPolicyMisplaced: Check<ServiceObject> = {
  code: "external-traffic-policy-misplaced",
  severity: "error",
  title: "externalTrafficPolicy on a Service that is not reached from outside",
  paragraph: "The policy is for NodePort and LoadBalancer Services, and ClusterIP Services with externalIPs.",
  hint: "remove externalTrafficPolicy; for traffic inside the cluster use internalTrafficPolicy",
  bad: service("spec:\n  externalTrafficPolicy: Local\n  ports:\n  - port: 80"),
  good: service("spec:\n  type: NodePort\n  externalTrafficPolicy: Local\n  ports:\n  - port: 80"),
  run: ({ spec }, report) => {
    if (isExposed(spec) || spec.externalTrafficPolicy === "") return;
    const detail = "may only be set for externally-accessible services";
    report("spec.externalTrafficPolicy", invalid(spec.externalTrafficPolicy, detail));
  },
};

const externalPolicyUnsupported: Check<ServiceObject> = {
  code: "external-traffic-policy-unsupported",
  severity: "error",
  title: "The external traffic policy does not exist",
  paragraph:
    "externalTrafficPolicy is Cluster (the default) or Local, which keeps the client's address and uses only endpoints on the node.",
  hint: "use Cluster or Local",
  bad: service("spec:\n  type: NodePort\n  externalTrafficPolicy: Global\n  ports:\n  - port: 80"),
  good: service("spec:\n  type: NodePort\n  externalTrafficPolicy: Local\n  ports:\n  - port: 80"),
  run: ({ spec }, report) => {
    const policy = spec.externalTrafficPolicy;
    if (isExposed(spec) && !POLICIES.includes(policy))
      report("spec.externalTrafficPolicy", notSupported(policy, POLICIES));
  },
};

const isLocalBalancer = ({ type, externalTrafficPolicy }: ServiceSpecObject): boolean =>
  type === "LoadBalancer" && externalTrafficPolicy === "Local";

const healthCheckMisplaced: Check<ServiceObject> = {
  code: "health-check-node-port-misplaced",
  severity: "error",
  title: "healthCheckNodePort on a Service without health checks",
  paragraph:
    "Only a LoadBalancer Service with externalTrafficPolicy Local has a port on which nodes say whether they hold endpoints.",
  hint: "remove healthCheckNodePort",
  bad: service(
    "spec:\n  type: NodePort\n  externalTrafficPolicy: Local\n  healthCheckNodePort: 32000\n  ports:\n  - port: 80",
  ),
  good: service(
    "spec:\n  type: LoadBalancer\n  externalTrafficPolicy: Local\n  healthCheckNodePort: 32000\n  ports:\n  - port: 80",
  ),
  run: ({ spec }, report) => {
    if (isLocalBalancer(spec) || spec.healthCheckNodePort === 0) return;
    const detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
    report("spec.healthCheckNodePort", invalid(spec.healthCheckNodePort, detail));
  },
};

const healthCheckInvalid: Check<ServiceObject> = {
  code: "health-check-node-port-invalid",
  severity: "error",
  title: "healthCheckNodePort is no port number",
  paragraph: "The health-check port is a port number from 1 to 65535.",
  hint: "choose a port in the range for node ports, or leave the field out",
  bad: service(
    "spec:\n  type: LoadBalancer\n  externalTrafficPolicy: Local\n  healthCheckNodePort: 70000\n  ports:\n  - port: 80",
  ),
  good: service(
    "spec:\n  type: LoadBalancer\n  externalTrafficPolicy: Local\n  healthCheckNodePort: 31100\n  ports:\n  - port: 80",
  ),
  run: ({ spec }, report) => {
    const port = spec.healthCheckNodePort;
    const problem = !isLocalBalancer(spec) || port === 0 ? undefined : portProblem(port);
    if (problem !== undefined) report("spec.healthCheckNodePort", invalid(port, problem));
  },
};

const healthCheckRange: Check<ServiceObject> = {
  code: "health-check-node-port-range",
  severity: "error",
  title: "healthCheckNodePort cannot be allocated",
  paragraph:
    "The health-check port comes from the range for node ports and shares its numbers with the node ports, those of the same Service included.",
  hint: "choose a free port in the range, or leave the field out",
  bad: service(
    "spec:\n  type: LoadBalancer\n  externalTrafficPolicy: Local\n  healthCheckNodePort: 8080\n  ports:\n  - port: 80",
  ),
  good: service(
    "spec:\n  type: LoadBalancer\n  externalTrafficPolicy: Local\n  healthCheckNodePort: 31100\n  ports:\n  - port: 80",
  ),
  run: ({ spec }, report, { nodePortRange: range }) => {
    const port = spec.healthCheckNodePort;
    if (!isLocalBalancer(spec) || port === 0 || portProblem(port) !== undefined) return;
    if (port < range.first || port > range.last) {
      const detail = `provided port is not in the valid range. The range of valid ports is ${range.first}-${range.last}`;
      report("spec.healthCheckNodePort", invalid(port, detail));
    } else if (spec.ports.some(({ nodePort }) => nodePort === port)) {
      report("spec.healthCheckNodePort", invalid(port, "provided port is already allocated"));
    }
  },
};

const trafficDistribution: Check<ServiceObject> = {
  code: "traffic-distribution-unsupported",
  severity: "error",
  title: "The traffic distribution does not exist",
  paragraph:
    "trafficDistribution is PreferClose, PreferSameZone or PreferSameNode; the last two exist since 1.34. An empty text counts as given.",
  hint: "use PreferSameZone, or leave the field out",
  bad: service("spec:\n  trafficDistribution: Random\n  ports:\n  - port: 80"),
  good: service("spec:\n  trafficDistribution: PreferSameZone\n  ports:\n  - port: 80"),
  run: ({ spec }, report, { kubeVersion }) => {
    const legal = kubeVersion === "1.33" ? ["PreferClose"] : ["PreferClose", "PreferSameZone", "PreferSameNode"];
    const value = spec.trafficDistribution;
    if (value !== undefined && !legal.includes(value)) report("spec.trafficDistribution", notSupported(value, legal));
  },
};

const MODE = "service.kubernetes.io/topology-mode";
const OLD_MODE = "service.kubernetes.io/topology-aware-hints";

const topologyConflict: Check<ServiceObject> = {
  code: "topology-mode-conflict",
  severity: "error",
  title: "The two topology annotations contradict one another",
  paragraph: `${OLD_MODE} is the old name of ${MODE}; when both are given their values must be equal.`,
  hint: `keep only ${MODE}`,
  bad: service("spec:\n  ports:\n  - port: 80", `{name: web, annotations: {${MODE}: Auto, ${OLD_MODE}: Disabled}}`),
  good: service("spec:\n  ports:\n  - port: 80", `{name: web, annotations: {${MODE}: Auto}}`),
  run: ({ metadata }, report) => {
    const mode = metadata.annotations?.[MODE];
    const old = metadata.annotations?.[OLD_MODE];
    if (mode === undefined || old === undefined || mode === old) return;
    report(
      `metadata.annotations[${MODE}]`,
      invalid(mode, `must match annotations[${OLD_MODE}] when both are specified`),
    );
  },
};

export const servicePolicyChecks: readonly Check<ServiceObject>[] = [
  selectorInvalid,
  affinityUnsupported,
  affinityTimeout,
  internalPolicy,
  externalPolicyMisplaced,
  externalPolicyUnsupported,
  healthCheckMisplaced,
  healthCheckInvalid,
  healthCheckRange,
  trafficDistribution,
  topologyConflict,
];
