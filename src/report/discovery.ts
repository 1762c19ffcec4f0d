import type { DnsRecord, EnvironmentVariable } from "../types.ts";

/** What Services are found by: records and variables, in forms that other programs read. */

/** Seconds that CoreDNS lets answers be kept. */
const TTL = 5;

/** Lines as `env` prints them, and as --env-file takes them; of a name that is defined twice the last. */
export function environmentText(variables: readonly EnvironmentVariable[]): string {
  const values = new Map(variables.map(({ name, value }) => [name, value]));
  return [...values].map(([name, value]) => `${name}=${value}\n`).join("");
}

/** Whose variables no shell can name; nothing where there are none. */
export function unusableText(variables: readonly EnvironmentVariable[]): string {
  const services = new Set(variables.filter(({ name }) => /^[0-9]/.test(name)).map(({ service }) => service));
  return [...services].map((service) => `note: ${service}: shells cannot use names that begin with a digit\n`).join("");
}

/** A master file (RFC 1035, section 5) with absolute names. */
export function zoneText(records: readonly DnsRecord[]): string {
  const widest = records.reduce((width, { name }) => Math.max(width, name.length), 0);
  const lines = records.map(({ name, type, content }) => `${name.padEnd(widest)} IN ${type.padEnd(5)} ${content}\n`);
  return `$TTL ${TTL}\n${lines.join("")}`;
}

/** Lines for /etc/hosts: every name in full, and as Pods may shorten it. */
export function hostsText(records: readonly DnsRecord[], clusterDomain: string): string {
  return records
    .filter(({ type }) => type === "A" || type === "AAAA")
    .map(({ name, content }) => {
      const inService = name.slice(0, -`.svc.${clusterDomain}.`.length);
      return `${content} ${name.slice(0, -1)} ${inService}.svc ${inService}\n`;
    })
    .join("");
}
