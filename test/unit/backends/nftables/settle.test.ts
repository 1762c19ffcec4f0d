import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nftables } from "../../../../src/backends/nftables/index.ts";
import { settle } from "../../../../src/backends/nftables/settle.ts";
import { diff } from "../../../../src/diff.ts";
import type { Table, TableObject } from "../../../../src/types.ts";
import { linesIn, tableFor, withElements } from "./support.ts";

const ips = (...last: readonly number[]): readonly string[] => last.map((octet) => `10.0.0.${octet}`);

function endpointChanges(held: readonly Table[], wanted: readonly Table[]) {
  const found = diff(nftables, held, settle(wanted, held)).find(({ name }) => name === "endpoints-tcp");
  return { removed: found?.removed.map(({ text }) => text) ?? [], added: found?.added.map(({ text }) => text) ?? [] };
}

/** The endpoints of 172.30.0.41:80 in the order of their indices. */
function orderIn(tables: readonly Table[]): readonly string[] {
  return linesIn(tables, "endpoints-tcp")
    .map((line) => /^172\.30\.0\.41 \. 80 \. (\d+) : (\S+) /.exec(line) ?? [])
    .sort((a, b) => Number(a[1]) - Number(b[1]))
    .map(([, , ip = ""]) => ip);
}

describe("indices of endpoints", () => {
  it("stay, whatever the kernel's order is", () => {
    const held = withElements(tableFor(ips(1, 2, 3)), "endpoints-tcp", [
      "172.30.0.41 . 80 . 0 : 10.0.0.3 . 80",
      "172.30.0.41 . 80 . 1 : 10.0.0.1 . 80",
      "172.30.0.41 . 80 . 2 : 10.0.0.2 . 80",
    ]);
    expect(endpointChanges(held, tableFor(ips(1, 2, 3)))).toEqual({ removed: [], added: [] });
  });

  it("of the last endpoint goes to the gap", () => {
    expect(endpointChanges(tableFor(ips(1, 2, 3)), tableFor(ips(2, 3)))).toEqual({
      removed: ["172.30.0.41 . 80 . 0 : 10.0.0.1 . 80", "172.30.0.41 . 80 . 2 : 10.0.0.3 . 80"],
      added: ["172.30.0.41 . 80 . 0 : 10.0.0.3 . 80"],
    });
  });

  it("of a new endpoint is that of the one it replaces", () => {
    expect(endpointChanges(tableFor(ips(1, 2, 3)), tableFor(ips(1, 3, 9)))).toEqual({
      removed: ["172.30.0.41 . 80 . 1 : 10.0.0.2 . 80"],
      added: ["172.30.0.41 . 80 . 1 : 10.0.0.9 . 80"],
    });
  });

  it("are dense, name each endpoint once, and move no endpoint that could stay", () => {
    const set = fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(set, set, (before, after) => {
        const held = tableFor(ips(...before));
        const settled = settle(tableFor(ips(...after)), held);
        const was = orderIn(held);
        const is = orderIn(settled);
        expect([...is].sort()).toEqual(ips(...after).toSorted());
        was.forEach((ip, index) => {
          if (index < after.length && is.includes(ip)) expect(is[index]).toBe(ip);
        });
      }),
    );
  });

  it("of local endpoints are settled apart from those of all", () => {
    const local = (here: readonly string[]) => tableFor(ips(7), { internalTrafficPolicy: "Local" }, {}, here);
    const held = local(ips(1, 2));
    expect(endpointChanges(held, local(ips(2)))).toEqual({
      removed: ["172.30.0.41 . 80 . 32768 : 10.0.0.1 . 80", "172.30.0.41 . 80 . 32769 : 10.0.0.2 . 80"],
      added: ["172.30.0.41 . 80 . 32768 : 10.0.0.2 . 80"],
    });
  });
});

const STICKY = { sessionAffinity: "ClientIP", sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } } } as const;

function numberOf(tables: readonly Table[], ip: string): number {
  const [line = ""] = linesIn(tables, `affinity-endpoint-ns/web/tcp/__${ip}/80`);
  return Number(/offset (\d+)/.exec(line)?.[1] ?? 0);
}

