import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createLocker, createRunner } from "../../../src/apply/exec.ts";
import { lock } from "../../../src/apply/lock.ts";

const PATH = process.env.PATH ?? "";
const run = createRunner(PATH);
const take = createLocker(PATH);

describe("createRunner", () => {
  it("gives output, errors and exit code as they are", async () => {
    const script = "process.stdout.write('out\\n'); process.stderr.write('err\\n'); process.exitCode = 3";
    expect(await run({ program: process.execPath, args: ["-e", script] })).toEqual({
      exitCode: 3,
      stdout: "out\n",
      stderr: "err\n",
    });
  });

  it("feeds input larger than any pipe, and none at all", async () => {
    const text = "-A KUBE-SERVICES -j RETURN\n".repeat(100_000);
    expect((await run({ program: "cat", args: [], input: text })).stdout).toBe(text);
    expect((await run({ program: "cat", args: [] })).stdout).toBe("");
  });

  it("does other work piece by piece while the program runs, and none when that has ended", async () => {
    let left = 3;
    await run({ program: "sleep", args: ["0.3"], meanwhile: () => left-- > 0 });
    expect(left).toBe(-1);
    let pieces = 0;
    const count = () => ++pieces > 0;
    await run({ program: "sleep", args: ["0.3"], meanwhile: count });
    const done = pieces;
    expect(done).toBeGreaterThan(1);
    await run({ program: "sleep", args: ["0.1"] });
    expect(pieces).toBe(done);
  });

  it("lets the program end where the other work fails", async () => {
    const file = join(await mkdtemp(join(tmpdir(), "svctables-exec-")), "ended");
    const script = `setTimeout(() => require("node:fs").writeFileSync(${JSON.stringify(file)}, "yes"), 200)`;
    const failing = () => {
      throw new Error("no room");
    };
    await expect(run({ program: process.execPath, args: ["-e", script], meanwhile: failing })).rejects.toThrow(
      "no room",
    );
    expect(await readFile(file, "utf8")).toBe("yes");
    await rm(dirname(file), { recursive: true });
  });

  it("passes arguments without a shell", async () => {
    const args = ["-c", "$(id); `id` | *; 'quoted' \"too\""];
    const result = await run({
      program: process.execPath,
      args: ["-p", "process.argv.slice(1).join('|')", "--", ...args],
    });
    expect(result.stdout).toBe(`${args.join("|")}\n`);
  });

  it("leaves no temporary file behind", async () => {
    const mine = async () => (await readdir(tmpdir())).filter((name) => /^svctables-[0-9a-f]{8}-/.test(name));
    const before = await mine();
    await run({ program: "cat", args: [], input: "text" });
    expect((await mine()).filter((name) => !before.includes(name))).toEqual([]);
  });

  it.each([
    ["iptables-nft-restore", "install the package iptables, or fix PATH"],
    ["ip6tables-legacy-save", "install the package iptables, or fix PATH"],
    ["nft", "install the package nftables, or fix PATH"],
    ["flock", "install the package util-linux, or fix PATH"],
    ["conntrack", "install the package conntrack, or fix PATH"],
  ])("says in which package %s is", async (program, hint) => {
    const nowhere = createRunner("/nonexistent", []);
    await expect(nowhere({ program, args: [] })).rejects.toMatchObject({
      message: `the program ${program} was not found`,
      hint,
      exitCode: 2,
    });
  });

  it.each([
    "iptables-nft-save v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must be root)",
    "Operation not permitted (you must be root)",
    "Fatal: can't open lock file /run/xtables.lock: Permission denied",
  ])("turns the tools' ways of asking for root into one: %s", async (stderr) => {
    const script = "process.stderr.write(process.argv[1]); process.exitCode = 4";
    const asking = run({ program: process.execPath, args: ["-e", script, "--", stderr] });
    await expect(asking).rejects.toMatchObject({ message: expect.stringContaining("needs root"), exitCode: 2 });
  });

  it("says when a program was killed", async () => {
    const killed = run({ program: process.execPath, args: ["-e", "process.kill(process.pid, 'SIGKILL')"] });
    await expect(killed).rejects.toMatchObject({ message: `${process.execPath} was killed` });
  });
});

