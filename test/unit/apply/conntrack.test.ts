import { describe, expect, it } from "vitest";
import { flushStaleFlows, staleFlows } from "../../../src/apply/conntrack.ts";
import type { Command, Manifest, Runner, SliceEndpoint } from "../../../src/types.ts";
import { decided, service, slice } from "../../support/manifests.ts";

function dns(endpoints: readonly (string | SliceEndpoint)[], protocol: "UDP" | "TCP" = "UDP"): readonly Manifest[] {
  const ports = [{ name: "dns", protocol, port: 53 }] as const;
  const spec = {
    type: "NodePort",
    clusterIP: "172.30.0.10",
    externalIPs: ["192.168.99.1"],
    ports: [{ ...ports[0], nodePort: 30053 }],
  } as const;
  return [service("ns/dns", spec), slice("ns/dns", endpoints, { ports })];
}

function entry(destination: string, port: number, answeredBy: string, answerPort = 53, protocol = "udp"): string {
  return `${protocol}      17 29 src=10.180.0.9 dst=${destination} sport=4000 dport=${port} [UNREPLIED] src=${answeredBy} dst=10.180.0.9 sport=${answerPort} dport=4000 mark=0 use=1`;
}

function stale(manifests: readonly Manifest[], ...entries: readonly string[]): readonly string[] {
  const flows = staleFlows(entries.join("\n"), decided(manifests));
  return flows.map(
    ({ destination, port, replySource, replyPort }) => `${destination}:${port} ${replySource}:${replyPort}`,
  );
}

describe("staleFlows", () => {
  const here = dns(["10.180.0.1"]);

  it.each<[string, string]>([
    ["a deleted endpoint, by ClusterIP", entry("172.30.0.10", 53, "10.180.0.2")],
    ["by external IP", entry("192.168.99.1", 53, "10.180.0.2")],
    ["by NodePort, on any address", entry("192.168.0.2", 30053, "10.180.0.2")],
    ["never translated", entry("172.30.0.10", 53, "172.30.0.10")],
    ["the endpoint's port has changed", entry("172.30.0.10", 53, "10.180.0.1", 5353)],
    ["a good flow to a VIP whose port is a NodePort elsewhere", entry("203.0.113.7", 30053, "203.0.113.7", 30053)],
  ])("%s", (_, line) => expect(stale(here, line)).toHaveLength(1));

  it.each<[string, string]>([
    ["a serving endpoint", entry("172.30.0.10", 53, "10.180.0.1")],
    ["another port of the ClusterIP", entry("172.30.0.10", 54, "10.180.0.2")],
    ["no Service at all", entry("198.51.100.1", 53, "198.51.100.1")],
    ["another protocol", entry("172.30.0.10", 53, "10.180.0.2", 53, "tcp")],
    ["something unreadable", "udp nonsense"],
  ])("not %s", (_, line) => expect(stale(here, line)).toEqual([]));

  it("an endpoint that serves while it terminates keeps its flows, one that does not loses them", () => {
    const line = entry("172.30.0.10", 53, "10.180.0.2");
    const going = (serving: boolean) => ({
      addresses: ["10.180.0.2"],
      conditions: { ready: false, serving, terminating: true },
    });
    expect(stale(dns(["10.180.0.1", going(true)]), line)).toEqual([]);
    expect(stale(dns(["10.180.0.1", going(false)]), line)).toHaveLength(1);
  });

  it("a Service without a serving endpoint, or of TCP, loses none", () => {
    expect(stale(dns([]), entry("172.30.0.10", 53, "10.180.0.2"))).toEqual([]);
    expect(stale(dns(["10.180.0.1"], "TCP"), entry("172.30.0.10", 53, "10.180.0.2"))).toEqual([]);
  });

  it("an address that two claim is asked for the endpoints of the one that has it", () => {
    const claimant = (name: string, ip: string, endpoint: string, externalIPs: readonly string[]) => {
      const ports = [{ name: "", protocol: "UDP", port: 53 }] as const;
      return [service(name, { clusterIP: ip, externalIPs, ports }), slice(name, [endpoint], { ports })];
    };
    const both = [
      ...claimant("ns/a", "172.30.0.10", "10.180.0.1", ["192.168.99.1"]),
      ...claimant("ns/b", "172.30.0.11", "10.180.0.2", ["192.168.99.1", "172.30.0.10"]),
    ];
    expect(stale(both, entry("192.168.99.1", 53, "10.180.0.1"), entry("172.30.0.10", 53, "10.180.0.1"))).toEqual([]);
    expect(stale(both, entry("192.168.99.1", 53, "10.180.0.2"))).toHaveLength(1);
  });

  it("reads IPv6 and names each flow once", () => {
    const manifests = [
      service("ns/dns", { clusterIP: "fd00::10", ports: [{ protocol: "UDP", port: 53 }] }),
      slice("ns/dns", ["fd00:1::1"], { addressType: "IPv6", ports: [{ name: "", protocol: "UDP", port: 53 }] }),
    ];
    const lines = [
      entry("fd00::10", 53, "fd00:1::2"),
      entry("fd00::10", 53, "fd00:1::2").replace("sport=4000", "sport=4001"),
    ];
    expect(staleFlows(lines.join("\n"), decided(manifests, { family: "ipv6" }))).toEqual([
      { destination: "fd00::10", port: 53, replySource: "fd00:1::2", replyPort: 53 },
    ]);
  });
});

describe("flushStaleFlows", () => {
  const served = decided(dns(["10.180.0.1"]));

  it("deletes by destination and answering side, as arguments", async () => {
    const commands: Command[] = [];
    const run: Runner = async (command) => {
      commands.push(command);
      return { exitCode: 0, stdout: entry("172.30.0.10", 53, "10.180.0.2"), stderr: "" };
    };
    await flushStaleFlows(run, "ipv4", served);
    expect(commands.map(({ args }) => args.join(" "))).toEqual([
      "-L -f ipv4 -p udp",
      "-D -f ipv4 -p udp --orig-dst 172.30.0.10 --orig-port-dst 53 --reply-src 10.180.0.2 --reply-port-src 53",
    ]);
  });

  it("needs one command for flows to a NodePort's number at any number of addresses", async () => {
    const lines = Array.from({ length: 300 }, (_, at) => `203.0.113.${at}`).map((ip) => entry(ip, 30053, ip, 30053));
    const commands: Command[] = [];
    const run: Runner = async (command) => {
      commands.push(command);
      return { exitCode: 0, stdout: lines.join("\n"), stderr: "" };
    };
    const result = await flushStaleFlows(run, "ipv4", served);
    expect(result.kind === "flushed" ? result.flows.length : 0).toBe(300);
    expect(commands.slice(1).map(({ args }) => args.join(" "))).toEqual([
      "-D -f ipv4 -p udp --orig-port-dst 30053 --reply-port-src 30053",
    ]);
  });

  it("tells a missing tool instead of failing the run", async () => {
    const run: Runner = () => Promise.reject(new Error("the program conntrack was not found"));
    expect(await flushStaleFlows(run, "ipv4", served)).toEqual({
      kind: "failed",
      reason: "the program conntrack was not found",
    });
  });
});
