import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addNamespace, deleteNamespace, inNamespace, uniquePrefix } from "../support/namespaces.ts";
import { type Program, programAt } from "../support/program.ts";
import { requireKernel } from "../support/requireKernel.ts";

/** A cluster so large that its tables are not listed every time: what the last run recorded is believed, within reason. */

requireKernel();

const SERVICES = 1500;
const ENDPOINTS = 14;

/** The cluster as JSON; `moved` is the Service whose first endpoint is another one. */
function cluster(moved?: number): string {
  const items = Array.from({ length: SERVICES }, (_, index) => {
    const name = `s${index}`;
    const addresses = Array.from({ length: ENDPOINTS }, (_, at) => `10.${180 + at}.${index >> 8}.${index & 255}`);
    if (moved === index) addresses[0] = "10.250.0.1";
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
        endpoints: addresses.map((address) => ({ addresses: [address] })),
      },
    ];
  }).flat();
  return JSON.stringify({ apiVersion: "v1", kind: "List", items });
}

describe("the record of a large table", () => {
  const namespace = `${uniquePrefix()}-record`;
  const nft = (...args: readonly string[]) => inNamespace(namespace, "nft", args);
  const sync = async (input: string, flags = {}) =>
    (await program.succeed("sync", { verbose: true, ...flags }, input)).stderr;
  let program: Program;

  beforeAll(async () => {
    addNamespace(namespace);
    program = programAt(namespace, { backend: "nftables", nft: "system" });
    await sync(cluster());
  });

  afterAll(() => {
    program.close();
    deleteNamespace(namespace);
  });

  test("nothing changed: told without parsing", async () => {
    expect(await sync(cluster())).toContain("in sync: as the last run left it");
  });

  test("one endpoint changed: one Service's elements go and come", async () => {
    expect(await sync(cluster(7))).toMatch(/synced IPv4 \(nftables\): 1 Service, 0 objects created, 2 changed/);
    expect(nft("list", "map", "ip", "svctables", "endpoints-tcp")).toContain("10.250.0.1");
  });

  test("a record that the kernel contradicts is given up for what is there", async () => {
    nft("delete", "element", "ip", "svctables", "endpoints-tcp", "{ 172.30.0.9 . 80 . 0 }");
    expect(await sync(cluster(9))).toContain("synced IPv4");
    expect((await program.run("diff", {}, cluster(9))).exitCode).toBe(0);
  });

  test("harm that the stamp does not show is seen by diff, and mended with --verify", async () => {
    nft("delete", "element", "ip", "svctables", "cluster-ips", "{ 172.30.0.11 }");
    expect((await program.run("diff", {}, cluster(9))).exitCode).toBe(1);
    await sync(cluster(9), { verify: true });
    expect((await program.run("diff", {}, cluster(9))).exitCode).toBe(0);
  });

  test("a flushed ruleset is noticed at once", async () => {
    nft("flush", "ruleset");
    expect(await sync(cluster(9))).toContain("synced IPv4");
    expect((await program.run("diff", {}, cluster(9))).exitCode).toBe(0);
  });
});
