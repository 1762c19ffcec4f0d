import type { Change, Element, Line } from "./types.ts";

/** An element as nft writes it: `key : value`, or `key` in a set. */
export function elementText({ key, value }: Element): string {
  return value === "" ? key : `${key} : ${value}`;
}

/** An element as a line of its own. */
export function elementLine(element: Element): Line {
  const text = elementText(element);
  return element.origin === undefined ? { text } : { text, origin: element.origin };
}

/** The change that takes this one back: what undo texts are written from. */
export function reversed(change: Change): Change {
  const { before, after, removed, added, wholeTable } = change;
  const back = { ...change, before: after, after: before, removed: added, added: removed };
  return wholeTable === undefined ? back : { ...back, wholeTable: wholeTable === "comes" ? "goes" : "comes" };
}
