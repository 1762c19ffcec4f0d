import { describe, expect, it } from "vitest";
import { EndpointElements } from "../../../../src/backends/nftables/endpointElements.ts";
import type { Element, Origin } from "../../../../src/types.ts";

const origin: Origin = {
  source: { file: "web.yaml", document: 0 },
  servicePort: { namespace: "ns", name: "web", port: "", protocol: "tcp", text: "ns/web" },
};

describe("the elements of an endpoints map", () => {
  const elements = new EndpointElements();
  elements.add({ prefix: "172.30.0.41 . 80 . ", first: 0, values: ["10.180.0.1 . 80", "10.180.1.1 . 80"], origin });
  elements.add({ prefix: "172.30.0.41 . 80 . ", first: 32768, values: ["10.180.0.1 . 80"], origin });
  elements.add({ prefix: "172.30.0.42 . 80 . ", first: 0, values: [], origin });
  const map = new Map<string, Element>(
    [
      ["172.30.0.41 . 80 . 0", "10.180.0.1 . 80"],
      ["172.30.0.41 . 80 . 1", "10.180.1.1 . 80"],
      ["172.30.0.41 . 80 . 32768", "10.180.0.1 . 80"],
    ].map(([key = "", value = ""]) => [key, { key, value, origin }]),
  );

  it("are those of a map with one for each endpoint", () => {
    expect(elements.size).toBe(3);
    expect([...elements]).toEqual([...map]);
    expect([...elements.keys()]).toEqual([...map.keys()]);
    expect([...elements.values()]).toEqual([...map.values()]);
    expect([...elements.entries()]).toEqual([...map.entries()]);
    const visited: [string, Element][] = [];
    elements.forEach((element, key) => void visited.push([key, element]));
    expect(visited).toEqual([...map]);
    for (const key of [...map.keys(), "172.30.0.41 . 80 . 2", "172.30.0.42 . 80 . 0"]) {
      expect([elements.get(key), elements.has(key)]).toEqual([map.get(key), map.has(key)]);
    }
  });

  it("know what is added after somebody asked by key", () => {
    const growing = new EndpointElements();
    expect(growing.has("a . 0")).toBe(false);
    growing.add({ prefix: "a . ", first: 0, values: ["b . 1"], origin });
    expect(growing.get("a . 0")).toEqual({ key: "a . 0", value: "b . 1", origin });
  });
});
