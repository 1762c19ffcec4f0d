import { labelProblem, portNameProblems, portProblem, qualifiedNameProblem } from "../grammar.ts";
import type { PortObject, ServiceObject } from "../objects.ts";
import { duplicate, forbidden, invalid, notSupported, required } from "../words.ts";
import type { Check } from "./check.ts";
import { service } from "./examples.ts";

export const PROTOCOLS: readonly string[] = ["TCP", "UDP", "SCTP"];

const portNameRequired: Check<ServiceObject> = {
  code: "port-name-required",
  severity: "error",
  title: "One of several ports has no name",
  paragraph: "With two or more ports each needs a name, because endpoints are matched to ports by name.",
  hint: "give every port a name, such as http",
  bad: service("spec:\n  ports:\n  - {name: http, port: 80}\n  - port: 443"),
  good: service("spec:\n  ports:\n  - {name: http, port: 80}\n  - {name: https, port: 443}"),
  run: ({ spec }, report) => {
    if (spec.ports.length < 2) return;
    spec.ports.forEach((port, i) => {
      if (port.name === "") report(`spec.ports[${i}].name`, required(""));
    });
  },
};

const portNameInvalid: Check<ServiceObject> = {
  code: "port-name-invalid",
  severity: "error",
  title: "A Service port's name is not a DNS label",
  paragraph:
    "Port names are at most 63 lower case letters, digits and hyphens, with a letter or digit at both ends: http and 123-abc, not HTTP, 123_abc or -web.",
  hint: "use lower case letters, digits and '-'",
  bad: service("spec:\n  ports:\n  - {name: http_alt, port: 80}"),
  good: service("spec:\n  ports:\n  - {name: http-alt, port: 80}"),
  run: ({ spec }, report) => {
    spec.ports.forEach(({ name }, i) => {
      const problem = name === "" ? undefined : labelProblem(name);
      if (problem !== undefined) report(`spec.ports[${i}].name`, invalid(name, problem));
    });
  },
};

const portNameDuplicate: Check<ServiceObject> = {
  code: "port-name-duplicate",
  severity: "error",
  title: "Two ports of one Service have the same name",
  paragraph: "Endpoints are matched to ports by name, so a name may occur once per Service, whatever the protocol.",
  hint: "rename one of the ports",
  bad: service("spec:\n  ports:\n  - {name: dns, port: 53, protocol: UDP}\n  - {name: dns, port: 53}"),
  good: service("spec:\n  ports:\n  - {name: dns, port: 53, protocol: UDP}\n  - {name: dns-tcp, port: 53}"),
  run: ({ spec }, report) => {
    const seen = new Set<string>();
    spec.ports.forEach(({ name }, i) => {
      if (name !== "" && seen.has(name)) report(`spec.ports[${i}].name`, duplicate(name));
      seen.add(name);
    });
  },
};

const portInvalid: Check<ServiceObject> = {
  code: "port-invalid",
  severity: "error",
  title: "A Service port is no port number",
  paragraph: "spec.ports[].port is the number that clients use, from 1 to 65535. A port that is left out counts as 0.",
  hint: "set port to a number from 1 to 65535",
  bad: service("spec:\n  ports:\n  - port: 65536"),
  good: service("spec:\n  ports:\n  - port: 65535"),
  run: ({ spec }, report) => {
    spec.ports.forEach(({ port }, i) => {
      const problem = portProblem(port);
      if (problem !== undefined) report(`spec.ports[${i}].port`, invalid(port, problem));
    });
  },
};

const protocolUnsupported: Check<ServiceObject> = {
  code: "port-protocol-unsupported",
  severity: "error",
  title: "A Service port's protocol does not exist",
  paragraph:
    "Protocols are TCP (the default), UDP and SCTP, in upper case. HTTP is spoken over TCP; say so in appProtocol.",
  hint: "use TCP, UDP or SCTP",
  bad: service("spec:\n  ports:\n  - {port: 80, protocol: tcp}"),
  good: service("spec:\n  ports:\n  - {port: 80, protocol: TCP}"),
  run: ({ spec }, report) => {
    spec.ports.forEach(({ protocol }, i) => {
      if (!PROTOCOLS.includes(protocol)) report(`spec.ports[${i}].protocol`, notSupported(protocol, PROTOCOLS));
    });
  },
};

