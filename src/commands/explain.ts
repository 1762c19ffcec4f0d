import { ExitCode, UserError } from "../errors.ts";
import { canonicalIP, familyOf, isLoopback } from "../ip.ts";
import { nodeFor, trace } from "../pipeline.ts";
import { jsonText } from "../report/json.ts";
import { traceText } from "../report/trace.ts";
import type { Settings } from "../settings/settings.ts";
import type { NodeFacts, Packet, Protocol } from "../types.ts";
import { demandBackend, noteNode } from "./compile.ts";
import { type Flags, settingsFrom, textFlag } from "./flags.ts";
import { someHost, thisMachine } from "./host.ts";
import { completeInputFrom } from "./input.ts";
import type { Io } from "./io.ts";

/** Tells the fate of the first packet of a connection from what the rules mean. Needs no root and reads no rules. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const settings = await settingsFrom(flags, io);
  demandBackend(settings, "explain");
  const destination = destinationOf(textFlag(flags, "to"));
  const input = await completeInputFrom(flags, settings, io);
  if (input === undefined) return ExitCode.inputRejected;
  // Flags of its tools change how rules are written, not what they mean.
  const host = { ...someHost(), ...(await thisMachine()) };
  const node = nodeFor(input.manifests, settings, host);
  noteNode(input, node, io);
  const packet = packetOf(flags, destination, node.facts, settings);
  const found = trace(input.manifests, settings, host, packet);
  const isJson = textFlag(flags, "output") === "json";
  io.out(isJson ? jsonText({ backend: settings.backend, ...found }) : traceText(found, settings.backend));
  return ExitCode.done;
}

type Destination = Pick<Packet, "destination" | "port">;

/** @throws UserError if it is not an address and a port */
function destinationOf(text: string | undefined): Destination {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*)):(\d{1,5})$/.exec(text ?? "") ?? [];
  const destination = canonicalIP(bracketed ?? plain ?? "");
  const port = Number(digits);
  if (destination !== undefined && port >= 1 && port <= 65535) return { destination, port };
  throw new UserError(
    text === undefined ? "no packet: --to is missing" : `--to ${text}: an address and a port are expected`,
    "write --to 10.96.0.10:80, or --to [fd00:10:96::a]:80",
  );
}

/** @throws UserError if the sender is none, or must be told more exactly */
function packetOf(flags: Flags, to: Destination, { addresses, ips }: NodeFacts, settings: Settings): Packet {
  const family = familyOf(to.destination);
  const protocol = (textFlag(flags, "protocol") ?? "tcp") as Protocol;
  const from = textFlag(flags, "from");
  const source = from === undefined ? senderFor(to.destination) : canonicalIP(from);
  if (source === undefined || familyOf(source) !== family) {
    throw new UserError(`--from ${from}: an address of the same family as --to is expected`, "write an IP address");
  }
  const packet = { family, protocol, source, ...to };
  const inputInterface = textFlag(flags, "inInterface");
  if (isLoopback(source) || addresses.includes(source)) {
    if (inputInterface === undefined) return packet;
    throw new UserError(
      `--in-interface ${inputInterface}: what this node sends (${source}) comes in by no interface`,
      "name another sender with --from, or leave --in-interface out",
    );
  }
  const { detectLocalMode: mode } = settings;
  if (inputInterface === undefined && (mode === "BridgeInterface" || mode === "InterfaceNamePrefix")) {
    throw new UserError(
      `detect-local mode ${mode} asks by which interface a packet comes in`,
      "name it with --in-interface NAME",
    );
  }
  return { ...packet, inputInterface: inputInterface ?? "" };

  /** The address that this node would send from. */
  function senderFor(destination: string): string {
    const loopback = family === "ipv4" ? "127.0.0.1" : "::1";
    if (addresses.includes(destination) || isLoopback(destination)) return destination;
    return ips[family] ?? addresses.find((ip) => familyOf(ip) === family && !isLoopback(ip)) ?? loopback;
  }
}
