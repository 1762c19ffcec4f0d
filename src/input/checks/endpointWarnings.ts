import { SERVICE_NAME } from "../../labels.ts";
import { ipProblem, labelValueProblem, otherForm } from "../grammar.ts";
import type { EndpointSliceObject, EndpointsObject, InputObject } from "../objects.ts";
import { quote } from "../quote.ts";
import type { Check } from "./check.ts";
import { endpoints, plain, slice } from "./examples.ts";

/** Oddities of endpoints that the API server accepts. */

const ipv4 = (endpoint: string): string =>
  slice(`addressType: IPv4\nendpoints:\n- ${endpoint}\nports: [{name: http, port: 80}]`);

const generatedName: Check<InputObject> = {
  code: "name-generated",
  severity: "warning",
  title: "The object's name would be made up by the API server",
  paragraph:
    "generateName gets five random characters on every create. Here they are always xxxxx (xxxx1 for the next object, and so on), so that the rules stay the same; in a cluster the name, and with it the names of chains, will be another.",
  hint: "set metadata.name",
  bad: plain("generateName: web-"),
  good: plain("name: web"),
  run: ({ metadata: { name, generateName = "" } }, report) => {
    const prefix = generateName.slice(0, 58);
    if (prefix !== "" && name.startsWith(prefix) && /^x+\d*$/.test(name.slice(prefix.length))) {
      report(
        "metadata.generateName",
        `the name is not known before the object is created; ${quote(name)} stands for it`,
      );
    }
  },
};

const MANAGED_BY = "endpoints.kubernetes.io/managed-by";

const endpointsForm: Check<EndpointsObject> = {
  code: "endpoints-ip-form",
  severity: "warning",
  title: "An endpoint's address is not in its usual form",
  paragraph: "It is accepted, but other programs may read it differently. Rules always hold the canonical form.",
  hint: "write the canonical form",
  bad: endpoints('subsets:\n- addresses: [{ip: "2001:DB8::7"}]\n  ports: [{port: 80}]'),
  good: endpoints('subsets:\n- addresses: [{ip: "2001:db8::7"}]\n  ports: [{port: 80}]'),
  run: ({ metadata, subsets }, report, { addressRules }) => {
    // What the cluster's own controller has written nobody can mend by hand.
    if (metadata.labels?.[MANAGED_BY] === "endpoint-controller") return;
    subsets.forEach((subset, i) => {
      for (const list of ["addresses", "notReadyAddresses"] as const) {
        subset[list]?.forEach(({ ip = "" }, j) => {
          const canonical = ipProblem(ip, addressRules) === undefined ? otherForm(ip) : undefined;
          if (canonical !== undefined)
            report(`subsets[${i}].${list}[${j}].ip`, `${quote(ip)} is read as ${quote(canonical)}`);
        });
      }
    });
  },
};

const sliceAddressForm: Check<EndpointSliceObject> = {
  code: "slice-address-form",
  severity: "warning",
  title: "An IPv4 address of a slice is not in its usual form",
  paragraph:
    "Clusters before 1.36 accept leading zeros, which count as decimal, and IPv4-mapped IPv6, but other programs may read them differently. Rules always hold the canonical form.",
  hint: "write the canonical form",
  flags: "--kube-version 1.35",
  bad: ipv4("addresses: [10.0.0.07]"),
  good: ipv4("addresses: [10.0.0.7]"),
  run: ({ addressType, endpoints: list }, report, { addressRules }) => {
    if (addressType !== "IPv4" || addressRules === "strict") return;
    for (let i = 0; i < list.length; i++) {
      list[i]?.addresses?.forEach((ip, j) => {
        const canonical = otherForm(ip);
        if (canonical !== undefined)
          report(`endpoints[${i}].addresses[${j}]`, `${quote(ip)} is read as ${quote(canonical)}`);
      });
    }
  },
};

const fqdnDeprecated: Check<EndpointSliceObject> = {
  code: "slice-fqdn-deprecated",
  severity: "warning",
  title: "EndpointSlices of names are deprecated and not proxied",
  paragraph: "Nothing resolves the names of an FQDN slice: no rules come of it.",
  hint: "use addresses, or a Service of type ExternalName",
  bad: slice("addressType: FQDN\nendpoints:\n- addresses: [db.example.com]\nports: [{name: http, port: 80}]"),
  good: ipv4("addresses: [10.0.0.7]"),
  run: ({ addressType }, report) => {
    if (addressType === "FQDN") report("addressType", "FQDN endpoints are deprecated");
  },
};

