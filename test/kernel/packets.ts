import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Family } from "../../src/types.ts";
import { createNetwork, type Network } from "../support/network.ts";
import { type PacketCase, packetCases } from "../support/packetCases.ts";
import { canBeSent, listenEverywhere, probe } from "../support/packetProbe.ts";
import { type Flavour, flavourText, type Program, programAt } from "../support/program.ts";
import { canRun } from "../support/requireKernel.ts";

/**
 * Every packet table on the real kernel: the program syncs a scenario over the one before, as it would over the
 * cluster of yesterday, and real connections must meet what the table says.
 */
export function packetSuite(flavour: Flavour, family: Family): void {
  const cases = packetCases(family, flavour.backend);

  describe.runIf(canRun(flavour))(`packets: ${flavourText(flavour)}, ${family}`, () => {
    let network: Network;
    let program: Program;

    beforeAll(async () => {
      network = await createNetwork();
      program = programAt(network.namespace("node"), flavour);
      const flows = cases.flatMap((packetCase) => packetCase.flows);
      await listenEverywhere(network, family, flows, portsOf(cases));
    });

    afterAll(async () => {
      program?.close();
      await network?.close();
    });

    // One by one, since titles made by test.each are cut short.
    for (const { name, input, flags, flows } of cases) {
      test(name, async () => {
        await program.succeed("sync", flags, input);
        // A flow of the case before must not decide about one of this case.
        network.run("node", "conntrack", ["-F"]);
        expect(await probe(network, family, flows.filter(canBeSent))).toEqual([]);
      });
    }
  });
}

/** Every port that a scenario speaks of. */
function portsOf(cases: readonly PacketCase[]): readonly number[] {
  const ports = new Set<number>();
  for (const { input, flows } of cases) {
    for (const flow of flows) ports.add(flow.port);
    for (const [, number] of input.matchAll(/[pP]ort: (\d+)/g)) ports.add(Number(number));
  }
  return [...ports];
}
