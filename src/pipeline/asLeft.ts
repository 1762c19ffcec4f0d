import { hash } from "node:crypto";
import { readStamp } from "../apply/apply.ts";
import { createRunner } from "../apply/exec.ts";
import { readState, writeState } from "../apply/state.ts";
import { nftables } from "../backends/nftables/index.ts";
import { hashInputs } from "../input/load.ts";
import type { FamilyPlan } from "../pipeline.ts";
import type { Settings } from "../settings/settings.ts";
import type { Family } from "../types.ts";
import { type Machine, NFT } from "./node.ts";

/**
 * The quickest way to find nothing to do: the same bytes of input, the same settings and machine as in the last run,
 * and a kernel whose stamps are those that this run left. Then nothing is parsed and nothing is listed.
 */

const SECTION = "asLeft";

/** What a run left, and from what it was made. */
interface Footprint {
  readonly from: string;
  /** Stamp by family. */
  readonly stamps: Readonly<Record<string, string>>;
}

/** What rules are made from, and the input's part in it. */
export interface RulesOrigin {
  readonly digest: string;
  /** As `load` gives it. */
  readonly inputHash: string;
}

/** What the input and everything else that rules are made from comes down to; undefined where it cannot be read. */
export async function originOf(
  files: readonly string[],
  stdin: () => Promise<Uint8Array>,
  settings: Settings,
  machine: Machine,
  version: string,
): Promise<RulesOrigin | undefined> {
  const inputHash = await hashInputs(files, stdin);
  if (inputHash === undefined) return undefined;
  return { digest: hash("sha256", JSON.stringify([inputHash, files, settings, machine, version])), inputHash };
}

/** Whether this node is as the last run left it, and would be made the same again. */
export async function isAsLeft(
  { digest }: RulesOrigin,
  { stateDir }: Settings,
  { searchPath }: Machine,
): Promise<boolean> {
  const { record } = await readState(stateDir);
  const left = record.sections[SECTION];
  if (!isFootprint(left) || left.from !== digest) return false;
  const run = createRunner(searchPath);
  for (const [family, stamp] of Object.entries(left.stamps)) {
    const commands = nftables.commands(family as Family, NFT);
    if ((await readStamp(commands, family as Family, { run, backend: nftables })) !== stamp) return false;
  }
  return true;
}

/** Notes what was left; small tables are listed every time, so nothing is noted when there are such. */
export async function noteAsLeft(
  origin: RulesOrigin | undefined,
  readHash: string,
  plans: readonly FamilyPlan[],
  { stateDir }: Settings,
): Promise<void> {
  const { record } = await readState(stateDir);
  // An input that changed while we looked at it is not the one that the origin speaks of.
  const left = origin?.inputHash === readHash ? footprintOf(origin.digest, plans) : undefined;
  if (left === undefined && record.sections[SECTION] === undefined) return;
  const { [SECTION]: _, ...others } = record.sections;
  await writeState(stateDir, { ...record, sections: left === undefined ? others : { ...others, [SECTION]: left } });
}

function footprintOf(from: string, plans: readonly FamilyPlan[]): Footprint | undefined {
  const stamps: Record<string, string> = {};
  for (const { family, wanted, verify } of plans) {
    const stamp = nftables.stamp(wanted);
    if (verify || stamp === undefined) return undefined;
    stamps[family] = stamp;
  }
  return { from, stamps };
}

function isFootprint(value: unknown): value is Footprint {
  if (typeof value !== "object" || value === null || !("from" in value) || !("stamps" in value)) return false;
  return typeof value.from === "string" && typeof value.stamps === "object" && value.stamps !== null;
}
