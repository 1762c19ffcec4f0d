import type { Family, Packet } from "../../src/types.ts";
import { inFamily, VANTAGES } from "./addresses.ts";
import type { Flow } from "./packetTable.ts";

/** The first packet of a flow, as the node sees it. */
export function packetOf(flow: Flow, family: Family): Packet {
  const { source, interface: inputInterface } = VANTAGES[flow.vantage];
  const packet = {
    family,
    protocol: flow.protocol,
    source: inFamily(source, family),
    destination: flow.destination,
    port: flow.port,
  };
  return inputInterface === undefined ? packet : { ...packet, inputInterface };
}
