import { setTimeout as wait } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createRunner } from "../../src/apply/exec.ts";
import { backendOf, carryOut, decide, plan, readInput, wishesOf } from "../../src/pipeline.ts";
import type { HostFacts } from "../../src/settings/node.ts";
import { type RawSetting, type Settings, settingsOf } from "../../src/settings/settings.ts";
import type { Runner } from "../../src/types.ts";
import {
  CLUSTER_CIDR,
  createLane,
  type FloodedService,
  type FloodResult,
  type Lane,
  manifestsOf,
  NODE_IP,
  NODE_NAME,
  PORT,
  startFlood,
} from "../support/flood.ts";
import { type Flavour, flavourText, programAt } from "../support/program.ts";
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
/**
 * Each with many flows before the first change and between any two. The match `recent` of iptables keeps no more
 * than 100 clients for an endpoint.
 */
const CLIENTS = 80;
/** A slow machine makes fewer changes, and says so; none that makes fewer than this part proves anything. */
const LONGEST_SECONDS = 80;
const LEAST_PART = 0.1;
/** Milliseconds for all clients to be heard of before the first change. */
const WARM_UP = 1_500;

/** How often whole runs of the program change the endpoints. */
const PROGRAM_CHANGES = 8;

requireKernel();

interface Variant {
  readonly flavour: Flavour;
  readonly title: string;
  /** How often the endpoints change. */
  readonly changes: number;
}

function variant(flavour: Flavour, changes: number): Variant {
  return { flavour, title: flavourText(flavour), changes };
}

const VARIANTS: readonly Variant[] = [
  variant({ backend: "nftables", nft: "system" }, 300),
  variant({ backend: "iptables", variant: "nft" }, 60),
];

/** Makes the node hold these manifests. */
type Sync = (manifests: string) => Promise<void>;

describe.each(VARIANTS)("under load, $title", ({ flavour, changes }) => {
  let lane: Lane;

  beforeEach(() => {
    lane = createLane();
  });

  afterEach(() => lane.close());

  test(`${changes} changes lose no flow`, async () => {
    await floodWhileChanging(syncIn(lane.node, flavour), "None", changes);
  });

  test(`${changes} changes lose no flow with session affinity, and no client its endpoint`, async () => {
    lane.watchClients();
    let first: ReadonlyMap<string, readonly string[]> = new Map();
    await floodWhileChanging(syncIn(lane.node, flavour), "ClientIP", changes, () => {
      first = lane.met();
    });
    const last = lane.met();
    const staying = [...first].filter(([, endpoints]) => STAYING.includes(endpoints[0] ?? ""));
    expect(first.size).toBe(CLIENTS);
    expect(staying.length).toBeGreaterThan(CLIENTS / 3);
    const strayed = staying.filter(([client]) => last.get(client)?.length !== 1);
    expect(strayed.map(([client]) => [client, first.get(client), last.get(client)])).toEqual([]);
    // A client whose endpoint went may have met many, but of those that stay only one.
    const torn = [...last].filter(([, endpoints]) => endpoints.filter((ip) => STAYING.includes(ip)).length > 1);
    expect(torn).toEqual([]);
  });

  test("whole runs of the program, which also end stale flows, lose none", async () => {
    const program = programAt(lane.node, flavour);
    try {
      const flags = { "node-name": NODE_NAME, "node-ip": NODE_IP, "cluster-cidr": CLUSTER_CIDR };
      const sync: Sync = async (manifests) => void (await program.succeed("sync", flags, manifests));
      await floodWhileChanging(sync, "None", PROGRAM_CHANGES);
    } finally {
      program.close();
    }
  });

  /** Sends from before the first change until after the last one; `beforeChanges` runs when all clients are known. */
  async function floodWhileChanging(
    sync: Sync,
    affinity: FloodedService["affinity"],
    count: number,
    beforeChanges: () => void = () => undefined,
  ): Promise<void> {
    const [start = "", ...others] = endpointSets(count).map((endpoints) =>
      manifestsOf([{ name: "web", clusterIP: CLUSTER_IP, endpoints, affinity }]),
    );
    await sync(start);
    const flood = startFlood(lane.sender, { target: CLUSTER_IP, port: PORT, sources: CLIENTS, rate: RATE });
    let made = 0;
    try {
      await wait(WARM_UP);
      beforeChanges();
      const end = Date.now() + 1000 * LONGEST_SECONDS;
      for (const manifests of others) {
        if (Date.now() > end) break;
        await Promise.race([sync(manifests), tooEarly(flood.ended)]);
        made += 1;
      }
    } finally {
      await flood.stop();
    }
    await wait(300);
    judge(await flood.ended, made, count);
  }

  function judge({ sent, seconds }: FloodResult, made: number, changes: number): void {
    const { entered, left } = lane.passed();
    const delivered = [...lane.delivered().values()].reduce((sum, packets) => sum + packets, 0);
    const rate = Math.round(sent / seconds);
    const story = `${made} changes while ${sent} flows were sent in ${seconds.toFixed(1)} s (${rate} per second); \
${entered} entered the node, ${left} left it for an endpoint, ${delivered} arrived`;
    // With numbers even when all is well: how much was proven depends on the machine.
    if (rate >= 0.95 * RATE && made === changes) console.log(story);
    else console.warn(`!!! LESS THAN ${RATE} NEW FLOWS PER SECOND AND ${changes} CHANGES: ${story}`);
    expect(made, story).toBeGreaterThanOrEqual(LEAST_PART * changes);
    expect(rate, story).toBeGreaterThan(LEAST_RATE);
    expect({ entered, lost: entered - left, delivered }, story).toEqual({ entered: sent, lost: 0, delivered: sent });
  }
});

/** A sender that ends by itself has failed. */
async function tooEarly(ended: Promise<FloodResult>): Promise<never> {
  await ended;
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

// ── How it is changed ────────────────────────────────────────────────────────────────────────────

const HOST: HostFacts = { hostName: NODE_NAME, addresses: [NODE_IP], conntrackIsLiberal: false, randomFully: true };

/** What `svctables sync` does, without the start of a process for each change. */
function syncIn(namespace: string, flavour: Flavour): Sync {
  const raw: readonly (readonly [RawSetting["key"], string])[] = [
    ["nodeName", NODE_NAME],
    ["nodeIp", NODE_IP],
    ["clusterCidr", CLUSTER_CIDR],
    ["ipFamily", "ipv4"],
    ["backend", flavour.backend],
  ];
  const settings: Settings = settingsOf(raw.map(([key, value]) => ({ key, value, where: key })));
  const backend = backendOf(settings);
  const outside = createRunner(process.env.PATH ?? "");
  const run: Runner = (command) => {
    const args = [`--net=/run/netns/${namespace}`, command.program, ...command.args];
    return outside({ ...command, program: "nsenter", args });
  };
  const kernel = { run, flavour: flavour.backend === "iptables" ? flavour.variant : "nft", records: undefined };
  return async (text) => {
    const { manifests } = await readInput(["-"], async () => Buffer.from(text), settings);
    const decision = decide(manifests, settings, HOST, "ipv4");
    const plans = await plan(wishesOf([decision], settings), backend, kernel);
    const result = await carryOut(plans, backend, kernel);
    if (result.kind !== "applied") throw new Error(`the change was not applied: ${JSON.stringify(result)}`);
  };
}
