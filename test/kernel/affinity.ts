import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Family } from "../../src/types.ts";
import { CLUSTER_CIDR, inFamily, LOCAL_PODS, NODE_IP, NODE_NAME, REMOTE_PODS, VANTAGES } from "../support/addresses.ts";
import { createNetwork, type Network } from "../support/network.ts";
import { listenEverywhere } from "../support/packetProbe.ts";
import { type Flavour, flavourText, type Program, programAt } from "../support/program.ts";
import { canRun } from "../support/requireKernel.ts";

/** Long enough for a busy machine between two connections, short enough to wait for. */
const TIMEOUT_SECONDS = 4;
const LONG_TIMEOUT_SECONDS = 600;
const PORT = 8080;
/** Four to choose from, so that a client which chooses anew soon meets another one. */
const ENDPOINTS = [...LOCAL_PODS.slice(0, 2), ...REMOTE_PODS.slice(0, 2)];
const CLUSTER_IP = "172.30.0.41";

/** How session affinity behaves in time, which no table can say: refreshed, expired, and gone with its endpoint. */
export function affinitySuite(flavour: Flavour, family: Family): void {
  describe.runIf(canRun(flavour))(`affinity in time: ${flavourText(flavour)}, ${family}`, () => {
    let network: Network;
    let program: Program;

    beforeAll(async () => {
      network = await createNetwork();
      program = programAt(network.namespace("node"), flavour);
      await listenEverywhere(network, family, [], [PORT]);
    });

    afterAll(async () => {
      program?.close();
      await network?.close();
    });

    const sync = (name: string, timeoutSeconds: number, endpoints: readonly string[]) =>
      program.succeed("sync", flagsOf(family), manifestsOf({ name, timeoutSeconds, endpoints }, family));

    /** The endpoint that a new connection of the client meets. */
    async function connect(): Promise<string> {
      const outcome = await network.agent("client").connect({
        protocol: "tcp",
        source: inFamily(VANTAGES.client.source, family),
        destination: inFamily(CLUSTER_IP, family),
        port: 80,
        timeout: 8000,
      });
      if (outcome.outcome !== "answered") throw new Error(`the client met nobody: ${JSON.stringify(outcome)}`);
      return outcome.endpoint;
    }

    test("each new connection prolongs it", async () => {
      await sync("prolonged", TIMEOUT_SECONDS, ENDPOINTS);
      const first = await connect();
      for (let seconds = 0; seconds < 2 * TIMEOUT_SECONDS; seconds += 1) {
        await sleep(1000);
        expect(await connect()).toBe(first);
      }
    });

    test("it ends after its time", async () => {
      await sync("expiring", 1, ENDPOINTS);
      const met = new Set([await connect()]);
      // One in four meets the same again: after eight rounds that is no chance any more.
      for (let round = 0; round < 8 && met.size < 2; round += 1) {
        await sleep(1500);
        met.add(await connect());
      }
      expect(met.size).toBe(2);
    });

    test("it ends with its endpoint, and other endpoints' clients are let be", async () => {
      await sync("leaving", LONG_TIMEOUT_SECONDS, ENDPOINTS);
      const gone = await connect();
      const others = ENDPOINTS.filter((ip) => !gone.includes(inFamily(ip, family)));
      await sync("leaving", LONG_TIMEOUT_SECONDS, others);
      const next = await connect();
      expect(next).not.toBe(gone);
      // Back again: the client stays where it is now.
      await sync("leaving", LONG_TIMEOUT_SECONDS, ENDPOINTS);
      expect(await connect()).toBe(next);
    });
  });
}

function flagsOf(family: Family): Readonly<Record<string, string>> {
  return {
    "node-name": NODE_NAME,
    "node-ip": inFamily(NODE_IP, family),
    "cluster-cidr": inFamily(CLUSTER_CIDR, family),
    "ip-family": family,
  };
}

interface Sticky {
  readonly name: string;
  readonly timeoutSeconds: number;
  readonly endpoints: readonly string[];
}

function manifestsOf({ name, timeoutSeconds, endpoints }: Sticky, family: Family): string {
  const service = {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: {
      clusterIP: inFamily(CLUSTER_IP, family),
      ports: [{ port: 80 }],
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds } },
    },
  };
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
    addressType: family === "ipv4" ? "IPv4" : "IPv6",
    ports: [{ name: "", port: PORT, protocol: "TCP" }],
    endpoints: endpoints.map((ip) => ({ addresses: [inFamily(ip, family)] })),
  };
  return JSON.stringify({ apiVersion: "v1", kind: "List", items: [service, slice] });
}
