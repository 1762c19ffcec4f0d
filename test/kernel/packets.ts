import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { BackendName, Family } from "../../src/types.ts";
import { completeCase } from "../support/decideCase.ts";
import { createNetwork, type Network } from "../support/network.ts";
import { type PacketCase, packetCases } from "../support/packetCases.ts";
import { canBeSent, listenEverywhere, probe } from "../support/packetProbe.ts";
import type { Flow } from "../support/packetTable.ts";
import { type Flavour, flavourText, type ResidentProgram, residentAt } from "../support/program.ts";
import { canRun } from "../support/requireKernel.ts";

/**
 * Every packet table on the real kernel: the program syncs a scenario over the one before, as it would over the
 * cluster of yesterday, and real connections must meet what the table says.
 */
export function packetSuite(flavour: Flavour, family: Family): void {
  const cases = packetCases(family);

  describe.runIf(canRun(flavour))(`packets: ${flavourText(flavour)}, ${family}`, () => {
    let network: Network;
    let program: ResidentProgram;
    let tables: ReadonlyMap<PacketCase, readonly Flow[]>;

    beforeAll(async () => {
      network = await createNetwork();
      program = residentAt(network.namespace("node"), flavour);
      tables = await flowsOf(cases, flavour.backend);
      await listenEverywhere(network, family, [...tables.values()].flat(), portsOf(tables));
    });

    afterAll(async () => {
      program?.close();
      await network?.close();
    });

    // One by one, since titles made by test.each are cut short.
    for (const packetCase of cases) {
      const { name, input, flags } = packetCase;
      test(name, async () => {
        const flows = tables.get(packetCase);
        if (flows === undefined) throw new Error("no packet table was read");
        await program.succeed("sync", flags, input);
        // A flow of the case before must not decide about one of this case.
        network.run("node", "conntrack", ["-F"]);
        expect(await probe(network, family, flows.filter(canBeSent))).toEqual([]);
      });
    }
  });
}

async function flowsOf(
  cases: readonly PacketCase[],
  backend: BackendName,
): Promise<ReadonlyMap<PacketCase, readonly Flow[]>> {
  const tables = new Map<PacketCase, readonly Flow[]>();
  for (const packetCase of cases) tables.set(packetCase, (await completeCase(packetCase, backend)).flows);
  return tables;
}

/** Every port that a scenario speaks of. */
function portsOf(tables: ReadonlyMap<PacketCase, readonly Flow[]>): readonly number[] {
  const ports = new Set<number>();
  for (const [{ input }, flows] of tables) {
    for (const flow of flows) ports.add(flow.port);
    for (const [, number] of input.matchAll(/[pP]ort: (\d+)/g)) ports.add(Number(number));
  }
  return [...ports];
}
