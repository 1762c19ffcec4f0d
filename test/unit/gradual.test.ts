import { describe, expect, it } from "vitest";
import { finished, Gradual, type Pieces } from "../../src/gradual.ts";

describe("gradual work", () => {
  function* counting(log: number[]): Pieces<string> {
    for (let piece = 1; piece <= 3; piece++) {
      log.push(piece);
      yield;
    }
    return "made";
  }

  it("is done piece by piece, and tells when nothing is left", () => {
    const log: number[] = [];
    const work = new Gradual(counting(log));
    expect(log).toEqual([]);
    expect([work.step(), work.step()]).toEqual([true, true]);
    expect(log).toEqual([1, 2]);
    expect([work.step(), work.step(), work.step(), work.step()]).toEqual([true, true, false, false]);
    expect(work.value).toBe("made");
    expect(log).toEqual([1, 2, 3]);
  });

  it("is done to the end, and once, by who needs what it makes", () => {
    const log: number[] = [];
    const work = new Gradual(counting(log));
    work.step();
    expect([work.value, work.value]).toEqual(["made", "made"]);
    expect(work.step()).toBe(false);
    expect(log).toEqual([1, 2, 3]);
    expect(finished(counting(log))).toBe("made");
  });

  it("that makes nothing is done, too", () => {
    function* nothing(): Pieces<undefined> {
      yield;
      return undefined;
    }
    const work = new Gradual(nothing());
    expect([work.value, work.step()]).toEqual([undefined, false]);
  });

  it("fails where its pieces fail, as often as it is asked", () => {
    function* failing(): Pieces<string> {
      yield;
      throw new Error("no room");
    }
    const work = new Gradual(failing());
    expect(work.step()).toBe(true);
    expect(() => work.value).toThrow("no room");
    expect(() => work.value).toThrow("no room");
  });
});
