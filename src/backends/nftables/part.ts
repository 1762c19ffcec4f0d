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
const CLUSTER_IPS = "cluster-ips";
const ALLOWED_SOURCES = "allowed-sources";
const HAIRPINS = "hairpin-connections";

type Elements = ElementObject["elements"];
const NO_ELEMENTS: Elements = new Map();

/** What of a table belongs to the Services of a part. */
export interface Owned {
  /** @param frontend "ADDRESS . PROTOCOL . PORT" or "PROTOCOL . NODEPORT" */
  readonly frontend: (frontend: string) => boolean;
  /** @param prefix the key of an endpoint without its index */
  readonly endpoints: (map: string, prefix: string) => boolean;
  readonly clusterIP: (ip: string) => boolean;
}

/**
 * What is wanted of these Services, and what was.
 * @param formerClaims addresses and node ports that they had, and that no other Service claims
 */
export function ownedBy(wanted: readonly Table[], formerClaims: ReadonlySet<string>): Owned {
  const frontends = new Set(wanted.flatMap((table) => [...frontendsIn(table)]));
  const prefixes = prefixesOf(frontends);
  return {
    frontend: (frontend) => frontends.has(frontend) || (formerClaims.size > 0 && formerClaims.has(addressOf(frontend))),
    endpoints: (map, prefix) =>
      prefixes.get(map)?.has(prefix) === true || formerClaims.has(prefix.slice(0, prefix.indexOf(" "))),
    clusterIP: (ip) => formerClaims.has(ip),
  };
}

/** The address of a frontend, or the number of the node port. */
function addressOf(frontend: string): string {
  const parts = frontend.split(" . ");
  return parts[parts.length === 3 ? 0 : 1] ?? "";
}

/** What the keys of endpoints begin with, by map. */
function prefixesOf(frontends: ReadonlySet<string>): ReadonlyMap<string, ReadonlySet<string>> {
  const prefixes = new Map<string, Set<string>>();
  for (const frontend of frontends) {
    const parts = frontend.split(" . ");
    const isNodePort = parts.length === 2;
    const [protocol, port] = parts.slice(-2);
    const map = endpointsMap(isNodePort ? "nodeport-" : "", protocol as Protocol);
    const own = prefixes.get(map) ?? new Set();
    prefixes.set(map, own.add(isNodePort ? `${port} . ` : `${parts[0]} . ${port} . `));
  }
  return prefixes;
}

/**
 * What a written table (`compile`'s own text) holds, of endpoints only those of the part's Services. All others are cut
 * out of the text, not read.
 */
export function readPart(text: string, family: Family, owned: Owned): readonly Table[] {
  return read(excerpt(text, owned), family);
}

/** Whether an element belongs to the part that these Services are. */
export function isInPart(owned: Owned): (object: string, key: string) => boolean {
  return (object, key) => !isEndpointsMap(object) || owned.endpoints(object, prefixOf(key));
}

/** The key of an endpoint without its index. */
function prefixOf(key: string): string {
  return key.slice(0, key.lastIndexOf(" ") + 1);
}

/** A key without its comment. */
function frontendOf(key: string): string {
  const comment = key.indexOf(" comment ");
  return comment < 0 ? key : key.slice(0, comment);
}

/** The address and port that a source is allowed at. */
function frontendOfSource(key: string): string {
  return key.split(" . ").slice(0, 3).join(" . ");
}

const ELEMENTS = "\t\telements = { ";
const ELEMENTS_END = " }\n";
const SEPARATOR = ",\n\t\t\t     ";

/** The text with only those elements in the endpoints maps that are owned. */
function excerpt(text: string, owned: Owned): string {
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
    const elements = text.slice(first + ELEMENTS.length, end + 1 - ELEMENTS_END.length);
    const kept = elementsWith(elements, (prefix) => owned.endpoints(name, prefix));
    rest += text.slice(at, first);
    if (kept.length > 0) rest += `${ELEMENTS}${kept.join(SEPARATOR)}${ELEMENTS_END}`;
    at = end + 1;
  }
  return rest + text.slice(at);
}