describe("lock", () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "svctables-lock-"));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const options = (state: string, timeoutSeconds = 0) => ({
    stateDir: join(directory, state),
    runtimeDir: join(directory, "run"),
    timeoutSeconds,
  });

  it("keeps a second run out of the same state directory, and of the same network namespace", async () => {
    const release = await lock(take, options("a"));
    await expect(lock(take, options("a"))).rejects.toMatchObject({
      message: expect.stringMatching(/lock of this state directory: .*\/a\/lock$/),
      exitCode: 2,
    });
    await expect(lock(take, options("b"))).rejects.toMatchObject({
      message: expect.stringMatching(/lock of this network namespace: .*\/run\/netns-\d+\.lock$/),
    });
    await release();
    await (await lock(take, options("b")))();
  });

  it("waits for a run that ends in time", async () => {
    const release = await lock(take, options("a"));
    const second = lock(take, options("a", 20));
    await release();
    await (await second)();
  });

  it("tells why it cannot be taken, also where flock says nothing", async () => {
    await writeFile(join(directory, "flock"), "#!/bin/sh\nexit 1\n", { mode: 0o755 });
    await expect(lock(createLocker(directory), options("a"))).rejects.toMatchObject({
      message: expect.stringMatching(/^cannot lock .*\/a\/lock: flock: exit code 1 without a message$/),
    });
  });

  it("is free again when its holder was killed", async () => {
    const exec = new URL("../../../src/apply/exec.ts", import.meta.url).href;
    const locks = new URL("../../../src/apply/lock.ts", import.meta.url).href;
    const script = `const { createLocker } = await import(${JSON.stringify(exec)});
      const { lock } = await import(${JSON.stringify(locks)});
      await lock(createLocker(process.env.PATH), ${JSON.stringify(options("a"))});
      process.kill(process.pid, "SIGKILL");`;
    const holder = run({ program: process.execPath, args: ["--import", "tsx", "--input-type=module", "-e", script] });
    await expect(holder).rejects.toMatchObject({ message: expect.stringContaining("was killed") });
    await (await lock(take, options("a", 20)))();
  });

  it("is not free while a tool still runs that a killed run has started", async () => {
    const exec = new URL("../../../src/apply/exec.ts", import.meta.url).href;
    const locks = new URL("../../../src/apply/lock.ts", import.meta.url).href;
    const script = `const { createLocker, createRunner } = await import(${JSON.stringify(exec)});
      const { lock } = await import(${JSON.stringify(locks)});
      await lock(createLocker(process.env.PATH), ${JSON.stringify(options("a"))});
      void createRunner(process.env.PATH)({
        program: "sleep", args: ["3"], meanwhile: () => process.kill(process.pid, "SIGKILL"),
      });`;
    const holder = run({ program: process.execPath, args: ["--import", "tsx", "--input-type=module", "-e", script] });
    await expect(holder).rejects.toMatchObject({ message: expect.stringContaining("was killed") });
    await expect(lock(take, options("a"))).rejects.toMatchObject({ exitCode: 2 });
    await (await lock(take, options("a", 20)))();
  });

  it("is nobody else's to hold, wherever it lies and whoever made its file", async () => {
    await mkdir(join(directory, "a"), { mode: 0o755 });
    await writeFile(join(directory, "a", "lock"), "");
    await chmod(join(directory, "a", "lock"), 0o644);
    await (await lock(take, options("a")))();
    const [namespaceLock = ""] = await readdir(join(directory, "run"));
    for (const path of ["a/lock", join("run", namespaceLock)]) {
      expect((await stat(join(directory, path))).mode & 0o777).toBe(0o600);
    }
  });

  it("is never a link to another file", async () => {
    const victim = join(directory, "victim");
    await writeFile(victim, "");
    // Given at its making, it would be cut down by this shell's umask.
    await chmod(victim, 0o644);
    await mkdir(join(directory, "a"));
    await symlink(victim, join(directory, "a", "lock"));
    await expect(lock(take, options("a"))).rejects.toMatchObject({
      message: expect.stringMatching(/^cannot lock .*\/a\/lock: ELOOP/),
      hint: expect.stringContaining("--state-dir"),
    });
    expect((await stat(victim)).mode & 0o777).toBe(0o644);
  });

  it("does not advise another state directory where that would not help", async () => {
    const failing: typeof take = async (path, seconds) =>
      path.includes("netns-") ? { kind: "failed", reason: "EROFS: read-only file system" } : take(path, seconds);
    const error: unknown = await lock(failing, options("a")).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ message: expect.stringContaining("EROFS") });
    expect(error).not.toMatchObject({ hint: expect.stringContaining("--state-dir") });
    await (await lock(take, options("a")))();
  });

  it("names what cannot be made", async () => {
    await expect(lock(take, { ...options("a"), stateDir: "/dev/null/state" })).rejects.toMatchObject({
      message: expect.stringContaining("/dev/null/state"),
      exitCode: 2,
    });
  });
});
