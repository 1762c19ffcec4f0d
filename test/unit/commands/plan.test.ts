import { beforeEach, describe, expect, it } from "vitest";
import { iptables } from "../../../src/backends/iptables/index.ts";
import { carryOut, decide, type Kernel, plan, wishesOf } from "../../../src/pipeline.ts";
import type { HostFacts } from "../../../src/settings/node.ts";
import { settingsOf } from "../../../src/settings/settings.ts";
import type { Family, Manifest } from "../../../src/types.ts";
import { type FakeNode, fakeNode, refusal } from "../../support/fakeNode.ts";
import { service, slice } from "../../support/manifests.ts";

const HOST: HostFacts = { hostName: "n1", addresses: [], conntrackIsLiberal: false, randomFully: true };
const IPV4 = [service("default/web", { clusterIP: "172.30.0.41" }), slice("default/web", ["10.180.0.1"])];
const IPV6 = [
  service("default/six", { clusterIP: "fd00:96::a" }),
  slice("default/six", ["fd00::7"], { addressType: "IPv6" }),
];

let node: FakeNode;
let kernel: Kernel;
beforeEach(() => {
  node = fakeNode();
  kernel = { run: node.run, flavour: "nft", records: undefined };
});

async function plansFor(manifests: readonly Manifest[], ipFamily?: string) {
  const settings = settingsOf([
    { key: "backend", value: "iptables", where: "" },
    ...(ipFamily === undefined ? [] : [{ key: "ipFamily", value: ipFamily, where: "" } as const]),
  ]);
  const families: readonly Family[] = settings.families ?? ["ipv4", "ipv6"];
  const decisions = families.map((family) => decide(manifests, settings, HOST, family));
  return plan(wishesOf(decisions, settings), iptables, kernel);
}

async function families(manifests: readonly Manifest[], ipFamily?: string) {
  return (await plansFor(manifests, ipFamily)).map(
    ({ family, changes }) => `${family} ${changes.length > 0 ? "changes" : "same"}`,
  );
}

async function sync(manifests: readonly Manifest[], ipFamily?: string) {
  expect(await carryOut(await plansFor(manifests, ipFamily), iptables, kernel)).toMatchObject({ kind: "applied" });
}

describe("the families that count", () => {
  it.each<[string, readonly Manifest[], string | undefined, readonly string[]]>([
    ["only IPv4 Services", IPV4, undefined, ["ipv4 changes"]],
    ["only IPv6 Services", IPV6, undefined, ["ipv6 changes"]],
    ["Services of both", [...IPV4, ...IPV6], undefined, ["ipv4 changes", "ipv6 changes"]],
    ["no Services at all", [], undefined, ["ipv4 changes"]],
    ["both, as the user wants", IPV4, "dual", ["ipv4 changes", "ipv6 changes"]],
    ["the one that the user wants", IPV4, "ipv6", ["ipv6 changes"]],
  ])("%s", async (_, manifests, ipFamily, expected) => {
    expect(await families(manifests, ipFamily)).toEqual(expected);
  });

  it("one without Services counts while the kernel holds rules there", async () => {
    await sync([...IPV4, ...IPV6]);
    expect(await families([...IPV4, ...IPV6])).toEqual(["ipv4 same", "ipv6 same"]);
    await sync(IPV4);
    expect(node.listing("ipv6")).not.toContain("fd00:96::a");
    expect(await families(IPV4)).toEqual(["ipv4 same", "ipv6 same"]);
  });

  it("one without Services that cannot be read is passed over", async () => {
    node.fault = ({ program }) => (program.startsWith("ip6tables") ? refusal("Table does not exist") : undefined);
    expect(await families(IPV4)).toEqual(["ipv4 changes"]);
  });

  it.each(["", "Could not fetch rule set generation id: No buffer space available"])(
    "one without Services is not passed over where its rules may only be out of sight: %j",
    async (stderr) => {
      await sync([...IPV4, ...IPV6]);
      node.fault = ({ program, args }) =>
        program === "ip6tables-nft-save" && args.includes("nat") ? refusal(stderr) : undefined;
      await expect(families(IPV4)).rejects.toMatchObject({
        message: expect.stringMatching(/^cannot read the ipv6 rules: ip6tables-nft-save: /),
        exitCode: 2,
      });
    },
  );

  it("one with Services must be readable, and so must one that the user wants", async () => {
    node.fault = ({ program }) => (program.startsWith("ip6tables") ? refusal("Table does not exist") : undefined);
    const message = "cannot read the ipv6 rules: ip6tables-nft-save: Table does not exist";
    await expect(families(IPV6)).rejects.toMatchObject({
      message,
      exitCode: 2,
      hint: expect.stringContaining("--ip-family"),
    });
    await expect(families(IPV4, "dual")).rejects.toMatchObject({ message });
  });
});

describe("clean-up", () => {
  const wishes = (["ipv4", "ipv6"] as const).map((family) => ({ family, wanted: [], optional: true }));

  it("leaves what others wrote, byte by byte, and a second one has nothing to do", async () => {
    node.feed("ipv4", "*filter\n:DOCKER - [0:0]\n-A INPUT -i eth0 -j ACCEPT\n-A FORWARD -j DOCKER\nCOMMIT\n");
    const before = [node.listing("ipv4"), node.listing("ipv6")];
    await sync([...IPV4, ...IPV6]);
    expect(node.listing("ipv4")).toContain("KUBE-SERVICES");
    expect(await carryOut(await plan(wishes, iptables, kernel), iptables, kernel)).toMatchObject({ kind: "applied" });
    expect([node.listing("ipv4"), node.listing("ipv6")]).toEqual(before);
    expect(await carryOut(await plan(wishes, iptables, kernel), iptables, kernel)).toEqual({ kind: "unchanged" });
  });
});
