import type { Element, Origin } from "../../types.ts";

/** Endpoints that stand under an address with consecutive indices. */
interface IndexedEndpoints {
  /** What all their keys begin with. */
  readonly prefix: string;
  /** The index of the first. */
  readonly first: number;
  readonly values: readonly string[];
  readonly origin: Origin;
}

/**
 * The elements of an endpoints map as they are decided. They are most of what a table holds, and mostly looked at one
 * after the other: each is made when it is looked at, and all of them at once only for who asks by key.
 */
export class EndpointElements implements ReadonlyMap<string, Element> {
  size = 0;
  readonly #lists: IndexedEndpoints[] = [];
  #byKey: ReadonlyMap<string, Element> | undefined;

  /** @param list under keys that are not taken */
  add(list: IndexedEndpoints): void {
    this.#lists.push(list);
    this.size += list.values.length;
    this.#byKey = undefined;
  }

  *values(): Generator<Element, undefined> {
    for (const { prefix, first, values, origin } of this.#lists) {
      let index = first;
      for (const value of values) yield { key: prefix + index++, value, origin };
    }
  }

  *keys(): Generator<string, undefined> {
    for (const { key } of this.values()) yield key;
  }

  *entries(): Generator<[string, Element], undefined> {
    for (const element of this.values()) yield [element.key, element];
  }

  [Symbol.iterator](): Generator<[string, Element], undefined> {
    return this.entries();
  }

  forEach(visit: (element: Element, key: string, map: ReadonlyMap<string, Element>) => void): void {
    for (const element of this.values()) visit(element, element.key, this);
  }

  get(key: string): Element | undefined {
    this.#byKey ??= new Map(this);
    return this.#byKey.get(key);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }
}
