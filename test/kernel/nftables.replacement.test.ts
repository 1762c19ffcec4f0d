import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { nftables } from "../../src/backends/nftables/index.ts";
import { diff } from "../../src/diff.ts";
import type { Family, ServiceSpec, Table } from "../../src/types.ts";
import { renderOptions, rulesetOf, service, slice } from "../support/manifests.ts";
import { addNamespace, deleteNamespace, inNamespace, ip, sysctl, uniquePrefix } from "../support/namespaces.ts";
import { nftPrograms } from "../support/nftPrograms.ts";
import { requireKernel } from "../support/requireKernel.ts";

/** New flows all the while, at full speed, as the endpoints of the very Service that they are for come and go. */

const FLOOD = fileURLToPath(new URL("../support/flood.mjs", import.meta.url));
const NETWORK = {
  ipv4: { clusterIPs: ["172.30.0.41", "172.30.0.42"], endpoint: "10.8.0.", source: "10.9.0.1", prefix: 32 },
  ipv6: { clusterIPs: ["fd00::41", "fd00::42"], endpoint: "fd08::", source: "fd09::1", prefix: 128 },
} as const;
const UPDATES = { ipv4: 300, ipv6: 60 } as const;
const FLOWS_PER_SECOND = 20_000;
const AFFINITY = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } } as const;

requireKernel();
const [program] = nftPrograms().slice(-1);

describe.each<Family>(["ipv4", "ipv6"])("replacement under load, %s", (family) => {
  const net = NETWORK[family];
  let namespace: string;

  beforeEach(() => {
    namespace = uniquePrefix();
    addNamespace(namespace);
    const nodad = family === "ipv6" ? ["nodad"] : [];
    for (const address of [net.source, ...range(1, 12).map((host) => net.endpoint + host)]) {
      ip(["-n", namespace, "address", "add", `${address}/${net.prefix}`, "dev", "lo", ...nodad]);
    }
    for (const vip of net.clusterIPs) ip(["-n", namespace, "route", "add", `${vip}/${net.prefix}`, "dev", "lo"]);
    sysctl(namespace, { "net.netfilter.nf_conntrack_udp_timeout": "0" });
  });

  afterEach(() => deleteNamespace(namespace));

  /** Two Services with these endpoints, the second one with session affinity. */
  function wanted(endpoints: readonly number[]): readonly Table[] {
    const addressType = family === "ipv4" ? "IPv4" : "IPv6";
    const ports = [{ name: "", protocol: "UDP" as const, port: 9 }];
    const manifests = net.clusterIPs.flatMap((clusterIP, index) => {
      const name = `ns/web${index}`;
      const spec: Partial<ServiceSpec> = { clusterIP, ipFamilies: [addressType], ...(index === 1 ? AFFINITY : {}) };
      const ips = endpoints.map((host) => net.endpoint + host);
      return [
        service(name, { ...spec, ports: [{ protocol: "UDP", port: 80 }] }),
        slice(name, ips, { addressType, ports }),
      ];
    });
    const ruleset = rulesetOf(manifests, { family, localDetector: { kind: "none" } });
    return nftables.render(ruleset, renderOptions({ family, serviceCIDRs: [] }));
  }

  /** What a run would feed, from what the run before it left. */
  async function sync(held: readonly Table[], endpoints: readonly number[]): Promise<readonly Table[]> {
    const settled = nftables.settle(wanted(endpoints), held);
    for (const { text } of nftables.transaction(family, diff(nftables, held, settled)).steps) {
      await execa("ip", ["netns", "exec", namespace, program?.path ?? "nft", "-f", "-"], { input: text });
    }
    return settled;
  }

  test(`${UPDATES[family]} changes, no flow lost`, async () => {
    const word = family === "ipv4" ? "ip" : "ip6";
    const probe = `table ${word} probe {\n chain new { type nat hook output priority -150; meta l4proto udp counter; }\n}\n`;
    inNamespace(namespace, "nft", ["-f", "-"], probe);
    let held = await sync([], range(1, 10));
    const destinations = net.clusterIPs.join(",");
    const words = [process.execPath, FLOOD, net.source, destinations, "80", String(FLOWS_PER_SECOND)];
    const flood = execa("ip", ["netns", "exec", namespace, ...words], { stdin: "pipe" });
    for (let update = 1; update <= UPDATES[family]; update++) {
      // One endpoint fewer, another one in its place, one more, the first one again.
      const endpoints = [range(2, 10), range(2, 11), range(1, 11), range(1, 10)][update % 4] ?? [];
      held = await sync(held, endpoints);
    }
    flood.stdin.end();
    const { sent, refused } = JSON.parse((await flood).stdout);
    expect(refused).toBe(0);
    expect(sent).toBeGreaterThan(UPDATES[family] * 50);
    // Only the first packet of a flow meets a nat chain: so many flows there were.
    const flows = Number(/packets (\d+)/.exec(inNamespace(namespace, "nft", ["list", "table", word, "probe"]))?.[1]);
    expect(flows).toBeGreaterThan(sent * 0.99);
  });
});

function range(first: number, last: number): readonly number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
