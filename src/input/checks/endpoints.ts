import {
  ipProblem,
  labelProblem,
  portProblem,
  qualifiedNameProblem,
  subdomainProblem,
  unusableProblem,
} from "../grammar.ts";
import type { AddressObject, EndpointsObject, SubsetObject } from "../objects.ts";
import { invalid, notSupported, required } from "../words.ts";
import type { Check } from "./check.ts";
import { endpoints } from "./examples.ts";
import { PROTOCOLS } from "./servicePorts.ts";

const subset = (addresses: string, ports = "[{port: 80}]"): string =>
  endpoints(`subsets:\n- addresses: ${addresses}\n  ports: ${ports}`);

type OnAddress = (address: AddressObject, path: () => string) => void;

function eachAddress({ subsets }: EndpointsObject, found: OnAddress): void {
  subsets.forEach((set, i) => {
    eachIn(set, "addresses", i, found);
    eachIn(set, "notReadyAddresses", i, found);
  });
}

function eachIn(set: SubsetObject, list: "addresses" | "notReadyAddresses", i: number, found: OnAddress): void {
  let j = 0;
  for (const address of set[list] ?? []) {
    const index = j++;
    found(address, () => `subsets[${i}].${list}[${index}]`);
  }
}

const subsetEmpty: Check<EndpointsObject> = {
  code: "endpoints-subset-empty",
  severity: "error",
  title: "A subset of Endpoints has no addresses",
  paragraph:
    "A subset pairs addresses with ports: it needs addresses or notReadyAddresses. To have no endpoints at all leave subsets out.",
  hint: "add an address, or remove the subset",
  bad: endpoints("subsets:\n- ports: [{port: 80}]"),
  good: subset("[{ip: 10.0.0.7}]"),
  run: ({ subsets }, report) => {
    subsets.forEach(({ addresses = [], notReadyAddresses = [] }, i) => {
      if (addresses.length + notReadyAddresses.length === 0) {
        report(`subsets[${i}]`, required("must specify `addresses` or `notReadyAddresses`"));
      }
    });
  },
};

const addressInvalid: Check<EndpointsObject> = {
  code: "endpoints-ip-invalid",
  severity: "error",
  title: "An endpoint's address is not an IP address that traffic can be sent to",
  paragraph:
    "Endpoints are IP addresses, no names. Loopback, link-local, unspecified and link-local multicast addresses are refused: from a rule they would mean this node, not the endpoint.",
  hint: "write the address of the machine or Pod",
  bad: subset("[{ip: 127.0.0.1}]"),
  good: subset("[{ip: 10.0.0.7}]"),
  run: (object, report, context) => {
    eachAddress(object, ({ ip = "" }, path) => {
      const problem = ipProblem(ip, context.addressRules) ?? unusableProblem(ip);
      if (problem !== undefined) report(`${path()}.ip`, invalid(ip, problem));
    });
  },
};

const hostnameInvalid: Check<EndpointsObject> = {
  code: "endpoints-hostname-invalid",
  severity: "error",
  title: "An endpoint's host name is not a DNS label",
  paragraph: "hostname is one label, without dots: lower case letters, digits and hyphens.",
  hint: "write a name like db-0",
  bad: subset("[{ip: 10.0.0.7, hostname: Zk_0}]"),
  good: subset("[{ip: 10.0.0.7, hostname: zk-0}]"),
  run: (object, report) => {
    eachAddress(object, ({ hostname = "" }, path) => {
      const problem = hostname === "" ? undefined : labelProblem(hostname);
      if (problem !== undefined) report(`${path()}.hostname`, invalid(hostname, problem));
    });
  },
};

const nodeNameInvalid: Check<EndpointsObject> = {
  code: "endpoints-node-name-invalid",
  severity: "error",
  title: "An endpoint's node name cannot be a node's name",
  paragraph:
    "nodeName says on which node the endpoint is, and decides what traffic policy Local uses; it has the form of a DNS name.",
  hint: "write the node's name as kubectl get nodes prints it",
  bad: subset('[{ip: 10.0.0.7, nodeName: "node*1"}]'),
  good: subset("[{ip: 10.0.0.7, nodeName: node-1}]"),
  run: (object, report) => {
    eachAddress(object, ({ nodeName }, path) => {
      const problem = nodeName === undefined ? undefined : subdomainProblem(nodeName);
      if (problem !== undefined) report(`${path()}.nodeName`, invalid(nodeName, problem));
    });
  },
};

const portNameRequired: Check<EndpointsObject> = {
  code: "endpoints-port-name-required",
  severity: "error",
  title: "One of several endpoint ports has no name",
  paragraph: "With two or more ports in a subset each needs the name of the Service port that it serves.",
  hint: "give every port the name of its Service port",
  bad: subset("[{ip: 10.0.0.7}]", "[{name: http, port: 80}, {port: 443}]"),
  good: subset("[{ip: 10.0.0.7}]", "[{name: http, port: 80}, {name: https, port: 443}]"),
  run: ({ subsets }, report) => {
    for (const [i, { ports }] of subsets.entries()) {
      if (ports.length < 2) continue;
      ports.forEach(({ name }, k) => {
        if (name === "") report(`subsets[${i}].ports[${k}].name`, required(""));
      });
    }
  },
};

const portInvalid: Check<EndpointsObject> = {
  code: "endpoints-port-invalid",
  severity: "error",
  title: "A port of Endpoints is malformed",
  paragraph:
    "port is a number from 1 to 65535, protocol TCP, UDP or SCTP, name a DNS label and appProtocol a qualified name.",
  hint: "correct the field that is named",
  bad: subset("[{ip: 10.0.0.7}]", "[{port: 66000}]"),
  good: subset("[{ip: 10.0.0.7}]", "[{port: 6600}]"),
  run: ({ subsets }, report) => {
    subsets.forEach(({ ports }, i) => {
      ports.forEach(({ name, port = 0, protocol, appProtocol }, k) => {
        const path = `subsets[${i}].ports[${k}]`;
        const nameProblem = name === "" ? undefined : labelProblem(name);
        if (nameProblem !== undefined) report(`${path}.name`, invalid(name, nameProblem));
        const problem = portProblem(port);
        if (problem !== undefined) report(`${path}.port`, invalid(port, problem));
        if (!PROTOCOLS.includes(protocol)) report(`${path}.protocol`, notSupported(protocol, PROTOCOLS));
        const appProblem = appProtocol === undefined ? undefined : qualifiedNameProblem(appProtocol);
        if (appProblem !== undefined) report(`${path}.appProtocol`, invalid(appProtocol, appProblem));
      });
    });
  },
};

export const endpointsChecks: readonly Check<EndpointsObject>[] = [
  subsetEmpty,
  addressInvalid,
  hostnameInvalid,
  nodeNameInvalid,
  portNameRequired,
  portInvalid,
];
