import { describe, expect, it } from "vitest";
import { findVariant, iptablesVersion, type VariantQuestion } from "../../../src/apply/variant.ts";
import type { Runner } from "../../../src/types.ts";

const NO_LEGACY = { ipv4: [], ipv6: [] };
const LEGACY = { ipv4: ["filter", "mangle", "nat"], ipv6: [] };
const HINT = "*mangle\n:KUBE-KUBELET-CANARY - [0:0]\nCOMMIT\n";
const RULES = "*filter\n:KUBE-FORWARD - [0:0]\nCOMMIT\n";
const CANARY_ONLY = "*filter\n:KUBE-PROXY-CANARY - [0:0]\nCOMMIT\n";

/** Listings by "program table"; what is not named is empty, `failing` programs are refused. */
function tools(listings: Readonly<Record<string, string>>, version = "v1.8.9 (nf_tables)") {
  const log: string[] = [];
  const run: Runner = async ({ program, args }) => {
    const words = `${program} ${args.at(-1)}`;
    log.push(words);
    if (args[0] === "--version") return { exitCode: 0, stdout: `iptables ${version}\n`, stderr: "" };
    const stdout = listings[words];
    if (stdout?.startsWith("fails: ")) return { exitCode: 3, stdout: "", stderr: stdout.slice(7) };
    return { exitCode: 0, stdout: stdout ?? "", stderr: "" };
  };
  return { run, log };
}

function question(more: Partial<VariantQuestion> = {}): VariantQuestion {
  return { families: ["ipv4", "ipv6"], chosen: undefined, legacyTables: LEGACY, ...more };
}

describe("findVariant", () => {
  it.each([
    ["kubelet's hint in nft", { "iptables-nft-save mangle": HINT }, "nft"],
    ["kubelet's hint in legacy", { "iptables-legacy-save mangle": HINT }, "legacy"],
    ["the hint weighs more than rules of the same variant's absence", { "ip6tables-nft-save mangle": HINT }, "nft"],
    ["rules in nft", { "iptables-nft-save filter": RULES }, "nft"],
    ["rules in legacy", { "iptables-legacy-save filter": RULES }, "legacy"],
    ["canaries do not act", { "iptables-legacy-save filter": CANARY_ONLY, "iptables-nft-save filter": RULES }, "nft"],
    [
      "a table that the kernel does not know holds nothing",
      { "ip6tables-nft-save mangle": "fails: Table does not exist (do you need to insmod?)" },
      "nft",
    ],
  ])("%s", async (_, listings, variant) => {
    expect(await findVariant(tools(listings).run, question())).toBe(variant);
  });

  it("does not take a table that it could not see for an empty one", async () => {
    const { run } = tools({ "ip6tables-nft-save filter": "fails: Resource temporarily unavailable" });
    await expect(findVariant(run, question())).rejects.toThrow(
      "cannot see what rules others have here: ip6tables-nft-save -t filter: Resource temporarily unavailable",
    );
  });

  it("asks iptables itself when nobody was here before", async () => {
    expect(await findVariant(tools({}, "v1.8.9 (legacy)").run, question())).toBe("legacy");
    expect(await findVariant(tools({}, "v1.6.1").run, question())).toBe("legacy");
    expect(await findVariant(tools({}).run, question())).toBe("nft");
  });

  it("never starts a legacy tool for a table that is not there", async () => {
    const { run, log } = tools({});
    await findVariant(run, question({ legacyTables: NO_LEGACY }));
    expect(log.filter((words) => words.includes("legacy"))).toEqual([]);
    const partly = tools({});
    await findVariant(partly.run, question({ legacyTables: { ipv4: ["nat", "filter"], ipv6: [] } }));
    expect(partly.log.filter((words) => words.includes("legacy"))).toEqual(["iptables-legacy-save filter"]);
  });

  it("takes the user's choice", async () => {
    const { run } = tools({ "iptables-legacy-save mangle": HINT });
    expect(await findVariant(run, question({ chosen: "nft" }))).toBe("nft");
  });

  it.each([
    ["the hint is in nft", { "iptables-nft-save mangle": HINT, "iptables-legacy-save filter": RULES }, undefined],
    ["the hint is in legacy", { "iptables-legacy-save mangle": HINT, "ip6tables-nft-save filter": RULES }, undefined],
    ["the user chose nft", { "iptables-legacy-save filter": RULES }, "nft"],
    ["the user chose legacy", { "iptables-nft-save filter": RULES }, "legacy"],
    ["both hold rules", { "iptables-nft-save filter": RULES, "iptables-legacy-save filter": RULES }, undefined],
  ] as const)("refuses when the other variant holds rules, too: %s", async (_, listings, chosen) => {
    const other = chosen === "legacy" || "ip6tables-nft-save filter" in listings ? "nft" : "legacy";
    await expect(findVariant(tools(listings).run, question({ chosen }))).rejects.toMatchObject({
      message: expect.stringContaining(`iptables-${other} holds Kubernetes chains, too (KUBE-FORWARD)`),
      hint: expect.stringContaining(`cleanup --iptables-variant ${other}`),
      exitCode: 2,
    });
  });
});

describe("iptablesVersion", () => {
  it.each([
    ["v1.8.9 (nf_tables)", { text: "1.8.9", variant: "nft", randomFully: true }],
    ["v1.8.4 (legacy)", { text: "1.8.4", variant: "legacy", randomFully: true }],
    ["v1.6.2", { text: "1.6.2", variant: "legacy", randomFully: true }],
    ["v1.6.1", { text: "1.6.1", variant: "legacy", randomFully: false }],
    ["v1.4.21", { text: "1.4.21", variant: "legacy", randomFully: false }],
    ["v2.0", { text: "2.0", variant: "legacy", randomFully: true }],
  ])("%s", async (version, expected) => {
    expect(await iptablesVersion(tools({}, version).run)).toEqual(expected);
  });

  it("says what it does not understand", async () => {
    await expect(iptablesVersion(tools({}, "busybox").run)).rejects.toThrow(
      'iptables --version says "iptables busybox"',
    );
  });

  it("says what iptables says of a kernel that it cannot speak to", async () => {
    const stderr = "iptables: Failed to initialize nft: Protocol not supported\n";
    const run = () => Promise.resolve({ exitCode: 1, stdout: "", stderr });
    await expect(iptablesVersion(run)).rejects.toThrow("Failed to initialize nft: Protocol not supported");
  });
});
