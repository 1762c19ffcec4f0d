import { hash } from "node:crypto";
import { readStamp } from "../apply/apply.ts";
import { createRunner } from "../apply/exec.ts";
import { writeIndex } from "../apply/itemIndex.ts";
import { readState, writeState } from "../apply/state.ts";
import { nftables } from "../backends/nftables/index.ts";
import type { ItemIndex } from "../input/items.ts";
import { glanceAt } from "../input/load/files.ts";
import type { FamilyPlan } from "../pipeline.ts";
import { familiesOf, type Settings } from "../settings/settings.ts";
import type { Runner } from "../types.ts";
import { type Machine, NFT } from "./node.ts";

/**
 * The quickest way to find nothing to do: the same input, the same settings and machine as in the last run, and a
 * kernel whose stamps are those that this run left. Then nothing is parsed and nothing is listed, and files that the
 * file system says are untouched are not even read.
 */

const SECTION = "asLeft";

/** What a run left, and from what it was made. */
export interface Footprint {
  /** Digest of all but the input. */
  readonly from: string;
  readonly inputHash: string;
  /** What the file system said about the input; null where that says nothing. */
  readonly glance: string | null;
  /** Digest of the input's index; null where it has none. */
  readonly index: string | null;
  /** Stamp by family. */
  readonly stamps: Readonly<Record<string, string>>;
}

/** What rules are made from, beside the bytes of the input. */
export interface RulesOrigin {
  readonly digest: string;
  /** Taken before the input is read, so that a change in between is found the next time. */
  readonly glance: string | undefined;
}

/** What decides beside settings whether an input is accepted, and what is recorded of it. */
export interface Judgement {
  readonly strict: boolean;
  readonly skipInvalid: boolean;
}

/** Everything that rules are made from, without reading the input; whatever it is called, only its content counts. */
export async function originOf(
  files: readonly string[],
  settings: Settings,
  { searchPath: _, ...machine }: Machine,
  version: string,
  judgement: Judgement,
): Promise<RulesOrigin> {
  const glance = await glanceAt(files, Date.now());
  return { digest: hash("sha256", JSON.stringify([settings, machine, version, judgement])), glance };
}

/**
 * Whether this node is as the last run left it, and would be made the same again.
 * @param inputHash asked for only when a glance at the input was not enough
 */
export async function isAsLeft(
  { digest, glance }: RulesOrigin,
  inputHash: () => Promise<string>,
  settings: Settings,
  { searchPath }: Machine,
): Promise<boolean> {
  const left = await footprintOf(settings.stateDir);
  if (left?.from !== digest) return false;
  if (glance === undefined || left.glance !== glance) {
    // An index tells as much, and more if something changed.
    if (left.index !== null || left.inputHash !== (await inputHash())) return false;
  }
  return isStamped(left, settings, createRunner(searchPath));
}

/**
 * Whether the kernel holds what the last run left, and nothing in a family in which it left nothing: there, a run with
 * another state directory may have left something.
 */
export async function isStamped({ stamps }: Footprint, settings: Settings, run: Runner): Promise<boolean> {
  const asLeft = familiesOf(settings).map(async (family) => {
    const found = await readStamp(nftables.commands(family, NFT), family, { run, backend: nftables });
    return found === stamps[family];
  });
  return (await Promise.all(asLeft)).every((isSame) => isSame);
}

/** What the last run left; undefined when it noted nothing. */
export async function footprintOf(stateDir: string): Promise<Footprint | undefined> {
  const { record } = await readState(stateDir);
  const left = record.sections[SECTION];
  return isFootprint(left) ? left : undefined;
}

/** What the rules in the kernel were made from. */
export interface Made {
  readonly origin: RulesOrigin;
  readonly inputHash: string;
  /** Of the input, if it may have one. */
  readonly index: ItemIndex | undefined;
  /** Stamps of families that were not planned for, since nothing changed there. */
  readonly otherStamps?: Readonly<Record<string, string>>;
}

/** Notes what was left; small tables are listed every time, so nothing is noted when there are such. */
export async function noteAsLeft(
  whatMade: () => Made | undefined,
  plans: readonly FamilyPlan[],
  { stateDir }: Settings,
): Promise<void> {
  const { record } = await readState(stateDir);
  const stamps = stampsOf(plans);
  const made = stamps === undefined ? undefined : whatMade();
  if (made === undefined && record.sections[SECTION] === undefined) return;
  const { [SECTION]: _, ...sections } = record.sections;
  const index = await writeIndex(stateDir, made?.index);
  if (made === undefined) return writeState(stateDir, { ...record, sections });
  const { origin, inputHash, otherStamps } = made;
  const { digest: from, glance = null } = origin;
  const left: Footprint = { from, inputHash, glance, index, stamps: { ...otherStamps, ...stamps } };
  await writeState(stateDir, { ...record, sections: { ...sections, [SECTION]: left } });
}

function stampsOf(plans: readonly FamilyPlan[]): Readonly<Record<string, string>> | undefined {
  const stamps: Record<string, string> = {};
  for (const { family, stamp, verify } of plans) {
    if (verify || stamp === undefined) return undefined;
    stamps[family] = stamp;
  }
  return stamps;
}

function isFootprint(value: unknown): value is Footprint {
  if (
    typeof value !== "object" ||
    value === null ||
    !("from" in value && "inputHash" in value && "glance" in value && "index" in value && "stamps" in value)
  )
    return false;
  return typeof value.inputHash === "string" && typeof value.stamps === "object" && value.stamps !== null;
}
