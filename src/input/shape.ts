import { SPACE_BEHIND_COLON, SPACE_BEHIND_DASH } from "./load/slips.ts";
import type { Kind } from "./objects.ts";
import { quote } from "./quote.ts";
import { schemas } from "./schemas/kinds.ts";
import type { Schema } from "./schemas/shapes.ts";
import { EndpointSlice, Endpoints, Node, Pod, Service, type Validator } from "./validators.generated.js";

const validators: Readonly<Record<Kind, Validator>> = { Service, Endpoints, EndpointSlice, Node, Pod };

/** Runs the precompiled JSON schema of a kind and words what it finds as the API server's decoder does. */

export interface ShapeProblem {
  readonly code: "unknown-field" | "wrong-type" | "integer-range";
  readonly path: string;
  readonly message: string;
  readonly hint: string;
}

/** Violations of the schema; empty when every field is known and has the right type. */
export function shapeProblems(kind: Kind, value: unknown): readonly ShapeProblem[] {
  const validator = validators[kind];
  if (validator(value)) return [];
  const problems: ShapeProblem[] = [];
  for (const { instancePath, keyword, params } of validator.errors ?? []) {
    const steps = instancePath === "" ? [] : instancePath.slice(1).split("/").map(unescapePointer);
    problems.push(describe(kind, value, steps, keyword, params));
  }
  return problems;
}

function unescapePointer(step: string): string {
  return step.replaceAll("~1", "/").replaceAll("~0", "~");
}

function describe(
  kind: Kind,
  value: unknown,
  steps: readonly string[],
  keyword: string,
  params: Readonly<Record<string, unknown>>,
): ShapeProblem {
  const { path, schema } = follow(kind, steps);
  if (keyword === "additionalProperties") {
    const name = String(params.additionalProperty);
    const field = path === "" ? name : `${path}.${name}`;
    return {
      code: "unknown-field",
      path: field,
      message: `unknown field ${quote(field)}`,
      hint: suggestion(kind, name, schema),
    };
  }
  const found = steps.reduce<unknown>(
    (inner, step) => Object.getOwnPropertyDescriptor(Object(inner), step)?.value,
    value,
  );
  if (keyword === "type" || keyword === "pattern") {
    const message = `${path}: Invalid type: expected ${expected(schema)}, found ${typeName(found)}`;
    return { code: "wrong-type", path, message, hint: typeHint(schema, found, steps.at(-1)) };
  }
  // Beyond 2^53 it was rounded, and the manifest shows other digits.
  const about = Number.isSafeInteger(found) ? "" : "about ";
  const message = `${path}: Invalid value: ${about}${quote(found)}: does not fit into 32 bits`;
  return { code: "integer-range", path, message, hint: "use a number from -2147483648 to 2147483647" };
}

/** The server's spelling of a pointer, and the schema at its end. */
function follow(kind: Kind, steps: readonly string[]): { readonly path: string; readonly schema: Schema | undefined } {
  let schema: Schema | undefined = schemas[kind];
  let path = "";
  for (const step of steps) {
    if (schema?.items !== undefined) {
      path += `[${step}]`;
      schema = schema.items;
    } else if (schema?.properties !== undefined && Object.hasOwn(schema.properties, step)) {
      path += path === "" ? step : `.${step}`;
      schema = schema.properties[step];
    } else {
      path += `[${step}]`;
      schema = typeof schema?.additionalProperties === "object" ? schema.additionalProperties : undefined;
    }
  }
  return { path, schema };
}

function expected(schema: Schema | undefined): string {
  if (schema?.pattern !== undefined) return "a time";
  const types = [schema?.type ?? "object"].flat().filter((type) => type !== "null");
  const words: Readonly<Record<string, string>> = {
    string: "text",
    integer: "an integer",
    boolean: "true or false",
    array: "a list",
    object: "a mapping",
  };
  return types.map((type) => words[type] ?? type).join(" or ");
}

function typeName(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  if (typeof value === "boolean") return `the boolean ${value}`;
  return typeof value === "number" ? `the number ${value}` : `the text ${quote(value)}`;
}

