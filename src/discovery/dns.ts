import { Address4, Address6 } from "ip-address";
import { canonicalIP, familyOf } from "../ip.ts";
import type { DnsRecord, DnsRecords, ServiceManifest, ServiceWithSlices, SliceEndpoint } from "../types.ts";

/** Of the specification that these records follow: kubernetes/dns, docs/specification.md. */
const SCHEMA_VERSION = "1.1.0";
/** RFC 1035, section 2.3.4; a name as text has a dot where it has a length on the wire, and one less at its end. */
const LONGEST_LABEL = 63;
const LONGEST_NAME = 254;
/** Priority 0, and what CoreDNS divides among the records of one name. */
const WHOLE_WEIGHT = 100;

interface Target {
  readonly name: string;
  readonly port: number;
}

/**
 * The records that a cluster's DNS server has for these Services, Service by Service, sorted by name and namespace. Where
 * the specification leaves something open it is as CoreDNS does it: names of endpoints without a host name, weights,
 * and for headless Services the port on which the endpoint listens.
 * @param clusterDomain without a dot at its end
 */
export function dnsRecords(services: readonly ServiceWithSlices[], clusterDomain: string): DnsRecords {
  const zone = `${clusterDomain}.`;
  const sorted = [...services].sort((a, b) => (nameOf(a.service, "") < nameOf(b.service, "") ? -1 : 1));
  const records: DnsRecord[] = [{ name: `dns-version.${zone}`, type: "TXT", content: `"${SCHEMA_VERSION}"` }];
  const leftOut: string[] = [];
  // An address of a Service is that of the Service, also where an endpoint has it.
  const ownReverse = new Set(sorted.flatMap(({ service }) => clusterIPsOf(service)).map(reverseName));
  for (const { service, slices } of sorted) {
    const wished = isHeadless(service)
      ? headlessRecords({ service, slices }, zone).filter(({ type, name }) => type !== "PTR" || !ownReverse.has(name))
      : service.spec.type === "ExternalName"
        ? externalNameRecords(service, zone)
        : clusterIPRecords(service, zone);
    if (wished.length === 0) leftOut.push(`${whoIs(service)}: ${whyNothing(service)}`);
    for (const record of wished) {
      const problem = nameProblem(record.name) ?? (record.type === "CNAME" ? nameProblem(record.content) : undefined);
      if (problem === undefined) records.push(record);
      else leftOut.push(`${whoIs(service)}: ${record.type} ${record.name}: ${problem}`);
    }
  }
  return { records, leftOut };
}

function whoIs({ metadata }: ServiceManifest): string {
  return `${metadata.namespace}/${metadata.name}`;
}

function nameOf({ metadata }: ServiceManifest, zone: string): string {
  return `${metadata.name}.${metadata.namespace}.svc.${zone}`;
}

function isHeadless({ spec: { type, clusterIP } }: ServiceManifest): boolean {
  return type !== "ExternalName" && clusterIP === "None";
}

function whyNothing(service: ServiceManifest): string {
  if (service.spec.type === "ExternalName") return "its external name is an address, which no CNAME can hold";
  return isHeadless(service) ? "no endpoint is ready, so its name does not exist" : "it has no cluster IP";
}

function nameProblem(name: string): string | undefined {
  if (name.length > LONGEST_NAME) return `names have at most ${LONGEST_NAME - 1} characters`;
  const label = name.split(".").find(({ length }) => length > LONGEST_LABEL);
  return label === undefined ? undefined : `${label} has more than ${LONGEST_LABEL} characters`;
}

// ── What each type of Service has ────────────────────────────────────────────────────────────────

function externalNameRecords(service: ServiceManifest, zone: string): readonly DnsRecord[] {
  const target = (service.spec.externalName ?? "").replace(/\.$/, "");
  if (canonicalIP(target) !== undefined) return [];
  return [{ name: nameOf(service, zone), type: "CNAME", content: `${target}.` }];
}

