import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Flavour } from "../support/program.ts";
import { requireKernel } from "../support/requireKernel.ts";
import { type BareNode, bareNode } from "./bareNode.ts";

/** What becomes of UDP flows when the endpoint goes that they lead to. */

requireKernel();

const FLAVOURS: readonly Flavour[] = [
  { backend: "iptables", variant: "nft" },
  { backend: "nftables", nft: "system" },
];

const DNS = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "dns" },
  spec: { clusterIP: "172.30.0.10", ports: [{ port: 53, protocol: "UDP" }] },
};

const READY = { ready: true };
const TERMINATING = { ready: false, serving: true, terminating: true };
const GONE = { ready: false, serving: false, terminating: true };

type Conditions = typeof READY | typeof TERMINATING;

function clusterWith(conditions: Readonly<Record<string, Conditions>>): string {
  const slice = {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { name: "dns-1", labels: { "kubernetes.io/service-name": "dns" } },
    addressType: "IPv4",
    ports: [{ name: "", port: 5353, protocol: "UDP" }],
    endpoints: Object.entries(conditions).map(([ip, state]) => ({ addresses: [ip], conditions: state })),
  };
  return JSON.stringify({ apiVersion: "v1", kind: "List", items: [DNS, slice] });
}

describe.each(FLAVOURS)("flows of UDP Services: $backend", (flavour) => {
  let node: BareNode;
  const sync = (conditions: Readonly<Record<string, Conditions>>) =>
    node.program.succeed("sync", node.flags, clusterWith(conditions));

  beforeEach(() => {
    node = bareNode(flavour);
  });
  afterEach(() => node.close());

  const addFlow = (port: number, endpoint: string) =>
    node.run("conntrack", [
      ...["-I", "-p", "udp", "--timeout", "300", "-s", "192.0.2.9", "-d", "172.30.0.10"],
      ...["--sport", String(port), "--dport", "53"],
      ...["--reply-src", endpoint, "--reply-dst", "192.0.2.9"],
      ...["--reply-port-src", "5353", "--reply-port-dst", String(port)],
    ]);
  const flowsTo = (endpoint: string): number =>
    node.run("conntrack", ["-L", "-p", "udp", "--reply-src", endpoint]).split("dport=53 ").length - 1;

  test("they stay while it terminates, and end when it is gone, though no rule changes then", async () => {
    await sync({ "10.180.0.1": READY, "10.180.0.2": READY });
    addFlow(2001, "10.180.0.1");
    addFlow(2002, "10.180.0.2");
    await sync({ "10.180.0.1": READY, "10.180.0.2": TERMINATING });
    expect([flowsTo("10.180.0.1"), flowsTo("10.180.0.2")]).toEqual([1, 1]);
    const rules = node.everything();
    const { stderr } = await sync({ "10.180.0.1": READY, "10.180.0.2": GONE });
    expect(node.everything()).toBe(rules);
    expect(stderr).toContain("ended 1 UDP flow");
    expect([flowsTo("10.180.0.1"), flowsTo("10.180.0.2")]).toEqual([1, 0]);
  });

  test("a run that changes the rules ends them, too, and the next finds nothing to do", async () => {
    await sync({ "10.180.0.1": READY, "10.180.0.2": READY });
    addFlow(2001, "10.180.0.1");
    addFlow(2002, "10.180.0.2");
    await sync({ "10.180.0.1": READY });
    expect([flowsTo("10.180.0.1"), flowsTo("10.180.0.2")]).toEqual([1, 0]);
    expect((await sync({ "10.180.0.1": READY })).stderr).not.toContain("UDP flow");
  });
});
