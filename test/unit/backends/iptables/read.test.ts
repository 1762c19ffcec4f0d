import { describe, expect, it } from "vitest";
import { comparable, read } from "../../../../src/backends/iptables/read.ts";
import { render } from "../../../../src/backends/iptables/render.ts";
import { transaction } from "../../../../src/backends/iptables/transaction.ts";
import { diff } from "../../../../src/diff.ts";
import type { Manifest } from "../../../../src/types.ts";
import { onNode, renderOptions, rulesetOf, service, slice } from "../../../support/manifests.ts";
import { emptyKernel, restore, save } from "../../../support/restoreKernel.ts";

const MANIFESTS: readonly Manifest[] = [
  service("ns/web", { type: "NodePort", clusterIP: "172.30.0.1", ports: [{ nodePort: 30080 }] }),
  slice("ns/web", [onNode("10.180.0.1"), "10.180.1.1"]),
  service("ns/none", { clusterIP: "172.30.0.2" }),
  service("ns/zoo", { clusterIP: "172.30.0.3" }),
  slice("ns/zoo", ["10.180.1.2"]),
];
const wanted = render(rulesetOf(MANIFESTS), renderOptions());
const backend = { comparable };

/** A listing of a node on which all is as it should be. */
const [step] = transaction("ipv4", diff(backend, [], wanted), "nft").steps;
const listing = save(restore(emptyKernel(), step?.text ?? ""));

function changesAfter(edit: (listing: string) => string): readonly string[] {
  const edited = edit(listing);
  expect(edited).not.toBe(listing);
  return diff(backend, read(edited, "ipv4"), wanted).map(({ table, name }) => `${table} ${name}`);
}

describe("what kube-proxy writes differently is no difference", () => {
  it("nothing differs after our own transaction", () => {
    expect(diff(backend, read(listing, "ipv4"), wanted)).toEqual([]);
  });

  it.each<[string, (text: string) => string]>([
    [
      "Services in another order",
      (text) => text.replace(/^(-A KUBE-SERVICES .*KUBE-SVC-.*\n)(-A KUBE-SERVICES .*KUBE-SVC-.*\n)/m, "$2$1"),
    ],
    ["counters in the listing", (text) => text.replace(/^-A /gm, "[12:345] -A ")],
    [
      "no comments of endpoint choices",
      (text) => text.replace(/^(-A KUBE-S(?:VC|EP)-\S+ .*?)-m comment --comment "[^"]*" /gm, "$1"),
    ],
    [
      "a counting match on the INVALID rule",
      (text) =>
        text.replace(
          "--ctstate INVALID -j",
          "--ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j",
        ),
    ],
    [
      "a rule that only counts",
      (text) =>
        text.replace(
          /^(-A KUBE-NODEPORTS )(-p tcp .*)( -j KUBE-EXT-\S+)$/m,
          "$1-d 127.0.0.0/8 $2 -m nfacct --nfacct-name  localhost_nps_accepted_pkts$3\n$1$2$3",
        ),
    ],
    ["canary chains", (text) => text.replaceAll("\nCOMMIT", "\n:KUBE-PROXY-CANARY - [0:0]\nCOMMIT")],
    [
      "kubelet's chains",
      (text) => text.replace("*mangle\n", "*mangle\n:KUBE-IPTABLES-HINT - [0:0]\n:KUBE-KUBELET-CANARY - [0:0]\n"),
    ],
    [
      "rules of others in built-in chains",
      (text) => text.replace("-A INPUT ", "-A INPUT -i eth0 -j ACCEPT\n-A INPUT "),
    ],
    [
      "chains and tables of others",
      (text) =>
        `*raw\n:PREROUTING ACCEPT [0:0]\nCOMMIT\n${text.replace("*nat\n", "*nat\n:DOCKER - [0:0]\n-A DOCKER -j RETURN\n")}`,
    ],
  ])("%s", (_, edit) => expect(changesAfter(edit)).toEqual([]));
});

