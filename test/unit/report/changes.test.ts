import { describe, expect, it } from "vitest";
import { iptables } from "../../../src/backends/iptables/index.ts";
import { diff } from "../../../src/diff.ts";
import { changesText, countChanges, countsText } from "../../../src/report/changes.ts";
import { changesJson } from "../../../src/report/json.ts";
import { styleFor } from "../../../src/report/style.ts";
import type { Change, Manifest, Table, TableObject } from "../../../src/types.ts";
import { renderOptions, rulesetOf, service, slice } from "../../support/manifests.ts";

const plain = styleFor(false);
const tables = (...manifests: readonly Manifest[]) => iptables.render(rulesetOf(manifests), renderOptions());

const WEB = [service("default/web", { clusterIP: "172.30.0.41" }), slice("default/web", ["10.180.0.1", "10.180.0.2"])];
const FEWER = [WEB[0], slice("default/web", ["10.180.0.1"])].filter((manifest) => manifest !== undefined);
const DB = [service("default/db", { clusterIP: "172.30.0.9" }), slice("default/db", ["10.180.0.9"])];

function changes(before: readonly Manifest[], after: readonly Manifest[]): readonly Change[] {
  return diff(iptables, asListed(tables(...before)), tables(...after));
}

/** What a kernel gives back: the same, but it does not know who caused it. */
function asListed(wanted: readonly Table[]): readonly Table[] {
  return wanted.map((table) => {
    const objects = [...table.objects].map(([name, object]): [string, TableObject] => {
      if (object.kind !== "chain") return [name, object];
      return [name, { ...object, lines: object.lines.map(({ text }) => ({ text })) }];
    });
    return { ...table, objects: new Map(objects) };
  });
}

describe("changesText", () => {
  it("puts what a Service causes under its name, and the rest last", () => {
    expect(changesText(changes([...WEB], [...DB, ...FEWER]), plain)).toMatchInlineSnapshot(`
      "Service default/db/tcp  test.yaml
        ~ ipv4 nat chain KUBE-SERVICES
            + -d 172.30.0.9/32 -p tcp -m comment --comment "default/db cluster IP" -m tcp --dport 80 -j KUBE-SVC-2KHWPRMFJERXUJE3
        + ipv4 nat chain KUBE-SVC-2KHWPRMFJERXUJE3
            + ! -s 10.0.0.0/8 -d 172.30.0.9/32 -p tcp -m comment --comment "default/db cluster IP" -m tcp --dport 80 -j KUBE-MARK-MASQ
            + -m comment --comment "default/db -> 10.180.0.9:80" -j KUBE-SEP-X2KHCE6UVDLTV3UJ
        + ipv4 nat chain KUBE-SEP-X2KHCE6UVDLTV3UJ
            + -s 10.180.0.9/32 -m comment --comment "default/db" -j KUBE-MARK-MASQ
            + -p tcp -m comment --comment "default/db" -m tcp -j DNAT --to-destination 10.180.0.9:80

      Service default/web/tcp  test.yaml
        ~ ipv4 nat chain KUBE-SVC-LOLE4ISW44XBNF3G
            - -m comment --comment "default/web -> 10.180.0.1:80" -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-5LTSMWKBQLY34WMB
            - -m comment --comment "default/web -> 10.180.0.2:80" -j KUBE-SEP-3Y22B2FXIKEGZAB3
            + -m comment --comment "default/web -> 10.180.0.1:80" -j KUBE-SEP-5LTSMWKBQLY34WMB
        - ipv4 nat chain KUBE-SEP-3Y22B2FXIKEGZAB3
            - -s 10.180.0.2/32 -m comment --comment "default/web" -j KUBE-MARK-MASQ
            - -p tcp -m comment --comment "default/web" -m tcp -j DNAT --to-destination 10.180.0.2:80
      "
    `);
  });

  it("knows a Service that is gone only by its lines", () => {
    expect(changesText(changes(DB, []), plain)).toMatch(
      /^Caused by no Service of the input\n {2}~ ipv4 nat chain KUBE-SERVICES\n/,
    );
  });

  it("says that only the order differs", () => {
    const wanted = tables(...WEB);
    const shuffled = wanted.map((table) => ({
      ...table,
      objects: new Map(
        [...table.objects].map(([name, object]) => [
          name,
          object.kind === "chain" && name === "KUBE-FORWARD" ? { ...object, lines: object.lines.toReversed() } : object,
        ]),
      ),
    }));
    expect(changesText(diff(iptables, shuffled, wanted), plain)).toBe(
      "Common to all Services\n  ~ ipv4 filter chain KUBE-FORWARD (other order)\n",
    );
  });

  it("shows every line once, and no line of its own", () => {
    const all = changes([], [...WEB, ...DB]);
    const shown = changesText(all, plain).match(/^ {6}\+ .*$/gm) ?? [];
    const added = all.flatMap(({ added }) => added.map(({ text }) => `      + ${text}`));
    expect(shown.toSorted()).toEqual(added.toSorted());
  });
});

describe("counts", () => {
  it("count Services once, objects by what happens to them, and lines", () => {
    expect(countsText(changes([...WEB], [...DB, ...FEWER]))).toBe(
      "2 Services, 2 objects created, 2 changed, 1 deleted, +6 -4 lines",
    );
    expect(countsText(changes(DB, []))).toBe("0 objects created, 1 changed, 2 deleted, +0 -5 lines");
    expect(countChanges([])).toEqual({
      services: 0,
      created: 0,
      deleted: 0,
      altered: 0,
      linesAdded: 0,
      linesRemoved: 0,
    });
  });
});

describe("changesJson", () => {
  it("names action, object, lines and their Service", () => {
    const json = changesJson(changes(WEB, FEWER));
    expect(json).toMatchObject({ inSync: false, counts: { altered: 1, deleted: 1 } });
    expect(json).toHaveProperty("changes.0", {
      family: "ipv4",
      table: "nat",
      name: expect.stringMatching(/^KUBE-SVC-/),
      kind: "chain",
      action: "change",
      removed: expect.any(Array),
      added: expect.arrayContaining([
        { text: expect.stringContaining("10.180.0.1:80"), servicePort: "default/web/tcp", source: expect.anything() },
      ]),
    });
    expect(changesJson([])).toMatchObject({ inSync: true, changes: [] });
    expect(changesJson([], ["iptables"])).toMatchObject({ inSync: false, otherBackends: ["iptables"], changes: [] });
  });
});
