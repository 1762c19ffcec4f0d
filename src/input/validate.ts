import { familyOf } from "../ip.ts";
import { SERVICE_NAME } from "../labels.ts";
import type { Diagnostic, Document, Family, Manifest, Severity, Source } from "../types.ts";
import { type Bundle, bundleOf, type Side, type Subject } from "./checks/bundle.ts";
import type { CheckContext, KubeVersion, PortRange } from "./checks/check.ts";
import { checkTogether, objectChecks } from "./checks/index.ts";
import { objectOf, type StandIns } from "./defaults.ts";
import { identify } from "./identify.ts";
import { manifestOf } from "./manifest.ts";
import { noNeighbours, noteForeign } from "./neighbours.ts";
import type { Kind } from "./objects.ts";
import { visible } from "./quote.ts";
import { shapeProblems } from "./shape.ts";

export interface ValidateOptions {
  /** The API server whose rules apply. Default 1.36. */
  readonly kubeVersion?: KubeVersion;
  /** Families that the cluster serves, first is the default one. Default: those of the Service CIDRs, or both. */
  readonly families?: readonly Family[];
  /** Canonical CIDRs from which cluster IPs come; left out or empty: not known, so not checked. */
  readonly serviceCIDRs?: readonly string[];
  /** Default 30000-32767. */
  readonly nodePortRange?: PortRange;
  /** Namespace of objects that name none. Default `default`. */
  readonly defaultNamespace?: string;
  /** Canonical CIDRs in which externalIPs may lie. Default: anywhere. */
  readonly allowedExternalIPs?: readonly string[];
  /** The node that the rules are for; when given, policies that need a local endpoint are judged for it. */
  readonly nodeName?: string;
  /** Default `cluster.local`. */
  readonly clusterDomain?: string;
}

/** An object with errors, as far as it says who it is. */
export interface Rejected {
  readonly kind: Kind;
  /** "namespace/name" of the object. */
  readonly key: string;
  /** "namespace/name" of the Service that it is, or that it serves. */
  readonly service: string | undefined;
}

export interface Validated {
  /** The objects without errors, in the order of the documents, defaults filled in. */
  readonly manifests: readonly Manifest[];
  /** The objects that had errors and so are no manifests. */
  readonly rejected: readonly Rejected[];
  /** Without line and column: ask `Loaded.positioned` for these. */
  readonly diagnostics: readonly Diagnostic[];
  /** Kinds that were passed over, with their number. */
  readonly foreign: ReadonlyMap<string, number>;
}

const LONGEST_MESSAGE = 1_000;

export const DEFAULT_NODE_PORTS: PortRange = { first: 30000, last: 32767 };

/**
 * Says what the API server would say to these objects, all at once, and gives the accepted ones as manifests.
 * Never throws, whatever the documents hold; nothing that could not stand in a rule gets through.
 */
export function validate(documents: Iterable<Document>, options: ValidateOptions = {}): Validated {
  const context = contextOf(options);
  const defaultNamespace = options.defaultNamespace ?? "default";
  const manifests: Manifest[] = [];
  const rejected: Rejected[] = [];
  const diagnostics: Diagnostic[] = [];
  const foreign = new Map<string, number>();
  const neighbours = noNeighbours();
  const examine = examiner(context, defaultNamespace, diagnostics);
  for (const document of documents) {
    if (typeof document.value !== "object" || document.value === null) continue;
    const value = document.value as Fields;
    const identity = identify(value);
    if (identity.kind === "foreign") {
      foreign.set(identity.name, (foreign.get(identity.name) ?? 0) + 1);
      noteForeign(neighbours, value, document.source, defaultNamespace);
    } else if (identity.kind === "unclear") {
      const { code, path, message, hint } = identity;
      diagnostics.push({
        code,
        severity: "error",
        source: { ...document.source, path },
        message: shown(message),
        hint,
      });
    } else {
      const manifest = examine(identity.object, value, document.source);
      if (manifest !== undefined) manifests.push(manifest);
      else rejected.push(rejectedOf(identity.object, value.metadata, defaultNamespace));
    }
  }
  const clashing = examineTogether(bundleOf(manifests, neighbours), context, diagnostics);
  for (const manifest of clashing) rejected.push(rejectedOf(manifest.kind, manifest.metadata, defaultNamespace));
  return { manifests: manifests.filter((manifest) => !clashing.has(manifest)), rejected, diagnostics, foreign };
}

