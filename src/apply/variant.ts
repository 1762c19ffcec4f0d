import { UserError } from "../errors.ts";
import type { Family, Runner } from "../types.ts";
import { listed } from "./listing.ts";
import { askVersion } from "./version.ts";

/** The two implementations of iptables: each has rules of its own in the kernel, and both act. */
export type Variant = "nft" | "legacy";

export interface VariantQuestion {
  readonly families: readonly Family[];
  /** The user's choice, if any. */
  readonly chosen: Variant | undefined;
  /** Names of the legacy tables in this namespace, as /proc lists them: asking the tools for others creates them. */
  readonly legacyTables: Readonly<Record<Family, readonly string[]>>;
}

/** Chains by which kubelet tells others what it uses (kubernetes-sigs/iptables-wrappers). */
const HINT = /^:KUBE-(?:IPTABLES-HINT|KUBELET-CANARY) /m;
/** Chains that somebody's rules for Services need; hints and canaries do nothing. */
const ACTIVE_CHAIN = /^:(KUBE-(?!IPTABLES-HINT|KUBELET-CANARY|PROXY-CANARY)\S+) /m;

const PROGRAMS = { ipv4: "iptables", ipv6: "ip6tables" } as const;

interface Evidence {
  readonly hint: boolean;
  /** A chain that acts, by name. */
  readonly active: string | undefined;
}

/**
 * The variant that this node uses: the one in which kubelet left its hint, else the one that holds KUBE- chains,
 * else what plain `iptables` is.
 * @throws UserError if the other variant holds KUBE- chains, too
 */
export async function findVariant(run: Runner, question: VariantQuestion): Promise<Variant> {
  const { families, chosen, legacyTables } = question;
  const legacy = await evidenceOf(run, "legacy", families, (family) =>
    TABLES.filter((table) => legacyTables[family].includes(table)),
  );
  // Without legacy tables there is nothing to be confused with.
  if (chosen === "nft" && legacy.active === undefined) return chosen;
  const nft = await evidenceOf(run, "nft", families, () => TABLES);
  const variant = chosen ?? byEvidence(nft, legacy) ?? (await iptablesVersion(run)).variant;
  const other = variant === "nft" ? legacy : nft;
  if (other.active !== undefined) throw bothHold(variant, other.active);
  return variant;
}

function byEvidence(nft: Evidence, legacy: Evidence): Variant | undefined {
  if (nft.hint !== legacy.hint) return nft.hint ? "nft" : "legacy";
  if (nft.active !== undefined) return "nft";
  return legacy.active === undefined ? undefined : "legacy";
}

function bothHold(variant: Variant, chain: string): UserError {
  const other = variant === "nft" ? "legacy" : "nft";
  return new UserError(
    `this node uses iptables-${variant}, but iptables-${other} holds Kubernetes chains, too (${chain}): both would act`,
    `remove those with \`svctables cleanup --iptables-variant ${other}\`, or choose them with --iptables-variant ${other}`,
  );
}

/** kubelet's hints are in mangle, and filter is small where nat is large. */
const TABLES = ["mangle", "filter"];

async function evidenceOf(
  run: Runner,
  variant: Variant,
  families: readonly Family[],
  tablesOf: (family: Family) => readonly string[],
): Promise<Evidence> {
  const commands = families.flatMap((family) =>
    tablesOf(family).map((table) => ({ program: `${PROGRAMS[family]}-${variant}-save`, args: ["-t", table] })),
  );
  const listings = await Promise.all(commands.map((command) => listed(run, command)));
  return {
    hint: listings.some((listing) => HINT.test(listing)),
    active: listings.map((listing) => ACTIVE_CHAIN.exec(listing)?.[1]).find((chain) => chain !== undefined),
  };
}

export interface IptablesVersion {
  readonly text: string;
  readonly variant: Variant;
  /** MASQUERADE --random-fully, since 1.6.2. */
  readonly randomFully: boolean;
}

/** @throws UserError if the version cannot be read */
export async function iptablesVersion(run: Runner): Promise<IptablesVersion> {
  const match = await askVersion(run, "iptables", /v(\d+)\.(\d+)(?:\.(\d+))?/, "1.4.21");
  const [major = 0, minor = 0, patch = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return {
    text: match[0].slice(1),
    variant: match.input.includes("(nf_tables)") ? "nft" : "legacy",
    randomFully: major * 10_000 + minor * 100 + patch >= 10_602,
  };
}
