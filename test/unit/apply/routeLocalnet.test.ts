import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { enableRouteLocalnet, restoreRouteLocalnet } from "../../../src/apply/routeLocalnet.ts";
import { readState, writeState } from "../../../src/apply/state.ts";

const SYSCTL = "/proc/sys/net/ipv4/conf/all/route_localnet";
const sysctl = { value: "0\n" };

// A container's /proc/sys, which nobody may write; the machine's own is not touched.
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    readFile: (path: string, encoding: "utf8") =>
      path === SYSCTL ? Promise.resolve(sysctl.value) : real.readFile(path, encoding),
    writeFile: (path: string) => Promise.reject(new Error(`EROFS: read-only file system, open '${path}'`)),
  };
});

describe("route_localnet where /proc/sys cannot be written", () => {
  let stateDir: string;
  beforeEach(async () => {
    stateDir = await mkdtemp(join(tmpdir(), "svctables-localnet-"));
  });
  afterEach(() => rm(stateDir, { recursive: true }));

  const unsaved = (reason: string) => expect.fail(reason);

  it("is not set, and that is said of nothing else", async () => {
    sysctl.value = "0\n";
    await expect(enableRouteLocalnet(stateDir, unsaved)).rejects.toMatchObject({
      message: expect.stringMatching(
        /^the rules are as they should be, but \S+route_localnet cannot be set to 1: EROFS/,
      ),
      hint: expect.stringContaining("--no-localhost-nodeports"),
      exitCode: 2,
    });
    expect((await readState(stateDir)).kind).toBe("absent");
  });

  it("is not set back, which the next run tries again", async () => {
    sysctl.value = "1\n";
    await writeState(stateDir, { version: 1, sections: { routeLocalnet: true } });
    await expect(restoreRouteLocalnet(stateDir)).rejects.toMatchObject({
      message: expect.stringMatching(
        /^the rules are as they should be, but \S+route_localnet cannot be set to 0: EROFS/,
      ),
      hint: expect.stringContaining("run the same command again"),
      exitCode: 2,
    });
    expect((await readState(stateDir)).record.sections).toEqual({ routeLocalnet: true });
  });

  it("needs nothing where it is as it should be", async () => {
    sysctl.value = "1\n";
    expect(await enableRouteLocalnet(stateDir, unsaved)).toBe(false);
    sysctl.value = "0\n";
    expect(await restoreRouteLocalnet(stateDir, unsaved)).toBe(false);
  });
});
