import { describe, expect, it } from "vitest";
import { iptables } from "../../../../src/backends/iptables/index.ts";
import { diff } from "../../../../src/diff.ts";
import type { Manifest, Table, Transaction } from "../../../../src/types.ts";
import { renderOptions, rulesetOf, service, slice } from "../../../support/manifests.ts";
import { emptyKernel, type Kernel, restore, save } from "../../../support/restoreKernel.ts";

function cluster(services: number): readonly Manifest[] {
  return Array.from({ length: services }, (_, index) => [
    service(`ns/svc${index}`, { clusterIP: `172.30.${index >> 8}.${index & 255}` }),
    slice(
      `ns/svc${index}`,
      Array.from({ length: 4 }, (_, at) => `10.180.${at}.${index & 255}`),
    ),
  ]).flat();
}

function rendered(manifests: readonly Manifest[]): readonly Table[] {
  return iptables.render(rulesetOf(manifests), renderOptions());
}

function transaction(kernel: Kernel, wanted: readonly Table[], flavour: string): Transaction {
  return iptables.transaction("ipv4", diff(iptables, iptables.read(save(kernel), "ipv4"), wanted), flavour);
}

function run(kernel: Kernel, { steps }: Transaction): Kernel {
  return steps.reduce((now, { text }) => restore(now, text), kernel);
}

function textOf({ steps }: Pick<Transaction, "steps">): string {
  return steps.map(({ text }) => text).join("");
}

/** Chains declared in each section of nat. */
function natSections(text: string): readonly number[] {
  return text
    .split("*nat\n")
    .slice(1)
    .map((section) => section.split("\n").filter((line) => line.startsWith(":")).length);
}

const large = rendered(cluster(300));

describe("many chains", () => {
  it("are split for iptables-nft, at most 500 in a section, and never lead ahead", () => {
    const plan = transaction(emptyKernel(), large, "nft");
    const sizes = natSections(textOf(plan));
    expect(sizes.length).toBeGreaterThan(3);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(500);
    // The kernel in memory refuses a section in which a rule leads to a chain that is not there yet.
    const kernel = run(emptyKernel(), plan);
    expect(diff(iptables, iptables.read(save(kernel), "ipv4"), large)).toEqual([]);
    expect(save(run(kernel, transaction(kernel, [], "nft")))).toBe(save(emptyKernel()));
  });

  it("stay in one section for iptables-legacy", () => {
    expect(natSections(textOf(transaction(emptyKernel(), large, "legacy")))).toHaveLength(1);
  });

  it.each(["nft", "legacy"])(
    "what has no endpoint is refused until it is translated, and before that ends: %s",
    (flavour) => {
      const without = cluster(40).map((manifest) =>
        manifest.kind === "EndpointSlice" ? { ...manifest, endpoints: [] } : manifest,
      );
      const [refused, served] = [rendered(without), rendered(cluster(40))];
      for (const [from, to] of [
        [refused, served],
        [served, refused],
      ] as const) {
        let now = run(emptyKernel(), transaction(emptyKernel(), from, flavour));
        for (const section of textOf(transaction(now, to, flavour)).split(/(?<=COMMIT\n)/)) {
          now = restore(now, section);
          const text = save(now);
          for (let service = 0; service < 40; service++)
            expect(text).toMatch(new RegExp(`-d 172\\.30\\.0\\.${service}/32`));
        }
        expect(diff(iptables, iptables.read(save(now), "ipv4"), to)).toEqual([]);
      }
    },
  );

  it("no Service is missing between two sections", () => {
    const kernel = run(emptyKernel(), transaction(emptyKernel(), large, "nft"));
    const moved = rendered(
      cluster(300).map((manifest) =>
        manifest.kind === "EndpointSlice"
          ? { ...manifest, ports: [{ name: "", protocol: "TCP", port: 9090 }] }
          : manifest,
      ),
    );
    let now = kernel;
    const sections = textOf(transaction(kernel, moved, "nft")).split(/(?<=COMMIT\n)/);
    expect(sections.length).toBeGreaterThan(3);
    for (const section of sections) {
      now = restore(now, section);
      const nat = now.get("nat");
      for (const rule of nat?.get("KUBE-SERVICES") ?? []) {
        const chain = / -j (KUBE-SVC-\S+)/.exec(rule)?.[1];
        if (chain !== undefined) expect(nat?.get(chain)?.length).toBe(5);
      }
    }
  });
});

describe("few changes", () => {
  it("say only what changes: one Service more among many", () => {
    const kernel = run(emptyKernel(), transaction(emptyKernel(), large, "nft"));
    const text = textOf(transaction(kernel, rendered(cluster(301)), "nft"));
    expect(text.match(/^:/gm)).toHaveLength(5);
    expect(text.match(/^-[AIDX] KUBE-SERVICES /gm)).toEqual(["-I KUBE-SERVICES "]);
    expect(natSections(text)).toHaveLength(1);
  });

  it("one endpoint less: its Service's chain is written anew, the endpoint's goes", () => {
    const manifests = cluster(3);
    const kernel = run(emptyKernel(), transaction(emptyKernel(), rendered(manifests), "nft"));
    const fewer = [...manifests.slice(0, -1), slice("ns/svc2", ["10.180.0.2", "10.180.1.2", "10.180.2.2"])];
    const text = textOf(transaction(kernel, rendered(fewer), "nft"));
    expect(text.match(/^-X KUBE-SEP-/gm)).toHaveLength(1);
    expect(text.match(/^:KUBE-SVC-/gm)).toHaveLength(1);
    expect(text).not.toContain("*filter");
  });

  it("no change, no input", () => {
    const kernel = run(emptyKernel(), transaction(emptyKernel(), large, "nft"));
    expect(transaction(kernel, large, "nft").steps).toEqual([]);
  });

  it("undo puts a deleted jump back where it was among others", () => {
    const start = restore(
      run(emptyKernel(), transaction(emptyKernel(), large, "nft")),
      "*filter\n-I INPUT -i lo -j ACCEPT\n-I INPUT 3 -i eth0 -j ACCEPT\nCOMMIT\n",
    );
    const cleanup = transaction(start, [], "nft");
    const back = cleanup.undo.reduce((now, { text }) => restore(now, text), run(start, cleanup));
    expect(save(back)).toBe(save(start));
  });
});
