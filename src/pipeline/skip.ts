import {
  type Accepted,
  forgetAccepted,
  isRecorded,
  isUnsettled,
  readAccepted,
  settle,
  unsettle,
  writeAccepted,
} from "../apply/accepted.ts";
import { ExitCode, UserError } from "../errors.ts";
import { type Clash, clashesWith } from "../input/claims.ts";
import { servedBy } from "../input/identify.ts";
import { servedServiceOf } from "../labels.ts";
import { type FamilyPlan, type Input, validateOptions } from "../pipeline.ts";
import type { Settings } from "../settings/settings.ts";
import type { ApplyResult, Diagnostic, Manifest, Origin, ServiceManifest, Source } from "../types.ts";
import { complete } from "./standalone.ts";

export { forgetAccepted } from "../apply/accepted.ts";

/** An input without its invalid Services, and with what was accepted for these before. */
export interface Sifted {
  readonly input: Input;
  /** "namespace/name" of each Service that is left as it was. */
  readonly skipped: readonly string[];
  /** Whether it is known what was accepted before; without errors nobody asks. */
  readonly recorded: boolean;
  /** Whether the last run may have changed the rules without recording from what. */
  readonly unsettled: boolean;
  /** Why Services are left as they were that have no error in themselves. */
  readonly clashes: readonly Diagnostic[];
}

/**
 * Takes the Services with errors out, with all that belongs to them, and puts in what was accepted for them last. So
 * are those taken out that claim what these have.
 * @param errors the findings that make an object invalid
 * @returns undefined if an error belongs to no Service, so that nobody can tell what to leave out
 * @throws UserError if too many Services wait for one another
 */
export async function sift(
  input: Input,
  errors: readonly Diagnostic[],
  settings: Settings,
): Promise<Sifted | undefined> {
  if (errors.length === 0) return { input, skipped: [], recorded: true, unsettled: false, clashes: [] };
  const skipped = servicesOf(errors, input, settings);
  if (skipped === undefined) return undefined;
  const before = await readAccepted(settings.stateDir);
  const clashes: Diagnostic[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const parted = part(input.manifests, before?.manifests ?? [], skipped);
    const found = await newClashes(parted, input, settings);
    if (found.length === 0) {
      const manifests = [...parted.valid, ...parted.kept];
      return {
        input: { ...input, manifests },
        skipped: [...skipped].sort(),
        recorded: before !== undefined,
        unsettled: await isUnsettled(settings.stateDir),
        clashes: input.positioned(clashes),
      };
    }
    for (const { service, diagnostic } of found) {
      skipped.add(service);
      clashes.push(diagnostic);
    }
  }
  throw new UserError(
    `${skipped.size} Services would have to be left as they were, each since it claims what another one has`,
    "mend the invalid Services, or change addresses and ports in several steps",
    ExitCode.inputRejected,
  );
}

/** How often leaving a Service as it was may make another one have to stay; each time all are looked at. */
const ROUNDS = 20;

/** The Services that have errors; undefined if an error belongs to none. */
function servicesOf(errors: readonly Diagnostic[], input: Input, { namespace }: Settings): Set<string> | undefined {
  const documents = new Map(input.documents.map((document) => [placeKey(document.source), document]));
  const skipped = new Set<string>();
  for (const { source } of errors) {
    const document = documents.get(placeKey(source));
    const service = document === undefined ? undefined : servedBy(document.value, namespace);
    if (service === undefined) return undefined;
    skipped.add(service);
  }
  return skipped;
}

/** An input and what was accepted before it, each in two. */
interface Parted {
  readonly valid: readonly Manifest[];
  /** What was accepted for the Services that are left as they were, and for the others. */
  readonly kept: readonly Manifest[];
  readonly former: readonly Manifest[];
}

function part(now: readonly Manifest[], before: readonly Manifest[], skipped: ReadonlySet<string>): Parted {
  const isSkipped = (manifest: Manifest) => skipped.has(serviceOfManifest(manifest) ?? "");
  const [kept, former]: [Manifest[], Manifest[]] = [[], []];
  for (const manifest of before) (isSkipped(manifest) ? kept : former).push(manifest);
  return { valid: now.filter((manifest) => !isSkipped(manifest)), kept, former };
}

