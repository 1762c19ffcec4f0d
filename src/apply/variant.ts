import { UserError } from "../errors.ts";
import type { Family, Runner } from "../types.ts";

/** The two implementations of iptables: each has rules of its own in the kernel, and both act. */
export type Variant = "nft" | "legacy";

export interface VariantQuestion {
  readonly families: readonly Family[];
  /** The user's choice, if any. */
  readonly chosen: Variant | undefined;
  /** Whether /proc says that this namespace has legacy tables. Asking the legacy tools would create some. */
  readonly hasLegacyTables: boolean;
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

const NOTHING: Evidence = { hint: false, active: undefined };

/**
 * The variant that this node uses: the one in which kubelet left its hint, else the one that holds KUBE- chains,
 * else what plain `iptables` is.
 * @throws UserError if the other variant holds KUBE- chains, too
 */
export async function findVariant(run: Runner, question: VariantQuestion): Promise<Variant> {
  const { families, chosen, hasLegacyTables } = question;
  const legacy = hasLegacyTables ? await evidenceOf(run, "legacy", families) : NOTHING;
  // Without legacy tables there is nothing to be confused with.
  if (chosen === "nft" && legacy.active === undefined) return chosen;
  const nft = await evidenceOf(run, "nft", families);
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

/** Looks at mangle and filter: kubelet's hints are in the one, and the other is small where nat is large. */
async function evidenceOf(run: Runner, variant: Variant, families: readonly Family[]): Promise<Evidence> {
  let evidence = NOTHING;
  for (const family of families) {
    for (const table of ["mangle", "filter"]) {
      const result = await run({ program: `${PROGRAMS[family]}-${variant}-save`, args: ["-t", table] });
      // A family or table that the kernel does not have holds nothing.
      if (result.exitCode !== 0) continue;
      evidence = {
        hint: evidence.hint || HINT.test(result.stdout),
        active: evidence.active ?? ACTIVE_CHAIN.exec(result.stdout)?.[1],
      };
    }
  }
  return evidence;
}

export interface IptablesVersion {
  readonly text: string;
  readonly variant: Variant;
  /** MASQUERADE --random-fully, since 1.6.2. */
  readonly randomFully: boolean;
}

/** @throws UserError if the version cannot be read */
export async function iptablesVersion(run: Runner): Promise<IptablesVersion> {
  const { stdout } = await run({ program: "iptables", args: ["--version"] });
  const match = /v(\d+)\.(\d+)(?:\.(\d+))?/.exec(stdout);
  if (match === null) {
    throw new UserError(
      `iptables --version says ${JSON.stringify(stdout.trim())}`,
      "iptables 1.4.21 or later is needed",
    );
  }
  const [major = 0, minor = 0, patch = 0] = match.slice(1).map((part) => Number(part ?? 0));
  return {
    text: match[0].slice(1),
    variant: stdout.includes("(nf_tables)") ? "nft" : "legacy",
    randomFully: major * 10_000 + minor * 100 + patch >= 10_602,
  };
}
