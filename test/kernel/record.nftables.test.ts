import { appendFileSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { addNamespace, deleteNamespace, inNamespace, uniquePrefix } from "../support/namespaces.ts";
import { type Program, programAt } from "../support/program.ts";
import { requireKernel } from "../support/requireKernel.ts";

/** A cluster so large that its tables are not listed every time: what the last run recorded is believed, within reason. */

requireKernel();

const SERVICES = 1500;
const ENDPOINTS = 14;

const addressesOf = (index: number, count = ENDPOINTS): readonly string[] =>
  Array.from({ length: count }, (_, at) => `10.${180 + at}.${index >> 8}.${index & 255}`);

/** The cluster as JSON; some Services have other endpoints than the rest. */
function cluster(others: Readonly<Record<number, readonly string[]>> = {}): string {
  const items = Array.from({ length: SERVICES }, (_, index) => {
    const name = `s${index}`;
    return [
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name },
        spec: { clusterIP: `172.30.${index >> 8}.${index & 255}`, ports: [{ port: 80 }] },
      },
      {
        apiVersion: "discovery.k8s.io/v1",
        kind: "EndpointSlice",
        metadata: { name, labels: { "kubernetes.io/service-name": name } },
        addressType: "IPv4",
        ports: [{ port: 80 }],
        endpoints: (others[index] ?? addressesOf(index)).map((address) => ({ addresses: [address] })),
      },
    ];
  }).flat();
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

/** The cluster in which the first endpoint of one Service is another one. */
const moved = (index: number) => cluster({ [index]: ["10.250.0.1", ...addressesOf(index).slice(1)] });

