import { canonicalIP } from "../../ip.ts";
import {
  type AddressRules,
  familyOfText,
  fqdnProblem,
  ipProblem,
  labelProblem,
  labelValueProblem,
  qualifiedNameProblem,
  subdomainProblem,
  unusableProblem,
} from "../grammar.ts";
import type { EndpointSliceObject } from "../objects.ts";
import { duplicate, invalid, notSupported, required, tooMany } from "../words.ts";
import type { Check, Report } from "./check.ts";
import { slice } from "./examples.ts";
import { PROTOCOLS } from "./servicePorts.ts";

const TYPES = ["IPv4", "IPv6", "FQDN"];
const MOST_ENDPOINTS = 1000;
const MOST_ADDRESSES = 100;
const MOST_HINTS = 8;
const MOST_PORTS = 20000;

const ipv4 = (endpoint: string, ports = "[{name: http, port: 80}]"): string =>
  slice(`addressType: IPv4\nendpoints:\n- ${endpoint}\nports: ${ports}`);

const typeRequired: Check<EndpointSliceObject> = {
  code: "slice-address-type-required",
  severity: "error",
  title: "The EndpointSlice does not say which addresses it holds",
  paragraph: "addressType is required: IPv4, IPv6 or FQDN. A slice holds addresses of one type only.",
  hint: "set addressType: IPv4 or IPv6",
  bad: slice("endpoints:\n- addresses: [10.0.0.7]"),
  good: ipv4("addresses: [10.0.0.7]"),
  run: ({ addressType }, report) => {
    if (addressType === "") report("addressType", required(""));
  },
};

const typeUnsupported: Check<EndpointSliceObject> = {
  code: "slice-address-type-unsupported",
  severity: "error",
  title: "The EndpointSlice's address type does not exist",
  paragraph: "addressType is IPv4, IPv6 or FQDN, written like this.",
  hint: "use IPv4 or IPv6",
  bad: slice("addressType: ipv4\nendpoints:\n- addresses: [10.0.0.7]"),
  good: ipv4("addresses: [10.0.0.7]"),
  run: ({ addressType }, report) => {
    if (addressType !== "" && !TYPES.includes(addressType)) report("addressType", notSupported(addressType, TYPES));
  },
};

const tooManyEndpoints: Check<EndpointSliceObject> = {
  code: "slice-too-large",
  severity: "error",
  title: "The EndpointSlice is too large",
  paragraph:
    "A slice holds at most 1000 endpoints, an endpoint at most 100 addresses and 8 hints of a kind, and a slice at most 20000 ports.",
  hint: "spread the endpoints over several slices",
  bad: ipv4(`addresses: [${Array.from({ length: MOST_ADDRESSES + 1 }, (_, i) => `10.0.1.${i}`).join(", ")}]`),
  good: ipv4("addresses: [10.0.1.1]"),
  run: ({ endpoints, ports }, report) => {
    if (endpoints.length > MOST_ENDPOINTS) report("endpoints", tooMany(endpoints.length, MOST_ENDPOINTS));
    else {
      for (let i = 0; i < endpoints.length; i++) {
        const { addresses = [], hints } = endpoints[i] ?? {};
        if (addresses.length > MOST_ADDRESSES)
          report(`endpoints[${i}].addresses`, tooMany(addresses.length, MOST_ADDRESSES));
        if (hints === undefined) continue;
        const { forZones = [], forNodes = [] } = hints;
        if (forZones.length > MOST_HINTS)
          report(`endpoints[${i}].hints.forZones`, tooMany(forZones.length, MOST_HINTS));
        if (forNodes.length > MOST_HINTS)
          report(`endpoints[${i}].hints.forNodes`, tooMany(forNodes.length, MOST_HINTS));
      }
    }
    if (ports.length > MOST_PORTS) report("ports", tooMany(ports.length, MOST_PORTS));
  },
};

