import { createLocker, createRunner } from "../apply/exec.ts";
import { lock } from "../apply/lock.ts";
import { findVariant, iptablesVersion } from "../apply/variant.ts";
import { askVersion } from "../apply/version.ts";
import { MissingProgramError, UserError } from "../errors.ts";
import type { Kernel } from "../pipeline.ts";
import type { HostFacts } from "../settings/node.ts";
import { familiesOf, type Settings } from "../settings/settings.ts";
import type { Family, Runner } from "../types.ts";

/** What commands find out about the machine without starting a program. */
export interface Machine extends Omit<HostFacts, "randomFully"> {
  /** PATH. */
  readonly searchPath: string;
  /** The tables of the legacy iptables here; asking its tools for others would create them. */
  readonly legacyTables: Readonly<Record<Family, readonly string[]>>;
}

/** The node on which we run, and how to speak to its kernel. */
export interface ThisNode {
  readonly kernel: Kernel;
  readonly host: HostFacts;
}

/**
 * Finds out which tools this node uses and what they can.
 * @throws UserError if tools are missing, or if two variants of iptables hold rules for Services
 */
export async function openNode(settings: Settings, machine: Machine): Promise<ThisNode> {
  const run = createRunner(machine.searchPath);
  const records = settings.verify ? undefined : settings.stateDir;
  if (settings.backend === "nftables") {
    await mustKnowNft(run);
    return { kernel: { run, flavour: NFT, records }, host: { ...machine, randomFully: true } };
  }
  const { legacyTables } = machine;
  const families = familiesOf(settings);
  const question = { families, chosen: settings.iptablesVariant, legacyTables };
  const [flavour, { randomFully }] = await Promise.all([findVariant(run, question), iptablesVersion(run)]);
  return { kernel: { run, flavour, records }, host: { ...machine, randomFully } };
}

/** The program of the nftables backend. */
export const NFT = "nft";

/** Older versions take the whole ruleset apart, of others too, and may fail on it (sigs.k8s.io/knftables). */
const OLDEST_NFT = [1, 0, 1] as const;

/** Why this nft cannot be used; undefined when it can. */
export async function nftObstacle(run: Runner): Promise<string | undefined> {
  try {
    const version = await nftVersion(run);
    const parts = version.split(".").map(Number);
    const older = OLDEST_NFT.map((part, index) => (parts[index] ?? 0) - part).find((difference) => difference !== 0);
    return (older ?? 0) < 0 ? `nft ${version} is older than ${OLDEST_NFT.join(".")}` : undefined;
  } catch (error) {
    if (error instanceof MissingProgramError) return "nft is not installed";
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

async function mustKnowNft(run: Runner): Promise<void> {
  const obstacle = await nftObstacle(run);
  if (obstacle === undefined) return;
  throw new UserError(
    `the nftables backend cannot be used: ${obstacle}`,
    "install nftables 1.0.1 or later, or use --backend iptables",
  );
}

/** Runs the work while no other run can change this node's rules or our state. */
export async function exclusively<T>(settings: Settings, machine: Machine, work: () => Promise<T>): Promise<T> {
  const { stateDir, lockTimeoutSeconds } = settings;
  const release = await lock(createLocker(machine.searchPath), { stateDir, timeoutSeconds: lockTimeoutSeconds });
  try {
    return await work();
  } finally {
    await release();
  }
}

/** Versions of the tools; null for one that is not there, or does not run. */
export interface ToolVersions {
  readonly iptables: string | null;
  readonly nftables: string | null;
}

export async function toolVersions(searchPath: string): Promise<ToolVersions> {
  const run = createRunner(searchPath);
  const iptables = async () => {
    const { text, variant } = await iptablesVersion(run);
    return `${text} (${variant})`;
  };
  return { iptables: await ifThere(iptables), nftables: await ifThere(() => nftVersion(run)) };
}

/** @throws UserError if the version cannot be read */
async function nftVersion(run: Runner): Promise<string> {
  const [, version = ""] = await askVersion(run, NFT, /v(\d[\d.]*)/, OLDEST_NFT.join("."));
  return version;
}

async function ifThere(ask: () => Promise<string>): Promise<string | null> {
  try {
    return await ask();
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}
