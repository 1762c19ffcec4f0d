import { ExitCode, UserError } from "../errors.ts";
import { type BackendRest, type Rest, restOfOthers } from "../pipeline/cleanup.ts";
import { type Machine, openNode, type ThisNode } from "../pipeline/node.ts";
import { mustKnowWhatStays } from "../pipeline/skip.ts";
import {
  backendOf,
  type Decision,
  decide,
  type FamilyPlan,
  type Input,
  isRouteLocalnetOn,
  nodeFor,
  plan,
  wishesOf,
} from "../pipeline.ts";
import { changesText, countsText, familiesText } from "../report/changes.ts";
import { changesJson, jsonText } from "../report/json.ts";
import { styleFor } from "../report/style.ts";
import { renderOptions } from "../settings/node.ts";
import { familiesOf, type Settings } from "../settings/settings.ts";
import { noteNode, noteUnserved } from "./compile.ts";
import { type Flags, settingsHere, textFlag } from "./flags.ts";
import { thisMachine } from "./host.ts";
import { accept, completeInput, extentOf, inputFrom } from "./input.ts";
import type { Io } from "./io.ts";

/** What this node's kernel holds, compared with what the input asks for. Changes nothing. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const machine = await thisMachine();
  const settings = await settingsHere(flags, machine, io);
  const sifted = await accept(await inputFrom(flags, settings, io), flags, settings, io);
  if (sifted === undefined) return ExitCode.inputRejected;
  const input = (await completeInput(sifted.input, settings, extentOf(sifted), io))?.input;
  if (input === undefined) return ExitCode.inputRejected;
  // Whoever asks wants to know what is there, not what was left there.
  const node = await openNode({ ...settings, verify: true }, machine);
  const { plans } = await planFor(input, settings, node, io);
  mustKnowWhatStays(sifted, plans);
  const rest = await restOrRefusal(plans, settings, machine);
  const isRefusal = typeof rest === "string";
  const others = isRefusal ? [] : rest.rules;
  showPlans(plans, others, textFlag(flags, "output") ?? "human", io);
  if (isRefusal) io.note(`note: sync would refuse: ${rest}\n`);
  else if (needsRouteLocalnet(plans, input, settings, node) && !(await isRouteLocalnetOn())) {
    io.note("note: sync would also set net.ipv4.conf.all.route_localnet = 1\n");
  }
  if (sifted.skipped.length > 0) return ExitCode.inputRejected;
  return others.length > 0 || plans.some(({ changes }) => changes.length > 0) ? ExitCode.found : ExitCode.done;
}

/** What `sync` would remove besides, or why it would change nothing here. */
async function restOrRefusal(
  plans: readonly FamilyPlan[],
  settings: Settings,
  machine: Machine,
): Promise<Rest | string> {
  try {
    return await restOfOthers(plans, settings, machine, false);
  } catch (error) {
    if (error instanceof UserError) return error.message;
    throw error;
  }
}

export interface Planned {
  readonly decisions: readonly Decision[];
  readonly plans: readonly FamilyPlan[];
}

export async function planFor(input: Input, settings: Settings, { kernel, host }: ThisNode, io: Io): Promise<Planned> {
  noteNode(input, nodeFor(input.manifests, settings, host), io);
  const families = familiesOf(settings);
  const decisions = families.map((family) => decide(input.manifests, settings, host, family));
  const plans = await plan(wishesOf(decisions, settings), backendOf(settings), kernel);
  noteUnservedIn({ decisions, plans }, io);
  return { decisions, plans };
}

/** Names Services that nothing serves; from a timer only when something changes. */
export function noteUnservedIn({ decisions, plans }: Planned, io: Io): void {
  if (io.errorIsTTY || plans.some(({ changes }) => changes.length > 0)) noteUnserved(decisions, io);
}

/** The same decisions, planned against a full listing. */
export function planAgain(
  decisions: readonly Decision[],
  settings: Settings,
  { kernel }: ThisNode,
): Promise<readonly FamilyPlan[]> {
  return plan(wishesOf(decisions, settings), backendOf(settings), { ...kernel, records: undefined });
}

/** NodePorts on localhost work only if packets may leave with a loopback address for a moment. */
export function needsRouteLocalnet(
  plans: readonly FamilyPlan[],
  { manifests }: Input,
  settings: Settings,
  { host }: ThisNode,
): boolean {
  if (settings.backend !== "iptables" || !plans.some(({ family }) => family === "ipv4")) return false;
  return renderOptions(settings, nodeFor(manifests, settings, host), host, "ipv4").localhostNodePorts;
}

/** "IPv4 and IPv6 (iptables-nft)" */
export function scopeText(plans: readonly FamilyPlan[], settings: Settings): string {
  const [first] = plans;
  const tool = settings.backend === "iptables" && first !== undefined ? `iptables-${first.flavour}` : settings.backend;
  return `${familiesText(plans.map(({ family }) => family))} (${tool})`;
}

/** What differs, and whose rules act beside, which is a difference as well. */
export function showPlans(plans: readonly FamilyPlan[], others: readonly BackendRest[], output: string, io: Io): void {
  const changes = plans.flatMap((one) => one.changes);
  const backends = others.map(({ backend }) => backend);
  const besides = backends.map((backend) => `the ${backend} rules of before would be removed\n`).join("");
  switch (output) {
    case "json":
      io.out(jsonText(changesJson(changes, backends)));
      return;
    case "restore":
      io.out(restoreText(plans));
      io.note(besides);
      return;
    default:
      if (changes.length > 0) io.out(`${changesText(changes, styleFor(io.color))}\n${countsText(changes)}\n`);
      else if (others.length === 0) io.out("in sync\n");
      io.out(besides);
  }
}

/** What the tool would be fed; it takes one family at a time. */
function restoreText(plans: readonly FamilyPlan[]): string {
  const busy = plans.filter(({ changes }) => changes.length > 0);
  if (busy.length > 1) {
    throw new UserError(
      "both families differ, and the tools take one at a time",
      "ask for one after the other with --ip-family ipv4 and --ip-family ipv6",
    );
  }
  return busy.flatMap(({ transaction }) => transaction.steps.map(({ text }) => text)).join("");
}
