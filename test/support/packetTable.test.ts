import { describe, expect, test } from "vitest";
import type { Family, ServiceManifest } from "../../src/types.ts";
import { parsePacketTable } from "./packetTable.ts";

const WEB: ServiceManifest = {
  kind: "Service",
  source: { file: "test", document: 0 },
  metadata: { name: "web", namespace: "shop" },
  spec: {
    type: "NodePort",
    clusterIPs: ["172.30.7.7", "fd00:172:30::77"],
    ports: [
      { port: 53, protocol: "UDP", nodePort: 30053 },
      { port: 53, protocol: "TCP", nodePort: 30054 },
    ],
  },
};

describe("packet tables", () => {
  test("a flow with endpoints that are masqueraded, kept and untold", () => {
    const [flow] = parsePacketTable(
      "pod1 -> 172.30.0.41:80/tcp => 10.180.0.1:80 masq, 10.180.0.2:80 10.180.1.1:80 keep, 192.168.0.2:80 sticky a # why",
      "ipv4",
      "iptables",
    );
    expect(flow).toMatchObject({ vantage: "pod1", destination: "172.30.0.41", port: 80, protocol: "tcp", sticky: "a" });
    expect(flow?.expected).toEqual({
      kind: "endpoints",
      endpoints: [
        { address: "10.180.0.1:80", masqueraded: true },
        { address: "10.180.0.2:80", masqueraded: false },
        { address: "10.180.1.1:80", masqueraded: false },
        { address: "192.168.0.2:80", masqueraded: undefined },
      ],
    });
  });

  test("the same in IPv6, names of the node included", () => {
    const flows = parsePacketTable(
      "client -> alt:30080/udp => 10.180.1.1:80 masq\nlo -> lo:30080/udp => PASS",
      "ipv6",
      "iptables",
    );
    expect(flows.map(({ destination }) => destination)).toEqual(["fd00:192:168:1::2", "::1"]);
    expect(flows[0]?.expected).toMatchObject({ endpoints: [{ address: "[fd00:10:180:1::1]:80" }] });
  });

  test("a Service by its name: its address, and its NodePort behind an address of the node", () => {
    const flows = (table: string, family: Family) => parsePacketTable(table, family, "iptables", [WEB]);
    expect(flows("pod1 -> web.shop:53/udp => DROP", "ipv4")).toMatchObject([{ destination: "172.30.7.7", port: 53 }]);
    expect(flows("pod1 -> web.shop:53/udp => DROP", "ipv6")).toMatchObject([{ destination: "fd00:172:30::77" }]);
    const nodePorts = "client -> node/web.shop:53/udp => DROP\nclient -> alt/web.shop:53/tcp => DROP";
    expect(flows(nodePorts, "ipv6")).toMatchObject([
      { destination: "fd00:192:168::2", port: 30053 },
      { destination: "fd00:192:168:1::2", port: 30054 },
    ]);
    for (const nowhere of ["web:53/udp", "node/web:53/udp", "node/web.shop:80/udp", "web.shop/web.shop:53/udp"]) {
      expect(() => flows(`pod1 -> ${nowhere} => DROP`, "ipv4")).toThrow(/unknown destination/);
    }
  });

  test.each([
    ["", ["iptables ipv4", "iptables ipv6", "nftables ipv4", "nftables ipv6"]],
    ["[iptables] ", ["iptables ipv4", "iptables ipv6"]],
    ["[ipv6] ", ["iptables ipv6", "nftables ipv6"]],
    ["[nftables ipv4] ", ["nftables ipv4"]],
    ["[iptables nftables ipv4] ", ["iptables ipv4", "nftables ipv4"]],
  ])("%j counts for the right runs", (condition, expected) => {
    const counting = (["iptables", "nftables"] as const).flatMap((backend) =>
      (["ipv4", "ipv6"] as const)
        .filter((family) => parsePacketTable(`${condition}pod1 -> node:80/tcp => DROP`, family, backend).length > 0)
        .map((family) => `${backend} ${family}`),
    );
    expect(counting).toEqual(expected);
  });

  test.each([
    ["pod1 => DROP", /not a flow/],
    ["pod9 -> node:80/tcp => DROP", /unknown vantage/],
    ["[ipset] pod1 -> node:80/tcp => DROP", /unknown condition/],
    ["pod1 -> nowhere:80/tcp => DROP", /unknown destination/],
    ["pod1 -> 172.30.0.041:80/tcp => DROP", /unknown destination/],
    ["pod1 -> node:80/tcp => REFUSE", /not an endpoint/],
    ["pod1 -> node:80/tcp => 10.180.0.1 masq", /not an endpoint/],
    ["pod1 -> node:80/icmp => DROP", /not a flow/],
  ])("refuses %s", (line, problem) => {
    expect(() => parsePacketTable(line, "ipv4", "iptables")).toThrow(problem);
  });
});