const addressesRequired: Check<EndpointSliceObject> = {
  code: "slice-addresses-required",
  severity: "error",
  title: "An endpoint has no address",
  paragraph: "Every endpoint of a slice needs at least one address.",
  hint: "add the address, or remove the endpoint",
  bad: ipv4("addresses: []"),
  good: ipv4("addresses: [10.0.0.7]"),
  run: ({ endpoints }, report) => {
    if (endpoints.length > MOST_ENDPOINTS) return;
    for (let i = 0; i < endpoints.length; i++) {
      if ((endpoints[i]?.addresses?.length ?? 0) === 0)
        report(`endpoints[${i}].addresses`, required("must contain at least 1 address"));
    }
  },
};

/** Judges one address; `list` is the path of the list, `at` that of the address. */
function judgeAddress(
  type: string,
  ip: string,
  rules: AddressRules,
  at: () => string,
  list: () => string,
  report: Report,
): void {
  if (type === "FQDN") {
    const problem = fqdnProblem(ip);
    if (ip === "") report(at(), required(""));
    else if (problem !== undefined) report(at(), invalid(ip, problem));
    return;
  }
  const problem = ipProblem(ip, rules);
  if (problem !== undefined) {
    report(at(), invalid(ip, problem));
    return;
  }
  if (type === "IPv6" && canonicalIP(ip) !== ip) {
    report(at(), invalid(ip, `must be in canonical form ("${canonicalIP(ip) ?? ""}")`));
    return;
  }
  const family = familyOfText(ip) === "ipv4" ? "IPv4" : "IPv6";
  if (family !== type) report(list(), invalid(ip, `must be an ${type} address`));
  const unusable = unusableProblem(ip);
  if (unusable !== undefined) report(at(), invalid(ip, unusable));
}

const addressInvalid: Check<EndpointSliceObject> = {
  code: "slice-address-invalid",
  severity: "error",
  title: "An endpoint's address does not fit the slice",
  paragraph:
    "Addresses are of the slice's addressType; IPv6 is written in its shortest form. Loopback, link-local, unspecified and link-local multicast addresses are refused.",
  hint: "write the address of the Pod, in a slice of its family",
  bad: ipv4('addresses: ["2001:db8::7"]'),
  good: ipv4("addresses: [10.0.0.7]"),
  run: ({ addressType, endpoints }, report, { addressRules }) => {
    if (!TYPES.includes(addressType) || endpoints.length > MOST_ENDPOINTS) return;
    // In slices only IPv4 has an older form; IPv6 is canonical in every version.
    const rules = addressType === "IPv4" ? addressRules : "strict";
    for (let i = 0; i < endpoints.length; i++) {
      const addresses = endpoints[i]?.addresses ?? [];
      if (addresses.length > MOST_ADDRESSES) continue;
      for (let j = 0; j < addresses.length; j++) {
        const list = () => `endpoints[${i}].addresses`;
        judgeAddress(addressType, addresses[j] ?? "", rules, () => `${list()}[${j}]`, list, report);
      }
    }
  },
};

const endpointNames: Check<EndpointSliceObject> = {
  code: "slice-endpoint-name-invalid",
  severity: "error",
  title: "An endpoint's host or node name is malformed",
  paragraph: "hostname is a DNS label, nodeName a DNS name; both count as given even when empty.",
  hint: "correct the name, or leave the field out",
  bad: ipv4("{addresses: [10.0.0.7], nodeName: Node_1}"),
  good: ipv4("{addresses: [10.0.0.7], nodeName: node-1}"),
  run: ({ endpoints }, report) => {
    if (endpoints.length > MOST_ENDPOINTS) return;
    for (let i = 0; i < endpoints.length; i++) {
      const { hostname, nodeName } = endpoints[i] ?? {};
      const hostProblem = hostname === undefined ? undefined : labelProblem(hostname);
      if (hostProblem !== undefined) report(`endpoints[${i}].hostname`, invalid(hostname, hostProblem));
      const nodeProblem = nodeName === undefined ? undefined : subdomainProblem(nodeName);
      if (nodeProblem !== undefined) report(`endpoints[${i}].nodeName`, invalid(nodeName, nodeProblem));
    }
  },
};

