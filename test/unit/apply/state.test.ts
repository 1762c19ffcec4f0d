import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { writeAccepted } from "../../../src/apply/accepted.ts";
import { readState, STATE_FILE, writeState } from "../../../src/apply/state.ts";
import { replaceFile, save } from "../../../src/apply/stateFile.ts";
import { isSystemError } from "../../../src/errors.ts";

const EMPTY = { version: 1, sections: {} };
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "svctables-state-"));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

describe("state", () => {
  it("gives back what was written, makes its directory, and leaves nothing else there", async () => {
    const inner = join(directory, "a", "b");
    const record = { version: 1, sections: { allocations: { "default/web": "10.96.0.7" } } } as const;
    await writeState(inner, record);
    expect(await readState(inner)).toEqual({ kind: "read", record });
    expect(await readdir(inner)).toEqual(["state.json"]);
  });

  it("is empty when it was never written", async () => {
    expect(await readState(join(directory, "none"))).toEqual({ kind: "absent", record: EMPTY });
  });

  it.each([
    ["cut off", '{"version":1,"secti'],
    ["empty", ""],
    ["of another version", '{"version":2,"sections":{}}'],
    ["of another shape", '{"version":1,"sections":[]}'],
    ["no object", "null"],
  ])("bears a file that is %s", async (_, text) => {
    await writeFile(join(directory, "state.json"), text);
    expect(await readState(directory)).toMatchObject({ kind: "unusable", record: EMPTY });
    await writeState(directory, { version: 1, sections: { x: 1 } });
    expect((await readState(directory)).record.sections).toEqual({ x: 1 });
  });

  it("bears a directory in its place", async () => {
    await mkdir(join(directory, "state.json"));
    expect(await readState(directory)).toMatchObject({ kind: "unusable" });
    await expect(writeState(directory, { version: 1, sections: {} })).rejects.toThrow();
    expect(await readdir(directory)).toEqual(["state.json"]);
  });

  it("keeps the old record when the new one cannot be written", async () => {
    await writeState(directory, { version: 1, sections: { old: true } });
    await mkdir(join(directory, "state.json.new"));
    await expect(writeState(directory, { version: 1, sections: {} })).rejects.toThrow();
    expect((await readState(directory)).record.sections).toEqual({ old: true });
  });

  it("is nobody else's to read", async () => {
    await chmod(directory, 0o755);
    await writeState(directory, { version: 1, sections: {} });
    const { mode } = await (await import("node:fs/promises")).stat(join(directory, "state.json"));
    expect(mode & 0o777).toBe(0o600);
    expect(await readFile(join(directory, "state.json"), "utf8")).toMatch(/\n$/);
  });
});

describe("a file of the state directory", () => {
  it.each<[string, (path: string) => Promise<void>]>([
    [STATE_FILE, () => writeState(directory, { version: 1, sections: {} })],
    ["input.index", (path) => replaceFile(path, "text")],
  ])("is not written through a link that somebody put there: %s", async (name, write) => {
    const victim = join(directory, "victim");
    await writeFile(victim, "precious");
    for (const place of [name, `${name}.new`]) await symlink(victim, join(directory, place));
    await write(join(directory, name));
    expect(await readFile(victim, "utf8")).toBe("precious");
    expect(await readFile(join(directory, name), "utf8")).not.toBe("precious");
    expect((await readdir(directory)).sort()).toEqual([name, "victim"].sort());
  });
});

describe("what cannot be written", () => {
  it("leaves no record of what was accepted rather than an old one", async () => {
    await writeAccepted(directory, { hash: "old", manifests: [] });
    await mkdir(join(directory, "accepted.json.new"));
    const error: unknown = await writeAccepted(directory, { hash: "new", manifests: [] }).catch((reason) => reason);
    expect(isSystemError(error)).toBe(true);
    expect(await readdir(directory)).toEqual(["accepted.json.new"]);
  });

  it("is told where only later runs would miss something, and a mistake of ours is thrown", async () => {
    const reasons: string[] = [];
    const unsaved = (reason: string) => void reasons.push(reason);
    await save(() => writeFile("/dev/full", "text"), unsaved);
    await save(async () => undefined, unsaved);
    expect(reasons).toEqual(["ENOSPC: no space left on device, write"]);
    await expect(save(() => Promise.reject(new TypeError("no function")), unsaved)).rejects.toThrow(TypeError);
  });
});
