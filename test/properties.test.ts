import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { iptables } from "../src/backends/iptables/index.ts";
import { nftables } from "../src/backends/nftables/index.ts";
import { diff, linesOf } from "../src/diff.ts";
import { explain } from "../src/explain.ts";
import type { Backend, Fate, Manifest, Packet, Ruleset, Table, Transaction } from "../src/types.ts";
import { cluster } from "./support/clusters.ts";
import { parseIptables } from "./support/iptablesText.ts";
import { traceIptables } from "./support/iptablesTracer.ts";
import { describeFate } from "./support/judge.ts";
import { NODE, renderOptions, rulesetOf } from "./support/manifests.ts";
import { traceNftables } from "./support/nftablesTracer.ts";
import { runNft } from "./support/nftKernel.ts";
import { emptyKernel, type Kernel, restore, save, targetOf } from "./support/restoreKernel.ts";

/** Laws that hold for every cluster, on a kernel in memory. */

const OPTIONS = renderOptions();

function wantedFor(manifests: readonly Manifest[]): readonly Table[] {
  return iptables.render(rulesetOf(manifests), OPTIONS);
}

function held(kernel: Kernel): readonly Table[] {
  return iptables.read(save(kernel), "ipv4");
}

function transactionTo(kernel: Kernel, wanted: readonly Table[], flavour = "nft"): Transaction {
  return iptables.transaction("ipv4", diff(iptables, held(kernel), wanted), flavour);
}

function run(kernel: Kernel, steps: Transaction["steps"]): Kernel {
  return steps.reduce((now, { text }) => restore(now, text), kernel);
}

/** A kernel in which others have rules, too. */
const OTHERS = restore(
  emptyKernel(),
  "*filter\n:DOCKER - [0:0]\n-A INPUT -i eth0 -j ACCEPT\n-A FORWARD -j DOCKER\n-A DOCKER -j RETURN\nCOMMIT\n*nat\n-A PREROUTING -j ACCEPT\nCOMMIT\n",
);

/** What is not ours, by table and chain. */
function foreign(kernel: Kernel): string {
  return save(kernel)
    .split("\n")
    .filter((line) => !line.includes("KUBE-"))
    .join("\n");
}

/** The text of a backend, and what becomes of a packet in it. */
function tracerOf(backend: Backend, ruleset: Ruleset): (packet: Packet) => Fate {
  const { steps } = backend.transaction("ipv4", diff(backend, [], backend.render(ruleset, OPTIONS)), "nft");
  const text = steps.map((step) => step.text).join("");
  if (backend.name === "iptables") {
    const rules = parseIptables(text);
    return (packet) => traceIptables(rules, packet, NODE.addresses);
  }
  const table = runNft(undefined, text);
  if (table === undefined) throw new Error("the text makes no table");
  return (packet) => traceNftables(table, packet, NODE.addresses);
}

/** Packets to the addresses and NodePorts of a cluster: from its endpoints, from this node, from outside. */
function packetsIn({ dispatch, chains }: Ruleset, picks: readonly (readonly [number, number])[]): readonly Packet[] {
  const rules = chains.flatMap((chain) => chain.rules.map(({ statement }) => statement));
  const endpoints = rules.flatMap((statement) => (statement.kind === "dnat" ? statement.endpoints : []));
  const sources = [...endpoints.map(({ ip }) => ip), "192.168.0.2", "203.0.113.2", "203.0.113.130"];
  return picks.flatMap(([from, to]): readonly Packet[] => {
    const one = dispatch[to % dispatch.length];
    const source = sources[from % sources.length];
    if (one === undefined || source === undefined) return [];
    const { destination, protocol, port } = one;
    const ip = destination.kind === "nodePort" ? "192.168.0.2" : destination.ip;
    const packet: Packet = { family: "ipv4", protocol, source, destination: ip, port };
    return [source === "192.168.0.2" ? packet : { ...packet, inputInterface: "eth0" }];
  });
}