function judgeHints(
  list: readonly { readonly name?: string }[] | undefined,
  path: string,
  grammar: (text: string) => string | undefined,
  report: Report,
): void {
  if (list === undefined || list.length > MOST_HINTS) return;
  const seen = new Set<string>();
  list.forEach(({ name = "" }, j) => {
    if (seen.has(name)) report(`${path}[${j}].name`, duplicate(name));
    seen.add(name);
    const problem = grammar(name);
    if (problem !== undefined) report(`${path}[${j}].name`, invalid(name, problem));
  });
}

const hintsInvalid: Check<EndpointSliceObject> = {
  code: "slice-hints-invalid",
  severity: "error",
  title: "A topology hint is malformed or given twice",
  paragraph:
    "Hints name the zones and nodes that should use the endpoint: zones have the form of label values, nodes of DNS names, and each occurs once.",
  hint: "correct the hint, or leave hints out",
  bad: ipv4("{addresses: [10.0.0.7], hints: {forZones: [{name: a}, {name: a}]}}"),
  good: ipv4("{addresses: [10.0.0.7], hints: {forZones: [{name: a}, {name: b}]}}"),
  run: ({ endpoints }, report) => {
    if (endpoints.length > MOST_ENDPOINTS) return;
    for (let i = 0; i < endpoints.length; i++) {
      const hints = endpoints[i]?.hints;
      if (hints === undefined || (hints.forZones?.length ?? 0) > MOST_HINTS) continue;
      judgeHints(hints.forZones, `endpoints[${i}].hints.forZones`, labelValueProblem, report);
      judgeHints(hints.forNodes, `endpoints[${i}].hints.forNodes`, subdomainProblem, report);
    }
  },
};

const portInvalid: Check<EndpointSliceObject> = {
  code: "slice-port-invalid",
  severity: "error",
  title: "A port of the EndpointSlice is malformed or its name given twice",
  paragraph:
    "Port names are DNS labels (or empty) and occur once in a slice, protocols are TCP, UDP or SCTP, appProtocol is a qualified name.",
  hint: "correct the field that is named",
  bad: ipv4("addresses: [10.0.0.7]", "[{name: aCapital, port: 80}]"),
  good: ipv4("addresses: [10.0.0.7]", "[{name: a-capital, port: 80}]"),
  run: ({ ports }, report) => {
    if (ports.length > MOST_PORTS) return;
    const seen = new Set<string>();
    ports.forEach(({ name, protocol, appProtocol }, k) => {
      const problem = name === "" ? undefined : labelProblem(name);
      if (problem !== undefined) report(`ports[${k}].name`, invalid(name, problem));
      if (seen.has(name)) report(`ports[${k}].name`, duplicate(name));
      seen.add(name);
      if (!PROTOCOLS.includes(protocol)) report(`ports[${k}].protocol`, notSupported(protocol, PROTOCOLS));
      const appProblem = appProtocol === undefined ? undefined : qualifiedNameProblem(appProtocol);
      if (appProblem !== undefined) report(`ports[${k}].appProtocol`, invalid(appProtocol, appProblem));
    });
  },
};

const portRange: Check<EndpointSliceObject> = {
  code: "slice-port-range",
  severity: "error",
  title: "A port of the EndpointSlice is no port number",
  paragraph:
    "The API server stores any number here, but no rule can be written for one outside 1 to 65535. A port that is left out or 0 takes no traffic and is allowed.",
  hint: "set port to a number from 1 to 65535",
  bad: ipv4("addresses: [10.0.0.7]", "[{name: http, port: 70000}]"),
  good: ipv4("addresses: [10.0.0.7]", "[{name: http, port: 7000}]"),
  run: ({ ports }, report) => {
    ports.forEach(({ port = 0 }, k) => {
      if (port < 0 || port > 65535) report(`ports[${k}].port`, invalid(port, "must be between 1 and 65535, inclusive"));
    });
  },
};

export const endpointSliceChecks: readonly Check<EndpointSliceObject>[] = [
  typeRequired,
  typeUnsupported,
  tooManyEndpoints,
  addressesRequired,
  addressInvalid,
  endpointNames,
  hintsInvalid,
  portInvalid,
  portRange,
];
