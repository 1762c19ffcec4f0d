import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TablePatch } from "../../../../src/apply/record.ts";
import { nftables } from "../../../../src/backends/nftables/index.ts";
import { isInPart, readPart, withServices } from "../../../../src/backends/nftables/part.ts";
import { diff } from "../../../../src/diff.ts";
import { merged, patched, patchesOf } from "../../../../src/pipeline/tablePatch.ts";
import type {
  EndpointSliceManifest,
  Family,
  Manifest,
  ServiceManifest,
  SliceEndpoint,
  Table,
} from "../../../../src/types.ts";
import { NODE, renderOptions, rulesetOf, service, slice } from "../../../support/manifests.ts";
import { listNft, type NftKernel, runNft } from "../../../support/nftKernel.ts";

/** A part of a table is changed as the whole would be: the kernel, the stamp and the record end up the same. */

// ── Clusters and what happens to their endpoints ─────────────────────────────────────────────────

interface World {
  readonly family: Family;
  readonly services: readonly ServiceManifest[];
  /** By Service; the endpoints are what changes. */
  readonly endpoints: readonly (readonly SliceEndpoint[])[];
}

const ADDRESSES = {
  ipv4: { cluster: (at: number) => `172.30.0.${at + 1}`, outer: "192.168.99.", pod: (at: number) => `10.180.0.${at}` },
  ipv6: {
    cluster: (at: number) => `fd00:96::${at + 1}`,
    outer: "2001:db8:9::",
    pod: (at: number) => `fd00:180::${at}`,
  },
};

const endpoint = fc.record({
  at: fc.integer({ min: 1, max: 9 }),
  nodeName: fc.constantFrom(NODE.name, "other-node", "other-node"),
  conditions: fc.constantFrom(
    {},
    {},
    { ready: true },
    { ready: false },
    { ready: false, serving: true, terminating: true },
  ),
});

const endpointsOf = (family: Family) =>
  fc
    .array(endpoint, { maxLength: 6 })
    .map((all) => all.map(({ at, ...rest }): SliceEndpoint => ({ addresses: [ADDRESSES[family].pod(at)], ...rest })));

const policy = fc.constantFrom("Cluster" as const, "Cluster" as const, "Local" as const);

const given = fc.record({
  type: fc.constantFrom("ClusterIP" as const, "NodePort" as const, "LoadBalancer" as const),
  internalTrafficPolicy: policy,
  externalTrafficPolicy: policy,
  hasAffinity: fc.integer({ min: 0, max: 6 }).map((number) => number === 0),
  hasNodePort: fc.boolean(),
  outer: fc.subarray(["externalIP", "vip", "sources"] as const),
  protocols: fc.constantFrom(["TCP"] as const, ["UDP"] as const, ["TCP", "UDP"] as const),
});

type Generated = typeof given extends fc.Arbitrary<infer T> ? T : never;
type Given = Omit<Generated, "outer"> & { readonly outer: readonly string[] };

function serviceOf(
  index: number,
  family: Family,
  { type, hasAffinity, hasNodePort, outer, protocols, ...policies }: Given,
): ServiceManifest {
  const { cluster, outer: prefix } = ADDRESSES[family];
  const ports = protocols.map((protocol, at) => ({
    name: `p${at}`,
    protocol,
    port: 80 + at,
    ...(hasNodePort ? { nodePort: 30_000 + index * 10 + at } : {}),
  }));
  const ranges = family === "ipv4" ? ["203.0.113.0/24"] : ["2001:db8:5::/64"];
  const spec = {
    type,
    ...policies,
    clusterIP: cluster(index),
    sessionAffinity: hasAffinity ? ("ClientIP" as const) : ("None" as const),
    externalIPs: outer.includes("externalIP") ? [`${prefix}${index + 1}`] : [],
    loadBalancerSourceRanges: outer.includes("sources") ? ranges : [],
    ports,
  };
  return service(`ns/svc${index}`, spec, outer.includes("vip") ? [`${prefix}${index + 101}`] : []);
}

const world: fc.Arbitrary<World> = fc.constantFrom("ipv4" as const, "ipv4" as const, "ipv6" as const).chain((family) =>
  fc.array(fc.tuple(given, endpointsOf(family)), { minLength: 2, maxLength: 7 }).map((all) => ({
    family,
    services: all.map(([one], index) => serviceOf(index, family, one)),
    endpoints: all.map(([, endpoints]) => endpoints),
  })),
);

/** New endpoints for some of the Services; undefined leaves them as they are. */
type Edit = readonly (readonly SliceEndpoint[] | undefined)[];

