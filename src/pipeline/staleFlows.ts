import { flushStaleFlows } from "../apply/conntrack.ts";
import { readState, writeState } from "../apply/state.ts";
import type { Decision, FamilyPlan, Kernel } from "../pipeline.ts";

/**
 * UDP flows to endpoints that serve no more, of every Service and after every change of the input: an endpoint that
 * has been terminating is in no rule any more when it goes, and its flows go only then.
 */

/** Hash of the input whose stale flows were ended last. */
const SECTION = "flowsEnded";

/** What became of connections that led to endpoints which are gone. */
export interface FlowCleanup {
  readonly deleted: number;
  /** Why entries may be left, one per family. */
  readonly failures: readonly string[];
}

/** Ends the UDP flows that still lead where no rule leads any more; UDP has no end of its own. */
export async function endStaleFlows(
  plans: readonly FamilyPlan[],
  decisions: readonly Decision[],
  { run }: Pick<Kernel, "run">,
): Promise<FlowCleanup> {
  let deleted = 0;
  const failures: string[] = [];
  for (const decision of decisions) {
    const { family } = decision;
    if (!plans.some((plan) => plan.family === family)) continue;
    const result = await flushStaleFlows(run, family, decision);
    if (result.kind === "flushed") deleted += result.flows.length;
    else failures.push(result.reason);
  }
  return { deleted, failures };
}

/** Whether they were ended for this very input. */
export async function areFlowsEnded(stateDir: string, inputHash: string): Promise<boolean> {
  const { record } = await readState(stateDir);
  return record.sections[SECTION] === inputHash;
}

/** Notes for which input they were ended; undefined if some may be left, or the whole input was not looked at. */
export async function noteFlowsEnded(stateDir: string, inputHash: string | undefined): Promise<void> {
  const { record } = await readState(stateDir);
  if (record.sections[SECTION] === inputHash) return;
  const { [SECTION]: _, ...sections } = record.sections;
  const now = inputHash === undefined ? sections : { ...sections, [SECTION]: inputHash };
  await writeState(stateDir, { ...record, sections: now });
}
