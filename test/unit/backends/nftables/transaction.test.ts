import { describe, expect, it } from "vitest";
import { nftables } from "../../../../src/backends/nftables/index.ts";
import { diff } from "../../../../src/diff.ts";
import type { Change, RenderOptions, ServiceSpec, Table } from "../../../../src/types.ts";
import { listNft, type NftKernel, runNft } from "../../../support/nftKernel.ts";
import { tableFor } from "./support.ts";

const ips = (...last: readonly number[]): readonly string[] => last.map((octet) => `10.0.0.${octet}`);

function stepsBetween(held: readonly Table[], wanted: readonly Table[]) {
  const { steps, undo } = nftables.transaction("ipv4", diff(nftables, held, nftables.settle(wanted, held)));
  return { steps: steps.map(({ text }) => text), undo: undo.map(({ text }) => text) };
}

/** Without the stamp, whose numbers say nothing to a reader. */
function essence(text: string | undefined): readonly string[] {
  return (text ?? "").split("\n").filter((line) => line !== "" && !/ stamp |^0x/.test(line));
}

describe("transaction", () => {
  it("is nothing for no change", () => {
    expect(stepsBetween(tableFor(ips(1)), tableFor(ips(1)))).toEqual({ steps: [], undo: [] });
  });

  it("changes one endpoint by two elements in one step", () => {
    const { steps, undo } = stepsBetween(tableFor(ips(1, 2)), tableFor(ips(1, 3)));
    expect(steps.map(essence)).toEqual([
      [
        "delete element ip svctables endpoints-tcp { 172.30.0.41 . 80 . 1 }",
        "add element ip svctables endpoints-tcp { 172.30.0.41 . 80 . 1 : 10.0.0.3 . 80 }",
      ],
    ]);
    expect(undo.map(essence)).toEqual([
      [
        "delete element ip svctables endpoints-tcp { 172.30.0.41 . 80 . 1 }",
        "add element ip svctables endpoints-tcp { 172.30.0.41 . 80 . 1 : 10.0.0.2 . 80 }",
      ],
    ]);
  });

  it("makes a new chain in a step before the one that leads to it", () => {
    const { steps, undo } = stepsBetween(tableFor(ips(1)), tableFor(ips(1, 2)));
    expect(steps.map(essence)).toEqual([
      [
        'add chain ip svctables load-balance-tcp-2 { comment "Picks one of 2 tcp endpoints"; }',
        "flush chain ip svctables load-balance-tcp-2",
        "add rule ip svctables load-balance-tcp-2 dnat ip to ip daddr . tcp dport . numgen random mod 2 map @endpoints-tcp",
        'add rule ip svctables load-balance-tcp-2 dnat ip to ip daddr . tcp dport . numgen random mod 1 map @endpoints-tcp comment "when the list got shorter in this very moment"',
      ],
      [
        "delete element ip svctables service-ips { 172.30.0.41 . tcp . 80 }",
        'add element ip svctables service-ips { 172.30.0.41 . tcp . 80 comment "ns/web" : goto load-balance-tcp-2 }',
        "add element ip svctables endpoints-tcp { 172.30.0.41 . 80 . 1 : 10.0.0.2 . 80 }",
      ],
    ]);
    expect(essence(undo.at(-1))).toEqual(["delete chain ip svctables load-balance-tcp-2"]);
  });

  it("makes a chain that is there already, unknown to us, no longer than it should be", () => {
    const held = tableFor(ips(1));
    const [first] = nftables.transaction(
      "ipv4",
      diff(nftables, held, nftables.settle(tableFor(ips(1, 2)), held)),
    ).steps;
    const texts = [stepsBetween([], held).steps[0], first?.text, first?.text];
    const kernel = texts.reduce((now: NftKernel, text) => runNft(now, text ?? ""), undefined);
    expect(kernel?.chains.get("load-balance-tcp-2")?.rules).toHaveLength(2);
  });

  it("writes the stamp with every change, and in the same step", () => {
    const { steps } = stepsBetween(tableFor(ips(1)), tableFor(ips(1, 2)));
    expect(steps.map((text) => /add element ip svctables stamp \{ 0x0{7}[45] /.test(text))).toEqual([false, true]);
  });

  it("is not taken for finished while new chains wait for what leads to them", () => {
    const [making = "", ...others] = stepsBetween(tableFor(ips(1)), tableFor(ips(1, 2))).steps;
    const before = runNft(undefined, stepsBetween([], tableFor(ips(1))).steps.join(""));
    const between = runNft(before, making);
    expect(nftables.stamp(nftables.read(listNft(before), "ipv4"))).toBeDefined();
    expect(nftables.stamp(nftables.read(listNft(between), "ipv4"))).toBeUndefined();
    // Both go on from there: the run that made the chains, and one that finds them.
    const finished = others.reduce(runNft, between);
    const held = nftables.read(listNft(between), "ipv4");
    const again = stepsBetween(held, tableFor(ips(1, 2))).steps.reduce(runNft, between);
    for (const kernel of [finished, again]) {
      const tables = nftables.read(listNft(kernel), "ipv4");
      expect(nftables.stamp(tables)).toBeDefined();
      expect(diff(nftables, tables, nftables.settle(tableFor(ips(1, 2)), tables))).toEqual([]);
    }
  });

  it("has at most 128 elements in a command and one in a line", () => {
    const many = Array.from({ length: 300 }, (_, index) => `10.9.${index >> 8}.${index & 255}`);
    const { steps } = stepsBetween([], tableFor(many));
    const commands = [...(steps[0] ?? "").matchAll(/add element ip svctables endpoints-tcp \{ [^}]*\}/g)];
    expect(commands.map(([text]) => text.split("\n").length)).toEqual([128, 128, 44]);
    for (const [text] of commands) {
      for (const line of text.split("\n")) expect(line.match(/ : /g)).toHaveLength(1);
    }
  });

  it("starts from nothing, and ends there, whatever stood in the way", () => {
    const { steps, undo } = stepsBetween([], tableFor(ips(1)));
    expect(steps).toHaveLength(1);
    expect(steps[0]?.split("\n").slice(0, 2)).toEqual(["add table ip svctables", "delete table ip svctables"]);
    expect(undo).toEqual(["delete table ip svctables\n"]);
  });

  describe("of a large table that comes whole", () => {
    const wanted = tableFor(Array.from({ length: 50_010 }, (_, at) => `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`));
    const { steps, undo } = stepsBetween([], wanted);
    const upTo = (count: number): NftKernel =>
      steps.slice(0, count).reduce((kernel: NftKernel, text) => runNft(kernel, text), undefined);

    it("brings endpoints before there is a chain from which a packet could reach them", () => {
      expect(steps.map((text) => text.match(/ : 10\./g)?.length)).toEqual([undefined, 25_000, 25_000, 10, undefined]);
      expect(steps.map((text) => /\badd (?:chain|rule) /.test(text))).toEqual([false, false, false, false, true]);
      expect(nftables.stamp(nftables.read(listNft(upTo(5)), "ipv4"))).toBe(nftables.stamp(wanted));
      expect(undo).toEqual(["delete table ip svctables\n"]);
    });

    it("lets nft take them at once: their order does not matter", () => {
      const transaction = nftables.transaction("ipv4", diff(nftables, [], wanted));
      expect(transaction.steps.map(({ isUnordered = false }) => isUnordered)).toEqual([false, true, true, true, false]);
      const [first = "", one = "", two = "", three = "", last = ""] = steps;
      const kernel = [first, three, one, two, last].reduce(runNft, undefined as NftKernel);
      expect(diff(nftables, nftables.read(listNft(kernel), "ipv4"), wanted)).toEqual([]);
    });

    it.each([1, 2, 4])("is not taken for finished after %i of its steps, and goes on from there", (count) => {
      const between = upTo(count);
      const held = nftables.read(listNft(between), "ipv4");
      expect(nftables.stamp(held)).toBeUndefined();
      const tables = nftables.read(listNft(stepsBetween(held, wanted).steps.reduce(runNft, between)), "ipv4");
      expect(nftables.stamp(tables)).toBe(nftables.stamp(wanted));
      expect(diff(nftables, tables, nftables.settle(wanted, tables))).toEqual([]);
    });

    it("goes as a whole where it was left half-way", () => {
      const held = nftables.read(listNft(upTo(2)), "ipv4");
      expect(stepsBetween(held, []).steps).toEqual(["delete table ip svctables\n"]);
    });

    it("asks nft beforehand about the declarations: all else makes sense only after them", () => {
      const transaction = nftables.transaction("ipv4", diff(nftables, [], wanted));
      const checks = transaction.steps.map((step) => nftables.commands("ipv4", "nft").check(step));
      expect(checks.map((check) => check?.args)).toEqual([
        ["-c", "-f", "-"],
        undefined,
        undefined,
        undefined,
        undefined,
      ]);
    });
  });

  it("does not take a table for none where somebody deleted its stamp and a chain", () => {
    const wanted = tableFor(ips(1, 2));
    const damage = ["flush chain", "delete chain"].map((verb) => `${verb} ip svctables nat-prerouting`);
    const whole = stepsBetween([], wanted).steps.reduce(runNft, undefined as NftKernel);
    const left = runNft(whole, [...damage, "delete map ip svctables stamp"].join("\n"));
    const mended = stepsBetween(nftables.read(listNft(left), "ipv4"), wanted).steps.reduce(runNft, left);
    expect(diff(nftables, nftables.read(listNft(mended), "ipv4"), wanted)).toEqual([]);
  });

  it("forgets a removed endpoint's clients in the step that removes it", () => {
    const spec: Partial<ServiceSpec> = {
      sessionAffinity: "ClientIP",
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 60 } },
    };
    const { steps } = stepsBetween(tableFor(ips(1, 2), spec), tableFor(ips(2), spec));
    expect(steps.map(essence)).toEqual([
      [
        "flush chain ip svctables affinity-cluster-ns/web/tcp/",
        "flush chain ip svctables affinity-endpoint-ns/web/tcp/__10.0.0.1/80",
        "add rule ip svctables affinity-cluster-ns/web/tcp/ ip saddr . numgen inc mod 1 offset 2 @affinity goto affinity-endpoint-ns/web/tcp/__10.0.0.2/80",
        "add rule ip svctables affinity-cluster-ns/web/tcp/ goto affinity-endpoint-ns/web/tcp/__10.0.0.2/80",
      ],
    ]);
  });

  it("drops a set that no rule names any more after the rules", () => {
    const primary: Partial<RenderOptions> = { nodePortAddresses: { kind: "addresses", addresses: ["192.168.0.2"] } };
    const { steps } = stepsBetween(tableFor(ips(1), {}, primary), tableFor(ips(1)));
    const lines = steps.join("").split("\n");
    const flushed = lines.indexOf("flush chain ip svctables services");
    const deleted = lines.indexOf("delete set ip svctables nodeport-ips");
    expect(flushed).toBeGreaterThanOrEqual(0);
    expect(deleted).toBeGreaterThan(flushed);
  });

  it("needs a replacement when a declaration is another one", () => {
    const wanted = tableFor(ips(1));
    const change = (declaration: string): Change => {
      const after = wanted[0]?.objects.get("cluster-ips");
      if (after === undefined || !("elements" in after)) throw new Error("no cluster-ips");
      const before = { ...after, declaration };
      return { family: "ipv4", table: "svctables", name: after.name, before, after, removed: [], added: [] };
    };
    expect(nftables.mustReplace([change("type ipv4_addr; flags interval")])).toBe(true);
    expect(nftables.mustReplace([change("type ipv4_addr")])).toBe(false);
  });
});