describe("numbers for session affinity", () => {
  const sticky = (...last: readonly number[]) => tableFor(ips(...last), STICKY);

  it("stay with their endpoint", () => {
    const held = sticky(1, 2, 3);
    const settled = settle(sticky(2, 3, 4), held);
    expect(numberOf(settled, "10.0.0.2")).toBe(numberOf(held, "10.0.0.2"));
    expect(numberOf(settled, "10.0.0.3")).toBe(numberOf(held, "10.0.0.3"));
    expect(linesIn(settled, "affinity-cluster-ns/web/tcp/")[0]).toContain(`offset ${numberOf(held, "10.0.0.2")} `);
  });

  it("are never given to another endpoint, nor to one that comes back", () => {
    const first = sticky(1, 2);
    const second = settle(sticky(2), first);
    const third = settle(sticky(1, 2), second);
    const fourth = settle(sticky(1, 2, 3), third);
    const given = [first, third].map((tables) => numberOf(tables, "10.0.0.1"));
    expect(new Set([...given, numberOf(fourth, "10.0.0.2"), numberOf(fourth, "10.0.0.3")]).size).toBe(4);
  });

  it("are forgotten at once: the chain of a removed endpoint is empty, and goes with a later change", () => {
    const gone = "affinity-endpoint-ns/web/tcp/__10.0.0.1/80";
    const second = settle(sticky(2), sticky(1, 2));
    expect(linesIn(second, gone)).toEqual([]);
    expect(diff(nftables, second, settle(sticky(2), second))).toEqual([]);
    const third = settle(sticky(2, 3), second);
    expect(third[0]?.objects.has(gone)).toBe(false);
  });

  it("survive a time-out that changes", () => {
    const held = sticky(1);
    const settled = settle(
      tableFor(ips(1), { ...STICKY, sessionAffinityConfig: { clientIP: { timeoutSeconds: 90 } } }),
      held,
    );
    expect(linesIn(settled, "affinity-endpoint-ns/web/tcp/__10.0.0.1/80")[0]).toBe(
      `update @affinity { ip saddr . numgen inc mod 1 offset ${numberOf(held, "10.0.0.1")} timeout 1m30s }`,
    );
  });

  it("start above all that the kernel holds, even when the stamp is lost", () => {
    const held = withElements(sticky(1, 2, 3), "stamp", []);
    expect(numberOf(settle(sticky(3, 4), held), "10.0.0.4")).toBe(4);
  });

  it("are one endpoint's each, even where the kernel holds one twice", () => {
    const held = sticky(1, 2).map((table) => {
      const objects = new Map(table.objects);
      const [one, other] = [1, 2].map((last) => objects.get(`affinity-endpoint-ns/web/tcp/__10.0.0.${last}/80`));
      if (one?.kind === "chain" && other?.kind === "chain") objects.set(other.name, { ...other, lines: one.lines });
      return { ...table, objects };
    });
    expect(numberOf(held, "10.0.0.1")).toBe(numberOf(held, "10.0.0.2"));
    const settled = settle(sticky(1, 2), held);
    expect(numberOf(settled, "10.0.0.1")).toBe(numberOf(held, "10.0.0.1"));
    expect(numberOf(settled, "10.0.0.2")).not.toBe(numberOf(held, "10.0.0.1"));
  });

  it("start again before they run out", () => {
    const held = withElements(sticky(1, 2), "stamp", ["0x00000003 : 0xffffffff"]);
    const settled = settle(sticky(1, 2, 3), held);
    expect([1, 2, 3].map((last) => numberOf(settled, `10.0.0.${last}`))).toEqual([1, 2, 3]);
  });
});

describe("shared chains that nobody needs", () => {
  it("stay until a later change, and are no reason for one", () => {
    const name = "load-balance-tcp-3";
    const second = settle(tableFor(ips(1, 2)), tableFor(ips(1, 2, 3)));
    expect(second[0]?.objects.has(name)).toBe(true);
    expect(diff(nftables, second, settle(tableFor(ips(1, 2)), second))).toEqual([]);
    const back = settle(tableFor(ips(1, 2, 3)), second);
    expect(diff(nftables, second, back).map((change) => change.name)).not.toContain(name);
    const third = settle(tableFor(ips(1, 9)), second);
    expect(third[0]?.objects.has(name)).toBe(false);
  });

  it("are part of the stamp, since a record that does not know them would be believed", () => {
    const fresh = tableFor(ips(1, 2));
    const second = settle(fresh, tableFor(ips(1, 2, 3)));
    expect(nftables.stamp(second)).not.toBe(nftables.stamp(fresh));
    expect(nftables.stamp(settle(fresh, second))).toBe(nftables.stamp(second));
  });
});

describe("chains that nothing leads to any more", () => {
  it("are no reason for a change, in whichever words nft prints the rest", () => {
    const highest = { masqueradeMark: 2 ** 31 };
    const [held] = settle(tableFor(ips(1), {}, highest), tableFor(ips(1, 2), {}, highest));
    if (held === undefined) throw new Error("no table");
    const printed = [...held.objects].map(([name, object]): [string, TableObject] => {
      if (!("lines" in object)) return [name, object];
      const lines = object.lines.map(({ text }) => ({
        text: text.replace(/^meta mark & 0x80000000 != 0x0+/, "meta mark != 0x0/1"),
      }));
      return [name, { ...object, lines }];
    });
    const tables = [{ ...held, objects: new Map(printed) }];
    expect(linesIn(tables, "masquerading")[0]).toMatch(/^meta mark != 0x0\/1 /);
    expect(linesIn(tables, "load-balance-tcp-2")).not.toEqual([]);
    expect(diff(nftables, tables, settle(tableFor(ips(1), {}, highest), tables))).toEqual([]);
  });
});
