import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Family } from "../../src/types.ts";
import { ipv6TwinOfText } from "../support/ipv6Twin.ts";
import { createNetwork, type Network } from "../support/network.ts";
import { listenEverywhere, probe } from "../support/packetProbe.ts";
import { parsePacketTable } from "../support/packetTable.ts";
import { requireKernel } from "../support/requireKernel.ts";

/** Proves, on rules written by hand, that the network and the probes can tell every fate from the others. */

const RULES = `*filter
:KUBE-SERVICES - [0:0]
-A KUBE-SERVICES -d 172.30.0.46/32 -p tcp -m tcp --dport 80 -j REJECT
-A KUBE-SERVICES -d 172.30.0.46/32 -p udp -m udp --dport 53 -j REJECT
-A KUBE-SERVICES -d 172.30.0.47/32 -p tcp -m tcp --dport 80 -j DROP
-A INPUT -p tcp -m tcp --dport 8080 -j REJECT
-A FORWARD -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
COMMIT
*nat
:KUBE-SERVICES - [0:0]
:KUBE-MARK-MASQ - [0:0]
:KUBE-SEP-1 - [0:0]
:KUBE-SEP-2 - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A OUTPUT -j KUBE-SERVICES
-A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE
-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000
-A KUBE-SERVICES ! -s 10.180.0.0/16 -d 172.30.0.41/32 -j KUBE-MARK-MASQ
-A KUBE-SERVICES -d 172.30.0.41/32 -p tcp -m tcp --dport 80 -m statistic --mode random --probability 0.5 -j KUBE-SEP-1
-A KUBE-SERVICES -d 172.30.0.41/32 -p tcp -m tcp --dport 80 -j KUBE-SEP-2
-A KUBE-SERVICES -d 172.30.0.41/32 -p udp -m udp --dport 53 -j KUBE-SEP-2
-A KUBE-SERVICES -d 172.30.0.41/32 -p udp -m udp --dport 80 -j DNAT --to-destination 10.180.0.3:80
-A KUBE-SEP-1 -s 10.180.0.1/32 -j KUBE-MARK-MASQ
-A KUBE-SEP-1 -p tcp -j DNAT --to-destination 10.180.0.1:80
-A KUBE-SEP-2 -p tcp -j DNAT --to-destination 10.180.1.2:8080
-A KUBE-SEP-2 -p udp -j DNAT --to-destination 10.180.1.2:53
COMMIT
`;

const HOLDS = `
pod1 -> 172.30.0.41:80/tcp => 10.180.0.1:80 masq, 10.180.1.2:8080 keep
pod2 -> 172.30.0.41:80/tcp => 10.180.0.1:80 10.180.1.2:8080 keep
pod3 -> 172.30.0.41:53/udp => 10.180.1.2:53 keep
node -> 172.30.0.41:80/tcp => 10.180.0.1:80 10.180.1.2:8080 masq
client -> 172.30.0.41:80/tcp => 10.180.0.1:80 10.180.1.2:8080 masq
blocked -> 172.30.0.41:53/udp => 10.180.1.2:53 masq
node2 -> 172.30.0.41:80/tcp => 10.180.0.1:80 10.180.1.2:8080 masq
remote1 -> 172.30.0.41:80/udp => 10.180.0.3:80 keep
pod1 -> 172.30.0.46:80/tcp => REJECT
node -> 172.30.0.46:80/tcp => REJECT
client -> 172.30.0.46:80/tcp => REJECT
client -> 172.30.0.46:53/udp => REJECT
pod1 -> 172.30.0.47:80/tcp => DROP
node -> 172.30.0.47:80/tcp => DROP
client -> 172.30.0.47:80/tcp => DROP
pod1 -> 172.30.0.46:443/tcp => PASS
client -> 198.51.100.7:53/udp => PASS
node2 -> 192.168.99.22:80/tcp => PASS
node -> 192.168.99.22:80/udp => PASS
client -> node:80/tcp => PASS
pod2 -> alt:80/udp => PASS
pod1 -> local:80/udp => PASS
lo -> lo:80/tcp => PASS
client -> node:8080/tcp => REJECT
`;

/** Each of these is wrong, and the probe must say so. */
const WRONG: readonly (readonly [string, RegExp])[] = [
  ["pod1 -> 172.30.0.46:80/tcp => DROP", /found refused/],
  ["pod1 -> 172.30.0.46:80/tcp => PASS", /found refused/],
  ["client -> 172.30.0.46:53/udp => 10.180.1.2:53", /found refused/],
  ["pod1 -> 172.30.0.46:443/tcp => REJECT", /found \S+:443 which saw/],
  ["client -> 198.51.100.7:53/udp => DROP", /found \S+:53 which saw/],
  ["pod2 -> 172.30.0.41:80/tcp => 10.180.0.1:80 keep", /found \S+:8080 which saw/],
  ["pod2 -> 172.30.0.41:80/tcp => 10.180.0.1:80 10.180.1.2:8080 masq", /which saw/],
  ["client -> 172.30.0.41:80/tcp => 10.180.0.1:80 10.180.1.2:8080 keep", /which saw/],
  ["pod3 -> 172.30.0.41:53/udp => 10.180.1.2:53 10.180.1.3:53 keep", /53 never answered/],
  ["client -> 172.30.0.41:80/tcp => 10.180.0.1:80 10.180.1.2:8080 sticky a", /one client met/],
];

requireKernel();

describe.each<Family>(["ipv4", "ipv6"])("the test network, %s", (family) => {
  let network: Network;
  const holds = parsePacketTable(HOLDS, family, "iptables");
  const wrong = WRONG.map(([line, problem]) => ({ flows: parsePacketTable(line, family, "iptables"), problem }));

  beforeAll(async () => {
    network = await createNetwork();
    const rules = family === "ipv4" ? RULES : ipv6TwinOfText(RULES);
    network.run("node", family === "ipv4" ? "iptables-restore" : "ip6tables-restore", [], rules);
    await listenEverywhere(network, family, [...holds, ...wrong.flatMap(({ flows }) => flows)], [53, 80, 8080]);
  });

  afterAll(() => network.close());

  test("every flow meets what its rules say", async () => {
    expect(await probe(network, family, holds)).toEqual([]);
  });

  test("a table that is wrong does not hold", async () => {
    const found = await Promise.all(wrong.map(({ flows }) => probe(network, family, flows)));
    expect(found).toEqual(wrong.map(({ problem }) => [expect.stringMatching(problem)]));
  });
});