const targetPortInvalid: Check<ServiceObject> = {
  code: "target-port-invalid",
  severity: "error",
  title: "A targetPort is neither a port number nor a port name",
  paragraph:
    'A number goes from 1 to 65535. A text names a container port: at most 15 lower case letters, digits and single hyphens, at least one letter. A number in quotes is such a text, so "8080" is refused.',
  hint: "write a number without quotes, or the name of a container port",
  bad: service('spec:\n  ports:\n  - {port: 80, targetPort: "8080"}'),
  good: service("spec:\n  ports:\n  - {port: 80, targetPort: 8080}"),
  run: ({ spec }, report) => {
    for (const [i, { targetPort }] of spec.ports.entries()) {
      const path = `spec.ports[${i}].targetPort`;
      if (typeof targetPort === "string") {
        for (const problem of portNameProblems(targetPort)) report(path, invalid(targetPort, problem));
        continue;
      }
      const problem = portProblem(targetPort);
      if (problem !== undefined) report(path, invalid(targetPort, problem));
    }
  },
};

const appProtocolInvalid: Check<ServiceObject> = {
  code: "app-protocol-invalid",
  severity: "error",
  title: "appProtocol is not a qualified name",
  paragraph:
    "appProtocol is a plain name (http, HTTP) or one with a DNS prefix (kubernetes.io/h2c). An empty text counts as given.",
  hint: "use a name such as http, or leave the field out",
  bad: service("spec:\n  ports:\n  - {port: 80, appProtocol: a/b/c}"),
  good: service("spec:\n  ports:\n  - {port: 80, appProtocol: kubernetes.io/h2c}"),
  run: ({ spec }, report) => {
    spec.ports.forEach(({ appProtocol }, i) => {
      const problem = appProtocol === undefined ? undefined : qualifiedNameProblem(appProtocol);
      if (problem !== undefined) report(`spec.ports[${i}].appProtocol`, invalid(appProtocol, problem));
    });
  },
};

/** Calls back for every port whose key was seen on an earlier one. */
function onRepeat(
  ports: readonly PortObject[],
  keyOf: (port: PortObject) => string | undefined,
  found: (i: number) => void,
) {
  const seen = new Set<string>();
  ports.forEach((port, i) => {
    const key = keyOf(port);
    if (key !== undefined && seen.has(key)) found(i);
    if (key !== undefined) seen.add(key);
  });
}

const portDuplicate: Check<ServiceObject> = {
  code: "port-duplicate",
  severity: "error",
  title: "Two ports of one Service have the same number and protocol",
  paragraph: "A port number may occur once per protocol: 53/TCP and 53/UDP are fine, 80/TCP twice is not.",
  hint: "remove one of the two",
  bad: service("spec:\n  ports:\n  - {name: a, port: 80}\n  - {name: b, port: 80}"),
  good: service("spec:\n  ports:\n  - {name: a, port: 80}\n  - {name: b, port: 81}"),
  run: ({ spec }, report) => {
    onRepeat(
      spec.ports,
      ({ protocol, port }) => `${protocol}/${port}`,
      (i) => report(`spec.ports[${i}]`, duplicate({ protocol: spec.ports[i]?.protocol, port: spec.ports[i]?.port })),
    );
  },
};

const nodePortDuplicate: Check<ServiceObject> = {
  code: "node-port-duplicate",
  severity: "error",
  title: "Two ports of one Service ask for the same nodePort",
  paragraph: "A node port may occur once per protocol in a Service.",
  hint: "choose another nodePort, or leave it out",
  bad: service(
    "spec:\n  type: NodePort\n  ports:\n  - {name: a, port: 80, nodePort: 30080}\n  - {name: b, port: 81, nodePort: 30080}",
  ),
  good: service(
    "spec:\n  type: NodePort\n  ports:\n  - {name: a, port: 80, nodePort: 30080}\n  - {name: b, port: 81, nodePort: 30081}",
  ),
  run: ({ spec }, report) => {
    onRepeat(
      spec.ports,
      ({ protocol, nodePort }) => (nodePort === 0 ? undefined : `${protocol}/${nodePort}`),
      (i) => report(`spec.ports[${i}].nodePort`, duplicate(spec.ports[i]?.nodePort)),
    );
  },
};