describe("the record of a large table", () => {
  const namespace = `${uniquePrefix()}-record`;
  const stateDir = mkdtempSync(join(tmpdir(), "svctables-record-"));
  const patches = join(stateDir, "nftables-ipv4.patches");
  const nft = (...args: readonly string[]) => inNamespace(namespace, "nft", args);
  const sync = async (input: string, flags = {}) =>
    (await program.succeed("sync", { verbose: true, "state-dir": stateDir, ...flags }, input)).stderr;
  /** By all that the kernel lists, whatever is recorded. */
  const isAsWanted = async (input: string) => (await program.run("diff", {}, input)).exitCode === 0;
  let program: Program;

  beforeAll(async () => {
    addNamespace(namespace);
    program = programAt(namespace, { backend: "nftables", nft: "system" });
    await sync(cluster());
  });

  afterAll(() => {
    program.close();
    rmSync(stateDir, { recursive: true });
    deleteNamespace(namespace);
  });

  test("nothing changed: told without parsing", async () => {
    expect(await sync(cluster())).toContain("in sync: as the last run left it");
    expect(existsSync(patches)).toBe(false);
  });

  test("one endpoint changed: one Service's elements go and come, and only these are recorded", async () => {
    expect(await sync(moved(7))).toMatch(/synced IPv4 \(nftables\): 1 Service, 0 objects created, 2 changed/);
    expect(existsSync(patches)).toBe(true);
    expect(nft("list", "map", "ip", "svctables", "endpoints-tcp")).toContain("10.250.0.1");
    expect(await sync(moved(7))).toContain("in sync: as the last run left it");
  });

  test("endpoints more and less, of several Services, and all of one: what is recorded stays true", async () => {
    const changed = cluster({ 7: addressesOf(7, 3), 8: addressesOf(8, 17), 1400: [] });
    expect(await sync(changed)).toMatch(/synced IPv4 \(nftables\): 3 Services/);
    expect(existsSync(patches)).toBe(true);
    expect(nft("list", "map", "ip", "svctables", "no-endpoint-services")).toContain("172.30.5.120");
    expect(await isAsWanted(changed)).toBe(true);
    expect(await sync(cluster())).toMatch(/synced IPv4 \(nftables\): 3 Services/);
    expect(existsSync(patches)).toBe(true);
    expect(nft("list", "map", "ip", "svctables", "no-endpoint-services")).not.toContain("172.30.5.120");
    expect(await isAsWanted(cluster())).toBe(true);
  });

  test("Services that come, change and go: what is recorded stays true", async () => {
    const { items, ...list } = JSON.parse(cluster()) as { readonly items: readonly object[] };
    const listOf = (...all: readonly (readonly object[])[]) => JSON.stringify({ ...list, items: all.flat() });
    const exposed = (nodePort: number) => ({
      clusterIP: "172.31.0.1",
      type: "NodePort",
      ports: [{ port: 80, nodePort }],
    });
    const [first, second] = [30_080, 30_081].map((nodePort) =>
      listOf(items.slice(0, 6), small("more", exposed(nodePort), 3), items.slice(6)),
    ) as [string, string];
    for (const input of [first, second, listOf(items.slice(2)), cluster()]) {
      expect(await sync(input)).toContain("synced IPv4 (nftables): ");
      expect(existsSync(patches)).toBe(true);
      expect(await isAsWanted(input)).toBe(true);
      const isThere = input === first || input === second;
      expect(nft("list", "set", "ip", "svctables", "cluster-ips").includes("172.31.0.1")).toBe(isThere);
      expect(nft("list", "map", "ip", "svctables", "service-nodeports").includes("30081")).toBe(input === second);
    }
  });

  test("damaged patches are no reason for more than a listing", async () => {
    appendFileSync(patches, " ");
    expect(await sync(moved(10))).toContain("synced IPv4");
    expect(existsSync(patches)).toBe(false);
  });

  test("a record that the kernel contradicts is given up for what is there", async () => {
    nft("delete", "element", "ip", "svctables", "endpoints-tcp", "{ 172.30.0.9 . 80 . 0 }");
    expect(await sync(moved(9))).toContain("synced IPv4");
    expect(existsSync(patches)).toBe(false);
    expect(await isAsWanted(moved(9))).toBe(true);
  });

  test("harm that the stamp does not show is seen by diff, and mended with --verify", async () => {
    nft("delete", "element", "ip", "svctables", "cluster-ips", "{ 172.30.0.11 }");
    expect(await isAsWanted(moved(9))).toBe(false);
    await sync(moved(9), { verify: true });
    expect(await isAsWanted(moved(9))).toBe(true);
  });

  test("a table that is gone is noticed at once, changes or not", async () => {
    nft("flush", "ruleset");
    expect(await sync(moved(9))).toContain("synced IPv4");
    nft("delete", "table", "ip", "svctables");
    expect(await sync(moved(12))).toContain("synced IPv4");
    expect(existsSync(patches)).toBe(false);
    expect(await isAsWanted(moved(12))).toBe(true);
  });
});

describe("a record beside which others wrote, with a state directory of their own", () => {
  const namespace = `${uniquePrefix()}-beside`;
  const home = mkdtempSync(join(tmpdir(), "svctables-beside-"));
  const nft = (...args: readonly string[]) => inNamespace(namespace, "nft", args);
  /** A Service with session affinity, so that the table is never listed, and one that has a NodePort. */
  const two = (sticky: number, local: number) =>
    JSON.stringify({
      kind: "List",
      apiVersion: "v1",
      items: [
        ...small("sticky", { clusterIP: "172.30.0.1", ports: [{ port: 80 }], sessionAffinity: "ClientIP" }, sticky),
        ...small(
          "local",
          {
            clusterIP: "172.30.0.2",
            type: "NodePort",
            externalTrafficPolicy: "Local",
            ports: [{ port: 80, nodePort: 30080 }],
          },
          local,
        ),
      ],
    });
  const syncFrom = (state: string, input: string, flags = {}) =>
    program.succeed("sync", { "state-dir": join(home, state), "node-name": "here", ...flags }, input);
  let program: Program;

  beforeAll(() => {
    addNamespace(namespace);
    program = programAt(namespace, { backend: "nftables", nft: "system" });
  });

  beforeEach(() => {
    rmSync(home, { recursive: true });
    nft("flush", "ruleset");
  });

  afterAll(() => {
    program.close();
    rmSync(home, { recursive: true, force: true });
    deleteNamespace(namespace);
  });

  test("is not taken for what they left where only a chain that nothing leads to differs", async () => {
    const own = { "cluster-cidr": "10.0.0.0/8" };
    const theirs = { "cluster-cidr": "11.0.0.0/8" };
    const more = two(1, 3);
    for (const input of [two(1, 2), more, two(1, 2)]) await syncFrom("ours", input, own);
    for (const input of [two(1, 2), more]) await syncFrom("theirs", input, theirs);
    await syncFrom("theirs", two(1, 2), own);
    await syncFrom("ours", more, own);
    const { stdout } = await program.run("diff", { "node-name": "here", ...own }, more);
    expect(stdout).toContain("in sync");
  });

  test("is not taken for what they left where only a number for affinity was given out", async () => {
    await syncFrom("ours", two(1, 1));
    await syncFrom("theirs", two(2, 1));
    await syncFrom("theirs", two(1, 1));
    await syncFrom("ours", two(2, 1));
    expect(nft("list", "chain", "ip", "svctables", "affinity-endpoint-default/sticky/tcp/__10.180.0.1/80")).toContain(
      "offset 3 timeout",
    );
  });
});

