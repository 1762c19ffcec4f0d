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

const KINDS = new Map((Object.keys(API_VERSION) as Kind[]).map((kind) => [kind.toLowerCase(), kind]));

/** Tells our kinds from those of others, and from slips of the pen that would silently leave an object out. */
export function identify(value: Readonly<Record<string, unknown>>): Identity {
  const { kind, apiVersion } = value;
  if (typeof kind !== "string" || kind === "") {
    const found =
      kind === undefined || kind === null || kind === ""
        ? "Object 'Kind' is missing"
        : `kind must be text, found ${quote(kind)}`;
    return unclear("kind-missing", "kind", found, "say what the object is, for example kind: Service");
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
  const meant =
    KINDS.get(kind.toLowerCase()) ??
    KINDS.get(`${kind.toLowerCase()}s`) ??
    KINDS.get(kind.toLowerCase().replace(/s$/, ""));
  if (meant === undefined || !isBuiltIn(apiVersion)) return { kind: "foreign", name: visible(kind, 63) };
  const expected = API_VERSION[meant];
  if (meant === kind && apiVersion === expected) return { kind: "ours", object: meant };
  const noMatch = `no matches for kind ${quote(kind)} in version ${quote(apiVersion)}`;
  if (meant !== kind)
    return unclear("kind-misspelt", "kind", noMatch, `write kind: ${meant} (upper and lower case matter)`);
  const gone = apiVersion === "discovery.k8s.io/v1beta1" ? "; that version is no longer served since 1.25" : "";
  return unclear("api-version-wrong", "apiVersion", noMatch, `write apiVersion: ${expected}${gone}`);
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
