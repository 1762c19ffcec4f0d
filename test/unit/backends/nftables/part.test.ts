import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TablePatch } from "../../../../src/apply/record.ts";
import { nftables } from "../../../../src/backends/nftables/index.ts";
import { isInPart, ownedBy, readPart, withServices } from "../../../../src/backends/nftables/part.ts";
import { diff } from "../../../../src/diff.ts";
import { claimsOf } from "../../../../src/input/claims.ts";
import { merged, patched, patchesOf } from "../../../../src/pipeline/tablePatch.ts";
import type { Family, Manifest, ServiceManifest, SliceEndpoint, Table } from "../../../../src/types.ts";
import { NODE, renderOptions, rulesetOf, service } from "../../../support/manifests.ts";
import { listNft, type NftKernel, runNft } from "../../../support/nftKernel.ts";
import {
  ADDRESSES,
  type Edit,
  edited,
  manifestsOf,
  serviceOf,
  story,
  type World,
} from "../../../support/partWorlds.ts";

/** A part of a table is changed as the whole would be: the kernel, the stamp and the record end up the same. */

// ── The long way and the short way, on a kernel in memory ────────────────────────────────────────

function rendered(family: Family, manifests: readonly Manifest[]): readonly Table[] {
  const detector = { kind: "cidr", cidr: family === "ipv4" ? "10.0.0.0/8" : "fd00:180::/32" } as const;
  return nftables.render(
    rulesetOf(manifests, { family, localDetector: detector }),
    renderOptions({ family, serviceCIDRs: [] }),
  );
}

const read = (kernel: NftKernel, family: Family) => nftables.read(listNft(kernel), family);

function obey(kernel: NftKernel, { steps }: { readonly steps: readonly { readonly text: string }[] }): NftKernel {
  return steps.reduce((now, { text }) => runNft(now, text), kernel);
}

/** What the whole would take, from what is held. */
function longWay(now: World, held: readonly Table[]) {
  const wanted = nftables.settle(rendered(now.family, manifestsOf(now)), held);
  const changes = diff(nftables, held, wanted);
  return { wanted, changes, transaction: nftables.transaction(now.family, changes) };
}

interface Recorded {
  readonly text: string;
  readonly patches: readonly TablePatch[];
}

function recordOf(family: Family, tables: readonly Table[]): Recorded {
  return { text: nftables.replacement(family, tables, []).steps[0]?.text ?? "", patches: [] };
}

const wholeOf = (family: Family, { text, patches }: Recorded) => patched(nftables.read(text, family), patches);

