import { createHolder, createRunner } from "../apply/exec.ts";
import { lock } from "../apply/lock.ts";
import { findVariant, iptablesVersion } from "../apply/variant.ts";
import type { Kernel } from "../pipeline.ts";
import type { HostFacts } from "../settings/node.ts";
import type { Settings } from "../settings/settings.ts";
import type { Family, Runner } from "../types.ts";
import { legacyTables, thisHost } from "./host.ts";

export interface ThisNode {
  readonly kernel: Kernel;
  readonly host: HostFacts;
}

export function runner(): Runner {
  return createRunner(process.env.PATH ?? "");
}

/**
 * Finds out how the kernel of this node is to be spoken to.
 * @throws UserError if tools are missing, or if two variants of iptables hold rules for Services
 */
export async function openKernel(settings: Settings): Promise<ThisNode> {
  const run = runner();
  const families: readonly Family[] = settings.families ?? ["ipv4", "ipv6"];
  const flavour = await findVariant(run, {
    families,
    chosen: settings.iptablesVariant,
    legacyTables: await legacyTables(),
  });
  const { randomFully } = await iptablesVersion(run);
  return { kernel: { run, flavour }, host: await thisHost(randomFully) };
}

/** Runs the work while no other run can change this node's rules or our state. */
export async function exclusively<T>(settings: Settings, work: () => Promise<T>): Promise<T> {
  const { stateDir, lockTimeoutSeconds } = settings;
  const release = await lock(createHolder(process.env.PATH ?? ""), { stateDir, timeoutSeconds: lockTimeoutSeconds });
  try {
    return await work();
  } finally {
    await release();
  }
}
