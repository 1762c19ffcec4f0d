import { joinAddress } from "../../src/ip.ts";
import type { Family, Fate } from "../../src/types.ts";
import { inFamily, masqueradeAddress, VANTAGES } from "./addresses.ts";
import type { Expected, ExpectedEndpoint, Flow } from "./packetTable.ts";
import type { Outcome } from "./probe.ts";

/** Compares what a packet table expects with what was found; both answers are one line for people. */

/** The line that a packet table would hold for this fate. */
export function describeFate(fate: Fate): string {
  if (fate.kind !== "endpoints") return fate.kind.toUpperCase();
  return fate.addresses
    .map((address, index) => `${address} ${fate.masqueraded[index] === true ? "masq" : "keep"}`)
    .sort()
    .join(", ");
}

/** Undefined when a predicted fate is the expected one, else what is wrong. */
export function judgeFate(expected: Expected, fate: Fate): string | undefined {
  const found = describeFate(fate);
  if (expected.kind !== "endpoints") return fate.kind === expected.kind ? undefined : `found ${found}`;
  if (fate.kind !== "endpoints" || fate.addresses.length !== expected.endpoints.length) return `found ${found}`;
  const fits = expected.endpoints.every(({ address, masqueraded }) => {
    const index = fate.addresses.indexOf(address);
    return index >= 0 && (masqueraded === undefined || fate.masqueraded[index] === masqueraded);
  });
  return fits ? undefined : `found ${found}`;
}

/** Undefined when what real connections met is what the flow expects, else what is wrong. */
export function judgeOutcomes(flow: Flow, outcomes: readonly Outcome[], family: Family): string | undefined {
  const source = inFamily(VANTAGES[flow.vantage].source, family);
  const wrong = outcomes.find((outcome) => !isExpected(flow, outcome, source, family));
  if (wrong !== undefined) return `found ${describeOutcome(wrong)} from ${source}`;
  if (flow.expected.kind !== "endpoints") return undefined;
  const answered = new Set(outcomes.map((outcome) => (outcome.outcome === "answered" ? outcome.endpoint : "")));
  if (flow.sticky !== undefined) {
    return answered.size === 1 ? undefined : `one client met ${[...answered].sort().join(" and ")}`;
  }
  const missing = flow.expected.endpoints.find(({ address }) => !answered.has(address));
  return missing === undefined ? undefined : `${missing.address} never answered in ${outcomes.length} connections`;
}

function isExpected(flow: Flow, outcome: Outcome, source: string, family: Family): boolean {
  switch (flow.expected.kind) {
    case "reject":
      return outcome.outcome === "refused";
    case "drop":
      return outcome.outcome === "silent";
    case "pass":
    case "accept":
      return outcome.outcome === "answered" && outcome.endpoint === joinAddress(flow.destination, flow.port);
    case "endpoints":
      return flow.expected.endpoints.some((endpoint) => isFrom(endpoint, outcome, source, family));
  }
}

function isFrom(expected: ExpectedEndpoint, outcome: Outcome, source: string, family: Family): boolean {
  if (outcome.outcome !== "answered" || outcome.endpoint !== expected.address) return false;
  if (expected.masqueraded === undefined) return true;
  const endpointIP = expected.address.slice(0, expected.address.lastIndexOf(":")).replace(/[[\]]/g, "");
  return outcome.seen === (expected.masqueraded ? masqueradeAddress(endpointIP, family) : source);
}

function describeOutcome(outcome: Outcome): string {
  switch (outcome.outcome) {
    case "answered":
      return `${outcome.endpoint} which saw ${outcome.seen}`;
    case "failed":
      return `error ${outcome.code}`;
    default:
      return outcome.outcome;
  }
}
