import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readAccepted, writeAccepted } from "../../../src/apply/accepted.ts";
import { readTableRecord } from "../../../src/apply/record.ts";
import { digestOf } from "../../../src/apply/stateFile.ts";
import { nftables } from "../../../src/backends/nftables/index.ts";
import { footprintOf } from "../../../src/pipeline/asLeft.ts";
import { mayBeFew, noteFewAccepted } from "../../../src/pipeline/fewChanges.ts";
import { carryOut, judge } from "../../../src/pipeline.ts";
import { listNft, runNft } from "../../support/nftKernel.ts";
import {
  BALANCED,
  BASE,
  damage,
  type Item,
  inState,
  isShort,
  kernels,
  LABEL,
  longWay,
  node,
  ONE,
  ORIGIN,
  planLong,
  planShort,
  serviceItem,
  settings,
  shortWay,
  sliceItem,
  sourcesOf,
  startNode,
  THREE,
  TWO,
  textOf,
  withDb,
  withWeb,
} from "../../support/shortWay.ts";

/** One run after the other, the way `sync` goes: when the short way is gone, and when not. */

beforeEach(startNode);
afterEach(() => rm(settings.stateDir, { recursive: true }));

describe("the short way", () => {
  it("is gone again and again", async () => {
    await longWay(ONE);
    expect(await mayBeFew(ORIGIN, settings)).toBe(true);
    expect(await shortWay(TWO)).toBe("applied");
    expect(listNft(kernels.ipv4)).toContain("172.30.0.2 . 80 . 1 : 10.180.2.2 . 80");
    expect(await shortWay(THREE)).toBe("applied");
    expect(await shortWay(withWeb([]))).toBe("applied");
    expect(listNft(kernels.ipv4)).toContain('172.30.0.2 . tcp . 80 comment "default/web" : goto refuse');
    expect(await shortWay(ONE)).toBe("applied");
    expect((await readTableRecord(settings.stateDir, "ipv4"))?.patches.length).toBeGreaterThan(4);
    await longWay(ONE);
    expect(await shortWay(TWO)).toBe("applied");
  });

  it("finds nothing to do where only words changed, and remembers them", async () => {
    await longWay(ONE);
    const renamed = withWeb(["10.180.2.1"], { metadata: { name: "web-1", uid: "2", labels: { [LABEL]: "web" } } });
    expect(await shortWay(renamed)).toBe("unchanged");
    const { few } = await planShort(textOf(renamed).replaceAll('},{"apiV', '},\n{"apiV'));
    expect(few).toMatchObject({ decisions: [], plans: [] });
    expect(await shortWay(TWO)).toBe("applied");
  });

  it("is gone in both families", async () => {
    const spec = { ipFamilies: ["IPv4", "IPv6"], ipFamilyPolicy: "RequireDualStack" };
    const sticky = { ...spec, clusterIPs: ["172.30.0.8", "fd00::8"], sessionAffinity: "ClientIP" };
    const both = (six: readonly string[], four: readonly string[]) => [
      serviceItem("sticky-6", "172.30.0.8", sticky),
      sliceItem("sticky-6", ["fd00:180::8"]),
      serviceItem("both", "172.30.0.9", { ...spec, clusterIPs: ["172.30.0.9", "fd00::9"] }),
      sliceItem("both", six, { addressType: "IPv6" }, "both-6"),
      sliceItem("both", four, {}, "both-4"),
      ...BASE,
    ];
    await longWay(both(["fd00:180::1"], ["10.180.9.1"]));
    expect(kernels.ipv6).toBeDefined();
    expect(await shortWay(both(["fd00:180::1", "fd00:180::2"], ["10.180.9.1"]))).toBe("applied");
    expect(await shortWay(both([], ["10.180.9.2"]))).toBe("applied");
    expect(listNft(kernels.ipv6)).toContain('fd00::9 . tcp . 80 comment "default/both" : goto refuse');
  });

  it("is gone with Services that come, change and go", async () => {
    const app = [serviceItem("app", "172.30.0.6"), sliceItem("app", ["10.180.6.1"])];
    await longWay(ONE);
    expect(await shortWay([...app, ...TWO])).toBe("applied");
    expect(listNft(kernels.ipv4)).toContain('172.30.0.6 . tcp . 80 comment "default/app" : goto load-balance-tcp-1');
    const exposed = { type: "NodePort", ports: [{ port: 81, targetPort: 80, nodePort: 30_081 }] };
    expect(await shortWay(withDb(exposed, [...app, ...ONE]))).toBe("applied");
    expect(listNft(kernels.ipv4)).not.toContain("172.30.0.3 . tcp . 80");
    expect(listNft(kernels.ipv4)).toContain("30081 . 0 : 10.180.3.1 . 80");
    const moved = { clusterIP: "172.30.0.99" };
    expect(await shortWay(withDb(moved, ONE))).toBe("applied");
    expect(listNft(kernels.ipv4)).not.toMatch(/172\.30\.0\.[36]\b|30081|10\.180\.6\.1/);
    // Its slice belongs to no Service then, which is to be said.
    expect(await isShort(ONE.filter((item) => item !== BASE[3]))).toBe(false);
    expect(await shortWay(ONE.filter((item) => item !== BASE[3] && item !== BASE[4]))).toBe("applied");
    expect(listNft(kernels.ipv4)).not.toContain("172.30.0.99");
    expect(await shortWay(ONE)).toBe("applied");
  });

  it("is gone with slices that come, go and change their Service or name", async () => {
    await longWay(ONE);
    expect(await shortWay([...TWO, sliceItem("db", ["10.180.3.2"], {}, "db-2")])).toBe("applied");
    expect(await shortWay(TWO)).toBe("applied");
    expect(await shortWay(TWO.slice(0, -1))).toBe("applied");
    expect(listNft(kernels.ipv4)).toContain('172.30.0.2 . tcp . 80 comment "default/web" : goto refuse');
    expect(await shortWay([...BASE, sliceItem("db", ["10.180.2.1"], {}, "web-1")])).toBe("applied");
    expect(await shortWay([...BASE, sliceItem("web", ["10.180.2.1"], {}, "web-2")])).toBe("applied");
  });

  it("takes a Service out where nothing else is left to read", async () => {
    const some = BASE.slice(0, -1);
    await longWay(some);
    expect(await shortWay(some.slice(0, 3))).toBe("applied");
    expect(await isShort(some.slice(0, 2))).toBe(true);
    expect(await isShort(some.slice(2, 3))).toBe(false);
  });

  it("lets one Service have what another had", async () => {
    await longWay(ONE);
    const swapped = [
      ["web", "172.30.0.3"],
      ["db", "172.30.0.2"],
    ].map(([name = "", ip = ""]) => serviceItem(name, ip));
    expect(await shortWay([...ONE.filter((item) => item !== BASE[2] && item !== BASE[3]), ...swapped])).toBe("applied");
    expect(listNft(kernels.ipv4)).toContain("172.30.0.3 . 80 . 0 : 10.180.2.1 . 80");
    const renamed = serviceItem("data", "172.30.0.3");
    expect(await shortWay([...ONE.filter((item) => item !== BASE[3] && item !== BASE[4]), renamed])).toBe("applied");
  });

  it("keeps a hairpin that another Service needs", async () => {
    const here = { endpoints: [{ addresses: ["10.180.2.1"], nodeName: "n1" }] };
    const shared = [...BASE, serviceItem("twin", "172.30.0.7"), sliceItem("twin", [], here)];
    await longWay(withWeb([], here, shared));
    expect(await isShort(withWeb([], {}, shared))).toBe(false);
    await longWay(withWeb([], here));
    expect(await shortWay(withWeb([]))).toBe("applied");
    expect(listNft(kernels.ipv4)).not.toContain("10.180.2.1 . 10.180.2.1");
  });

  it.each([
    [20, true],
    [21, false],
  ])("searches the record for no more than a few endpoints of this node: %i go", async (count, short) => {
    const addresses = Array.from({ length: count }, (_, at) => `10.180.2.${at + 1}`);
    const here = { endpoints: addresses.map((address) => ({ addresses: [address], nodeName: "n1" })) };
    await longWay(withWeb([], here));
    expect(await isShort(withWeb(["10.180.9.1"]))).toBe(short);
  });

  it("knows a hairpin that came with its Service when that goes again", async () => {
    const here = { endpoints: [{ addresses: ["10.180.6.1"], nodeName: "n1" }] };
    const app = [serviceItem("app", "172.30.0.6"), sliceItem("app", [], here)];
    const twin = [serviceItem("twin", "172.30.0.7"), sliceItem("twin", [], here)];
    await longWay(ONE);
    expect(await shortWay([...ONE, ...app])).toBe("applied");
    expect(await shortWay(ONE)).toBe("applied");
    expect(listNft(kernels.ipv4)).not.toContain("10.180.6.1");
    expect(await shortWay([...ONE, ...app, ...twin])).toBe("applied");
    expect(await isShort([...ONE, ...app])).toBe(false);
    expect(await shortWay(ONE)).toBe("applied");
  });

  it("keeps a hairpin that a Service with session affinity needs", async () => {
    const here = { endpoints: [{ addresses: ["10.180.1.1"], nodeName: "n1" }] };
    const base = BASE.map((item, at) => (at === 1 ? sliceItem("sticky", [], here) : item));
    await longWay(withWeb([], here, base));
    expect(await isShort(withWeb([], {}, base))).toBe(false);
  });

  it("keeps what was accepted up to date, where that is recorded", async () => {
    await longWay(ONE);
    const sources = await sourcesOf(textOf(ONE));
    await writeAccepted(settings.stateDir, { hash: sources.hash, manifests: judge(sources, settings).manifests });
    await shortWay(TWO);
    const after = await sourcesOf(textOf(TWO));
    const accepted = await readAccepted(settings.stateDir);
    expect(accepted).toEqual({
      hash: after.hash,
      manifests: JSON.parse(JSON.stringify(judge(after, settings).manifests)) as unknown,
    });
    await shortWay(THREE);
    expect((await readAccepted(settings.stateDir))?.hash).toBe((await sourcesOf(textOf(THREE))).hash);
    await shortWay([serviceItem("app", "172.30.0.6"), ...TWO.filter((item) => item !== BASE[3] && item !== BASE[4])]);
    const { manifests = [] } = (await readAccepted(settings.stateDir)) ?? {};
    const names = manifests.map(({ kind, metadata: { name } }) => `${kind} ${name}`);
    expect(names).toEqual([
      "Service sticky",
      "EndpointSlice sticky-1",
      "Service web",
      "Node n1",
      "EndpointSlice web-1",
      "Service app",
    ]);
  });
});

