import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { apply } from "../../src/apply/apply.ts";
import { createRunner } from "../../src/apply/exec.ts";
import { nftables } from "../../src/backends/nftables/index.ts";
import { diff } from "../../src/diff.ts";
import type { Family, Manifest, Runner, Table } from "../../src/types.ts";
import { LOCAL_PODS, VANTAGES } from "../support/addresses.ts";
import { ipv6TwinOfText } from "../support/ipv6Twin.ts";
import { onNode, renderOptions, rulesetOf, service, slice } from "../support/manifests.ts";
import { addNamespace, deleteNamespace, uniquePrefix } from "../support/namespaces.ts";
import { createNetwork, type Network } from "../support/network.ts";
import { type NftNode, nftNode } from "../support/nftNode.ts";
import { nftPrograms } from "../support/nftPrograms.ts";
import { requireKernel } from "../support/requireKernel.ts";

/** What the kernel prints back is what was written, for every kind of object and every version of nft. */

const LOCAL_LB = { type: "LoadBalancer", externalTrafficPolicy: "Local" } as const;
const STICKY = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 90061 } } } as const;
const PORT = { name: "http", nodePort: 30080 };

const BEFORE: readonly Manifest[] = [
  service("ns/web", { clusterIP: "172.30.0.41", type: "NodePort", externalIPs: ["192.168.99.22"], ports: [PORT] }),
  slice("ns/web", ["10.180.1.1", "10.180.1.2", onNode("10.180.0.1")], {
    ports: [{ name: "http", protocol: "TCP", port: 80 }],
  }),
  service("ns/dns", { clusterIP: "172.30.0.42", ports: [{ protocol: "UDP", port: 53 }] }),
  slice("ns/dns", [onNode("10.180.0.2")], { ports: [{ name: "", protocol: "UDP", port: 5353 }] }),
  service("ns/sctp", {
    clusterIP: "172.30.0.43",
    ports: [{ protocol: "SCTP", port: 9 }],
    internalTrafficPolicy: "Local",
  }),
  slice("ns/sctp", [onNode("10.180.0.2"), "10.180.1.9"], { ports: [{ name: "", protocol: "SCTP", port: 9 }] }),
  service("ns/empty", { clusterIP: "172.30.0.44", ports: [{ nodePort: 30081 }] }),
  service(
    "ns/lb",
    { clusterIP: "172.30.0.45", ...LOCAL_LB, loadBalancerSourceRanges: ["203.0.113.0/24", "203.0.113.0/25"] },
    ["198.51.100.4"],
  ),
  slice("ns/lb", ["10.180.1.3", onNode("10.180.0.3")]),
  service("ns/sticky", { clusterIP: "172.30.0.46", ...LOCAL_LB, ...STICKY, ports: [{ nodePort: 30082 }] }, [
    "198.51.100.5",
  ]),
  slice("ns/sticky", ["10.180.1.4", onNode("10.180.0.4")]),
];

const AFTER: readonly Manifest[] = [
  ...BEFORE.slice(2, -2),
  service("ns/web", { clusterIP: "172.30.0.41", ports: [PORT] }),
  slice("ns/web", ["10.180.1.2", "10.180.1.7"], { ports: [{ name: "http", protocol: "TCP", port: 80 }] }),
  service("ns/sticky", { clusterIP: "172.30.0.46", ...STICKY }),
  slice("ns/sticky", ["10.180.1.4", "10.180.1.5"]),
  service("ns/new", { clusterIP: "172.30.0.47" }),
  slice("ns/new", ["10.180.1.1"]),
];

function wantedFor(
  manifests: readonly Manifest[],
  family: Family,
  nodePorts: "any" | "primary" = "primary",
): readonly Table[] {
  const twin = (text: string): string => (family === "ipv4" ? text : ipv6TwinOfText(text));
  const own: readonly Manifest[] = JSON.parse(twin(JSON.stringify(manifests)));
  const options = renderOptions({
    family,
    serviceCIDRs: [twin("172.30.0.0/16"), twin("10.96.0.0/12")],
    nodePortAddresses: nodePorts === "any" ? { kind: "any" } : { kind: "addresses", addresses: [twin("192.168.0.2")] },
  });
  const localDetector = { kind: "cidr", cidr: twin("10.180.0.0/16") } as const;
  return nftables.render(rulesetOf(own, { family, localDetector }), options);
}

