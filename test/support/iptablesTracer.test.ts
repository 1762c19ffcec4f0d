import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { nodeAddresses } from "./addresses.ts";
import { parseIptables } from "./iptablesText.ts";
import { traceIptables } from "./iptablesTracer.ts";
import { judgeFate } from "./judge.ts";
import { packetOf } from "./packetOf.ts";
import { parsePacketTable } from "./packetTable.ts";

const DUMP = readFileSync(new URL("iptablesTracer.rules", import.meta.url), "utf8");

const FLOWS = `
pod1 -> 172.30.0.44:80/tcp => 10.180.0.1:80 masq, 192.168.0.2:8080 keep
pod2 -> 172.30.0.44:80/tcp => 10.180.0.1:80 192.168.0.2:8080 keep
client -> 172.30.0.44:80/tcp => 10.180.0.1:80 masq, 192.168.0.2:8080 keep
node -> 172.30.0.44:80/tcp => 10.180.0.1:80 192.168.0.2:8080 masq
pod2 -> 172.30.0.44:80/udp => PASS
pod2 -> 172.30.0.44:443/tcp => PASS
pod2 -> 172.30.0.47:53/udp => 10.180.0.1:53 10.180.0.2:53 keep
pod1 -> 10.180.0.3:80/tcp => PASS
node -> 192.168.99.22:80/tcp => 10.180.1.2:80 masq
pod1 -> 192.168.99.22:80/tcp => 10.180.1.2:80 keep
client -> 192.168.99.22:80/tcp => DROP
client -> node:3001/tcp => DROP
node -> node:3001/tcp => 10.180.1.2:80 masq
client -> node:3004/tcp => 10.180.0.1:80 masq, 192.168.0.2:8080 keep
node -> alt:3004/tcp => 10.180.0.1:80 192.168.0.2:8080 masq
lo -> lo:3004/tcp => PASS
lo -> lo:3006/tcp => REJECT
client -> lo:3004/tcp => DROP
client -> node:3006/tcp => REJECT
node -> node:3006/tcp => REJECT
client -> node:30000/tcp => ACCEPT
client -> node:30001/tcp => PASS
client -> 198.51.100.5:80/tcp => 10.180.0.1:80 masq, 192.168.0.2:8080 keep
blocked -> 198.51.100.5:80/tcp => DROP
node -> 198.51.100.5:80/tcp => DROP
pod1 -> 172.30.0.46:80/tcp => REJECT
node -> 172.30.0.46:80/tcp => REJECT
`;

describe("the iptables tracer", () => {
  const rules = parseIptables(DUMP);
  test.each(parsePacketTable(FLOWS, "ipv4", "iptables"))("$text", (flow) => {
    const fate = traceIptables(rules, packetOf(flow, "ipv4"), nodeAddresses("ipv4"));
    expect(judgeFate(flow.expected, fate)).toBeUndefined();
  });

  test("reads restore input with insertions at the head", () => {
    const text = "*nat\n:A - [0:0]\n-A A -j DROP\n-I PREROUTING 1 -j A\n-I PREROUTING -j ACCEPT\nCOMMIT\n";
    const chain = parseIptables(text).get("nat")?.get("PREROUTING");
    expect(chain?.map(({ text }) => text)).toEqual(["-I PREROUTING -j ACCEPT", "-I PREROUTING 1 -j A"]);
  });

  test.each([
    ["a jump to nowhere", "-A INPUT -j KUBE-NONE", /unknown chain/],
    ["a match that it does not know", "-A INPUT -m hashlimit --hashlimit-upto 1/sec -j DROP", /unknown option/],
    ["a rule for a chain that nobody declared", "-A KUBE-NONE -j DROP", /unknown chain/],
  ])("refuses %s", (_name, line, problem) => {
    expect(() => parseIptables(`*filter\n${line}\nCOMMIT\n`)).toThrow(problem);
  });

  test("does not call it a fate when a packet is refused by chance", () => {
    const text =
      "*filter\n-A FORWARD -m statistic --mode random --probability 0.5 -j REJECT\n-A FORWARD -j DROP\nCOMMIT\n";
    const [flow] = parsePacketTable("pod1 -> 172.30.0.44:80/tcp => DROP", "ipv4", "iptables");
    if (flow === undefined) throw new Error("no flow");
    expect(() => traceIptables(text, packetOf(flow, "ipv4"), [])).toThrow(/fates mix/);
  });
});
