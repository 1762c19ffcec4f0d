import { ExitCode, UserError } from "../errors.ts";
import { Gradual, type Pieces } from "../gradual.ts";
import { type Made, noteAsLeft, type RulesOrigin } from "../pipeline/asLeft.ts";
import { beginListing, type Rest, removeRest, restOfOthers } from "../pipeline/cleanup.ts";
import { indexFor, mayBeFew, noteFewAccepted, noteFewChanges, planFewChanges } from "../pipeline/fewChanges.ts";
import { exclusively, type Machine, openNode, type ThisNode } from "../pipeline/node.ts";
import { changing, mustKnowWhatStays, noteAccepted, type Sifted } from "../pipeline/skip.ts";
import { areFlowsEnded, endStaleFlows, type FlowCleanup, noteFlowsEnded } from "../pipeline/staleFlows.ts";
import { type Completed, noteAllocations } from "../pipeline/standalone.ts";
import {
  backendOf,
  carryOut,
  type Decision,
  enableRouteLocalnet,
  type FamilyPlan,
  type Input,
  judge,
  reasonOf,
  restoreRouteLocalnet,
  type Sources,
  save,
  type Unsaved,
} from "../pipeline.ts";
import { changesText, countsText } from "../report/changes.ts";
import { jsonText, resultJson } from "../report/json.ts";
import { count, oneLine, styleFor } from "../report/style.ts";
import type { Settings } from "../settings/settings.ts";
import type { ApplyResult } from "../types.ts";
import { needsRouteLocalnet, noteUnservedIn, type Planned, planAgain, planFor, scopeText, showPlans } from "./diff.ts";
import { type Flags, isSet, textFlag } from "./flags.ts";
import { accept, completeInput, extentOf } from "./input.ts";
import type { Io } from "./io.ts";
import { uninterrupted } from "./signals.ts";
import { noteAsItWas, reportRefusal, unsavedIn } from "./syncReport.ts";

/** Makes this node's kernel hold what the input asks for; `from` tells the next run when there is nothing to do. */
export async function syncInput(
  flags: Flags,
  settings: Settings,
  sources: Sources,
  from: RulesOrigin | undefined,
  machine: Machine,
  io: Io,
): Promise<ExitCode> {
  const few = from === undefined ? undefined : await syncFew(flags, settings, sources, from, machine, io);
  if (few !== undefined) return few;
  const judged = judge(sources, settings);
  // An input that is rejected waits for nobody; one of which a part is left out needs the record of the last run.
  const isSifted = isSet(flags, "skipInvalid");
  const accepted = isSifted ? undefined : await accept(judged, flags, settings, io);
  if (accepted === undefined && !isSifted) return ExitCode.inputRejected;
  const completed = async (next: typeof syncNow): Promise<ExitCode> => {
    const sifted = accepted ?? (await accept(judged, flags, settings, io));
    const work = sifted === undefined ? undefined : await workFrom(sources, sifted, from, settings, io);
    if (work === undefined) return ExitCode.inputRejected;
    const code = await next(flags, settings, work, machine, io);
    return code === ExitCode.done && work.sifted.skipped.length > 0 ? ExitCode.inputRejected : code;
  };
  // What was accepted and given out is read and recorded under one lock: two runs at once would undo one another's.
  return isSet(flags, "dryRun") ? completed(dryRun) : exclusively(settings, machine, () => completed(syncNow));
}

/** What there is to sync. */
interface Work {
  readonly sifted: Sifted;
  readonly completed: Completed;
  readonly sources: Sources;
  /** What makes the next run quick, where that is possible. */
  readonly made: Gradual<Made | undefined>;
}

/** Completes the input; undefined if it is rejected. */
async function workFrom(
  sources: Sources,
  sifted: Sifted,
  from: RulesOrigin | undefined,
  settings: Settings,
  io: Io,
): Promise<Work | undefined> {
  const completed = await completeInput(sifted.input, settings, extentOf(sifted), io);
  if (completed === undefined) return undefined;
  return { sifted, completed, sources, made: new Gradual(makingOf(sources, sifted, completed, from)) };
}

function* makingOf(
  sources: Sources,
  { skipped, input }: Sifted,
  completed: Completed,
  from: RulesOrigin | undefined,
): Pieces<Made | undefined> {
  if (from === undefined || skipped.length > 0) return undefined;
  const inputHash = sources.hash;
  yield;
  return { origin: from, inputHash, index: yield* indexFor(sources, input, completed) };
}

