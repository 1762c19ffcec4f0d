import { beforeAll, describe, expect, test } from "vitest";
import { explain } from "../src/explain.ts";
import type { BackendName, Family } from "../src/types.ts";
import { nodeAddresses } from "./support/addresses.ts";
import { type DecidedCase, decideCase } from "./support/decideCase.ts";
import { traceIptables } from "./support/iptablesTracer.ts";
import { judgeFate } from "./support/judge.ts";
import { traceNftables } from "./support/nftablesTracer.ts";
import { type PacketCase, packetCases } from "./support/packetCases.ts";
import { packetOf } from "./support/packetOf.ts";
import type { Flow } from "./support/packetTable.ts";

/** Every packet table, on the model and on the text. The kernel tests send the same packets for real. */

const RUNS: readonly (readonly [BackendName, Family])[] = [
  ["iptables", "ipv4"],
  ["iptables", "ipv6"],
  ["nftables", "ipv4"],
  ["nftables", "ipv6"],
];

/** A packet's fate in the text, as a function of the flow. */
const TRACERS = { iptables: traceIptables, nftables: traceNftables } as const satisfies Record<BackendName, unknown>;

function problems(flows: readonly Flow[], judge: (flow: Flow) => string | undefined): readonly string[] {
  return flows.flatMap((flow) => {
    const problem = judge(flow);
    return problem === undefined ? [] : [`${flow.text}\n    ${problem}`];
  });
}

/** One scenario: titles are given one by one, since those made by describe.each are cut short. */
function scenario(packetCase: PacketCase, backend: BackendName): void {
  const { family } = packetCase;
  let decided: DecidedCase;
  beforeAll(async () => {
    decided = await decideCase(packetCase, backend);
  });

  test("the model", () => {
    const found = problems(decided.flows, (flow) => {
      const { fate } = explain(decided.ruleset, packetOf(flow, family), decided.explainOptions);
      return judgeFate(flow.expected, fate);
    });
    expect(found).toEqual([]);
  });

  test("the text", () => {
    const found = problems(decided.flows, (flow) =>
      judgeFate(flow.expected, TRACERS[backend](decided.text, packetOf(flow, family), nodeAddresses(family))),
    );
    expect(found).toEqual([]);
  });
}

describe.each(RUNS)("packet tables: %s, %s", (backend, family) => {
  for (const packetCase of packetCases(family)) {
    describe(packetCase.name, () => scenario(packetCase, backend));
  }
});
