import type { Change } from "./types.ts";

/** The change that takes this one back: what undo texts are written from. */
export function reversed(change: Change): Change {
  return { ...change, before: change.after, after: change.before, removed: change.added, added: change.removed };
}
