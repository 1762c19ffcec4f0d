import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRunner } from "../../src/apply/exec.ts";
import { backendOf, carryOut, decide, plan, wishesOf } from "../../src/pipeline.ts";
import type { HostFacts } from "../../src/settings/node.ts";
import { type RawSetting, type Settings, settingsOf } from "../../src/settings/settings.ts";
import type { BackendName, Manifest, Runner, ServiceSpec } from "../../src/types.ts";
import {
  CLUSTER_CIDR,
  createLane,
  type FloodResult,
  type Lane,
  NODE_IP,
  NODE_NAME,
  PORT,
  startFlood,
  TARGET_PORT,
} from "../support/flood.ts";
import { service, slice } from "../support/manifests.ts";
import { requireKernel } from "../support/requireKernel.ts";

/**
 * New flows all the time at one Service, while its endpoints change one after the other as fast as the product can:
 * every flow must find an endpoint.
 */

const CLUSTER_IP = "172.30.0.41";
/** New flows per second. */
const RATE = 20_000;
/** A machine that sends fewer than this proves nothing. */
const LEAST_RATE = 4_000;
/** A slow machine makes fewer changes, and says so; none that makes fewer than this part proves anything. */
const LONGEST_SECONDS = 32;
const LEAST_PART = 0.1;
/** Milliseconds for all clients to be heard of before the first change. */
const WARM_UP = 1_500;

const STICKY = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } } as const;

requireKernel();

interface Variant {
  readonly backend: BackendName;
  readonly flavour: string;
  /** How often the endpoints change. */
  readonly changes: number;
  /**
   * Each with many flows before the first change, and most with some between two changes. The match `recent` of
   * iptables keeps no more than 100 clients for an endpoint.
   */
  readonly clients: number;
}

const VARIANTS: readonly Variant[] = [
  { backend: "nftables", flavour: "nft", changes: 300, clients: 1_000 },
  { backend: "iptables", flavour: "nft", changes: 60, clients: 80 },
];

describe.each(VARIANTS)(
  "$changes changes under load, $backend ($flavour)",
  ({ backend, flavour, changes, clients }) => {
    let lane: Lane;

    beforeEach(() => {
      lane = createLane();
    });

    afterEach(() => lane.close());

    test("no flow is lost", async () => {
      await floodWhileChanging({}, async () => undefined);
    });

    test("no flow is lost with session affinity, and clients keep to an endpoint that stays", async () => {
      lane.watchClients();
      let first: ReadonlyMap<string, readonly string[]> = new Map();
      await floodWhileChanging(STICKY, async () => {
        first = lane.met();
      });
      const last = lane.met();
      const staying = [...first].filter(([, endpoints]) => STAYING.includes(endpoints[0] ?? ""));
      expect(first.size).toBe(clients);
      expect(staying.length).toBeGreaterThan(clients / 3);
      const strayed = staying.filter(([client]) => last.get(client)?.length !== 1);
      expect(strayed.map(([client]) => [client, first.get(client), last.get(client)])).toEqual([]);
      // A client whose endpoint went may have met many, but of those that stay only one.
      const torn = [...last].filter(([, endpoints]) => endpoints.filter((ip) => STAYING.includes(ip)).length > 1);
      expect(torn).toEqual([]);
    });

    /** Sends from before the first change until after the last one; `beforeChanges` runs when all clients are known. */
    async function floodWhileChanging(spec: Partial<ServiceSpec>, beforeChanges: () => Promise<void>): Promise<void> {
      const sync = syncAt(lane.node, backend, flavour);
      const sets = endpointSets(changes);
      await sync(manifestsOf(spec, sets[0] ?? []));
      const flood = startFlood(lane.sender, { target: CLUSTER_IP, port: PORT, sources: clients, rate: RATE });
      await wait(WARM_UP);
      await beforeChanges();
      const end = Date.now() + 1000 * LONGEST_SECONDS;
      let made = 0;
      while (made < changes && Date.now() < end) {
        made += 1;
        await Promise.race([sync(manifestsOf(spec, sets[made] ?? [])), tooEarly(flood)]);
      }
      const result = await flood.stop();
      await wait(300);
      judge(result, made);
    }

    function judge({ sent, seconds }: FloodResult, made: number): void {
      const { entered, left } = lane.passed();
      const delivered = [...lane.delivered().values()].reduce((sum, packets) => sum + packets, 0);
      const rate = Math.round(sent / seconds);
      const story = `${made} changes while ${sent} flows were sent in ${seconds.toFixed(1)} s (${rate} per second); \
${entered} entered the node, ${left} left it for an endpoint, ${delivered} arrived`;
      const isReduced = rate < 0.95 * RATE || made < changes;
      if (isReduced) console.warn(`!!! LESS THAN ${RATE} NEW FLOWS PER SECOND AND ${changes} CHANGES: ${story}`);
      expect(made, story).toBeGreaterThanOrEqual(LEAST_PART * changes);
      expect(rate, story).toBeGreaterThan(LEAST_RATE);
      expect({ entered, lost: entered - left, delivered }, story).toEqual({ entered: sent, lost: 0, delivered: sent });
    }
  },
);