describe("commands", () => {
  const commands = nftables.commands("ipv6", "/opt/nft");

  it("start the chosen nft with arguments", () => {
    expect(commands.list).toEqual([{ program: "/opt/nft", args: ["-y", "list", "table", "ip6", "svctables"] }]);
    expect(commands.stamp).toEqual({ program: "/opt/nft", args: ["list", "map", "ip6", "svctables", "stamp"] });
    expect(commands.apply({ text: "x\n", origins: [] })).toEqual({
      program: "/opt/nft",
      args: ["-f", "-"],
      input: "x\n",
    });
  });

  it("check only what can be judged by itself", () => {
    const held = tableFor(ips(1));
    const { steps } = nftables.transaction("ipv4", diff(nftables, held, nftables.settle(tableFor(ips(1, 2)), held)));
    expect(steps.map((step) => commands.check(step)?.args)).toEqual([["-c", "-f", "-"], undefined]);
  });

  it("check nothing that would cost as much as applying it", () => {
    expect(commands.check({ text: "#".repeat(2 << 20), origins: [] })).toBeUndefined();
  });

  it("find the line that nft blames", () => {
    expect(
      commands.failedLine("/dev/stdin:5059:34-51: Error: Could not process rule: File exists\nadd element\n"),
    ).toBe(5059);
    expect(commands.failedLine("warning\n-:7:1-1: Error: syntax error\n")).toBe(7);
    expect(commands.failedLine("netlink: Error: cache initialization failed\n")).toBeUndefined();
  });

  it("tell a table that is not there from other failures", () => {
    const absent = { exitCode: 1, stdout: "", stderr: "Error: No such file or directory\nlist table ip svctables\n" };
    expect(commands.isAbsent?.(absent)).toBe(true);
    expect(commands.isAbsent?.({ ...absent, stderr: "Error: Operation not permitted" })).toBe(false);
    const unloadable =
      "nft: error while loading shared libraries: libmnl.so.0: cannot open shared object file: No such file or directory";
    expect(commands.isAbsent?.({ ...absent, stderr: unloadable })).toBe(false);
    expect(commands.isAbsent?.({ ...absent, exitCode: 0 })).toBe(false);
  });
});
