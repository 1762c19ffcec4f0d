import { InternalError } from "../../errors.ts";
import type { ChainId, Element, Line, Origin, Rule, TableObject } from "../../types.ts";
import type { EndpointElements } from "./endpointElements.ts";
import { MARK } from "./layout.ts";
import { elementComment } from "./names.ts";
import { comment, type FamilyWords, matchWords } from "./words.ts";

/** A table under construction. */
export interface Writing {
  readonly words: FamilyWords;
  readonly commented: boolean;
  /** Of all sets and maps but those of endpoints. */
  readonly elements: ReadonlyMap<string, Map<string, Element>>;
  readonly endpoints: ReadonlyMap<string, EndpointElements>;
  /** Keys of commented elements that are taken. */
  readonly claimed: Set<string>;
  readonly chains: Map<string, Extract<TableObject, { kind: "chain" }>>;
  /** The number of the next endpoint with session affinity. */
  nextEndpoint: number;
}

export function elementsOf({ elements }: Writing, name: string): Map<string, Element> {
  const found = elements.get(name);
  if (found === undefined) throw new InternalError(`no set or map ${name}`);
  return found;
}

export function endpointsOf({ endpoints }: Writing, name: string): EndpointElements {
  const found = endpoints.get(name);
  if (found === undefined) throw new InternalError(`no endpoints map ${name}`);
  return found;
}

/** Adds an element; of two that claim one key the first has it. */
export function put(writing: Writing, object: string, key: string, value: string, origin: Origin): boolean {
  const elements = elementsOf(writing, object);
  if (elements.has(key)) return false;
  elements.set(key, { key, value, origin });
  return true;
}

/** The same, with the ServicePort's name as the element's comment, which is part of its key here. */
export function putNoted(writing: Writing, object: string, key: string, value: string, origin: Origin): boolean {
  if (!writing.commented) return put(writing, object, key, value, origin);
  const claim = `${object} ${key}`;
  if (writing.claimed.has(claim)) return false;
  writing.claimed.add(claim);
  return put(writing, object, key + comment(elementComment(origin.servicePort)), value, origin);
}

/** A rule of an external chain; `nameOf` names the chains that it leads to. */
export function externalLine({ words }: Writing, rule: Rule, nameOf: (id: ChainId) => string): Line {
  const { matches, statement } = rule;
  const head = matches.map((match) => `${matchWords(words, match)} `).join("");
  const whose = matches.some(({ kind }) => kind === "sourceIsNode") ? "local" : "pod";
  if (statement.kind === "masquerade") {
    return {
      text: `${head}jump ${MARK}${comment(matches.length === 0 ? "masquerade" : `masquerade ${whose} traffic`)}`,
    };
  }
  if (statement.kind !== "verdict" || statement.verdict.kind !== "goto") {
    throw new InternalError("an external chain holds an unexpected rule");
  }
  const why = matches.length === 0 ? "" : comment(`short-circuit ${whose} traffic`);
  return { text: `${head}goto ${nameOf(statement.verdict.chain)}${why}` };
}
