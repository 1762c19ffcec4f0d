import { nftables } from "../../../../src/backends/nftables/index.ts";
import type { Element, RenderOptions, ServiceSpec, Table, TableObject } from "../../../../src/types.ts";
import { onNode, renderOptions, rulesetOf, service, slice } from "../../../support/manifests.ts";

/** Short ways to tables of one or a few Services. */

export type Endpoints = readonly string[];

/** The table of one Service `ns/web` at 172.30.0.41:80, with endpoints at port 80 on other nodes, or here. */
export function tableFor(
  endpoints: Endpoints,
  spec: Partial<ServiceSpec> = {},
  options: Partial<RenderOptions> = {},
  here: Endpoints = [],
): readonly Table[] {
  const manifests = [
    service("ns/web", { clusterIP: "172.30.0.41", ...spec }),
    slice("ns/web", [...endpoints, ...here.map((ip) => onNode(ip))]),
  ];
  return nftables.render(rulesetOf(manifests), renderOptions(options));
}

export function objectOf([table]: readonly Table[], name: string): TableObject {
  const object = table?.objects.get(name);
  if (object === undefined) throw new Error(`no ${name}`);
  return object;
}

/** `key : value` of all elements of a set or map, or the lines of a chain. */
export function linesIn(tables: readonly Table[], name: string): readonly string[] {
  const object = objectOf(tables, name);
  if ("lines" in object) return object.lines.map(({ text }) => text);
  return [...object.elements.values()].map(({ key, value }) => (value === "" ? key : `${key} : ${value}`));
}

/** The table with the elements of one map replaced. */
export function withElements([table]: readonly Table[], name: string, texts: readonly string[]): readonly Table[] {
  if (table === undefined) throw new Error("no table");
  const object = objectOf([table], name);
  if (!("elements" in object)) throw new Error(`${name} is a chain`);
  const elements = new Map(
    texts.map((text): [string, Element] => {
      const [key = "", value = ""] = text.split(" : ");
      return [key, { key, value }];
    }),
  );
  return [{ ...table, objects: new Map(table.objects).set(name, { ...object, elements }) }];
}
