import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nftables } from "../../src/backends/nftables/index.ts";
import { joinAddress } from "../../src/ip.ts";
import type { Family, Manifest, ServiceSpec, Table } from "../../src/types.ts";
import { renderOptions, rulesetOf, service, slice } from "../support/manifests.ts";
import { addNamespace, deleteNamespace, ip, uniquePrefix } from "../support/namespaces.ts";
import { type NftNode, nftNode } from "../support/nftNode.ts";
import { nftPrograms } from "../support/nftPrograms.ts";
import { type Agent, startAgent } from "../support/probe.ts";
import { requireKernel } from "../support/requireKernel.ts";

/**
 * Session affinity of many clients through changes, with real connections. Clients and endpoints are addresses of one
 * namespace, so that there can be many of both.
 */

const NETWORK = {
  ipv4: { clusterIP: "172.30.0.41", externalIP: "192.168.99.22", endpoint: "10.8.0.", client: "10.9.0.", prefix: 32 },
  ipv6: { clusterIP: "fd00::41", externalIP: "fd00::99:22", endpoint: "fd08::", client: "fd09::", prefix: 128 },
} as const;
/** Enough that chance cannot send them all the same way twice. */
const CLIENTS = Array.from({ length: 24 }, (_, index) => index + 1);
const PORT = 8080;

requireKernel();

describe.each(nftPrograms())("session affinity, $title", ({ path }) => {
  describe.each<Family>(["ipv4", "ipv6"])("%s", (family) => {
    const net = NETWORK[family];
    let namespace: string;
    let node: NftNode;
    let agent: Agent;

    beforeEach(async () => {
      namespace = uniquePrefix();
      addNamespace(namespace);
      const addresses = [1, 2, 3, 4]
        .map((host) => net.endpoint + host)
        .concat(CLIENTS.map((host) => net.client + host));
      for (const address of addresses) addAddress(namespace, `${address}/${net.prefix}`);
      for (const vip of [net.clusterIP, net.externalIP]) {
        ip(["-n", namespace, "route", "add", `${vip}/${net.prefix}`, "dev", "lo"]);
      }
      node = nftNode(namespace, path, family);
      agent = await startAgent(namespace);
      await agent.listen([1, 2, 3, 4].map((host) => ({ protocol: "tcp", ip: net.endpoint + host, port: PORT })));
    });

    afterEach(async () => {
      await agent.close();
      deleteNamespace(namespace);
    });

    function wanted(endpoints: readonly number[], seconds: number, others: readonly Manifest[] = []): readonly Table[] {
      const addressType = family === "ipv4" ? "IPv4" : "IPv6";
      const spec: Partial<ServiceSpec> = {
        clusterIP: net.clusterIP,
        ipFamilies: [addressType],
        externalIPs: [net.externalIP],
        sessionAffinity: "ClientIP",
        sessionAffinityConfig: { clientIP: { timeoutSeconds: seconds } },
      };
      const ports = [{ name: "", protocol: "TCP" as const, port: PORT }];
      const manifests = [
        service("ns/web", spec),
        slice(
          "ns/web",
          endpoints.map((host) => net.endpoint + host),
          { addressType, ports },
        ),
        ...others,
      ];
      return nftables.render(
        rulesetOf(manifests, { family, localDetector: { kind: "none" } }),
        renderOptions({ family, serviceCIDRs: [] }),
      );
    }

    /** Who answers one connection of this client. */
    async function answerTo(host: number, destination: string): Promise<number> {
      const source = net.client + host;
      const outcome = await agent.connect({ protocol: "tcp", source, destination, port: 80, timeout: 8000 });
      if (outcome.outcome !== "answered") throw new Error(`${source} → ${destination}: ${JSON.stringify(outcome)}`);
      const found = [1, 2, 3, 4].find((endpoint) => outcome.endpoint === joinAddress(net.endpoint + endpoint, PORT));
      return found ?? 0;
    }

    const answers = (destination: string = net.clusterIP): Promise<readonly number[]> =>
      Promise.all(CLIENTS.map((host) => answerTo(host, destination)));

    test("every client keeps to its endpoint, on all addresses of the Service and through other changes", async () => {
      node.sync(wanted([1, 2, 3], 60));
      const first = await answers();
      expect(new Set(first)).toEqual(new Set([1, 2, 3]));
      expect(await answers()).toEqual(first);
      expect(await answers(net.externalIP)).toEqual(first);
      node.sync(wanted([1, 2, 3], 60, [service("ns/other", { clusterIP: "10.0.0.7" })]));
      expect(await answers()).toEqual(first);
      node.sync(wanted([3, 4, 1, 2], 90));
      expect(await answers(net.externalIP)).toEqual(first);
    });

    test("a removed endpoint is forgotten at once, also when it comes back; the others keep their clients", async () => {
      node.sync(wanted([1, 2, 3], 60));
      const first = await answers();
      const { undo } = node.sync(wanted([2, 3], 60));
      node.sync(wanted([1, 2, 3], 60));
      const second = await answers();
      first.forEach((endpoint, index) => {
        if (endpoint !== 1) expect(second[index]).toBe(endpoint);
      });
      const returned = second.filter((_, index) => first[index] === 1);
      expect(returned.length).toBeGreaterThan(2);
      expect(new Set(returned).size).toBeGreaterThan(1);
      expect(undo.length).toBeGreaterThan(0);
    });

    test("a run that is killed between its steps is not believed, and its numbers are given to nobody else", async () => {
      node.sync(wanted([1], 60));
      expect(nftables.stamp(node.held())).toBeDefined();
      const { steps } = nftables.transaction(family, node.changesTo(wanted([1, 2], 60)));
      expect(steps.length).toBeGreaterThan(1);
      node.run(steps.slice(0, 1));
      // A record is believed only where the kernel's stamp is its own.
      expect(nftables.stamp(node.held())).toBeUndefined();
      node.sync(wanted([1, 3], 60));
      node.sync(wanted([1, 2, 3], 60));
      expect(node.changesTo(wanted([1, 2, 3], 60))).toEqual([]);
      expect(nftables.stamp(node.held())).toBeDefined();
      const first = await answers();
      expect(new Set(first)).toEqual(new Set([1, 2, 3]));
      expect(await answers()).toEqual(first);
    });

    test("an undone change takes no client's endpoint away", async () => {
      node.sync(wanted([1, 2, 3], 60));
      const first = await answers();
      const { undo } = node.sync(wanted([2, 3], 60));
      node.run(undo);
      expect(await answers()).toEqual(first);
    });
  });
});

function addAddress(namespace: string, address: string): void {
  const options = address.includes(":") ? ["nodad"] : [];
  ip(["-n", namespace, "address", "add", address, "dev", "lo", ...options]);
}
