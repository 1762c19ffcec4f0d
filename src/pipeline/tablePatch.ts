import type { TablePatch } from "../apply/record.ts";
import type { Change, Element, Table, TableObject } from "../types.ts";

/** Changes of one table as they are recorded, and a table with recorded changes. */

/** @param changes of elements and of unhooked chains only */
export function patchesOf(changes: readonly Change[]): readonly TablePatch[] {
  return changes.map(({ name, before, after }): TablePatch => {
    if (isElements(before) || isElements(after)) return elementsPatch(name, elementsOf(before), elementsOf(after));
    const chain = after?.kind === "chain" ? after : undefined;
    return { name, comment: chain?.comment, rules: chain?.lines.map(({ text }) => text) ?? null };
  });
}

type Elements = ReadonlyMap<string, Element>;

function isElements(object: TableObject | undefined): object is Extract<TableObject, { elements: Elements }> {
  return object !== undefined && "elements" in object;
}

function elementsOf(object: TableObject | undefined): Elements {
  return isElements(object) ? object.elements : new Map();
}

function elementsPatch(name: string, before: Elements, after: Elements): TablePatch {
  const removed = [...before.keys()].filter((key) => !after.has(key));
  const added: [string, string][] = [];
  for (const { key, value } of after.values()) if (before.get(key)?.value !== value) added.push([key, value]);
  return { name, removed, added };
}

type ElementsPatch = Extract<TablePatch, { added: unknown }>;

/** The same in as few patches as there are objects: what was changed back and forth counts once. */
export function merged(patches: readonly TablePatch[]): readonly TablePatch[] {
  const byName = new Map<string, TablePatch>();
  for (const patch of patches) {
    const before = byName.get(patch.name);
    const both = before !== undefined && "added" in before && "added" in patch;
    byName.set(patch.name, both ? mergedElements(before, patch) : patch);
  }
  return [...byName.values()];
}

function mergedElements(before: ElementsPatch, after: ElementsPatch): ElementsPatch {
  const removed = new Set([...before.removed, ...after.removed]);
  const added = new Map(before.added);
  for (const key of after.removed) added.delete(key);
  for (const [key, value] of after.added) added.set(key, value);
  for (const key of added.keys()) removed.delete(key);
  return { name: before.name, removed: [...removed], added: [...added] };
}

/**
 * The tables with what was changed since.
 * @param counts whether an element is wanted; undefined: all are
 */
export function patched(
  tables: readonly Table[],
  patches: readonly TablePatch[],
  counts?: (object: string, key: string) => boolean,
): readonly Table[] {
  if (patches.length === 0) return tables;
  return tables.map((table) => {
    const objects = new Map(table.objects);
    const copies = new Map<string, Map<string, Element>>();
    for (const patch of patches) {
      if ("rules" in patch) patchChain(objects, patch);
      else patchElements(objects, copies, patch, counts);
    }
    return { ...table, objects };
  });
}

function patchChain(
  objects: Map<string, TableObject>,
  { name, comment, rules }: Extract<TablePatch, { rules: unknown }>,
) {
  if (rules === null) {
    objects.delete(name);
    return;
  }
  const said = comment === undefined ? {} : { comment };
  objects.set(name, { kind: "chain", name, ordered: true, lines: rules.map((text) => ({ text })), ...said });
}

function patchElements(
  objects: Map<string, TableObject>,
  copies: Map<string, Map<string, Element>>,
  { name, removed, added }: ElementsPatch,
  counts: ((object: string, key: string) => boolean) | undefined,
) {
  const object = objects.get(name);
  if (!isElements(object)) return;
  const elements = copies.get(name) ?? new Map(object.elements);
  copies.set(name, elements);
  for (const key of removed) elements.delete(key);
  for (const [key, value] of added) {
    if (counts === undefined || counts(name, key)) elements.set(key, { key, value });
  }
  objects.set(name, { ...object, elements });
}
