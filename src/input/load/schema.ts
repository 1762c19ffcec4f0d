import { defineMappingTag, defineScalarTag, defineSequenceTag, FAILSAFE_SCHEMA, mapTag, NOT_RESOLVED } from "js-yaml";
import { isObject } from "./apart.ts";
import { SCALAR_TAGS } from "./scalars.ts";

/**
 * Mappings and lists as kubectl reads them, with the merge key `<<`. The parser's own merge lets every field that is
 * written out win, as later versions of YAML libraries do; kubectl lets the last one win, wherever it stands. So a
 * field that a `<<` would overwrite is refused, as one that is written twice is.
 */

type Fields = Record<string, unknown>;

/** What a plain `<<` is read as: a merge key or, where it is no key, a text like any other. */
const MERGE = Symbol("<<");

// Under names of its own: the parser would merge by itself for the tag of YAML.
const mergeTag = defineScalarTag("!<<", {
  implicit: true,
  implicitFirstChars: ["<"],
  resolve: (source) => (source === "<<" ? MERGE : NOT_RESOLVED),
  identify: () => false,
});

/** What some tools write: `!!merge <<`. */
const writtenMergeTag = defineScalarTag("tag:yaml.org,2002:merg", {
  matchByTagPrefix: true,
  resolve: (source, _, tagName) => (source === "<<" && tagName === "tag:yaml.org,2002:merge" ? MERGE : NOT_RESOLVED),
  identify: () => false,
});

/** Names of the fields that came by way of `<<`, which those behind it may replace. */
const merged = new WeakMap<object, Set<string>>();

/** How the reason starts when `<<` would replace a field; its name follows. */
export const MERGED_OVER = "<< sets again ";

/** The reason when a field's name is a number that was rounded: two such may be one. */
export const INEXACT_KEY = "a rounded number is not a field name";

function merge(fields: Fields, source: unknown): string {
  const sources: readonly unknown[] = Array.isArray(source) ? source : [source];
  if (!sources.every(isObject)) return "<< takes a mapping, or a list of mappings";
  const replaceable = merged.get(fields) ?? new Set();
  merged.set(fields, replaceable);
  const taken = new Set<string>();
  for (const [name, value] of sources.flatMap((one) => Object.entries(one))) {
    // In a list of mappings the first that has a field wins, for every reader.
    if (taken.has(name)) continue;
    if (Object.hasOwn(fields, name)) return MERGED_OVER + name;
    mapTag.addPair(fields, name, value);
    taken.add(name);
    replaceable.add(name);
  }
  return "";
}

function textOf(value: unknown): unknown {
  return value === MERGE ? "<<" : value;
}

const listTag = defineSequenceTag<unknown[]>("tag:yaml.org,2002:seq", {
  create: () => [],
  identify: () => false,
  addItem: (carrier, item) => {
    carrier.push(textOf(item));
    return "";
  },
});

/** Ordinary objects, but without null keys; `__proto__` is a key like any other and is reported later. */
const objectTag = defineMappingTag<Fields>("tag:yaml.org,2002:map", {
  create: () => ({}),
  identify: () => false,
  has: (carrier, key) => key !== MERGE && mapTag.has(carrier, key) && !merged.get(carrier)?.has(String(key)),
  keys: mapTag.keys,
  get: mapTag.get,
  addPair: (carrier, key, value) => {
    if (key === null) return "null is not a field name";
    if (typeof key === "number" && Math.abs(key) > Number.MAX_SAFE_INTEGER) return INEXACT_KEY;
    if (key === MERGE) return merge(carrier, value);
    merged.get(carrier)?.delete(String(key));
    return mapTag.addPair(carrier, key, textOf(value));
  },
});

export const KUBECTL_SCHEMA = FAILSAFE_SCHEMA.withTags(...SCALAR_TAGS, mergeTag, writtenMergeTag, listTag, objectTag);
