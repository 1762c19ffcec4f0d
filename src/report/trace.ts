import { joinAddress } from "../ip.ts";
import type { Fate, Trace } from "../types.ts";
import { table } from "./table.ts";

/** What a packet meets on its way, and where it ends. */
export function traceText({ packet, fate, steps }: Trace, backend: string): string {
  const { source, destination, port, protocol, inputInterface } = packet;
  const sender = inputInterface === undefined ? `this node (${source})` : source;
  const head = `${sender} to ${joinAddress(destination, port)}, ${protocol}, with ${backend}`;
  return [head, ...steps.map((step) => `  ${step}`), "", fateText(fate, source)].join("\n");
}

function fateText(fate: Fate, source: string): string {
  switch (fate.kind) {
    case "endpoints": {
      const { addresses, masqueraded } = fate;
      const chance = `1/${addresses.length}`;
      const rows = addresses.map((address, index) => [chance, address, masqueraded[index] ? "this node" : source]);
      return table(["CHANCE", "ENDPOINT", "SEES AS ITS CLIENT"], rows);
    }
    case "reject":
      return "REFUSED: the sender is told at once\n";
    case "drop":
      return "DROPPED: the sender waits in vain\n";
    case "accept":
      return "ACCEPTED: let through to a server on this node\n";
    case "pass":
      return "UNTOUCHED: it goes where it is addressed\n";
  }
}