describe("what is amiss is found", () => {
  it.each<[string, (text: string) => string, readonly string[]]>([
    ["a missing jump", (text) => text.replace(/^-A PREROUTING .*\n/m, ""), ["nat PREROUTING"]],
    ["a jump twice", (text) => text.replace(/^(-A POSTROUTING .*\n)/m, "$1$1"), ["nat POSTROUTING"]],
    ["a flushed chain", (text) => text.replace(/^-A KUBE-MARK-MASQ .*\n/m, ""), ["nat KUBE-MARK-MASQ"]],
    [
      "an added rule",
      (text) => text.replace(/^(-A KUBE-FORWARD)/m, "-A KUBE-FORWARD -j DROP\n$1"),
      ["filter KUBE-FORWARD"],
    ],
    [
      "NodePorts no longer last",
      (text) => text.replace(/^(-A KUBE-SERVICES .*)\n(-A KUBE-SERVICES .*-j KUBE-NODEPORTS)$/m, "$2\n$1"),
      ["nat KUBE-SERVICES"],
    ],
    [
      "a changed endpoint",
      (text) => text.replace("--to-destination 10.180.0.1:80", "--to-destination 10.180.0.9:80"),
      ["nat KUBE-SEP-"],
    ],
    ["another probability", (text) => text.replace("0.50000000000", "0.40000000000"), ["nat KUBE-SVC-"]],
    ["a missing martian rule", (text) => text.replace(/^-A KUBE-FIREWALL .*\n/m, ""), ["filter KUBE-FIREWALL"]],
  ])("%s", (_, edit, expected) => {
    const changes = changesAfter(edit);
    expect(changes).toHaveLength(expected.length);
    for (const [index, start] of expected.entries()) expect(changes[index]).toContain(start);
  });
});

describe("cleanup", () => {
  const cleaned = (text: string) => {
    const changes = diff(backend, read(text, "ipv4"), []);
    const [undo] = transaction("ipv4", changes, "nft").steps;
    return undo?.text ?? "";
  };

  it("leaves a node as it was", () => {
    const kernel = restore(emptyKernel(), step?.text ?? "");
    expect(save(restore(kernel, cleaned(listing)))).toBe(save(emptyKernel()));
  });

  it("leaves KUBE-FIREWALL where a kubelet lives, or somebody added to it", () => {
    const withKubelet = listing.replace("*mangle\n", "*mangle\n:KUBE-KUBELET-CANARY - [0:0]\n");
    expect(cleaned(withKubelet)).not.toContain("KUBE-FIREWALL");
    const left = save(restore(restore(emptyKernel(), step?.text ?? ""), cleaned(withKubelet)));
    const hinted = left.replace("*mangle\n", "*mangle\n:KUBE-KUBELET-CANARY - [0:0]\n");
    expect(left).toContain("-A INPUT -j KUBE-FIREWALL");
    expect(diff(backend, read(hinted, "ipv4"), [])).toEqual([]);
    const withMore = listing.replace(
      /^(-A KUBE-FIREWALL .*\n)/m,
      "$1-A KUBE-FIREWALL -m mark --mark 0x8000/0x8000 -j DROP\n",
    );
    expect(cleaned(withMore)).not.toContain("KUBE-FIREWALL");
  });

  it("nor one of the fixed chains, whatever else that rule asks for", () => {
    const rule = "-A PREROUTING -i eth9 -j KUBE-SERVICES";
    const text = cleaned(listing.replace(/^(-A PREROUTING .*\n)/m, `$1${rule}\n`));
    expect(text).toMatch(/^:KUBE-SERVICES - /m);
    expect(text).not.toMatch(/\*nat[\s\S]*-X KUBE-SERVICES/);
  });

  it("empties, but does not delete, a chain that somebody else's rule leads to", () => {
    const svc = /KUBE-SVC-\S+/.exec(listing)?.[0] ?? "";
    const pinned = listing.replace("*nat\n", `*nat\n:MINE - [0:0]\n-A MINE -j ${svc}\n`);
    const text = cleaned(pinned);
    expect(text).toContain(`:${svc} - [0:0]`);
    expect(text).not.toContain(`-X ${svc}`);
  });
});
