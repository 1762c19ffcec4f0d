import { describe, expect, it } from "vitest";
import { linesIn, tableFor } from "./support.ts";

describe("endpoints on this node", () => {
  const ips = (count: number, network: number): readonly string[] =>
    Array.from({ length: count }, (_, at) => `10.${network + (at >> 16)}.${(at >> 8) & 255}.${at & 255}`);
  const local = { externalIPs: ["192.168.99.9"], externalTrafficPolicy: "Local" } as const;

  it("stand behind all others, which leaves room for 32,768", () => {
    expect(() => tableFor(ips(32_767, 1), local, {}, ["10.9.0.1"])).not.toThrow();
    expect(() => tableFor(ips(32_768, 1), local, {}, ["10.9.0.1"])).toThrow(
      expect.objectContaining({ message: expect.stringContaining("Service ns/web has more than 32768"), exitCode: 3 }),
    );
  });

  it("that are needed for no policy Local leave all the room to the others", () => {
    expect(linesIn(tableFor(ips(32_768, 1), {}, {}, ["10.9.0.1"]), "endpoints-tcp")).toHaveLength(32_769);
  });
});