const addressRepeated: Check<EndpointSliceObject> = {
  code: "slice-address-repeated",
  severity: "warning",
  title: "An address is listed twice in one endpoint",
  paragraph:
    "The list is a set: server-side apply refuses repeats, and only the first address of an endpoint takes traffic.",
  hint: "list each address once, in an endpoint of its own",
  bad: ipv4("addresses: [10.0.0.7, 10.0.0.7]"),
  good: ipv4("addresses: [10.0.0.7]"),
  run: ({ endpoints: list }, report) => {
    for (let i = 0; i < list.length; i++) {
      const addresses = list[i]?.addresses ?? [];
      if (addresses.length < 2 || new Set(addresses).size === addresses.length) continue;
      report(`endpoints[${i}].addresses`, "the same address is listed twice");
    }
  },
};

const addressUnused: Check<EndpointSliceObject> = {
  code: "slice-address-unused",
  severity: "warning",
  title: "An address of a slice takes no traffic",
  paragraph:
    "An endpoint may list several addresses, but kube-proxy, and the rules here, look at the first alone. Addresses that all take traffic are endpoints of their own.",
  hint: "list each address in an endpoint of its own",
  bad: ipv4("addresses: [10.0.0.7, 10.0.0.8]"),
  good: slice(
    "addressType: IPv4\nendpoints:\n- addresses: [10.0.0.7]\n- addresses: [10.0.0.8]\nports: [{name: http, port: 80}]",
  ),
  run: ({ addressType, endpoints: list }, report) => {
    if (addressType === "FQDN") return;
    for (let i = 0; i < list.length; i++) {
      const [first, ...others] = list[i]?.addresses ?? [];
      const j = others.findIndex((address) => address !== first);
      if (j >= 0) report(`endpoints[${i}].addresses[${j + 1}]`, "only the first address of an endpoint takes traffic");
    }
  },
};

const zoneUnusual: Check<EndpointSliceObject> = {
  code: "slice-zone-unusual",
  severity: "warning",
  title: "An endpoint's zone cannot be the zone of a node",
  paragraph: "Nodes carry their zone in a label, so a zone that is no label value matches none.",
  hint: "write the zone as the nodes' label topology.kubernetes.io/zone has it",
  bad: ipv4('{addresses: [10.0.0.7], zone: "zone a"}'),
  good: ipv4("{addresses: [10.0.0.7], zone: zone-a}"),
  run: ({ endpoints: list }, report) => {
    for (let i = 0; i < list.length; i++) {
      const zone = list[i]?.zone ?? "";
      const problem = zone === "" ? undefined : labelValueProblem(zone);
      if (problem !== undefined) report(`endpoints[${i}].zone`, `${quote(zone)}: ${problem}`);
    }
  },
};

const topologyDropped: Check<EndpointSliceObject> = {
  code: "slice-topology-dropped",
  severity: "warning",
  title: "deprecatedTopology is thrown away",
  paragraph:
    "The API server drops this map of discovery.k8s.io/v1beta1 without a word; zone and nodeName took its place.",
  hint: "use zone and nodeName",
  bad: ipv4("{addresses: [10.0.0.7], deprecatedTopology: {topology.kubernetes.io/zone: a}}"),
  good: ipv4("{addresses: [10.0.0.7], zone: a}"),
  run: ({ endpoints: list }, report) => {
    for (let i = 0; i < list.length; i++) {
      const topology = list[i]?.deprecatedTopology;
      if (topology !== undefined && Object.keys(topology).length > 0)
        report(`endpoints[${i}].deprecatedTopology`, "is dropped");
    }
  },
};

const unlabelled: Check<EndpointSliceObject> = {
  code: "slice-without-label",
  severity: "warning",
  title: "The EndpointSlice belongs to no Service",
  paragraph: `A slice is joined to its Service by the label ${SERVICE_NAME}; without it nobody uses its endpoints.`,
  hint: `set the label ${SERVICE_NAME} to the Service's name`,
  bad: "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: web-1}\naddressType: IPv4\nendpoints: []\n",
  good: ipv4("addresses: [10.0.0.7]"),
  run: ({ metadata }, report) => {
    if ((metadata.labels?.[SERVICE_NAME] ?? "") === "") report(`metadata.labels[${SERVICE_NAME}]`, "is missing");
  },
};

export const metadataWarnings: readonly Check<InputObject>[] = [generatedName];
export const endpointsWarnings: readonly Check<EndpointsObject>[] = [endpointsForm];
export const endpointSliceWarnings: readonly Check<EndpointSliceObject>[] = [
  sliceAddressForm,
  fqdnDeprecated,
  addressRepeated,
  addressUnused,
  zoneUnusual,
  topologyDropped,
  unlabelled,
];
