import type { Change, Element, Line } from "./types.ts";

/** An element as a line of its own. */
export function elementLine({ key, value, origin }: Element): Line {
  const text = value === "" ? key : `${key} : ${value}`;
  return origin === undefined ? { text } : { text, origin };
}

/** The change that takes this one back: what undo texts are written from. */
export function reversed(change: Change): Change {
  const { before, after, removed, added, wholeTable } = change;
  const back = { ...change, before: after, after: before, removed: added, added: removed };
  return wholeTable === undefined ? back : { ...back, wholeTable: wholeTable === "comes" ? "goes" : "comes" };
}
