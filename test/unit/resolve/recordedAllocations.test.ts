import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Allocations, allocate } from "../../../src/resolve/allocate.ts";
import type { ServicePortSpec, ServiceSpec } from "../../../src/types.ts";
import { only, options, service } from "./serviceObjects.ts";

const local = { type: "LoadBalancer", externalTrafficPolicy: "Local" } as const;

describe("recorded allocations", () => {
  const names = ["a", "b", "c", "constructor", "valueof"];
  const many = names.map((name) => service(name, local));

  test("come back in every later run, also out of a range that has changed", () => {
    const first = allocate(many, options);
    expect(first.assignments.every(({ isNew }) => isNew)).toBe(true);
    const again = allocate(many, { ...options, serviceCIDRs: ["10.200.0.0/16"] }, first.allocations);
    expect(again.services).toEqual(first.services);
    expect(again.assignments.every(({ isNew }) => !isNew)).toBe(true);
  });

  describe("fit what the Service is now", () => {
    const given = (ports: readonly ServicePortSpec[], more: Partial<ServiceSpec> = {}, recorded?: Allocations) => {
      const result = allocate([service("a", { type: "NodePort", ports, ...more })], options, recorded);
      const { ports: whole = [], healthCheckNodePort = 0 } = only(result);
      return { result, numbers: [...whole.map(({ nodePort = 0 }) => nodePort), healthCheckNodePort] };
    };
    const tcp = (name: string, port: number, nodePort?: number) =>
      ({ name, protocol: "TCP", port, ...(nodePort === undefined ? {} : { nodePort }) }) as const;

    test("a port that was given out goes to another port", () => {
      const before = given([tcp("a", 80), tcp("b", 81)]);
      const [first = 0, second = 0] = before.numbers;
      const { numbers } = given([tcp("a", 80, second), tcp("b", 81)], {}, before.result.allocations);
      expect(numbers[0]).toBe(second);
      expect([first, second, 0]).not.toContain(numbers[1]);
    });

    test("two ports had one number and share it no longer", () => {
      const udp = { name: "b", protocol: "UDP", port: 53 } as const;
      const before = given([tcp("a", 53), udp]);
      expect(before.numbers[1]).toBe(before.numbers[0]);
      for (const moved of [tcp("b", 54), { ...udp, port: 54 }]) {
        const { numbers } = given([tcp("a", 53), moved], {}, before.result.allocations);
        expect(numbers[0]).toBe(before.numbers[0]);
        expect([before.numbers[0], 0]).not.toContain(numbers[1]);
      }
    });

    test("a port that is new beside it shares its number", () => {
      const before = given([tcp("a", 53)]);
      const { numbers, result } = given(
        [{ name: "b", protocol: "UDP", port: 53 }, tcp("a", 53)],
        {},
        before.result.allocations,
      );
      expect(numbers.slice(0, 2)).toEqual([before.numbers[0], before.numbers[0]]);
      expect(result.assignments.map(({ isNew }) => isNew)).toEqual([false, true, false]);
    });

    test("the health-check port becomes a node port, and the other way round", () => {
      const before = given([tcp("a", 80)], local);
      const [port = 0, check = 0] = before.numbers;
      const { numbers } = given([tcp("a", 80, check)], local, before.result.allocations);
      expect(numbers[0]).toBe(check);
      expect([check, 0]).not.toContain(numbers[1]);
      const turned = given([tcp("a", 80)], { ...local, healthCheckNodePort: port }, before.result.allocations).numbers;
      expect(turned[1]).toBe(port);
      expect([port, 0]).not.toContain(turned[0]);
    });
  });

  test("survive JSON", () => {
    const first = allocate(many, options);
    const stored = JSON.parse(JSON.stringify([...first.allocations])) as [string, never][];
    expect(allocate(many, options, new Map(stored)).services).toEqual(first.services);
  });

  test("an explicit value that another Service was given is refused", () => {
    const first = allocate([service("a")], options);
    const clusterIP = only(first).clusterIP ?? "";
    const { diagnostics } = allocate([service("a"), service("b", { clusterIP })], options, first.allocations);
    expect(diagnostics.map(({ code, object }) => `${code} ${object}`)).toEqual(["cluster-ip-taken Service default/b"]);
  });

  test("those of Services that are gone are free again", () => {
    const first = allocate([service("a")], options);
    const clusterIP = only(first).clusterIP ?? "";
    expect(allocate([service("b", { clusterIP })], options, first.allocations).diagnostics).toEqual([]);
  });

  test("a port called like a property of every object has no record", () => {
    const ports = [{ name: "constructor", protocol: "TCP", port: 80 }] as const;
    const record: Allocations = new Map([["default/a", { clusterIPs: [], nodePorts: {}, healthCheckNodePort: 0 }]]);
    const spec = only(allocate([service("a", { type: "NodePort", ports })], options, record));
    expect(typeof spec.ports?.[0]?.nodePort).toBe("number");
  });
});

test("whatever a Service was before, a node port serves one port number and is no health-check port", () => {
  const port = fc.record({
    name: fc.constantFrom("a", "b", "c"),
    protocol: fc.constantFrom("TCP", "UDP"),
    port: fc.constantFrom(53, 80, 81),
  });
  const ports = fc.uniqueArray(port, { selector: ({ name }) => name, minLength: 1 });
  const type = fc.constantFrom("NodePort", "LoadBalancer");
  const small = { ...options, nodePortRange: { first: 30000, last: 30011 } };
  const make = (kind: string, list: readonly ServicePortSpec[]) =>
    service("a", kind === "NodePort" ? { type: kind, ports: list } : { ...local, ports: list });
  fc.assert(
    fc.property(
      type,
      ports,
      type,
      ports,
      fc.integer({ min: 30000, max: 30011 }),
      (before, old, now, next, nodePort) => {
        const { allocations } = allocate([make(before, old)], small);
        const named = next.map((one, i) => (i === 0 ? { ...one, nodePort } : one));
        const { services, diagnostics } = allocate([make(now, named)], small, allocations);
        const spec = services[0]?.spec;
        const uses = new Set(spec?.ports?.map((one) => `${one.nodePort ?? 0} ${one.port}`));
        const numbers = new Set(spec?.ports?.map((one) => one.nodePort ?? 0));
        expect(diagnostics).toEqual([]);
        expect(numbers.size).toBe(uses.size);
        expect([...numbers]).not.toContain(spec?.healthCheckNodePort ?? 0);
      },
    ),
  );
});