/** The short way, where few Services or endpoints changed since the last run; undefined if the long way has to be gone. */
async function syncFew(
  flags: Flags,
  settings: Settings,
  sources: Sources,
  from: RulesOrigin,
  machine: Machine,
  io: Io,
): Promise<ExitCode | undefined> {
  if (!(await mayBeFew(from, settings))) return undefined;
  return exclusively(settings, machine, async () => {
    const listing = beginListing(settings, machine);
    const node = await openNode(settings, machine);
    const few = await planFewChanges(sources, from, settings, node);
    // The long way makes the record that invalid Services may need next.
    if (few === undefined || (isSet(flags, "skipInvalid") && !few.isRecorded)) return undefined;
    const { plans, decisions, input } = few;
    const unsaved = unsavedIn(settings, io);
    const noteAccepted = () => save(() => noteFewAccepted(few, sources, settings), unsaved);
    const note = async (isQuick: boolean) => {
      if (isQuick) await save(() => noteFewChanges(few, sources, from, settings), unsaved);
    };
    if (decisions.length === 0) {
      await noteAccepted();
      await note(true);
      noteAsItWas(flags, settings, io);
      return ExitCode.done;
    }
    const rest = await restOfOthers(plans, settings, machine, isSet(flags, "replaceKubeProxy"), listing);
    return uninterrupted(io, async () => {
      const carry = () => carryOut(plans, backendOf(settings), node.kernel, { unsaved });
      const result = await changing(plans, settings, carry);
      // The long way asks the kernel what it holds, and can say more about the reason.
      if (result.kind === "refused") return undefined;
      await noteAccepted();
      noteUnservedIn(few, io);
      const standing = { result, plans, decisions, input, inputHash: undefined, rest, note, unsaved };
      return settleDown(flags, settings, standing, node, machine, io);
    });
  });
}

async function dryRun(
  flags: Flags,
  settings: Settings,
  { sifted, completed }: Work,
  machine: Machine,
  io: Io,
): Promise<ExitCode> {
  const { plans } = await planFor(completed.input, settings, await openNode(settings, machine), io);
  mustKnowWhatStays(sifted, plans);
  const { rules, leftovers } = await restOfOthers(plans, settings, machine, isSet(flags, "replaceKubeProxy"));
  showPlans(plans, rules, textFlag(flags, "output") ?? "human", io);
  for (const { name } of leftovers) io.note(`${name} would be removed\n`);
  io.note(`dry run: ${scopeText(plans, settings)}, nothing was changed\n`);
  return ExitCode.done;
}

async function syncNow(flags: Flags, settings: Settings, work: Work, machine: Machine, io: Io): Promise<ExitCode> {
  const { sifted, completed } = work;
  const node = await openNode(settings, machine);
  const planned = await planFor(completed.input, settings, node, io);
  mustKnowWhatStays(sifted, planned.plans);
  const rest = await restOfOthers(planned.plans, settings, machine, isSet(flags, "replaceKubeProxy"));
  return uninterrupted(io, () => bringAbout(flags, settings, work, { ...planned, rest }, node, machine, io));
}

/** From here on something is changed. */
async function bringAbout(
  flags: Flags,
  settings: Settings,
  { sifted, completed, sources, made }: Work,
  planned: Planned & { readonly rest: Rest },
  node: ThisNode,
  machine: Machine,
  io: Io,
): Promise<ExitCode> {
  const { decisions, rest } = planned;
  let { plans } = planned;
  const { input } = completed;
  // Before the rules: an address that was used once must be known to later runs.
  await noteAllocations(completed.allocations, settings.stateDir);
  // The index takes a while, and the tool longer.
  const meanwhile = plans.some(({ verify }) => verify) ? undefined : () => made.step();
  const unsaved = unsavedIn(settings, io);
  const aside = { meanwhile, unsaved };
  const carry = () => changing(plans, settings, () => carryOut(plans, backendOf(settings), node.kernel, aside));
  let result = await carry();
  if (result.kind === "refused" && plans.some(({ isRecorded }) => isRecorded)) {
    // Somebody may have changed what the record says; what the kernel holds is asked then, and counts.
    plans = await planAgain(decisions, settings, node);
    result = await carry();
  }
  if (result.kind === "refused") {
    if (textFlag(flags, "output") === "json") io.out(jsonText(resultJson(result)));
    reportRefusal(result, input, io);
    return ExitCode.kernelRefused;
  }
  const changed = result.kind === "applied";
  const accepted = { manifests: sifted.input.manifests, hash: sources.hash };
  // At once: it holds however the rest ends, and an older one would put Services back that are to stay as they are.
  await save(() => noteAccepted(accepted, settings, { maySkip: isSet(flags, "skipInvalid"), changed }), unsaved);
  const note = (isQuick: boolean) =>
    save(() => noteAsLeft(() => (isQuick ? made.value : undefined), plans, settings), unsaved);
  const standing = { result, plans, decisions, input, inputHash: sources.hash, rest, note, unsaved };
  return settleDown(flags, settings, standing, node, machine, io);
}