const editOf = ({ family, services }: World): fc.Arbitrary<Edit> =>
  fc
    .tuple(
      fc.subarray([...services.keys()], { minLength: 1, maxLength: Math.min(3, services.length) }),
      fc.array(endpointsOf(family), { minLength: 7, maxLength: 7 }),
    )
    .map(([chosen, lists]) => services.map((_, index) => (chosen.includes(index) ? lists[index] : undefined)));

const story = world.chain((start) =>
  fc.array(editOf(start), { minLength: 1, maxLength: 4 }).map((edits) => ({ start, edits })),
);

function edited(before: World, edit: Edit): World {
  return { ...before, endpoints: before.endpoints.map((list, index) => edit[index] ?? list) };
}

/** The slice of a Service; half of them share their endpoints' ports with others, so that these have one hairpin. */
function sliceOf({ family, services, endpoints }: World, index: number): EndpointSliceManifest {
  const ports = (services[index]?.spec.ports ?? []).map(({ name = "", protocol }, at) => ({
    name,
    protocol,
    port: 8080 + at + (index % 2) * 10,
  }));
  const addressType = family === "ipv4" ? "IPv4" : "IPv6";
  return slice(`ns/svc${index}`, endpoints[index] ?? [], { ports, addressType });
}

function manifestsOf(now: World, isWanted: (index: number) => boolean = () => true): readonly Manifest[] {
  return now.services.flatMap((one, index) => (isWanted(index) ? [one, sliceOf(now, index)] : []));
}

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
  const [part] = readPart(text, family, wanted);
  const [held] = part === undefined ? [] : patched([part], patches, isInPart(wanted));
  const [services] = wanted;
  if (held === undefined || services === undefined) throw new Error("no table in the record");
  const table = withServices(held, services, isUsedBeside(before, edit));
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
  it("the short way leads where the long way does, again and again, in most cases", () => {
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
    expect(ways.short).toBeGreaterThan(ways.long);
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
  const change = (before: World, edit: Edit) => {
    const { kernel, record } = startOf(before);
    return compareWays(before, edit, kernel, record);
  };

  it("holds no endpoint of another Service", () => {
    const now = worldOf([here(1, 2, 3), here(4, 5), here(6)]);
    const { record } = startOf(now);
    const wanted = rendered(
      "ipv4",
      manifestsOf(now, (index) => index !== 1),
    );
    const [part] = readPart(record.text, "ipv4", wanted);
    const map = part?.objects.get("endpoints-tcp");
    if (map === undefined || !("elements" in map)) throw new Error("no endpoints");
    const values = [...map.elements.values()].map(({ value }) => value);
    expect(values).toEqual([1, 2, 3, 6].map((at) => `10.180.0.${at} . 8080`));
    expect(readPart(record.text, "ipv4", rendered("ipv4", []))[0]?.objects.size).toBe(part?.objects.size);
  });

  it("tells an address and port from those that begin like it", () => {
    const services = [0, 10, 100].map((at) => serviceOf(at, "ipv4", plain));
    const now: World = { family: "ipv4", services, endpoints: [here(1), here(2), here(3)] };
    const { record } = startOf(now);
    const wanted = rendered("ipv4", [services[0] ?? [], sliceOf(now, 0)].flat());
    const [part] = readPart(record.text, "ipv4", wanted);
    const map = part?.objects.get("endpoints-tcp");
    expect(map !== undefined && "elements" in map ? [...map.elements.keys()] : []).toEqual(["172.30.0.1 . 80 . 0"]);
  });

  it("does with a Service that loses its last endpoint, and gets it back", () => {
    const before = worldOf([here(1), here(2)]);
    const { kernel, record } = startOf(before);
    const gone = compareWays(before, [[], undefined], kernel, record);
    expect(gone.isShort).toBe(true);
    expect(listNft(gone.kernel)).toContain('172.30.0.1 . tcp . 80 comment "ns/svc0:p0" : goto refuse');
    const back = compareWays(worldOf([[], here(2)]), [here(1), undefined], gone.kernel, gone.record);
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
    const shorter = compareWays(before, [here(1), undefined], kernel, record);
    expect(listNft(shorter.kernel)).toContain("chain load-balance-tcp-2");
    const same = compareWays(worldOf([here(1), here(3)]), [here(1), undefined], shorter.kernel, shorter.record);
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
      table === undefined || wanted[0] === undefined ? undefined : withServices(table, wanted[0], () => false),
    );
    expect(ways.map((way) => way !== undefined)).toEqual([true, false]);
  });
});
