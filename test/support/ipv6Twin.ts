/**
 * Translates what is written in IPv4 into its IPv6 twin, so that every scenario runs in both families.
 * Host numbers keep their digits: 172.30.0.41 becomes fd00:172:30::41.
 */

interface Net {
  /** Leading octets of the IPv4 network, with the dot that ends them. */
  readonly ipv4: string;
  readonly ipv6: string;
  /** IPv6 prefix lengths of the IPv4 prefixes that tables use. */
  readonly prefixes: Readonly<Record<number, number>>;
  /** Text of the rest after `ipv6`, from the octets after `ipv4`. */
  readonly host: (octets: readonly number[]) => string;
}

const lastOctet = (octets: readonly number[]): string => `::${zeroAsEmpty(octets[0] ?? 0)}`;
const subnetAndHost = ([subnet = 0, host = 0]: readonly number[]): string =>
  subnet === 0 ? `::${zeroAsEmpty(host)}` : `:${subnet}::${zeroAsEmpty(host)}`;
/**
 * Service networks leave few host bits, so subnet and host share the last group: 172.30.1.2 is ::1002. Where digits
 * do not suffice, the number counts.
 */
const subnetInHost = ([subnet = 0, host = 0]: readonly number[]): string =>
  subnet < 10 ? `::${zeroAsEmpty(subnet * 1000 + host)}` : `::${(subnet * 256 + host).toString(16)}`;

const subnetBesideHost = ([subnet = 0, host = 0]: readonly number[]): string =>
  subnet === 0 ? `::${zeroAsEmpty(host)}` : `::${subnet}:${host}`;

/** The first network that fits counts. */
const NETS: readonly Net[] = [
  { ipv4: "10.180.", ipv6: "fd00:10:180", prefixes: { 16: 48, 24: 64, 25: 121 }, host: subnetAndHost },
  { ipv4: "10.0.", ipv6: "fd00:10", prefixes: { 16: 112 }, host: subnetInHost },
  { ipv4: "10.96.", ipv6: "fd00:10:96", prefixes: { 12: 64 }, host: subnetBesideHost },
  { ipv4: "10.111.", ipv6: "fd00:10:96::111", prefixes: {}, host: ([subnet = 0, host = 0]) => `:${subnet}:${host}` },
  { ipv4: "10.", ipv6: "fd00:10", prefixes: { 8: 32 }, host: onlyNetwork },
  { ipv4: "172.30.", ipv6: "fd00:172:30", prefixes: { 16: 112 }, host: subnetInHost },
  { ipv4: "192.168.", ipv6: "fd00:192:168", prefixes: { 16: 48, 24: 64 }, host: subnetAndHost },
  { ipv4: "100.64.", ipv6: "fd00:100:64", prefixes: { 24: 64, 30: 126 }, host: subnetAndHost },
  // .2 lies inside the /25 and .130 outside, so the twin of the /25 spans the host numbers below 0x100.
  { ipv4: "203.0.113.", ipv6: "2001:db8:113", prefixes: { 24: 64, 25: 120 }, host: lastOctet },
  { ipv4: "198.51.100.", ipv6: "2001:db8:51", prefixes: { 24: 64 }, host: lastOctet },
  { ipv4: "198.18.0.", ipv6: "2001:db8:198", prefixes: { 30: 126 }, host: lastOctet },
  { ipv4: "127.0.0.1", ipv6: "::1", prefixes: {}, host: () => "" },
  { ipv4: "0.0.0.0", ipv6: "::", prefixes: { 0: 0 }, host: () => "" },
];

function zeroAsEmpty(host: number): string {
  return host === 0 ? "" : String(host);
}

function onlyNetwork(octets: readonly number[]): string {
  if (octets.some((octet) => octet !== 0)) throw new RangeError("no IPv6 twin for this host");
  return "::";
}

/** The twin of one IPv4 address or CIDR; throws a RangeError for a network that has none. */
export function ipv6Twin(text: string): string {
  const [ip = "", prefix] = text.split("/");
  const net = NETS.find(({ ipv4 }) => ip === ipv4 || (ipv4.endsWith(".") && ip.startsWith(ipv4)));
  if (net === undefined) throw new RangeError(`no IPv6 twin for ${text}`);
  const rest = ip.slice(net.ipv4.length);
  const twin = net.ipv6 + net.host(rest === "" ? [] : rest.split(".").map(Number));
  if (prefix === undefined) return twin;
  const bits = prefix === "32" ? 128 : net.prefixes[Number(prefix)];
  if (bits === undefined) throw new RangeError(`no IPv6 twin for ${text}`);
  return `${twin}/${bits}`;
}

const ENDPOINT_OR_ADDRESS = /(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(\/\d{1,2}|:\d{1,5})?(?![\d.])/g;

/** The same text with every IPv4 address, CIDR and "ip:port" replaced, and `IPv4` turned into `IPv6`. */
export function ipv6TwinOfText(text: string): string {
  return text
    .replace(ENDPOINT_OR_ADDRESS, (_all, ip: string, suffix: string | undefined) => {
      if (suffix === undefined) return ipv6Twin(ip);
      return suffix.startsWith("/") ? ipv6Twin(ip + suffix) : `[${ipv6Twin(ip)}]${suffix}`;
    })
    .replaceAll("IPv4", "IPv6");
}