/** Rules that stand, and what is left to do about them. */
interface Standing {
  readonly result: Exclude<ApplyResult, { kind: "refused" }>;
  readonly plans: readonly FamilyPlan[];
  readonly decisions: readonly Decision[];
  readonly input: Input;
  /** Of the whole input; undefined where only what changed was read. */
  readonly inputHash: string | undefined;
  readonly rest: Rest;
  /** Leaves what the next run should know to be quick, if it may be. */
  readonly note: (isQuick: boolean) => Promise<void>;
  readonly unsaved: Unsaved;
}

/** The result comes last, also where something is left undone: whoever reads it may act on it at once. */
async function settleDown(
  flags: Flags,
  settings: Settings,
  standing: Standing,
  node: ThisNode,
  machine: Machine,
  io: Io,
): Promise<ExitCode> {
  try {
    return await tidyUp(flags, settings, standing, node, machine, io);
  } finally {
    const others = standing.rest.rules.map(({ backend }) => backend);
    if (textFlag(flags, "output") === "json") io.out(jsonText(resultJson(standing.result, others)));
  }
}

async function tidyUp(
  flags: Flags,
  settings: Settings,
  { result, plans, decisions, input, inputHash, rest, note, unsaved }: Standing,
  node: ThisNode,
  machine: Machine,
  io: Io,
): Promise<ExitCode> {
  const isQuiet = result.kind === "unchanged" && inputHash !== undefined;
  const areEnded = isQuiet && (await areFlowsEnded(settings.stateDir, inputHash));
  const flows = areEnded ? NO_FLOWS : await endStaleFlows(plans, decisions, node.kernel);
  noteFlows(flows, io);
  // After the rules, since they are what keeps others from reaching 127.0.0.1.
  if (needsRouteLocalnet(plans, input, settings, node) && (await enableRouteLocalnet(settings.stateDir, unsaved))) {
    io.note("set net.ipv4.conf.all.route_localnet = 1, for NodePorts on 127.0.0.1\n");
  }
  if (!(await isRidOfOthers(rest, settings, machine, io))) return ExitCode.kernelRefused;
  if (settings.backend === "nftables" && (await restoreRouteLocalnet(settings.stateDir, unsaved))) {
    io.note("set net.ipv4.conf.all.route_localnet = 0: nftables needs it for nothing\n");
  }
  const isDone = flows.failures.length === 0;
  await save(() => noteFlowsEnded(settings.stateDir, isDone ? inputHash : undefined), unsaved);
  await note(isDone);
  if (result.kind === "applied" && isSet(flags, "verbose")) {
    io.note(`${changesText(result.changes, styleFor(io.color))}\n`);
  }
  if (result.kind === "applied") io.note(() => `synced ${scopeText(plans, settings)}: ${countsText(result.changes)}\n`);
  else if (io.errorIsTTY || isSet(flags, "verbose")) io.note(`in sync: ${scopeText(plans, settings)}\n`);
  return ExitCode.done;
}

/**
 * Removes it after the new rules stand, so that no connection is lost; tells what it was. By now a tool that cannot be run
 * is no reason to say that nothing could.
 */
async function isRidOfOthers(rest: Rest, settings: Settings, machine: Machine, io: Io): Promise<boolean> {
  const removed = await removeRest(rest, settings, machine).catch(refusalOf);
  if (removed.kind === "refused") {
    reportRefusal(
      removed,
      undefined,
      io,
      "the new rules stand; those of before, which are named here, act beside them",
    );
    return false;
  }
  for (const { backend } of rest.rules) io.note(`removed the ${backend} rules of before\n`);
  for (const { name } of rest.leftovers) io.note(`removed ${name}\n`);
  return true;
}

function refusalOf(error: unknown): ApplyResult {
  if (!(error instanceof UserError)) throw error;
  return { kind: "refused", reason: reasonOf(error), origin: undefined, rolledBack: false };
}

const NO_FLOWS: FlowCleanup = { deleted: 0, failures: [] };

function noteFlows({ deleted, failures }: FlowCleanup, io: Io): void {
  if (deleted > 0) io.note(`ended ${count(deleted, "UDP flow")} to endpoints that are gone\n`);
  for (const reason of failures)
    io.error(`warning: UDP flows to endpoints that are gone may be left: ${oneLine(reason)}\n`);
}