/** A sender that ends by itself has failed. */
async function tooEarly(flood: ReturnType<typeof startFlood>): Promise<never> {
  await flood.ended;
  throw new Error("the sender ended before it was told to");
}

// ── What changes ─────────────────────────────────────────────────────────────────────────────────

const STAYING = [1, 2, 3, 4, 5, 6].map((host) => `10.180.0.${host}`);
/** Places for endpoints that come and go, beside those that stay. */
const PLACES = 4;

/** The start and `changes` changes: 10 endpoints, 9, 10 again with a new one, at times with two. */
function endpointSets(changes: number): readonly (readonly string[])[] {
  let newcomers = 0;
  const newcomer = (): string => {
    newcomers += 1;
    return `10.180.${1 + Math.floor(newcomers / 200)}.${1 + (newcomers % 200)}`;
  };
  const places = Array.from({ length: PLACES }, newcomer);
  const sets: (readonly string[])[] = [[...STAYING, ...places]];
  for (let change = 0; change < changes; change++) {
    const place = Math.floor(change / 2) % PLACES;
    if (change % 2 === 0) {
      sets.push([...STAYING, ...places.filter((_, index) => index !== place)]);
      continue;
    }
    places[place] = newcomer();
    if (change % 3 === 0) places[(place + 1) % PLACES] = newcomer();
    // The order in which endpoints are listed must not matter.
    sets.push(change % 4 === 1 ? [...places, ...STAYING] : [...STAYING, ...places]);
  }
  return sets;
}

function manifestsOf(spec: Partial<ServiceSpec>, endpoints: readonly string[]): readonly Manifest[] {
  return [
    service("ns/web", { clusterIP: CLUSTER_IP, ...spec, ports: [{ protocol: "UDP", port: PORT }] }),
    slice("ns/web", endpoints, { ports: [{ name: "", protocol: "UDP", port: TARGET_PORT }] }),
  ];
}

// ── How it is changed ────────────────────────────────────────────────────────────────────────────

const HOST: HostFacts = { hostName: NODE_NAME, addresses: [NODE_IP], conntrackIsLiberal: false, randomFully: true };

/** What `svctables sync` does once its input is read, inside a namespace. */
function syncAt(namespace: string, backend: BackendName, flavour: string) {
  const raw: readonly (readonly [RawSetting["key"], string])[] = [
    ["nodeName", NODE_NAME],
    ["nodeIp", NODE_IP],
    ["clusterCidr", CLUSTER_CIDR],
    ["ipFamily", "ipv4"],
  ];
  const settings: Settings = { ...settingsOf(raw.map(([key, value]) => ({ key, value, where: key }))), backend };
  const own = backendOf(settings);
  const outside = createRunner(process.env.PATH ?? "");
  const run: Runner = (command) => {
    const args = [`--net=/run/netns/${namespace}`, command.program, ...command.args];
    return outside({ ...command, program: "nsenter", args });
  };
  const kernel = { run, flavour, records: undefined };
  return async (manifests: readonly Manifest[]): Promise<void> => {
    const decision = decide(manifests, settings, HOST, "ipv4");
    const plans = await plan(wishesOf([decision], settings), own, kernel);
    const result = await carryOut(plans, own, kernel);
    if (result.kind !== "applied") throw new Error(`the change was not applied: ${JSON.stringify(result)}`);
  };
}