/** Whoever claims what kept Services have, unless it did so already when they were accepted together. */
async function newClashes(
  { valid, kept, former }: Parted,
  input: Input,
  settings: Settings,
): Promise<readonly Clash[]> {
  if (kept.length === 0) return [];
  // With what was given out to them.
  const { input: staying } = await complete({ ...input, manifests: kept }, settings, { isWhole: false });
  const clashesOf = (others: readonly Manifest[]) =>
    clashesWith(staying.manifests.filter(isService), others.filter(isService), validateOptions(settings));
  const found = clashesOf(valid);
  if (found.length === 0) return found;
  // In the same field, but wherever in its list: a cluster IP wins over an external one, its place is no matter.
  const textOf = ({ service, diagnostic }: Clash) => `${service} ${diagnostic.message.replace(/\[\d+\]/, "")}`;
  const known = new Set(clashesOf(former).map(textOf));
  return found.filter((clash) => !known.has(textOf(clash)));
}

function isService(manifest: Manifest): manifest is ServiceManifest {
  return manifest.kind === "Service";
}

function placeKey({ file, document, item }: Source): string {
  return JSON.stringify([file, document, item ?? -1]);
}

function serviceOfManifest({ kind, metadata }: Manifest): string | undefined {
  switch (kind) {
    case "Service":
    case "Endpoints":
      return `${metadata.namespace}/${metadata.name}`;
    case "EndpointSlice":
      return servedServiceOf(metadata);
    default:
      return undefined;
  }
}

/**
 * Without a record of what was accepted, the rules of a skipped Service would go, and with one that is older than the
 * rules they would become what they were before.
 * @throws UserError if there are rules, and it is not known which of them are to stay
 */
export function mustKnowWhatStays(sifted: Sifted, plans: readonly FamilyPlan[]): void {
  const { skipped, recorded, unsettled } = sifted;
  const services = new Set(skipped);
  if (services.size === 0 || (recorded && !(unsettled && plans.some((plan) => mayChange(services, plan))))) return;
  if (plans.every(({ held }) => held.every(({ objects }) => objects.size === 0))) return;
  throw new UserError(
    "what was accepted before is not recorded, so the rules of the invalid Services cannot be kept",
    "mend the input and sync once with --skip-invalid, which records what it accepted however much that is",
  );
}

/** Whether any of these Services would get a rule, or lose one: the kernel does not tell whose it is that goes. */
function mayChange(services: ReadonlySet<string>, { changes }: FamilyPlan): boolean {
  return changes.some(
    ({ removed, added }) =>
      removed.length > 0 || added.some(({ origin }) => origin !== undefined && services.has(serviceOfOrigin(origin))),
  );
}

function serviceOfOrigin({ servicePort }: Origin): string {
  return `${servicePort.namespace}/${servicePort.name}`;
}

/**
 * Carries out what changes the rules. Killed before it is recorded what they were made from, it leaves a record that is
 * not believed of Services whose rules are others.
 */
export async function changing(
  plans: readonly FamilyPlan[],
  { stateDir }: Settings,
  work: () => Promise<ApplyResult>,
): Promise<ApplyResult> {
  if (plans.every(({ changes }) => changes.length === 0)) return work();
  const isOurs = await unsettle(stateDir);
  const result = await work();
  if (isOurs && result.kind === "refused" && result.rolledBack) await settle(stateDir);
  return result;
}

/** Above this many endpoints, recording costs tenths of a second, which only those pay who may skip. */
const CHEAP_ENDPOINTS = 50_000;

/** Records what the rules are made from now, for runs that skip; a record of something else is removed. */
export async function noteAccepted(
  { manifests, hash }: Accepted,
  { stateDir }: Settings,
  run: { readonly maySkip: boolean; readonly changed: boolean },
): Promise<void> {
  if (!run.changed && (await isRecorded(stateDir, hash))) return settle(stateDir);
  if (run.maySkip || countEndpoints(manifests) <= CHEAP_ENDPOINTS) await writeAccepted(stateDir, { hash, manifests });
  else await forgetAccepted(stateDir);
}

function countEndpoints(manifests: readonly Manifest[]): number {
  let endpoints = 0;
  for (const manifest of manifests) {
    if (manifest.kind === "EndpointSlice") endpoints += manifest.endpoints?.length ?? 0;
    else if (manifest.kind === "Endpoints") {
      for (const { addresses } of manifest.subsets ?? []) endpoints += addresses?.length ?? 0;
    }
  }
  return endpoints;
}