/** What the objects do to one another; gives those that have an error. */
function examineTogether(bundle: Bundle, context: CheckContext, diagnostics: Diagnostic[]): ReadonlySet<Subject> {
  const clashing = new Set<Subject>();
  checkTogether(bundle, context, (check, subject, path, message, hint) => {
    if (check.severity === "error") clashing.add(subject);
    diagnostics.push(findingAbout({ subject, path, message }, check, hint));
  });
  return clashing;
}

/** A finding that was made when an object was compared with others. */
export function findingAbout(
  { subject: { kind, metadata, source }, path, message }: Side,
  { code, severity }: { readonly code: string; readonly severity: Severity },
  hint: string,
): Diagnostic {
  const object = kind === "Node" ? `Node ${metadata.name}` : `${kind} ${metadata.namespace}/${metadata.name}`;
  return { code, severity, source: { ...source, path }, object, message: shown(`${path}: ${message}`), hint };
}

function rejectedOf(kind: Kind, metadata: unknown, defaultNamespace: string): Rejected {
  const { name, namespace, labels } = (typeof metadata === "object" && metadata !== null ? metadata : {}) as Readonly<
    Record<string, unknown>
  >;
  const place = typeof namespace === "string" && namespace !== "" ? namespace : defaultNamespace;
  const owner = kind === "EndpointSlice" ? Object.getOwnPropertyDescriptor(Object(labels), SERVICE_NAME)?.value : name;
  const service = typeof owner === "string" && kind !== "Node" && kind !== "Pod" ? `${place}/${owner}` : undefined;
  return { kind, key: `${place}/${typeof name === "string" ? name : ""}`, service };
}

/** Paths hold names from the input, which may hold anything. */
function shown(message: string): string {
  return visible(message, LONGEST_MESSAGE);
}

export function contextOf(options: ValidateOptions): CheckContext {
  const { kubeVersion = "1.36", serviceCIDRs = [] } = options;
  const families: readonly Family[] =
    options.families ?? (serviceCIDRs.length === 0 ? ["ipv4", "ipv6"] : [...new Set(serviceCIDRs.map(familyOf))]);
  return {
    kubeVersion,
    addressRules: kubeVersion === "1.36" ? "strict" : "sloppy",
    families,
    serviceCIDRs,
    nodePortRange: options.nodePortRange ?? DEFAULT_NODE_PORTS,
    allowedExternalIPs: options.allowedExternalIPs,
    nodeName: options.nodeName,
    clusterDomain: options.clusterDomain ?? "cluster.local",
  };
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Gives the function that examines one object of ours: its shape, then its values. It adds what it finds, and gives
 * the manifest when there is no error.
 */
function examiner(
  context: CheckContext,
  defaultNamespace: string,
  diagnostics: Diagnostic[],
): (kind: Kind, value: Fields, source: Source) => Manifest | undefined {
  let current: { readonly kind: Kind; readonly value: Fields; readonly source: Source } | undefined;
  let sound = true;
  const standIns: StandIns = new Map();
  const add = (code: string, severity: Severity, path: string, message: string, hint: string) => {
    if (current === undefined) return;
    if (severity === "error") sound = false;
    const { kind, value, source } = current;
    const who = whoIs(kind, value, defaultNamespace);
    diagnostics.push({ code, severity, source: { ...source, path }, ...who, message: shown(message), hint });
  };
  const check = objectChecks(context, ({ code, severity }, path, message, hint) =>
    add(code, severity, path, `${path}: ${message}`, hint),
  );
  return (kind, value, source) => {
    current = { kind, value, source };
    sound = true;
    for (const { code, path, message, hint } of shapeProblems(kind, value)) add(code, "error", path, message, hint);
    if (!sound) return undefined;
    const object = objectOf(kind, value, defaultNamespace, standIns);
    check(object);
    return sound ? manifestOf(object, source) : undefined;
  };
}

/** "Service default/web", when the object says so itself. */
function whoIs(kind: Kind, value: Fields, defaultNamespace: string): { readonly object?: string } {
  const metadata = value.metadata;
  if (typeof metadata !== "object" || metadata === null) return {};
  const { name, namespace } = metadata as { readonly name?: unknown; readonly namespace?: unknown };
  if (typeof name !== "string" || !/^[\w.-]{1,253}$/.test(name)) return {};
  if (kind === "Node") return { object: `${kind} ${name}` };
  const place = typeof namespace === "string" && /^[\w.-]{1,63}$/.test(namespace) ? namespace : defaultNamespace;
  return { object: `${kind} ${place}/${name}` };
}
