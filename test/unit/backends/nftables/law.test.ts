import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nftables } from "../../../../src/backends/nftables/index.ts";
import { diff } from "../../../../src/diff.ts";
import type { Manifest, Table, Transaction } from "../../../../src/types.ts";
import { cluster } from "../../../support/clusters.ts";
import { renderOptions, rulesetOf } from "../../../support/manifests.ts";
import { listNft, type NftKernel, runNft } from "../../../support/nftKernel.ts";

/** Laws that hold for every cluster, on a kernel in memory. */

const OPTIONS = renderOptions();

function wantedFor(manifests: readonly Manifest[]): readonly Table[] {
  return nftables.render(rulesetOf(manifests), OPTIONS);
}

function held(kernel: NftKernel): readonly Table[] {
  return nftables.read(listNft(kernel), "ipv4");
}

function planFor(kernel: NftKernel, manifests: readonly Manifest[]): Transaction {
  const settled = nftables.settle(wantedFor(manifests), held(kernel));
  return nftables.transaction("ipv4", diff(nftables, held(kernel), settled));
}

function run(kernel: NftKernel, steps: Transaction["steps"]): NftKernel {
  return steps.reduce((now, { text }) => runNft(now, text), kernel);
}

function remaining(kernel: NftKernel, manifests: readonly Manifest[]) {
  return diff(nftables, held(kernel), nftables.settle(wantedFor(manifests), held(kernel)));
}

describe("laws", () => {
  it("what is read back is what was rendered, from the kernel and from compile's own text", () => {
    fc.assert(
      fc.property(cluster, (manifests) => {
        const wanted = wantedFor(manifests);
        const kernel = run(undefined, planFor(undefined, manifests).steps);
        expect(diff(nftables, held(kernel), wanted)).toEqual([]);
        expect(nftables.stamp(held(kernel))).toBe(nftables.stamp(wanted));
        const [step] = nftables.replacement("ipv4", wanted, []).steps;
        for (const text of [step?.text ?? "", [...nftables.written(wanted)].join("")]) {
          expect(diff(nftables, nftables.read(text, "ipv4"), wanted)).toEqual([]);
        }
      }),
    );
  });

  it("a change leads to what is wanted and leaves nothing to do, and its undo leads back", () => {
    fc.assert(
      fc.property(cluster, cluster, (before, after) => {
        const start = run(undefined, planFor(undefined, before).steps);
        const change = planFor(start, after);
        const end = run(start, change.steps);
        expect(remaining(end, after)).toEqual([]);
        const back = run(end, change.undo);
        expect(diff(nftables, held(back), held(start))).toEqual([]);
        expect(diff(nftables, held(start), held(back))).toEqual([]);
      }),
    );
  });

  it("many changes, one after the other, leave no more than one generation of unused chains", () => {
    fc.assert(
      fc.property(fc.array(cluster, { minLength: 2, maxLength: 6 }), (clusters) => {
        let kernel: NftKernel;
        for (const manifests of clusters) {
          const before = held(kernel);
          kernel = run(kernel, planFor(kernel, manifests).steps);
          expect(remaining(kernel, manifests)).toEqual([]);
          const chains = (tables: readonly Table[]) => tables.flatMap(({ objects }) => [...objects.keys()]);
          const wanted = new Set(chains(wantedFor(manifests)));
          const unused = chains(held(kernel)).filter((name) => !wanted.has(name));
          expect(chains(before)).toEqual(expect.arrayContaining(unused));
        }
      }),
      { numRuns: 50 },
    );
  });

  it("the stamp tells two clusters apart exactly when something else differs, too", () => {
    fc.assert(
      fc.property(cluster, cluster, (one, other) => {
        const changes = diff(nftables, wantedFor(one), wantedFor(other)).filter(({ name }) => name !== "stamp");
        expect(nftables.stamp(wantedFor(one)) === nftables.stamp(wantedFor(other))).toBe(changes.length === 0);
      }),
    );
  });

  it("the order of documents changes nothing in the kernel", () => {
    const shuffled = cluster.chain((manifests) =>
      fc.tuple(fc.constant(manifests), fc.shuffledSubarray([...manifests], { minLength: manifests.length })),
    );
    fc.assert(
      fc.property(shuffled, ([manifests, others]) => {
        const kernel = run(undefined, planFor(undefined, manifests).steps);
        expect(remaining(kernel, others)).toEqual([]);
      }),
    );
  });

  it("every line of a ServicePort knows its ServicePort", () => {
    fc.assert(
      fc.property(cluster, (manifests) => {
        for (const { text, origins } of planFor(undefined, manifests).steps) {
          text.split("\n").forEach((line, index) => {
            const named = / comment "(ns\/svc\d+:p\d)"/.exec(line)?.[1];
            if (named !== undefined) expect(origins[index]?.servicePort.text).toBe(named);
            if (/ element ip svctables (nodeport-)?endpoints-/.test(line)) expect(origins[index]).toBeDefined();
          });
        }
      }),
    );
  });

  it("cleanup leaves nothing, and its undo everything", () => {
    fc.assert(
      fc.property(cluster, (manifests) => {
        const kernel = run(undefined, planFor(undefined, manifests).steps);
        const cleanup = nftables.transaction("ipv4", diff(nftables, held(kernel), []));
        const cleaned = run(kernel, cleanup.steps);
        expect(cleaned).toBeUndefined();
        expect(remaining(run(cleaned, cleanup.undo), manifests)).toEqual([]);
      }),
    );
  });
});