describe("laws", () => {
  it("what is read back from the kernel is what was rendered", () => {
    fc.assert(
      fc.property(cluster, (manifests) => {
        const wanted = wantedFor(manifests);
        const kernel = run(OTHERS, transactionTo(OTHERS, wanted).steps);
        expect(diff(iptables, held(kernel), wanted)).toEqual([]);
      }),
    );
  });

  it("a change of the cluster leads to the same kernel as a fresh start, and its undo leads back", () => {
    fc.assert(
      fc.property(cluster, cluster, (before, after) => {
        const start = run(OTHERS, transactionTo(OTHERS, wantedFor(before)).steps);
        const change = transactionTo(start, wantedFor(after));
        const end = run(start, change.steps);
        expect(diff(iptables, held(end), wantedFor(after))).toEqual([]);
        const back = run(end, change.undo);
        expect(diff(iptables, held(back), wantedFor(before))).toEqual([]);
        expect(foreign(back)).toBe(foreign(OTHERS));
      }),
    );
  });

  it("cleanup leaves what was there before, byte for byte", () => {
    fc.assert(
      fc.property(cluster, (manifests) => {
        const kernel = run(OTHERS, transactionTo(OTHERS, wantedFor(manifests)).steps);
        const cleaned = run(kernel, transactionTo(kernel, []).steps);
        expect(save(cleaned)).toBe(save(OTHERS));
      }),
    );
  });

  it("the order of documents changes nothing", () => {
    const shuffled = cluster.chain((manifests) =>
      fc.tuple(
        fc.constant(manifests),
        fc.shuffledSubarray([...manifests], { minLength: manifests.length, maxLength: manifests.length }),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([manifests, others]) => {
        expect(transactionTo(emptyKernel(), wantedFor(others)).steps).toEqual(
          transactionTo(emptyKernel(), wantedFor(manifests)).steps,
        );
      }),
    );
  });

  it("every jump has its chain, and every chain of a ServicePort is used", () => {
    fc.assert(
      fc.property(cluster, (manifests) => {
        for (const { objects } of wantedFor(manifests)) {
          const targets = new Set(
            [...objects.values()].flatMap((object) => linesOf(object).map(({ text }) => targetOf(text))),
          );
          for (const target of targets) if (target?.startsWith("KUBE-")) expect(objects.has(target)).toBe(true);
          for (const name of objects.keys()) if (/^KUBE-(SVL|EXT|FW|SEP)-/.test(name)) expect(targets).toContain(name);
        }
      }),
    );
  });

  it("every line of a ServicePort knows its ServicePort", () => {
    fc.assert(
      fc.property(cluster, (manifests) => {
        const [step] = transactionTo(emptyKernel(), wantedFor(manifests)).steps;
        const lines = step?.text.split("\n") ?? [];
        lines.forEach((line, index) => {
          const named = /--comment "(?:[a-z ]*)(ns\/svc\d+:p\d)/i.exec(line)?.[1];
          if (named !== undefined) expect(step?.origins[index]?.servicePort.text).toBe(named);
        });
      }),
    );
  });

  it("both modes agree on traffic for the ports of Services that have endpoints and no source ranges", () => {
    const packet: fc.Arbitrary<Packet> = fc.record({
      family: fc.constant("ipv4" as const),
      protocol: fc.constantFrom("tcp" as const, "udp" as const),
      source: fc.constantFrom("10.180.1.1", "203.0.113.2", "192.168.0.2"),
      destination: fc.constantFrom("172.30.0.1", "172.30.0.2", "192.168.99.22", "198.51.100.4", "192.168.0.2"),
      port: fc.constantFrom(80, 81, 30000, 30001, 30010),
      inputInterface: fc.constant("eth0"),
    });
    fc.assert(
      fc.property(cluster, packet, (manifests, one) => {
        const ruleset = rulesetOf(manifests);
        if (ruleset.firewalled.length > 0) return;
        const options = { ...OPTIONS, node: NODE, localhostNodePorts: false };
        const [first, second] = (["iptables", "nftables"] as const).map(
          (backend) => explain(ruleset, one, { ...options, backend }).fate,
        );
        if (first?.kind !== "endpoints") return;
        expect(second?.kind).toBe("endpoints");
        if (second?.kind === "endpoints") expect(second.addresses).toEqual(first.addresses);
      }),
    );
  });

  it.each<[string, Backend]>([
    ["iptables", iptables],
    ["nftables", nftables],
  ])("explain tells what becomes of a packet in the text of %s", (_, backend) => {
    const picks = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 20, maxLength: 20 });
    const options = { ...OPTIONS, node: NODE, backend: backend.name };
    fc.assert(
      fc.property(cluster, picks, (manifests, chosen) => {
        const ruleset = rulesetOf(manifests);
        const trace = tracerOf(backend, ruleset);
        for (const packet of packetsIn(ruleset, chosen)) {
          const told = describeFate(explain(ruleset, packet, options).fate);
          expect([packet, told]).toEqual([packet, describeFate(trace(packet))]);
        }
      }),
    );
  });
});