requireKernel();

describe.each(nftPrograms())("a large table, $title", ({ path }) => {
  const [pod] = LOCAL_PODS;
  const many = Array.from({ length: 50_010 }, (_, at) => `10.180.${at >> 8}.${at & 255}`);
  const large = wantedFor(
    [
      service("ns/many", { clusterIP: "172.30.0.41" }),
      slice("ns/many", many),
      service("ns/one", { clusterIP: "172.30.0.42" }),
      slice("ns/one", [onNode(pod)]),
    ],
    "ipv4",
  );
  const toLarge = (held: readonly Table[]) =>
    nftables.transaction("ipv4", diff(nftables, held, nftables.settle(large, held)));
  let network: Network;
  let node: NftNode;

  beforeEach(async () => {
    network = await createNetwork();
    node = nftNode(network.namespace("node"), path, "ipv4");
    await network.agent("pod1").listen([{ protocol: "tcp", ip: pod, port: 80 }]);
  });
  afterEach(() => network.close());

  const connect = () =>
    network.agent("client").connect({
      protocol: "tcp",
      source: VANTAGES.client.source,
      destination: "172.30.0.42",
      port: 80,
      timeout: 500,
    });
  const answered = { outcome: "answered", endpoint: `${pod}:80` };

  test("comes in steps, of which the last one lets packets in", async () => {
    const { steps } = toLarge([]);
    expect(steps).toHaveLength(5);
    for (const step of steps) {
      expect(await connect()).not.toMatchObject({ outcome: "answered" });
      node.run([step]);
    }
    expect(await connect()).toMatchObject(answered);
    expect(nftables.stamp(node.held())).toBe(nftables.stamp(large));
  });

  test("is whole when nft takes steps at once, while others change their own rules", async () => {
    const transaction = toLarge([]);
    const commands = nftables.commands("ipv4", path);
    const start = createRunner(process.env.PATH ?? "");
    const run: Runner = (command) =>
      start({
        ...command,
        program: "ip",
        args: ["netns", "exec", network.namespace("node"), command.program, ...command.args],
      });
    const plan = {
      family: "ipv4",
      flavour: path,
      commands,
      held: [],
      wanted: large,
      changes: diff(nftables, [], large),
    } as const;
    let isDone = false;
    const others = async () => {
      let changes = 0;
      for (; !isDone; changes++) {
        const input = `add table ip others\nadd chain ip others c${changes}\n`;
        expect(await run({ program: path, args: ["-f", "-"], input })).toMatchObject({ exitCode: 0 });
      }
      return changes;
    };
    const changing = others();
    const applied = await apply(
      [{ ...plan, transaction, stamp: nftables.stamp(large), verify: false, isRecorded: false }],
      {
        run,
        backend: nftables,
        diff,
      },
    );
    isDone = true;
    const changes = await changing;
    expect(applied).toMatchObject({ kind: "applied" });
    expect(diff(nftables, node.held(), large)).toEqual([]);
    expect(await connect()).toMatchObject(answered);
    expect(changes).toBeGreaterThan(3);
    expect(node.nft("list", "chains").match(/chain c\d+ /g)).toHaveLength(changes);
  });

  test("left half-way is completed, or goes", async () => {
    node.run(toLarge([]).steps.slice(0, 2));
    node.run(nftables.transaction("ipv4", diff(nftables, node.held(), [])).steps);
    expect(node.nft("list", "tables")).toBe("");
    node.run(toLarge([]).steps.slice(0, 3));
    const between = node.held();
    expect(nftables.stamp(between)).toBeUndefined();
    node.run(toLarge(between).steps);
    expect(await connect()).toMatchObject(answered);
    expect(nftables.stamp(node.held())).toBe(nftables.stamp(large));
  });
});