function typeHint(schema: Schema | undefined, found: unknown, name: string | undefined): string {
  if (schema?.pattern !== undefined)
    return "write it like 2026-01-31T08:00:00Z, or leave it out: the API server sets it";
  const types = [schema?.type ?? []].flat();
  if (typeof found === "string" && PLACEHOLDER.test(found))
    return "fill in the placeholder first, for example with helm template or envsubst";
  if (types.includes("string") && typeof found === "boolean")
    return "put the value in quotes: unquoted yes, no, on, off and y, n are booleans";
  if (types.includes("string") && typeof found === "number") return "put the value in quotes";
  if (types.includes("integer") && typeof found === "string")
    return /^[0-9]+$/.test(found) ? "write the number without quotes" : "write a number, or leave the field out";
  if (types.includes("string") && name === "matchLabels")
    return "write the labels right under selector: a Service has no matchLabels";
  if (types.includes("boolean") && typeof found === "string") return "write true or false without quotes";
  if (types.includes("array")) return "write a list, each entry on a line that starts with '- '";
  return mappingHint(found) ?? `write ${expected(schema)}`;
}

/** What a program was to replace: {{ .Values.port }}, ${PORT}, $(PORT), <port>, __PORT__. */
const PLACEHOLDER = /\{[{%]|\$[({A-Za-z_]|^<.*>$|^__.+__$/s;

/** What keeps this from being a mapping, when one is expected. */
function mappingHint(found: unknown): string | undefined {
  if (Array.isArray(found)) return "write its fields without '- ' in front of them";
  if (typeof found !== "string") return undefined;
  if (/^[A-Za-z]+:[^\s:]/.test(found)) return SPACE_BEHIND_COLON;
  return COPIED.test(found) ? TYPE_ANEW : undefined;
}

/** No-break and other spaces, and a full-width colon: they look like what belongs there, and are none of it. */
const COPIED = /[\u00a0\u200b\u3000\ufeff\uff1a]/;
const TYPE_ANEW = "type the line anew: it holds a space or colon of another kind, as copied from a web page";

/** Fields that the API once had, and what to do instead. */
const GONE: ReadonlyMap<string, string> = new Map([
  ["ipFamily", "write ipFamilies: with a list of one family"],
  ["topologyKeys", "gone since 1.22: write trafficDistribution or internalTrafficPolicy"],
  ["topology", "gone since discovery.k8s.io/v1: write nodeName and zone"],
  ["clusterName", "gone since 1.24: remove the field"],
]);

/** The field that was probably meant, or where this one belongs. */
function suggestion(kind: Kind, name: string, schema: Schema | undefined): string {
  const known = Object.keys(schema?.properties ?? {});
  const lower = name.toLowerCase();
  const meant = (near: string | undefined) => (near === undefined ? undefined : `did you mean ${near}?`);
  return (
    GONE.get(name) ??
    (/^-[A-Za-z]/.test(name) ? SPACE_BEHIND_DASH : undefined) ??
    meant(known.find((field) => field.toLowerCase() === lower)) ??
    meant(known.find((field) => field.toLowerCase() === `${lower}s` || `${field.toLowerCase()}s` === lower)) ??
    placeOf(kind, name) ??
    (/^\u00a0/.test(name) ? "indent with spaces: these are no-break spaces, as copied from a web page" : undefined) ??
    (COPIED.test(name) ? TYPE_ANEW : undefined) ??
    meant(known.find((field) => distance(field.toLowerCase(), lower) <= Math.min(2, lower.length - 2))) ??
    "remove the field, or check where it belongs"
  );
}

/** Says where this kind has a field of this name, nearest to the top first; it was not indented as it should be. */
function placeOf(kind: Kind, name: string): string | undefined {
  let level: readonly (readonly [path: string, schema: Schema])[] = [["", schemas[kind]]];
  while (level.length > 0) {
    const place = level.find(([, { properties = {} }]) => Object.hasOwn(properties, name));
    if (place !== undefined) return place[0] === "" ? "it belongs at the left margin" : `it belongs under ${place[0]}`;
    level = level.flatMap(([path, { properties = {} }]) =>
      Object.entries(properties).map(
        ([field, inner]) => [(path === "" ? "" : `${path}.`) + field, inner.items ?? inner] as const,
      ),
    );
  }
  return undefined;
}

/** Levenshtein distance; both texts are field names, so short. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, replace));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
