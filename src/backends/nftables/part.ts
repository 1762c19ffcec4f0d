import type { Family, Protocol, Table, TableObject } from "../../types.ts";
import { endpointsMap, isAffinityChain, isEndpointsMap, isSharedChain, PROTOCOLS } from "./names.ts";
import { read } from "./read.ts";
import { settle, targetsIn } from "./settle.ts";
import { nextEndpointOf, restamped, STAMP, stamped } from "./stamp.ts";
import { type ElementObject, isElements } from "./text.ts";

/**
 * Part of a large table, for changes that concern a few Services: everything but the endpoints of all others. What
 * is done to it is what would be done to the whole table, the stamp included.
 */

/** Maps and sets whose keys begin with an address and port, or a NodePort, of one ServicePort. */
const FRONTENDS = ["service-ips", "no-endpoint-services", "service-nodeports", "no-endpoint-nodeports"] as const;
const HAIRPINS = "hairpin-connections";

type Elements = ElementObject["elements"];
const NO_ELEMENTS: Elements = new Map();

/**
 * What a written table (`compile`'s own text) holds, of endpoints only those of the Services that are in `wanted`.
 * All others are cut out of the text, not read.
 */
export function readPart(text: string, family: Family, wanted: readonly Table[]): readonly Table[] {
  return read(excerpt(text, prefixesIn(wanted)), family);
}

/** Whether an element belongs to a part that holds these Services. */
export function isInPart(wanted: readonly Table[]): (object: string, key: string) => boolean {
  const prefixes = prefixesIn(wanted);
  return (object, key) => {
    const own = prefixes.get(object);
    return own === undefined ? !isEndpointsMap(object) : own.has(prefixOf(key));
  };
}

/** The key of an endpoint without its index. */
function prefixOf(key: string): string {
  return key.slice(0, key.lastIndexOf(" ") + 1);
}

/** What the keys of endpoints begin with, by map. */
function prefixesIn(wanted: readonly Table[]): ReadonlyMap<string, ReadonlySet<string>> {
  const prefixes = new Map<string, Set<string>>();
  for (const frontend of wanted.flatMap((table) => [...frontendsIn(table)])) {
    const parts = frontend.split(" . ");
    const isNodePort = parts.length === 2;
    const [protocol, port] = parts.slice(-2);
    const map = endpointsMap(isNodePort ? "nodeport-" : "", protocol as Protocol);
    const own = prefixes.get(map) ?? new Set();
    prefixes.set(map, own.add(isNodePort ? `${port} . ` : `${parts[0]} . ${port} . `));
  }
  return prefixes;
}

/** A key without its comment. */
function frontendOf(key: string): string {
  const comment = key.indexOf(" comment ");
  return comment < 0 ? key : key.slice(0, comment);
}

const ELEMENTS = "\t\telements = { ";
const ELEMENTS_END = " }\n";
const SEPARATOR = ",\n\t\t\t     ";

/** The text with only those elements in the endpoints maps whose keys begin with one of the prefixes. */
function excerpt(text: string, prefixes: ReadonlyMap<string, ReadonlySet<string>>): string {
  let rest = "";
  let at = 0;
  for (const name of PROTOCOLS.flatMap((protocol) => [
    endpointsMap("", protocol),
    endpointsMap("nodeport-", protocol),
  ])) {
    const head = text.indexOf(`\tmap ${name} {\n`, at);
    if (head < 0) continue;
    const end = text.indexOf("\n\t}\n", head);
    const first = text.indexOf(ELEMENTS, head);
    if (end < 0 || first < 0 || first > end) continue;
    const kept = elementsWith(text.slice(first + ELEMENTS.length, end + 1 - ELEMENTS_END.length), prefixes.get(name));
    rest += text.slice(at, first);
    if (kept.length > 0) rest += `${ELEMENTS}${kept.join(SEPARATOR)}${ELEMENTS_END}`;
    at = end + 1;
  }
  return rest + text.slice(at);
}

/** Endpoints that stand together since they serve the same address and port: that prefix, and an index each. */
const RUN = /((?:\S+ \. )+)\d+ : [^,]*(?:,\n\t\t\t {5}\1\d+ : [^,]*)*/y;

/** The runs whose prefix is wanted; one pass over the text, which looks at a run and not at its elements. */
function elementsWith(elements: string, prefixes: ReadonlySet<string> | undefined): readonly string[] {
  const kept: string[] = [];
  if (prefixes === undefined) return kept;
  RUN.lastIndex = 0;
  for (let run = RUN.exec(elements); run !== null; run = RUN.exec(elements)) {
    if (prefixes.has(run[1] ?? "")) kept.push(run[0]);
    RUN.lastIndex += SEPARATOR.length;
  }
  return kept;
}

// ── Other endpoints for the same Services ────────────────────────────────────────────────────────

/** Whether an endpoint may serve a Service that is not in the part. */
export type UsedElsewhere = (ip: string, port: string) => boolean;

/**
 * What is held, but with the Services of `wanted` as they are there, settled and stamped. Undefined if a part of the
 * table cannot tell: with session affinity, or if it was written by other settings.
 * @param held a part that holds these Services
 */
