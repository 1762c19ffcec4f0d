import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CLUSTER_CIDR,
  createLane,
  type FloodedService,
  type Lane,
  manifestsOf,
  NODE_IP,
  NODE_NAME,
  PORT,
  SOURCES,
  startFlood,
} from "../support/flood.ts";
import { type Flavour, flavourText, type Program, programAt } from "../support/program.ts";
import { canRun } from "../support/requireKernel.ts";

/** Whether each endpoint of a Service gets its fair share of many flows: Pearson's test of goodness of fit. */

const FLOWS = 60_000;

/**
 * By number of endpoints, the value of chi-square (degrees of freedom: one less) that chance exceeds once in a
 * million times. With this many flows, an endpoint that gets 3 % of them too many is beyond it by far.
 */
const CRITICAL: ReadonlyMap<number, number> = new Map([
  [2, 23.928],
  [3, 27.631],
  [7, 38.258],
  [10, 44.811],
  [100, 180.792],
]);

const FLAVOURS: readonly Flavour[] = [
  { backend: "iptables", variant: "nft" },
  { backend: "iptables", variant: "legacy" },
  { backend: "nftables", nft: "system" },
];

interface Sketch {
  /** Number of the Service among those of this test. */
  readonly index: number;
  readonly endpoints: number;
  readonly affinity: FloodedService["affinity"];
}

const SKETCHES: readonly Sketch[] = [...CRITICAL.keys()]
  .map((endpoints): Omit<Sketch, "index"> => ({ endpoints, affinity: "None" }))
  .concat({ endpoints: 7, affinity: "ClientIP" })
  .map((sketch, index) => ({ ...sketch, index }));

describe.each(FLAVOURS.map((flavour) => ({ flavour, title: flavourText(flavour) })))("evenness: $title", (row) => {
  const { flavour } = row;
  describe.runIf(canRun(flavour))("of new flows", () => {
    let lane: Lane;
    let program: Program;

    beforeAll(async () => {
      lane = createLane();
      program = programAt(lane.node, flavour);
      const flags = { "node-name": NODE_NAME, "node-ip": NODE_IP, "cluster-cidr": CLUSTER_CIDR };
      await program.succeed("sync", flags, manifests());
    });

    afterAll(() => {
      program?.close();
      lane?.close();
    });

    test.each(SKETCHES)("$endpoints endpoints, affinity $affinity", async ({ index, endpoints, affinity }) => {
      // Where clients are remembered, each sends one flow only: others of it would be no choice of their own.
      const [flows, sources] = affinity === "None" ? [FLOWS, 1000] : [SOURCES.count, SOURCES.count];
      const flood = startFlood(lane.sender, { target: clusterIPOf(index), port: PORT, sources, count: flows });
      const { sent } = await flood.ended;
      expect(sent).toBe(flows);
      const delivered = lane.delivered();
      const counts = endpointsOf(index, endpoints).map((ip) => delivered.get(ip) ?? 0);
      expect(counts.reduce((sum, count) => sum + count, 0)).toBe(flows);
      expect(chiSquare(counts), counts.join(" ")).toBeLessThan(criticalValue(endpoints));
    });
  });
});

describe("the measure itself", () => {
  test.each([...CRITICAL.keys()])(
    "%i endpoints: a fair share passes, 3 % of all flows too many do not",
    (endpoints) => {
      const fair = Array.from({ length: endpoints }, () => FLOWS / endpoints);
      expect(chiSquare(fair)).toBeLessThan(criticalValue(endpoints));
      const skewed = fair.map((count, index) =>
        index === 0 ? count + 0.03 * FLOWS : count - (0.03 * FLOWS) / (endpoints - 1),
      );
      expect(chiSquare(skewed)).toBeGreaterThan(criticalValue(endpoints));
    },
  );
});

function chiSquare(counts: readonly number[]): number {
  const fair = counts.reduce((sum, count) => sum + count, 0) / counts.length;
  return counts.reduce((sum, count) => sum + (count - fair) ** 2 / fair, 0);
}

function criticalValue(endpoints: number): number {
  const value = CRITICAL.get(endpoints);
  if (value === undefined) throw new Error(`no critical value for ${endpoints} endpoints`);
  return value;
}

const clusterIPOf = (index: number): string => `172.30.0.${index + 1}`;

function endpointsOf(index: number, count: number): readonly string[] {
  return Array.from({ length: count }, (_, host) => `10.180.${index + 1}.${host + 1}`);
}

function manifests(): string {
  return manifestsOf(
    SKETCHES.map(({ index, endpoints, affinity }) => ({
      name: `service-${index}`,
      clusterIP: clusterIPOf(index),
      endpoints: endpointsOf(index, endpoints),
      affinity,
    })),
  );
}
