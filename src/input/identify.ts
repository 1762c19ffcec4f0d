import { SERVICE_NAME } from "../labels.ts";
import type { Kind } from "./objects.ts";
import { quote, visible } from "./quote.ts";

/** What a document says it is. */
export type Identity =
  | { readonly kind: "ours"; readonly object: Kind }
  | { readonly kind: "foreign"; readonly name: string }
  | {
      readonly kind: "unclear";
      readonly code: string;
      readonly path: string;
      readonly message: string;
      readonly hint: string;
    };

export const API_VERSION: Readonly<Record<Kind, string>> = {
  Service: "v1",
  Endpoints: "v1",
  EndpointSlice: "discovery.k8s.io/v1",
  Node: "v1",
  Pod: "v1",
};

const OURS = Object.keys(API_VERSION) as readonly Kind[];
const EXACT: ReadonlyMap<unknown, Kind> = new Map(OURS.map((kind) => [kind, kind]));
const KINDS = new Map(OURS.map((kind) => [kind.toLowerCase(), kind]));

/** Tells our kinds from those of others, and from slips of the pen that would silently leave an object out. */
export function identify(value: Readonly<Record<string, unknown>>): Identity {
  const { kind, apiVersion } = value;
  const exact = EXACT.get(kind);
  if (exact !== undefined && apiVersion === API_VERSION[exact]) return { kind: "ours", object: exact };
  if (typeof kind !== "string" || kind === "") {
    const found =
      kind === undefined || kind === null || kind === ""
        ? "Object 'Kind' is missing"
        : `kind must be text, found ${quote(kind)}`;
    const leave = apiVersion === undefined ? ", or leave the file out if it holds no objects" : "";
    return unclear("kind-missing", "kind", found, `say what the object is, for example kind: Service${leave}`);
  }
  if (typeof apiVersion !== "string" || apiVersion === "") {
    const found =
      apiVersion === undefined || apiVersion === null || apiVersion === ""
        ? "Object 'apiVersion' is missing"
        : `apiVersion must be text, found ${quote(apiVersion)}`;
    const meant = KINDS.get(kind.toLowerCase());
    const hint =
      meant === undefined
        ? "name the API that the kind belongs to, for example apiVersion: v1"
        : `write apiVersion: ${API_VERSION[meant]}`;
    return unclear("api-version-missing", "apiVersion", found, hint);
  }
  const foreign: Identity = { kind: "foreign", name: visible(kind, 63) };
  if (!isBuiltIn(apiVersion)) return foreign;
  const word = kind.trim().toLowerCase();
  const meant = KINDS.get(word) ?? KINDS.get(`${word}s`) ?? KINDS.get(word.replace(/s$/, ""));
  const noMatch = `no matches for kind ${quote(kind)} in version ${quote(apiVersion)}`;
  if (meant === undefined) return wholeList(value, kind, noMatch) ?? foreign;
  if (meant !== kind) return misspelt(noMatch, meant);
  const gone = apiVersion === "discovery.k8s.io/v1beta1" ? "; that version is no longer served since 1.25" : "";
  return unclear("api-version-wrong", "apiVersion", noMatch, `write apiVersion: ${API_VERSION[meant]}${gone}`);
}

/** A List was taken apart before; one that comes this far would silently be left out with all that it holds. */
function wholeList({ items }: Readonly<Record<string, unknown>>, kind: string, noMatch: string): Identity | undefined {
  const word = kind.trim().toLowerCase();
  const of = word.replace(/lists?$/, "");
  if (of === word) return undefined;
  const meant = of === "" ? "List" : KINDS.has(of) ? `${KINDS.get(of)}List` : undefined;
  if (meant === undefined) return undefined;
  if (kind !== meant) return misspelt(noMatch, meant);
  if (items === undefined || items === null) return undefined;
  return Array.isArray(items)
    ? unclear("wrong-type", "kind", `a ${kind} inside a List`, "put its items into the outer List")
    : unclear(
        "wrong-type",
        "items",
        "items: Invalid type: expected list, found something else",
        "put - in front of each object",
      );
}

function misspelt(noMatch: string, meant: string): Identity {
  return unclear("kind-misspelt", "kind", noMatch, `write kind: ${meant} (upper and lower case matter)`);
}

/** A group of Kubernetes itself; the kinds of other groups may share a name with ours (a Knative Service, say). */
function isBuiltIn(apiVersion: string): boolean {
  const slash = apiVersion.indexOf("/");
  if (slash < 0) return true;
  const group = apiVersion.slice(0, slash).toLowerCase();
  return !group.includes(".") || /(?:^|\.)k8s\.io$/.test(group);
}

function unclear(code: string, path: string, message: string, hint: string): Identity {
  return { kind: "unclear", code, path, message, hint };
}

/**
 * "namespace/name" of the Service that an object is, or serves, from raw values, since it may be invalid; undefined if
 * it does neither.
 */
export function servedBy(value: unknown, defaultNamespace: string): string | undefined {
  const kind = fieldOf(value, "kind");
  const metadata = fieldOf(value, "metadata");
  const name =
    kind === "EndpointSlice" ? fieldOf(fieldOf(metadata, "labels"), SERVICE_NAME) : fieldOf(metadata, "name");
  if (kind !== "Service" && kind !== "Endpoints" && kind !== "EndpointSlice") return undefined;
  if (typeof name !== "string") return undefined;
  const namespace = fieldOf(metadata, "namespace") ?? defaultNamespace;
  return typeof namespace === "string" ? `${namespace === "" ? defaultNamespace : namespace}/${name}` : undefined;
}

/** A field that an object has itself; undefined for anything else. */
export function fieldOf(value: unknown, field: string): unknown {
  return typeof value === "object" && value !== null ? Object.getOwnPropertyDescriptor(value, field)?.value : undefined;
}
