import { canonicalIP, familyOf, joinAddress } from "../../src/ip.ts";
import type { BackendName, Family, Protocol, ServiceManifest } from "../../src/types.ts";
import { inFamily, isVantage, NAMED_ADDRESSES, type Vantage } from "./addresses.ts";
import { ipv6TwinOfText } from "./ipv6Twin.ts";

/**
 * Packet tables: one flow a line, for people first.
 *
 *   pod1 -> 172.30.0.41:80/tcp => 10.180.0.1:80 masq, 10.180.0.2:80 10.180.1.1:80 keep
 *   client -> node:30080/tcp => REJECT
 *   [nftables ipv4] lo -> lo:30080/tcp => PASS
 *   pod1 -> 172.30.0.41:80/tcp => 10.180.0.1:80 10.180.0.2:80 keep sticky a
 *   pod1 -> web.shop:80/tcp => 10.180.0.1:80 keep
 *   client -> node/web.shop:80/tcp => 10.180.0.1:80 masq
 *
 * A Service is named as DNS names it, without the namespace if that is the default one: its cluster IP is meant, or
 * behind an address of the node its NodePort for that port.
 * Endpoints are all those that must be seen, and no others. `masq`: the endpoint sees the node's address;
 * `keep`: it sees the sender's; neither: the source cannot be told or does not matter.
 * REJECT: refused at once. DROP: silence. PASS: no Service takes it, the packet goes where it was sent.
 * ACCEPT: as PASS, and let in explicitly. `sticky LABEL`: all flows from one vantage with this label keep to
 * one endpoint. Flows with `[words]` in front count only for those backends or families.
 */

export interface ExpectedEndpoint {
  readonly address: string;
  readonly masqueraded: boolean | undefined;
}

export type Expected =
  | { readonly kind: "endpoints"; readonly endpoints: readonly ExpectedEndpoint[] }
  | { readonly kind: "reject" }
  | { readonly kind: "drop" }
  | { readonly kind: "pass" }
  | { readonly kind: "accept" };

export interface Flow {
  /** The line as it is written, for messages. */
  readonly text: string;
  readonly vantage: Vantage;
  readonly destination: string;
  readonly port: number;
  readonly protocol: Protocol;
  readonly expected: Expected;
  readonly sticky: string | undefined;
}

const LINE = /^(?:\[([a-z0-9 ]+)\] )?(\w+) -> (\S+):(\d+)\/(tcp|udp|sctp) => (.+?)(?: sticky (\w+))?$/;
const CONDITIONS = ["iptables", "nftables", "ipv4", "ipv6"];
const WORDS: Readonly<Record<string, Expected>> = {
  REJECT: { kind: "reject" },
  DROP: { kind: "drop" },
  PASS: { kind: "pass" },
  ACCEPT: { kind: "accept" },
};

/** Where a table counts, and the Services that it may name, complete. */
interface TableContext {
  readonly family: Family;
  readonly backend: BackendName;
  readonly services: readonly ServiceManifest[];
}

/** The flows of a table that count for this backend and family; throws on a line that cannot be read. */
export function parsePacketTable(
  text: string,
  family: Family,
  backend: BackendName,
  services: readonly ServiceManifest[] = [],
): readonly Flow[] {
  const context = { family, backend, services };
  return text
    .split("\n")
    .map((line) => line.replace(/#.*/, "").trim())
    .filter((line) => line !== "")
    .flatMap((line) => parseLine(line, context));
}

function parseLine(line: string, context: TableContext): readonly Flow[] {
  const { family, backend } = context;
  const parts = LINE.exec(line);
  if (parts === null) throw new SyntaxError(`not a flow: ${line}`);
  const [, conditions = "", vantage = "", to = "", port = "", protocol = "", expected = "", sticky] = parts;
  if (!isVantage(vantage)) throw new SyntaxError(`unknown vantage point ${vantage}: ${line}`);
  if (!counts(conditions.split(" "), family, backend, line)) return [];
  const destination = parseDestination(to, Number(port), parseProtocol(protocol), context);
  if (destination === undefined) throw new SyntaxError(`unknown destination ${to}: ${line}`);
  return [
    {
      text: line,
      vantage,
      ...destination,
      protocol: parseProtocol(protocol),
      expected: WORDS[expected] ?? { kind: "endpoints", endpoints: parseEndpoints(expected, family, line) },
      sticky,
    },
  ];
}

function counts(words: readonly string[], family: Family, backend: BackendName, line: string): boolean {
  const unknown = words.find((word) => word !== "" && !CONDITIONS.includes(word));
  if (unknown !== undefined) throw new SyntaxError(`unknown condition ${unknown}: ${line}`);
  const excludes = (group: readonly string[], actual: string): boolean =>
    group.some((word) => words.includes(word)) && !words.includes(actual);
  return !excludes(["iptables", "nftables"], backend) && !excludes(["ipv4", "ipv6"], family);
}

function parseProtocol(text: string): Protocol {
  if (text === "tcp" || text === "udp" || text === "sctp") return text;
  throw new SyntaxError(`unknown protocol ${text}`);
}

type Target = Pick<Flow, "destination" | "port">;

function parseDestination(to: string, port: number, protocol: Protocol, context: TableContext): Target | undefined {
  const { family, services } = context;
  const find = (name: string) => services.find(({ metadata }) => nameOf(metadata) === name);
  const [where = "", beneath] = to.split("/");
  if (beneath !== undefined) {
    const [address, nodePort] = [NAMED_ADDRESSES[where], nodePortOf(find(beneath), port, protocol)];
    if (address === undefined || nodePort === undefined) return undefined;
    return { destination: inFamily(address, family), port: nodePort };
  }
  const address = NAMED_ADDRESSES[where] ?? where;
  if (canonicalIP(address) === address) return { destination: inFamily(address, family), port };
  const clusterIP = find(where)?.spec.clusterIPs?.find((ip) => ip !== "None" && familyOf(ip) === family);
  return clusterIP === undefined ? undefined : { destination: clusterIP, port };
}

function nameOf({ namespace, name }: ServiceManifest["metadata"]): string {
  return namespace === "default" ? name : `${name}.${namespace}`;
}

function nodePortOf(service: ServiceManifest | undefined, port: number, protocol: Protocol): number | undefined {
  return service?.spec.ports?.find((one) => one.port === port && one.protocol.toLowerCase() === protocol)?.nodePort;
}

function parseEndpoints(text: string, family: Family, line: string): readonly ExpectedEndpoint[] {
  return text.split(", ").flatMap((group) => {
    const words = group.split(" ");
    const last = words.at(-1);
    const masqueraded = last === "masq" ? true : last === "keep" ? false : undefined;
    const addresses = masqueraded === undefined ? words : words.slice(0, -1);
    return addresses.map((address) => ({ address: parseEndpoint(address, family, line), masqueraded }));
  });
}

function parseEndpoint(text: string, family: Family, line: string): string {
  const [ip = "", port = ""] = text.split(":");
  if (canonicalIP(ip) !== ip || !/^\d+$/.test(port)) throw new SyntaxError(`not an endpoint, ${text}: ${line}`);
  return family === "ipv4" ? joinAddress(ip, Number(port)) : ipv6TwinOfText(text);
}