describe.each(nftPrograms())("$title", ({ path }) => {
  describe.each<Family>(["ipv4", "ipv6"])("%s", (family) => {
    const before = wantedFor(BEFORE, family);
    const after = wantedFor(AFTER, family, "any");
    const table = [family === "ipv4" ? "ip" : "ip6", "svctables"] as const;
    let namespace: string;
    let node: NftNode;

    beforeEach(() => {
      namespace = uniquePrefix();
      addNamespace(namespace);
      node = nftNode(namespace, path, family);
    });

    afterEach(() => deleteNamespace(namespace));

    test("a node that holds nothing is told apart from one that cannot be read", () => {
      expect(node.held()).toEqual([]);
    });

    test("what is applied is what is read back, and there is nothing left to do", () => {
      const empty = [...(before[0]?.objects.values() ?? [])].filter(
        (one) => "elements" in one && one.elements.size === 0,
      );
      // Written by packets, or for a protocol that has no NodePort here: nothing else may be missing from this test.
      expect(empty.map(({ name }) => name)).toEqual(["affinity", "nodeport-endpoints-udp", "nodeport-endpoints-sctp"]);
      node.sync(before);
      expect(node.changesTo(before)).toEqual([]);
      expect(nftables.stamp(node.held())).toBe(nftables.stamp(before));
    });

    test("every bit for the mark is read back as it was written", () => {
      const ruleset = rulesetOf([], { family, localDetector: { kind: "none" } });
      const plain = { serviceCIDRs: [], nodePortAddresses: { kind: "any" } } as const;
      for (let bit = 0; bit < 32; bit++) {
        const wanted = nftables.render(ruleset, renderOptions({ family, masqueradeMark: 2 ** bit, ...plain }));
        node.sync(wanted);
        expect(node.changesTo(wanted)).toEqual([]);
      }
    });

    test("the text of compile loads onto nothing and onto itself, and says the same", () => {
      const { steps } = nftables.replacement(family, before, []);
      node.run(steps);
      node.run(steps);
      expect(node.changesTo(before)).toEqual([]);
    });

    test("a change and its undo lead where they should", () => {
      node.sync(before);
      const start = node.held();
      const { steps, undo } = node.sync(after);
      expect(steps.length).toBeGreaterThan(1);
      expect(node.changesTo(after)).toEqual([]);
      node.run(undo);
      expect(node.held()).toEqual(start);
    });

    test("a second and a third change clear away what the first left", () => {
      node.sync(before);
      node.sync(after);
      node.sync(before);
      expect(node.changesTo(before)).toEqual([]);
      node.sync(after);
      node.sync(before);
      expect(node.changesTo(before)).toEqual([]);
    });

    test("what others did to the table is seen and repaired", () => {
      node.sync(before);
      const start = node.held();
      const chain = family === "ipv4" ? "affinity-cluster-ns/sticky/tcp/" : "load-balance-tcp-3";
      node.nft("flush", "chain", ...table, chain);
      node.nft("flush", "map", ...table, "endpoints-tcp");
      node.nft("add", "element", ...table, "nodeport-ips", family === "ipv4" ? "{ 1.2.3.4 }" : "{ fd00::99 }");
      node.nft("add", "chain", ...table, "stray");
      node.nft("add", "rule", ...table, "stray", "drop");
      node.nft("add", "rule", ...table, "services", "jump", "stray");
      node.nft("add", "counter", ...table, "hits");
      node.nft("add", "ct", "helper", ...table, "ftp", '{ type "ftp" protocol tcp; }');
      const names = node.changesTo(before).map(({ name }) => name);
      expect(names.toSorted()).toEqual(
        ["counter hits", "ct helper ftp", "endpoints-tcp", "nodeport-ips", "services", "stray", chain].toSorted(),
      );
      node.sync(before);
      expect(node.held()).toEqual(start);
    });

    test("a deleted stamp, base chain or dormant table is repaired", () => {
      node.sync(before);
      node.nft("flush", "map", ...table, "stamp");
      node.nft("delete", "chain", ...table, "nat-output");
      expect(node.changesTo(before).map(({ name }) => name)).toEqual(["stamp", "nat-output"]);
      node.sync(before);
      expect(node.changesTo(before)).toEqual([]);
      node.nft("add", "table", ...table, "{ flags dormant; }");
      node.sync(before);
      expect(node.changesTo(before)).toEqual([]);
    });

    test("an object with another declaration calls for a replacement", () => {
      node.sync(before);
      node.nft("flush", "chain", ...table, "masquerading");
      node.nft("delete", "set", ...table, "hairpin-connections");
      node.nft("add", "set", ...table, "hairpin-connections", "{ type inet_service; }");
      const changes = node.changesTo(before);
      expect(nftables.mustReplace(changes)).toBe(true);
      node.run(nftables.replacement(family, before, node.held()).steps);
      expect(node.changesTo(before)).toEqual([]);
    });

    test("cleanup leaves nothing, and its undo brings it back", () => {
      node.sync(before);
      const { undo } = node.sync([]);
      expect(node.held()).toEqual([]);
      expect(node.nft("list", "tables")).toBe("");
      node.run(undo);
      expect(node.changesTo(before)).toEqual([]);
    });

    test("the stamp alone is enough to tell", () => {
      node.sync(before);
      const { stamp: command } = nftables.commands(family, path);
      if (command === undefined) throw new Error("no command for the stamp");
      const { stdout } = node.start(command);
      expect(nftables.stamp(nftables.read(stdout, family))).toBe(nftables.stamp(before));
    });

    test("a refused element is traced to its Service", () => {
      node.sync(before);
      node.nft("flush", "map", ...table, "service-ips");
      node.nft("flush", "map", ...table, "endpoints-tcp");
      const missing = node.changesTo(before).filter(({ name }) => name === "service-ips" || name === "endpoints-tcp");
      const [made] = nftables.transaction(family, missing).steps;
      if (made === undefined) throw new Error("nothing is missing");
      const at = made.text
        .split("\n")
        .findIndex((line) => line.includes(family === "ipv4" ? "172.30.0.45 . 80 . 1 :" : ":45 . 80 . 1 :"));
      expect(made.origins[at]?.servicePort.text).toBe("ns/lb");
      const lines = made.text.split("\n");
      lines[at] = (lines[at] ?? "").replace(/ . 1 : /, " . 0 : ");
      const { exitCode, stderr } = node.feed({ ...made, text: lines.join("\n") });
      expect(exitCode).not.toBe(0);
      const line = nftables.commands(family, path).failedLine(stderr) ?? 0;
      expect(made.origins[line - 1]?.servicePort.text).toBe("ns/lb");
      expect(node.changesTo(before).length).toBeGreaterThan(0);
    });

    test.each([1, 63, 127])("of the longest command with the longest elements, line %i is blamed", (at) => {
      const long = (letter: string, index: number) => `${letter.repeat(59)}${1000 + index}`;
      const many = Array.from({ length: 128 }, (_, index): readonly Manifest[] => {
        const name = `${long("n", 0)}/${long("s", index)}`;
        const ports = [{ name: long("p", index), port: 80 }];
        return [
          service(name, { clusterIP: `172.30.1.${index}`, ...STICKY, ports }),
          slice(name, ["10.180.1.4"], { ports: [{ name: long("p", index), protocol: "TCP", port: 80 }] }),
        ];
      });
      const [made] = nftables.transaction(family, diff(nftables, [], wantedFor(many.flat(), family))).steps;
      const lines = made?.text.split("\n") ?? [];
      const first = lines.findIndex((line) => line.startsWith(`add element ${table.join(" ")} service-ips { `));
      expect(lines[first + 127]).toMatch(/ : goto \S{100,} }$/);
      const address = (line: number) =>
        / ?(\S+) \. tcp \. 80 comment "\S{100,}"/.exec(lines[line] ?? "")?.[1] ?? "none";
      lines[first + at] = (lines[first + at] ?? "").replace(address(first + at), address(first + at - 1));
      const { exitCode, stderr } = node.feed({ text: lines.join("\n"), origins: [] });
      expect(exitCode).not.toBe(0);
      expect(nftables.commands(family, path).failedLine(stderr)).toBe(first + at + 1);
    });
  });
});