describe("tables that cannot be recorded", () => {
  it("stand all the same, without a record of those before", async () => {
    await longWay(ONE);
    await mkdir(inState("nftables-ipv4.tables.new"));
    const reasons: string[] = [];
    const { plans } = await planLong(await sourcesOf(textOf(TWO)));
    const result = await carryOut(plans, nftables, node.kernel, { unsaved: (reason) => reasons.push(reason) });
    expect(result.kind).toBe("applied");
    expect(reasons).toEqual([expect.stringContaining("is a directory")]);
    expect(await readdir(settings.stateDir)).not.toContain("nftables-ipv4.tables");
    expect((await planLong(await sourcesOf(textOf(TWO)))).plans.flatMap(({ changes }) => changes)).toEqual([]);
  });
});

describe("there is no short way", () => {
  beforeEach(() => longWay(ONE));

  it.each<[string, readonly Item[]]>([
    ["a Node", TWO.map((item, at) => (at === 5 ? { ...item, spec: { podCIDR: "10.0.0.0/24" } } : item))],
    ["a slice into two of one name", [...TWO, sliceItem("web", ["10.180.2.9"])]],
    ["a Service into one with session affinity", withWeb(["10.180.2.1"], {}, withDb({ sessionAffinity: "ClientIP" }))],
    ["a Service into one with source ranges", ONE.map((item) => (item === BASE[3] ? BALANCED : item))],
    [
      "a Service into one of a family that was not served",
      withWeb(["10.180.2.1"], {}, withDb({ clusterIP: "fd00::3" })),
    ],
    ["a Service into an invalid one", withWeb(["10.180.2.1"], {}, withDb({ ports: [] }))],
    [
      "where a slice is",
      withWeb(["10.180.2.1"], { metadata: { name: "web-1", namespace: "x", labels: { [LABEL]: "web" } } }),
    ],
    ["of what kind a slice is", withWeb(["10.180.2.1"], { kind: "Lease", apiVersion: "coordination.k8s.io/v1" })],
    ["a slice into an invalid one", withWeb(["10.180.2.1"], { endpoints: [{ addresses: ["10.180.2.999"] }] })],
    ["a slice into one with a warning", withWeb(["10.180.2.1"], { ports: [{ name: "other", port: 80 }] })],
    [
      "endpoints of a Service with session affinity",
      TWO.map((item, at) => (at === 1 ? sliceItem("sticky", ["10.180.1.2"]) : item)),
    ],
    [
      "the last endpoint of a Service with session affinity",
      TWO.map((item, at) => (at === 1 ? sliceItem("sticky", []) : item)),
    ],
  ])("after a change of %s", async (_, items) => {
    expect(await isShort(items)).toBe(false);
  });

  it("after a change that is no JSON, or more than JSON", async () => {
    const text = textOf(TWO);
    for (const after of [text.slice(0, -1), `${text}{}`, text.replace('"10.180.2.2"]', '"10.180.2.2",]')]) {
      expect((await planShort(after)).few).toBeUndefined();
    }
    const twice = text.replace(/"kind":"EndpointSlice"(?!.*"kind":"EndpointSlice")/, '$&,"kind":"EndpointSlice"');
    expect(twice.length).toBeGreaterThan(text.length);
    expect((await planShort(twice)).few).toBeUndefined();
  });

  it("with other settings", async () => {
    const other = { digest: "other settings", glance: undefined };
    expect(await mayBeFew(other, settings)).toBe(false);
    expect((await planShort(textOf(TWO), other)).few).toBeUndefined();
  });

  it("when the kernel holds another stamp, or no table", async () => {
    const before = kernels.ipv4;
    kernels.ipv4 = runNft(before, "delete element ip svctables stamp { 0x00000004 }\n");
    expect(await isShort(TWO)).toBe(false);
    kernels.ipv4 = runNft(before, "delete table ip svctables\n");
    expect(await isShort(TWO)).toBe(false);
    kernels.ipv4 = before;
    expect(await isShort(TWO)).toBe(true);
  });

  it("when a run with another state directory left rules of another family", async () => {
    const other = await mkdtemp(join(tmpdir(), "svctables-few-"));
    await cp(settings.stateDir, other, { recursive: true });
    await longWay([...ONE, serviceItem("six", "fd00::6", { sessionAffinity: "ClientIP" })]);
    await cp(other, settings.stateDir, { recursive: true });
    await rm(other, { recursive: true });
    expect(kernels.ipv6).toBeDefined();
    expect(await isShort(TWO)).toBe(false);
    kernels.ipv6 = undefined;
    expect(await isShort(TWO)).toBe(true);
  });

  it.each(["input.index", "nftables-ipv4.tables", "nftables-ipv4.patches", "state.json"])(
    "with a damaged %s",
    async (name) => {
      await shortWay(TWO);
      await damage(name);
      expect(await isShort(THREE)).toBe(name === "state.json");
      if (name === "state.json") {
        await writeFile(inState(name), "{");
        expect(await isShort(THREE)).toBe(false);
      }
    },
  );

  it.each(["input.index", "nftables-ipv4.tables", "nftables-ipv4.patches", "state.json"])(
    "without %s",
    async (name) => {
      await shortWay(TWO);
      await rm(inState(name));
      expect(await isShort(THREE)).toBe(false);
    },
  );

  it("with a record of what was accepted that is another input's, since the last run was killed before its end", async () => {
    const one = await sourcesOf(textOf(ONE));
    await writeAccepted(settings.stateDir, { hash: one.hash, manifests: judge(one, settings).manifests });
    const { few, sources } = await planShort(textOf(withDb({ selector: { app: "db" } }, ONE)));
    if (few === undefined) throw new Error("no short way");
    expect(few.plans.flatMap(({ changes }) => changes)).toEqual([]);
    await noteFewAccepted(few, sources, settings);
    expect(await isShort(TWO)).toBe(false);
  });

  it("with an index in the form that an earlier version wrote", async () => {
    const { index } = (await footprintOf(settings.stateDir)) ?? {};
    const [current = "", state] = await Promise.all([
      readFile(inState("input.index"), "utf8"),
      readFile(inState("state.json"), "utf8"),
    ]);
    const earlier = current.slice(current.indexOf("{")).replace(/,"claims":\[[^\]]*\]/g, "");
    await writeFile(inState("input.index"), earlier);
    await writeFile(inState("state.json"), state.replace(String(index), digestOf(earlier)));
    expect(await isShort(withDb({ clusterIP: "172.30.0.9" }, ONE))).toBe(false);
  });

  it("with patches of another text", async () => {
    await shortWay(TWO);
    const patches = await readFile(inState("nftables-ipv4.patches"), "utf8");
    await longWay(withWeb(["10.180.2.7"]));
    await writeFile(inState("nftables-ipv4.patches"), patches);
    // They are of no account: the way is there, and right.
    expect(await shortWay(THREE)).toBe("applied");
  });
});

describe("an input without an index", () => {
  it.each<[string, readonly Item[]]>([
    [
      "an address that two Services claim",
      [
        ...ONE,
        serviceItem("a", "172.30.0.11", { externalIPs: ["192.0.2.1"] }),
        serviceItem("b", "172.30.0.12", { externalIPs: ["192.0.2.1"] }),
      ],
    ],
    [
      "a cluster IP that another Service claims",
      [...ONE, serviceItem("a", "172.30.0.11", { externalIPs: ["172.30.0.2"] })],
    ],
    [
      "Pods",
      [
        ...ONE,
        { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "c", image: "i" }] } },
      ],
    ],
  ])("has %s", async (_, items) => {
    await longWay(items);
    expect((await footprintOf(settings.stateDir))?.index).toBeNull();
    expect(await mayBeFew(ORIGIN, settings)).toBe(false);
    expect(await isShort(items)).toBe(false);
  });
});
