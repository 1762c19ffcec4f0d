import type { Change } from "./types.ts";

/** The change that takes this one back: what undo texts are written from. */
export function reversed(change: Change): Change {
  const { before, after, removed, added, wholeTable } = change;
  const back = { ...change, before: after, after: before, removed: added, added: removed };
  return wholeTable === undefined ? back : { ...back, wholeTable: wholeTable === "comes" ? "goes" : "comes" };
}