export function withServices(held: Table, wanted: Table, isUsedElsewhere: UsedElsewhere): Table | undefined {
  const own = frontendsIn(wanted);
  if (haveAffinity(held, own)) return undefined;
  const objects = new Map(held.objects);
  for (const [name, object] of wanted.objects) {
    if (name === STAMP || name === HAIRPINS) continue;
    const there = held.objects.get(name);
    if (isElements(object)) {
      const elements = elementsFor(there, object, own);
      if (elements === undefined) return undefined;
      objects.set(name, { ...object, elements });
    } else if (isAffinityChain(name)) return undefined;
    else if (there === undefined && isSharedChain(name)) objects.set(name, object);
    else if (!hasSameRules(there, object)) return undefined;
  }
  const hairpins = hairpinsFor(held, wanted, isUsedElsewhere);
  if (hairpins === undefined) return undefined;
  objects.set(HAIRPINS, hairpins);
  const alone = stamped(held, nextEndpointOf(held));
  const [settled] = settle([withoutIdleChains({ ...held, objects })], [alone]);
  return settled === undefined ? undefined : restamped(settled, alone, held);
}

/** Whether the way to one of these frontends leads to chains of its Service's own, which this change would empty. */
function haveAffinity({ objects }: Table, frontends: ReadonlySet<string>): boolean {
  return FRONTENDS.some((name) => {
    for (const { key, value } of elementsIn(objects, name).values()) {
      if (value.startsWith("goto ") && isAffinityChain(value.slice(5)) && frontends.has(frontendOf(key))) return true;
    }
    return false;
  });
}

/** Addresses and ports, and NodePorts, of the ServicePorts in a table. */
function frontendsIn({ objects }: Table): ReadonlySet<string> {
  const frontends = new Set<string>();
  for (const name of FRONTENDS) {
    for (const key of elementsIn(objects, name).keys()) frontends.add(frontendOf(key));
  }
  return frontends;
}

function elementsIn(objects: Table["objects"], name: string): Elements {
  const object = objects.get(name);
  return object !== undefined && isElements(object) ? object.elements : NO_ELEMENTS;
}

function hasSameRules(one: TableObject | undefined, other: TableObject): boolean {
  if (one?.kind !== "chain" || other.kind !== "chain") return false;
  if (one.hook !== other.hook || one.lines.length !== other.lines.length) return false;
  return one.lines.every(({ text }, index) => text === other.lines[index]?.text);
}

/** Undefined if the declaration differs, or what endpoints do not decide. */
function elementsFor(
  there: TableObject | undefined,
  wanted: ElementObject,
  own: ReadonlySet<string>,
): Elements | undefined {
  if (there === undefined || !isElements(there) || there.declaration !== wanted.declaration) return undefined;
  if (isEndpointsMap(there.name)) return wanted.elements;
  const gone: string[] = [];
  for (const key of there.elements.keys()) {
    if (!wanted.elements.has(key) && own.has(frontendOf(key))) gone.push(key);
  }
  if (!FRONTENDS.some((name) => name === there.name)) {
    const isKnown = [...wanted.elements.keys()].every((key) => there.elements.has(key));
    return isKnown && gone.length === 0 ? there.elements : undefined;
  }
  const elements = new Map(there.elements);
  for (const key of gone) elements.delete(key);
  for (const [key, element] of wanted.elements) elements.set(key, element);
  return elements;
}

/** Hairpins belong to endpoints, whichever Services these serve. */
function hairpinsFor(held: Table, wanted: Table, isUsedElsewhere: UsedElsewhere): ElementObject | undefined {
  const there = held.objects.get(HAIRPINS);
  if (there === undefined || !isElements(there)) return undefined;
  const now = elementsIn(wanted.objects, HAIRPINS);
  const elements = new Map(there.elements);
  for (const protocol of PROTOCOLS) {
    for (const map of [endpointsMap("", protocol), endpointsMap("nodeport-", protocol)]) {
      for (const { value } of elementsIn(held.objects, map).values()) {
        const [ip = "", port = ""] = value.split(" . ");
        const key = `${ip} . ${ip} . ${protocol} . ${port}`;
        if (now.has(key) || !elements.has(key)) continue;
        if (isUsedElsewhere(ip, port)) return undefined;
        elements.delete(key);
      }
    }
  }
  for (const [key, element] of now) if (!elements.has(key)) elements.set(key, element);
  return { ...there, elements };
}

/** Without chains of Services to which nothing leads any more: they are no part of what is wanted. */
function withoutIdleChains(table: Table): Table {
  const objects = new Map(table.objects);
  for (;;) {
    const targets = targetsIn({ ...table, objects });
    const idle = [...objects.values()].filter((object) => isIdle(object, targets));
    if (idle.length === 0) return { ...table, objects };
    for (const { name } of idle) objects.delete(name);
  }
}

function isIdle(object: TableObject, targets: ReadonlySet<string>): boolean {
  if (object.kind !== "chain") return false;
  return isAffinityChain(object.name)
    ? object.lines.length === 0
    : isSharedChain(object.name) && !targets.has(object.name);
}