const nodePortForbidden: Check<ServiceObject> = {
  code: "node-port-forbidden",
  severity: "error",
  title: "A ClusterIP Service has a nodePort",
  paragraph: "Only Services of type NodePort and LoadBalancer are reached on the nodes' own addresses.",
  hint: "use type: NodePort, or remove nodePort",
  bad: service("spec:\n  ports:\n  - {port: 80, nodePort: 30080}"),
  good: service("spec:\n  type: NodePort\n  ports:\n  - {port: 80, nodePort: 30080}"),
  run: ({ spec }, report) => {
    if (spec.type !== "ClusterIP") return;
    spec.ports.forEach(({ nodePort }, i) => {
      if (nodePort !== 0) report(`spec.ports[${i}].nodePort`, forbidden("may not be used when `type` is 'ClusterIP'"));
    });
  },
};

const nodePortRange: Check<ServiceObject> = {
  code: "node-port-range",
  severity: "error",
  title: "A nodePort lies outside the range for node ports",
  paragraph:
    "The API server gives out node ports from one range, 30000-32767 unless configured otherwise; --node-port-range says which.",
  hint: "choose a port in the range, or name the cluster's range with --node-port-range",
  bad: service("spec:\n  type: NodePort\n  ports:\n  - {port: 80, nodePort: 8080}"),
  good: service("spec:\n  type: NodePort\n  ports:\n  - {port: 80, nodePort: 30080}"),
  run: ({ spec }, report, { nodePortRange: range }) => {
    if (spec.type !== "NodePort" && spec.type !== "LoadBalancer") return;
    spec.ports.forEach(({ nodePort }, i) => {
      if (nodePort === 0 || (nodePort >= range.first && nodePort <= range.last)) return;
      const detail = `provided port is not in the valid range. The range of valid ports is ${range.first}-${range.last}`;
      report(`spec.ports[${i}].nodePort`, invalid(nodePort, detail));
    });
  },
};

const nodePortShared: Check<ServiceObject> = {
  code: "node-port-shared",
  severity: "error",
  title: "One nodePort stands for two different port numbers",
  paragraph:
    "The allocator counts numbers, not protocols. Two ports may share a nodePort only if they share the port number as well, as 53/TCP and 53/UDP do, and only the first nodePort of that number.",
  hint: "choose another nodePort for one of them",
  bad: service(
    "spec:\n  type: NodePort\n  ports:\n  - {name: a, port: 93, nodePort: 30093}\n  - {name: b, port: 76, protocol: UDP, nodePort: 30093}",
  ),
  good: service(
    "spec:\n  type: NodePort\n  ports:\n  - {name: a, port: 53, nodePort: 30053}\n  - {name: b, port: 53, protocol: UDP, nodePort: 30053}",
  ),
  run: ({ spec }, report) => {
    if (spec.type !== "NodePort" && spec.type !== "LoadBalancer") return;
    const owners = new Map<number, PortObject>();
    const firstOf = new Map<number, number>();
    spec.ports.forEach((port, i) => {
      const { nodePort } = port;
      // The allocator remembers one nodePort per port number; any other is reserved anew, even one that it has.
      if (nodePort === 0 || nodePort === firstOf.get(port.port)) return;
      if (!firstOf.has(port.port)) firstOf.set(port.port, nodePort);
      const owner = owners.get(nodePort);
      if (owner === undefined) owners.set(nodePort, port);
      else if (owner.protocol !== port.protocol)
        report(`spec.ports[${i}].nodePort`, invalid(nodePort, "provided port is already allocated"));
    });
  },
};

export const servicePortChecks: readonly Check<ServiceObject>[] = [
  portNameRequired,
  portNameInvalid,
  portNameDuplicate,
  portInvalid,
  protocolUnsupported,
  targetPortInvalid,
  appProtocolInvalid,
  portDuplicate,
  nodePortDuplicate,
  nodePortForbidden,
  nodePortRange,
  nodePortShared,
];