/** Endpoints that stand together since they serve the same address and port: that prefix, and an index each. */
const RUN = /((?:\S+ \. )+)\d+ : [^,]*(?:,\n\t\t\t {5}\1\d+ : [^,]*)*/y;

/** The runs whose prefix is wanted; one pass over the text, which looks at a run and not at its elements. */
function elementsWith(elements: string, isWanted: (prefix: string) => boolean): readonly string[] {
  const kept: string[] = [];
  RUN.lastIndex = 0;
  for (let run = RUN.exec(elements); run !== null; run = RUN.exec(elements)) {
    if (isWanted(run[1] ?? "")) kept.push(run[0]);
    RUN.lastIndex += SEPARATOR.length;
  }
  return kept;
}

// ── The same Services as they are now ────────────────────────────────────────────────────────────

/** Whether an endpoint may serve a Service that is not in the part. */
export type UsedElsewhere = (ip: string, port: string) => boolean;

/**
 * What is held, but with the Services of `wanted` as they are there, settled and stamped. Undefined if a part of the
 * table cannot tell: with session affinity, where source ranges change, if no Service is left, or if it was written by
 * other settings.
 * @param held a part that holds what is owned
 */
export function withServices(
  held: Table,
  wanted: Table,
  owned: Owned,
  isUsedElsewhere: UsedElsewhere,
): Table | undefined {
  if (haveAffinity(held, owned)) return undefined;
  const objects = new Map(held.objects);
  for (const [name, object] of wanted.objects) {
    if (name === STAMP || name === HAIRPINS) continue;
    const there = held.objects.get(name);
    if (isElements(object)) {
      const elements = elementsFor(there, object, owned);
      if (elements === undefined) return undefined;
      objects.set(name, { ...object, elements });
    } else if (isAffinityChain(name)) return undefined;
    else if (there === undefined && isSharedChain(name)) objects.set(name, object);
    else if (!hasSameRules(there, object)) return undefined;
  }
  const hairpins = hairpinsFor(held, wanted, isUsedElsewhere);
  if (hairpins === undefined) return undefined;
  objects.set(HAIRPINS, hairpins);
  if (FRONTENDS.every((name) => elementsIn(objects, name).size === 0)) return undefined;
  const alone = stamped(held, nextEndpointOf(held));
  const [settled] = settle([withoutIdleChains({ ...held, objects })], [alone]);
  return settled === undefined ? undefined : restamped(settled, alone, held);
}

/** Whether the way to one of these frontends leads to chains of its Service's own, which this change would empty. */
function haveAffinity({ objects }: Table, owned: Owned): boolean {
  return FRONTENDS.some((name) => {
    for (const { key, value } of elementsIn(objects, name).values()) {
      if (value.startsWith("goto ") && isAffinityChain(value.slice(5)) && owned.frontend(frontendOf(key))) return true;
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

/** Undefined if the declaration differs, or what is neither an address nor an endpoint. */
function elementsFor(there: TableObject | undefined, wanted: ElementObject, owned: Owned): Elements | undefined {
  if (there === undefined || !isElements(there) || there.declaration !== wanted.declaration) return undefined;
  const { name, elements: before } = there;
  if (isEndpointsMap(name)) return wanted.elements;
  const isOwned = ownedIn(name, owned);
  const gone = [...before.keys()].filter((key) => !wanted.elements.has(key) && isOwned(key));
  if (name !== CLUSTER_IPS && !FRONTENDS.some((one) => one === name)) {
    const isKnown = [...wanted.elements.keys()].every((key) => before.has(key));
    return isKnown && gone.length === 0 ? before : undefined;
  }
  const elements = new Map(before);
  for (const key of gone) elements.delete(key);
  for (const [key, element] of wanted.elements) elements.set(key, element);
  return elements;
}

/** Whether a key of this object is that of a Service of the part. */
function ownedIn(name: string, owned: Owned): (key: string) => boolean {
  switch (name) {
    case CLUSTER_IPS:
      return owned.clusterIP;
    case ALLOWED_SOURCES:
      return (key) => owned.frontend(frontendOfSource(key));
    default:
      return (key) => owned.frontend(frontendOf(key));
  }
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