function clusterIPsOf({ spec: { type, clusterIP = "", clusterIPs = [] } }: ServiceManifest): readonly string[] {
  if (type === "ExternalName" || clusterIP === "None") return [];
  const texts = clusterIPs.length > 0 ? clusterIPs : [clusterIP];
  return texts.map(canonicalIP).filter((ip) => ip !== undefined);
}

function clusterIPRecords(service: ServiceManifest, zone: string): readonly DnsRecord[] {
  const name = nameOf(service, zone);
  const ips = clusterIPsOf(service);
  if (ips.length === 0) return [];
  const ports = (service.spec.ports ?? []).flatMap(({ name: portName = "", protocol, port }) =>
    portName === "" ? [] : serviceRecords(portName, protocol, name, [{ name, port }]),
  );
  return [...ips.map((ip) => addressRecord(name, ip)), ...ports, ...ips.map((ip) => reverseRecord(ip, name))];
}

function headlessRecords({ service, slices }: ServiceWithSlices, zone: string): readonly DnsRecord[] {
  const name = nameOf(service, zone);
  const addresses = new Map<string, string>();
  const targets = new Map<string, Target[]>();
  for (const { endpoints = [], ports = [], addressType } of slices) {
    if (addressType === "FQDN") continue;
    for (const endpoint of endpoints.filter((one) => isPublished(one, service))) {
      for (const ip of endpoint.addresses.map(canonicalIP).filter((one) => one !== undefined)) {
        const host = `${hostOf(endpoint, ip)}.${name}`;
        addresses.set(`${host} ${ip}`, ip);
        for (const { name: portName, protocol, port = 0 } of ports) {
          if (portName === "" || port === 0) continue;
          const key = JSON.stringify([portName, protocol]);
          const known = targets.get(key) ?? [];
          targets.set(key, known);
          known.push({ name: host, port });
        }
      }
    }
  }
  const hosts = [...addresses].map(([place, ip]) => [place.slice(0, place.indexOf(" ")), ip] as const).sort(byText);
  return [
    ...[...new Set(hosts.map(([, ip]) => ip))].map((ip) => addressRecord(name, ip)),
    ...hosts.map(([host, ip]) => addressRecord(host, ip)),
    ...(service.spec.ports ?? []).flatMap(({ name: portName = "", protocol }) =>
      serviceRecords(portName, protocol, name, targets.get(JSON.stringify([portName, protocol])) ?? []),
    ),
    ...hosts.map(([host, ip]) => reverseRecord(ip, host)),
  ];
}

function byText(a: readonly string[], b: readonly string[]): number {
  return a.join(" ") < b.join(" ") ? -1 : 1;
}

function isPublished({ conditions }: SliceEndpoint, { spec }: ServiceManifest): boolean {
  return spec.publishNotReadyAddresses === true || (conditions?.ready ?? true);
}

/** The endpoint's own host name, or one made of its address; no label ends with a hyphen. */
function hostOf({ hostname = "" }: SliceEndpoint, ip: string): string {
  if (hostname !== "") return hostname;
  const text = ip.replaceAll(/[.:]/g, "-");
  return text.endsWith("-") ? `${text}0` : text;
}

// ── Records ──────────────────────────────────────────────────────────────────────────────────────

function addressRecord(name: string, ip: string): DnsRecord {
  return { name, type: familyOf(ip) === "ipv4" ? "A" : "AAAA", content: ip };
}

function reverseRecord(ip: string, name: string): DnsRecord {
  return { name: reverseName(ip), type: "PTR", content: name };
}

function reverseName(ip: string): string {
  return familyOf(ip) === "ipv4" ? new Address4(ip).reverseForm() : new Address6(ip).reverseForm();
}

/** One record for each distinct target; a Service of two families has its targets in both. */
function serviceRecords(port: string, protocol: string, service: string, targets: readonly Target[]): DnsRecord[] {
  const distinct = [...new Set(targets.map((target) => `${target.port} ${target.name}`))].sort();
  const weight = Math.max(1, Math.floor(WHOLE_WEIGHT / distinct.length));
  const name = `_${port}._${protocol.toLowerCase()}.${service}`;
  return distinct.map((target) => ({ name, type: "SRV", content: `0 ${weight} ${target}` }));
}