describe("what was accepted", () => {
  const namespace = `${uniquePrefix()}-accepted`;
  const home = mkdtempSync(join(tmpdir(), "svctables-accepted-"));
  const flags = { "state-dir": join(home, "state"), "skip-invalid": true } as const;
  /** A cluster with one UDP Service, which has this endpoint and perhaps an impossible port. */
  const withDns = (endpoint: string, port = 53) => {
    const { items, ...list } = JSON.parse(cluster());
    const ports = [{ port, protocol: "UDP" }];
    const [service, slice] = small("dns", { clusterIP: "172.31.0.10", ports }, 0);
    const endpoints = [{ addresses: [endpoint] }];
    return JSON.stringify({ ...list, items: [...items, service, { ...slice, ports, endpoints }] });
  };
  let program: Program;

  beforeAll(() => {
    addNamespace(namespace);
    program = programAt(namespace, { backend: "nftables", nft: "system" });
  });

  afterAll(() => {
    vi.unstubAllEnvs();
    program.close();
    rmSync(home, { recursive: true });
    deleteNamespace(namespace);
  });

  test("is recorded also where flows could not be ended: a Service that is invalid next stays as it is", async () => {
    await program.succeed("sync", flags, withDns("10.180.0.1"));
    writeFileSync(join(home, "conntrack"), "#!/bin/sh\necho 'sorry' >&2; exit 1\n", { mode: 0o755 });
    vi.stubEnv("PATH", `${home}:${process.env.PATH}`);
    expect((await program.succeed("sync", flags, withDns("10.180.0.2"))).stderr).toContain("may be left: sorry");
    expect(await program.run("sync", flags, withDns("10.180.0.2", 99999))).toMatchObject({ exitCode: 3 });
    const endpoints = inNamespace(namespace, "nft", ["list", "map", "ip", "svctables", "endpoints-udp"]);
    expect(endpoints).toContain("10.180.0.2");
    expect(endpoints).not.toContain("10.180.0.1");
  });

  test("and lost is recorded again by the next run, though little changed", async () => {
    vi.unstubAllEnvs();
    await program.succeed("sync", flags, withDns("10.180.0.3"));
    rmSync(join(home, "state/accepted.json"));
    await program.succeed("sync", flags, withDns("10.180.0.4"));
    expect(await program.run("sync", flags, withDns("10.180.0.5", 99999))).toMatchObject({ exitCode: 3 });
    expect(inNamespace(namespace, "nft", ["list", "map", "ip", "svctables", "endpoints-udp"])).toContain("10.180.0.4");
  });
});

function small(name: string, spec: object, endpoints: number): readonly object[] {
  return [
    { apiVersion: "v1", kind: "Service", metadata: { name }, spec },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ port: 80 }],
      endpoints: Array.from({ length: endpoints }, (_, at) => ({ addresses: [`10.180.0.${at}`], nodeName: "here" })),
    },
  ];
}
