import { type Accepted, forgetAccepted, isRecorded, readAccepted, writeAccepted } from "../apply/accepted.ts";
import { UserError } from "../errors.ts";
import type { FamilyPlan, Input } from "../pipeline.ts";
import type { Settings } from "../settings/settings.ts";
import type { Diagnostic, Document, Manifest, Source } from "../types.ts";

export { forgetAccepted } from "../apply/accepted.ts";

/** An input without its invalid Services, and with what was accepted for these before. */
export interface Sifted {
  readonly input: Input;
  /** "namespace/name" of each Service that is left as it was. */
  readonly skipped: readonly string[];
  /** Whether it is known what was accepted before; without errors nobody asks. */
  readonly recorded: boolean;
}

const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

/**
 * Takes the Services with errors out, with all that belongs to them, and puts in what was accepted for them last.
 * @param errors the findings that make an object invalid
 * @returns undefined if an error belongs to no Service, so that nobody can tell what to leave out
 */
export async function sift(
  input: Input,
  errors: readonly Diagnostic[],
  { stateDir, namespace }: Settings,
): Promise<Sifted | undefined> {
  if (errors.length === 0) return { input, skipped: [], recorded: true };
  const documents = new Map(input.documents.map((document) => [placeKey(document.source), document]));
  const skipped = new Set<string>();
  for (const { source } of errors) {
    const document = documents.get(placeKey(source));
    const service = document === undefined ? undefined : serviceOfDocument(document, namespace);
    if (service === undefined) return undefined;
    skipped.add(service);
  }
  const isSkipped = (manifest: Manifest) => skipped.has(serviceOfManifest(manifest) ?? "");
  const before = await readAccepted(stateDir);
  const manifests = [
    ...input.manifests.filter((manifest) => !isSkipped(manifest)),
    ...(before?.manifests ?? []).filter(isSkipped),
  ];
  return { input: { ...input, manifests }, skipped: [...skipped].sort(), recorded: before !== undefined };
}

function placeKey({ file, document, item }: Source): string {
  return JSON.stringify([file, document, item ?? -1]);
}

/** The Service that an object of the input is, or belongs to; from raw values, since the object may be invalid. */
function serviceOfDocument({ value }: Document, defaultNamespace: string): string | undefined {
  const kind = fieldOf(value, "kind");
  const metadata = fieldOf(value, "metadata");
  const name =
    kind === "EndpointSlice" ? fieldOf(fieldOf(metadata, "labels"), SERVICE_NAME_LABEL) : fieldOf(metadata, "name");
  if (kind !== "Service" && kind !== "Endpoints" && kind !== "EndpointSlice") return undefined;
  if (typeof name !== "string") return undefined;
  const namespace = fieldOf(metadata, "namespace") ?? defaultNamespace;
  return typeof namespace === "string" ? `${namespace === "" ? defaultNamespace : namespace}/${name}` : undefined;
}

function serviceOfManifest({ kind, metadata }: Manifest): string | undefined {
  switch (kind) {
    case "Service":
    case "Endpoints":
      return `${metadata.namespace}/${metadata.name}`;
    case "EndpointSlice":
      return `${metadata.namespace}/${metadata.labels?.[SERVICE_NAME_LABEL] ?? ""}`;
    default:
      return undefined;
  }
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Readonly<Record<string, unknown>>)[name];
}

/**
 * Without a record of what was accepted, the rules of a skipped Service would go.
 * @throws UserError if there are rules, and it is not known which of them are to stay
 */
export function mustKnowWhatStays({ skipped, recorded }: Sifted, plans: readonly FamilyPlan[]): void {
  if (skipped.length === 0 || recorded || plans.every(({ held }) => held.every(({ objects }) => objects.size === 0)))
    return;
  throw new UserError(
    "what was accepted before is not recorded, so the rules of the invalid Services cannot be kept",
    "mend the input and sync once with --skip-invalid, which records what it accepted however much that is",
  );
}

/** Above this many endpoints, recording costs tenths of a second, which only those pay who may skip. */
const CHEAP_ENDPOINTS = 50_000;

/** Records what the rules are made from now, for runs that skip; a record of something else is removed. */
export async function noteAccepted(
  { manifests, hash }: Accepted,
  { stateDir }: Settings,
  run: { readonly maySkip: boolean; readonly changed: boolean },
): Promise<void> {
  if (!run.changed && (await isRecorded(stateDir, hash))) return;
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