/** Exact, while the program may say yes too often. */
function isUsedBeside(now: World, edit: Edit): (ip: string, port: string) => boolean {
  const others = rendered(
    now.family,
    manifestsOf(now, (index) => edit[index] === undefined),
  );
  const texts = nftables.replacement(now.family, others, []).steps[0]?.text ?? "";
  return (ip, port) => {
    const address = ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`;
    return new RegExp(` : ${ip} \\. ${port}[,\\s]| dnat to ${address.replace(/[[\]]/g, "\\$&")}\\n`).test(texts);
  };
}

function shortWay(before: World, edit: Edit, { text, patches }: Recorded) {
  const after = edited(before, edit);
  const { family } = after;
  const wanted = rendered(
    family,
    manifestsOf(after, (index) => edit[index] !== undefined),
  );
  const former = before.services.filter((one, index) => one !== undefined && edit[index]?.service !== undefined);
  const owned = ownedBy(wanted, new Set(former.flatMap((one) => (one === undefined ? [] : claimsOf(one)))));
  const [part] = readPart(text, family, owned);
  const [held] = part === undefined ? [] : patched([part], patches, isInPart(owned));
  const [services] = wanted;
  if (held === undefined || services === undefined) throw new Error("no table in the record");
  const table = withServices(held, services, owned, isUsedBeside(before, edit));
  if (table === undefined) return undefined;
  const changes = diff(nftables, [held], [table]);
  expect(nftables.mustReplace(changes)).toBe(false);
  return {
    changes,
    stamp: nftables.stamp([table]),
    transaction: nftables.transaction(family, changes),
    record: { text, patches: merged([...patches, ...patchesOf(changes)]) },
  };
}

/** Both ways from the same kernel, with the same record. */
function compareWays(before: World, edit: Edit, kernel: NftKernel, record: Recorded) {
  const after = edited(before, edit);
  const { family } = after;
  const long = longWay(after, read(kernel, family));
  const short = shortWay(before, edit, record);
  if (short === undefined) {
    const end = obey(kernel, long.transaction);
    return { kernel: end, record: recordOf(family, long.wanted), isShort: false };
  }
  const end = obey(kernel, short.transaction);
  const held = read(end, family);
  // The kernel: what the long way leads to, and nothing is left to do on it.
  const listed = (one: NftKernel) =>
    listNft(one)
      .split("\n")
      .map((line) =>
        line
          .trim()
          .replace(/^elements = \{ /, "")
          .replace(/(,| \})$/, ""),
      )
      .sort();
  expect(listed(end)).toEqual(listed(obey(kernel, long.transaction)));
  expect(longWay(after, held).changes).toEqual([]);
  // The stamp: the kernel's own, and that of the long way.
  expect(short.stamp).toBe(nftables.stamp(held));
  expect(short.stamp).toBe(nftables.stamp(long.wanted));
  // The record: what the kernel holds, and what the long way would start from.
  const recorded = wholeOf(family, short.record);
  expect(diff(nftables, recorded, held).filter(({ added, removed }) => added.length + removed.length > 0)).toEqual([]);
  expect(longWay(after, recorded).changes).toEqual([]);
  return { kernel: end, record: short.record, isShort: true };
}

function startOf(start: World) {
  const { wanted, transaction } = longWay(start, []);
  return { kernel: obey(undefined, transaction), record: recordOf(start.family, wanted) };
}

// ── Laws ─────────────────────────────────────────────────────────────────────────────────────────

describe("laws", () => {
  it("the short way leads where the long way does, again and again, in many cases", () => {
    const ways = { short: 0, long: 0, changes: 0 };
    fc.assert(
      fc.property(story, ({ start, edits }) => {
        let now = start;
        let { kernel, record } = startOf(start);
        for (const edit of edits) {
          const result = compareWays(now, edit, kernel, record);
          ways[result.isShort ? "short" : "long"]++;
          if (result.isShort && result.kernel !== kernel) ways.changes++;
          ({ kernel, record } = result);
          now = edited(now, edit);
        }
      }),
      { numRuns: 120 },
    );
    expect(ways.short).toBeGreaterThan(ways.long / 2);
    expect(ways.changes).toBeGreaterThan(ways.short / 2);
  });
});

describe("a part", () => {
  const options = { type: "ClusterIP", internalTrafficPolicy: "Cluster", externalTrafficPolicy: "Cluster" } as const;
  const plain = { ...options, hasAffinity: false, hasNodePort: false, outer: [], protocols: ["TCP"] } as const;
  const here = (...at: readonly number[]) =>
    at.map((one): SliceEndpoint => ({ addresses: [ADDRESSES.ipv4.pod(one)], nodeName: NODE.name }));
  /** Services 0 and 2 name the same ports of their endpoints, 1 others. */
  const worldOf = (endpoints: World["endpoints"], first: ServiceManifest = serviceOf(0, "ipv4", plain)): World => ({
    family: "ipv4",
    services: [first, serviceOf(1, "ipv4", plain), serviceOf(2, "ipv4", plain)].slice(0, endpoints.length),
    endpoints,
  });
  const endpointsEdit = (lists: readonly (readonly SliceEndpoint[] | undefined)[]): Edit =>
    lists.map((endpoints) => (endpoints === undefined ? undefined : { endpoints }));
  const change = (before: World, lists: readonly (readonly SliceEndpoint[] | undefined)[]) => {
    const { kernel, record } = startOf(before);
    return compareWays(before, endpointsEdit(lists), kernel, record);
  };

  it("holds no endpoint of another Service", () => {
    const now = worldOf([here(1, 2, 3), here(4, 5), here(6)]);
    const { record } = startOf(now);
    const wanted = rendered(
      "ipv4",
      manifestsOf(now, (index) => index !== 1),
    );
    const [part] = readPart(record.text, "ipv4", ownedBy(wanted, new Set()));
    const map = part?.objects.get("endpoints-tcp");
    if (map === undefined || !("elements" in map)) throw new Error("no endpoints");
    const values = [...map.elements.values()].map(({ value }) => value);
    expect(values).toEqual([1, 2, 3, 6].map((at) => `10.180.0.${at} . 8080`));
    expect(readPart(record.text, "ipv4", ownedBy([], new Set()))[0]?.objects.size).toBe(part?.objects.size);
  });

  it("tells an address and port from those that begin like it", () => {
    const services = [0, 10, 100].map((at) => serviceOf(at, "ipv4", plain));
    const now: World = { family: "ipv4", services, endpoints: [here(1), here(2), here(3)] };
    const { record } = startOf(now);
    const wanted = rendered(
      "ipv4",
      manifestsOf(now, (index) => index === 0),
    );
    const [part] = readPart(record.text, "ipv4", ownedBy(wanted, new Set()));
    const map = part?.objects.get("endpoints-tcp");
    expect(map !== undefined && "elements" in map ? [...map.elements.keys()] : []).toEqual(["172.30.0.1 . 80 . 0"]);
  });

  it("does with a Service that loses its last endpoint, and gets it back", () => {
    const before = worldOf([here(1), here(2)]);
    const { kernel, record } = startOf(before);
    const gone = compareWays(before, endpointsEdit([[], undefined]), kernel, record);
    expect(gone.isShort).toBe(true);
    expect(listNft(gone.kernel)).toContain('172.30.0.1 . tcp . 80 comment "ns/svc0:p0" : goto refuse');
    const back = compareWays(worldOf([[], here(2)]), endpointsEdit([here(1), undefined]), gone.kernel, gone.record);
    expect(back.isShort).toBe(true);
    expect(listNft(back.kernel)).not.toContain("goto refuse\n");
  });

  it("does not with a Service with session affinity, nor where its last endpoint goes", () => {
    const first = serviceOf(0, "ipv4", { ...plain, hasAffinity: true });
    expect(change(worldOf([here(1), here(2)], first), [here(1, 3), undefined]).isShort).toBe(false);
    expect(change(worldOf([here(1), here(2)], first), [[], undefined]).isShort).toBe(false);
    expect(change(worldOf([[], here(2)], first), [here(1), undefined]).isShort).toBe(false);
    expect(change(worldOf([here(1), here(2)], first), [undefined, here(3)]).isShort).toBe(true);
  });

  it("keeps a hairpin that another Service needs by not knowing", () => {
    expect(change(worldOf([here(1), here(2), here(1)]), [[], undefined, undefined]).isShort).toBe(false);
    expect(change(worldOf([here(1), here(2), here(3)]), [[], undefined, undefined]).isShort).toBe(true);
    // Both are in the part.
    expect(change(worldOf([here(1), here(2), here(1)]), [[], undefined, here(1, 4)]).isShort).toBe(true);
  });

  it("leaves chains that nothing leads to alone, where nothing else changed", () => {
    const before = worldOf([here(1, 2), here(3)]);
    const { kernel, record } = startOf(before);
    const shorter = compareWays(before, endpointsEdit([here(1), undefined]), kernel, record);
    expect(listNft(shorter.kernel)).toContain("chain load-balance-tcp-2");
    const same = compareWays(
      worldOf([here(1), here(3)]),
      endpointsEdit([here(1), undefined]),
      shorter.kernel,
      shorter.record,
    );
    expect(same).toMatchObject({ isShort: true, kernel: shorter.kernel });
  });

  it("does with source ranges at a cluster IP, which hold whatever the endpoints", () => {
    const address = ADDRESSES.ipv4.cluster(0);
    const first = service(
      "ns/svc0",
      {
        clusterIP: address,
        internalTrafficPolicy: "Local",
        loadBalancerSourceRanges: ["203.0.113.0/24"],
        ports: [{ name: "p0", port: 80 }],
      },
      [address],
    );
    const elsewhere: SliceEndpoint = { addresses: [ADDRESSES.ipv4.pod(1)], nodeName: "other-node" };
    expect(change(worldOf([here(1), here(2)], first), [[elsewhere], undefined]).isShort).toBe(true);
    expect(change(worldOf([[elsewhere], here(2)], first), [here(1), undefined]).isShort).toBe(true);
  });

  it("does not with a record of other settings", () => {
    const now = worldOf([here(1), here(2)]);
    const wanted = rendered("ipv4", manifestsOf(now));
    const other = nftables.render(rulesetOf(manifestsOf(now)), renderOptions({ masqueradeMark: 0x8000 }));
    const ways = [wanted, other].map(([table]) =>
      table === undefined || wanted[0] === undefined
        ? undefined
        : withServices(table, wanted[0], ownedBy(wanted, new Set()), () => false),
    );
    expect(ways.map((way) => way !== undefined)).toEqual([true, false]);
  });
});
