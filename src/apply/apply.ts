import { UnreadableTableError, UserError } from "../errors.ts";
import type {
  ApplyResult,
  Backend,
  Change,
  CommandResult,
  Family,
  KernelCommands,
  Origin,
  Runner,
  Table,
  Transaction,
  TransactionStep,
} from "../types.ts";
import { messageOf, tellsOfNoSupport } from "./listing.ts";
import type { TableRecord } from "./record.ts";

/** Everything that is known before the first family is touched. */
export interface FamilyPlan {
  readonly family: Family;
  readonly flavour: string;
  readonly commands: KernelCommands;
  /** What the kernel holds of ours, and what it shall hold; costly to ask for where few Services changed. */
  readonly held: readonly Table[];
  readonly wanted: readonly Table[];
  readonly changes: readonly Change[];
  readonly transaction: Transaction;
  /** The stamp that the kernel has afterwards, where the backend knows stamps. */
  readonly stamp: string | undefined;
  /** Whether the kernel is read back in full even where its stamp would tell. */
  readonly verify: boolean;
  /** Whether `held` is the record of the last run, which the kernel's stamp confirmed. */
  readonly isRecorded: boolean;
  /** The record that is continued with these patches rather than written anew. */
  readonly continued?: Pick<TableRecord, "digest" | "patches">;
}

export interface Surroundings {
  readonly run: Runner;
  readonly backend: Pick<Backend, "read" | "comparable" | "transaction" | "stamp">;
  readonly diff: (
    backend: Pick<Backend, "comparable">,
    held: readonly Table[],
    wanted: readonly Table[],
  ) => readonly Change[];
  /** Does a piece of other work while a tool writes, and tells whether there was any. */
  readonly meanwhile?: (() => boolean) | undefined;
}

interface Refusal {
  readonly reason: string;
  readonly origin: Origin | undefined;
}

/**
 * The only stage that changes the kernel, all families or none: every step that the tool can judge is judged before
 * the first is applied; each family is read back and compared with what is wanted; and when the tool refuses, or
 * the kernel does not hold what it was told, everything that was touched is put back as it was.
 * Killed in between, it leaves whole steps behind, and the next run, which starts from what the kernel holds,
 * does the rest.
 * @throws UserError if a tool is missing or may not be used (nothing is changed then)
 */
export async function apply(plans: readonly FamilyPlan[], world: Surroundings): Promise<ApplyResult> {
  const busy = plans.filter(({ changes }) => changes.length > 0);
  if (busy.length === 0) return { kind: "unchanged" };
  const refusal = await firstRefusal(busy, world);
  if (refusal !== undefined) return { kind: "refused", ...refusal, rolledBack: true };

  const touched: FamilyPlan[] = [];
  for (const plan of busy) {
    touched.unshift(plan);
    const failure = await writeFamily(plan, world).catch(refusalOfError);
    if (failure !== undefined) return putBack(touched, failure, world);
  }
  return { kind: "applied", changes: busy.flatMap(({ changes }) => changes) };
}

/**
 * What the kernel holds of ours in one family, or why it cannot be read.
 * @throws UnreadableTableError if the listing leaves a table out: to take it for empty would double what is there
 */
export async function readKernel(
  commands: KernelCommands,
  family: Family,
  { run, backend }: Pick<Surroundings, "run" | "backend">,
): Promise<readonly Table[] | Refusal> {
  const listings: string[] = [];
  for (const command of commands.list) {
    const result = await run(command);
    if (commands.isAbsent?.(result)) continue;
    if (result.exitCode !== 0) return { reason: `${command.program}: ${messageOf(result)}`, origin: undefined };
    const table = commands.unreadableTable?.(result.stdout);
    if (table !== undefined) throw unreadableTable(command.program, family, table);
    listings.push(result.stdout);
  }
  return backend.read(listings.join(""), family);
}

function unreadableTable(program: string, family: Family, table: string): UnreadableTableError {
  return new UnreadableTableError(
    `${program} cannot show the ${family} table ${table}: it holds rules which only nft understands`,
    `move those rules to a table of their own: \`nft list table ${family === "ipv4" ? "ip" : "ip6"} ${table}\` shows them`,
  );
}

/** The stamp that the kernel holds; undefined where there is none, or the backend knows no stamps. */
export async function readStamp(
  { stamp }: KernelCommands,
  family: Family,
  { run, backend }: Pick<Surroundings, "run" | "backend">,
): Promise<string | undefined> {
  if (stamp === undefined) return undefined;
  const { exitCode, stdout } = await run(stamp);
  return exitCode === 0 ? backend.stamp?.(backend.read(stdout, family)) : undefined;
}

/** Whether the kernel cannot hold anything of the kind, so that there is nothing to read. */
export function isUnsupported({ reason }: Refusal): boolean {
  return tellsOfNoSupport(reason);
}

export function isRefusal(reading: readonly Table[] | Refusal): reading is Refusal {
  return "reason" in reading;
}

// ── Check ────────────────────────────────────────────────────────────────────────────────────────

/** nft takes a single step whole or not at all, and asking it first would cost as much as doing it. */
function isAtomic(plans: readonly FamilyPlan[]): boolean {
  const [only, ...others] = plans.flatMap(({ transaction }) => transaction.steps.map(() => transaction.backend));
  return only === "nftables" && others.length === 0;
}

async function firstRefusal(plans: readonly FamilyPlan[], { run }: Surroundings): Promise<Refusal | undefined> {
  if (isAtomic(plans)) return undefined;
  for (const { commands, transaction } of plans) {
    for (const step of transaction.steps) {
      const check = commands.check(step);
      if (check === undefined) continue;
      const result = await run(check);
      if (result.exitCode !== 0) return refusalOf(check.program, result, step, commands);
    }
  }
  return undefined;
}

/** What the tool said, with the line that it blames and the Service that caused this line. */
function refusalOf(program: string, result: CommandResult, step: TransactionStep, commands: KernelCommands): Refusal {
  const line = commands.failedLine(result.stderr);
  if (line === undefined) return { reason: `${program}: ${messageOf(result)}`, origin: undefined };
  const blamed = step.text.split("\n")[line - 1];
  const at = blamed === undefined || blamed === "" ? "" : `\n  ${blamed}`;
  return { reason: `${program}: ${messageOf(result)}${at}`, origin: step.origins[line - 1] };
}

/** A tool that vanishes or is killed half-way is one more way of not doing what it was told. */
function refusalOfError(error: unknown): Refusal {
  return { reason: reasonOf(error), origin: undefined };
}

/** What went wrong, and what to do about it where that is known. */
export function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return error instanceof UserError ? `${message} (${error.hint})` : message;
}

// ── Write and read back ──────────────────────────────────────────────────────────────────────────

async function writeFamily(plan: FamilyPlan, world: Surroundings): Promise<Refusal | undefined> {
  const failure = await runSteps(plan.transaction.steps, plan.commands, world.run, world.meanwhile);
  if (failure !== undefined) return failure;
  if (plan.verify || plan.stamp === undefined) return mismatch(plan, plan.wanted, world);
  const found = await readStamp(plan.commands, plan.family, world);
  return found === plan.stamp ? undefined : mismatch(plan, plan.wanted, world);
}

/** How many steps the tool takes at once where their order does not matter; more would wait for the kernel. */
const LANES = 2;

/** While the tool takes a step, those that come next are written, and what else there is `meanwhile`. */
async function runSteps(
  steps: readonly TransactionStep[],
  commands: KernelCommands,
  run: Runner,
  meanwhile: () => boolean = () => false,
): Promise<Refusal | undefined> {
  const unwritten = steps.values();
  const writeNext = (): boolean => unwritten.next().value?.text !== undefined;
  let failure: Refusal | undefined;
  const take = async (step: TransactionStep): Promise<void> => {
    try {
      const command = commands.apply(step);
      const result = await run({ ...command, meanwhile: () => writeNext() || meanwhile() });
      if (result.exitCode !== 0) failure ??= refusalOf(command.program, result, step, commands);
    } catch (error) {
      failure ??= refusalOfError(error);
    }
  };
  for (const row of rowsOf(steps)) {
    const waiting = row.values();
    const lane = async () => {
      for (const step of waiting) if (failure === undefined) await take(step);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    if (failure !== undefined) return failure;
  }
  return undefined;
}

/** Steps in their order; those that may be taken at once share a row. */
function rowsOf(steps: readonly TransactionStep[]): readonly (readonly TransactionStep[])[] {
  const rows: TransactionStep[][] = [];
  for (const step of steps) {
    const row = rows.at(-1);
    if (step.isUnordered === true && row?.[0]?.isUnordered === true) row.push(step);
    else rows.push([step]);
  }
  return rows;
}

/** Why the kernel does not hold what is expected of it; undefined when it does. */
async function mismatch(
  { commands, family }: FamilyPlan,
  expected: readonly Table[],
  world: Surroundings,
): Promise<Refusal | undefined> {
  const reading = await readKernel(commands, family, world);
  if (isRefusal(reading)) return { ...reading, reason: `reading back failed: ${reading.reason}` };
  const [first, ...others] = world.diff(world.backend, reading, expected);
  if (first === undefined) return undefined;
  const line = first.added[0] ?? first.removed[0];
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  const sign = first.added.length > 0 ? "missing" : "not expected";
  const what = line === undefined ? "" : `\n  ${sign}: ${line.text}`;
  return {
    reason: `the kernel does not hold what was applied: ${family} ${first.table} ${first.name}${more}${what}`,
    origin: line?.origin,
  };
}

// ── Put back ─────────────────────────────────────────────────────────────────────────────────────

/** Puts back the families that were touched, the last one first, and proves it by reading. */
async function putBack(touched: readonly FamilyPlan[], failure: Refusal, world: Surroundings): Promise<ApplyResult> {
  const leftovers: string[] = [];
  for (const plan of touched) {
    const left = await undoFamily(plan, world).catch((error: unknown) => refusalOfError(error).reason);
    if (left !== undefined) leftovers.push(`${plan.family}: ${left}`);
  }
  if (leftovers.length === 0) return { kind: "refused", ...failure, rolledBack: true };
  const reason = `${failure.reason}\nand putting the rules back failed, too: ${leftovers.join("; ")}`;
  return { kind: "refused", reason, origin: failure.origin, rolledBack: false };
}

/**
 * What counts is the difference between what is there now and what was there before, since a step may have been
 * applied by half. Only a kernel that cannot be read gets the undo that was planned, and then nothing is proven.
 */
async function undoFamily(plan: FamilyPlan, world: Surroundings): Promise<string | undefined> {
  const reading = await readKernel(plan.commands, plan.family, world);
  if (isRefusal(reading)) {
    const failure = await runSteps(plan.transaction.undo, plan.commands, world.run);
    return failure === undefined ? `undone, but it cannot be read: ${reading.reason}` : failure.reason;
  }
  const changes = world.diff(world.backend, reading, plan.held);
  if (changes.length === 0) return undefined;
  const repair = world.backend.transaction(plan.family, changes, plan.flavour);
  const failure = await runSteps(repair.steps, plan.commands, world.run);
  return (failure ?? (await mismatch(plan, plan.held, world)))?.reason;
}
