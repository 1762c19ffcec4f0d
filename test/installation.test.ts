import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, describe, expect, it } from "vitest";

const CLI = fileURLToPath(new URL("../bin/svctables.js", import.meta.url));
const ROOT = fileURLToPath(new URL("..", import.meta.url));
const home = mkdtempSync(join(tmpdir(), "svctables-installation-"));

afterAll(() => rmSync(home, { recursive: true }));

describe("an installation that is replaced while it runs", () => {
  it("says in a line what it misses", async () => {
    for (const part of ["bin", "dist", "package.json"]) cpSync(join(ROOT, part), join(home, part), { recursive: true });
    const chunks = join(home, "dist", "chunks");
    // The others are loaded when the program starts.
    for (const name of readdirSync(chunks)) if (!name.startsWith("chunk-")) rmSync(join(chunks, name));
    const words = [join(home, "bin/svctables.js"), "compile", "-f", "-"];
    const { exitCode, stdout, stderr } = await execa(process.execPath, words, { input: "", reject: false });
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^error: Cannot find module [^\n]*compile-[^\n]*$/);
  });
});

/** Runs the program after a module that changes what it finds. */
async function svctables(before: string, words: readonly string[], run = [process.execPath]) {
  const [program = "", ...others] = run;
  const preload = `data:text/javascript,${encodeURIComponent(before)}`;
  const options = { input: "", reject: false, env: { NODE_OPTIONS: "" } };
  const { exitCode, stdout, stderr } = await execa(program, [...others, "--import", preload, CLI, ...words], options);
  return { exitCode, stdout, stderr };
}

describe("a machine that is not what it should be", () => {
  it.each(["18.20.8", "20.9.0"])("has Node %s, which is too old", async (node) => {
    const older = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${node}" } });`;
    const { exitCode, stdout, stderr } = await svctables(older, ["compile", "-f", "-"]);
    expect([exitCode, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/^error: this is Node \S+, and svctables needs \d+\.\d+ or newer\nhint: [^\n]+\n?$/);
    expect(stderr).toContain(process.execPath);
    expect(await svctables(older, ["--version"])).toMatchObject({ exitCode: 0 });
  });

  it("has a Node that is not too old", async () => {
    const newer = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "100.0.0" } });`;
    expect(await svctables(newer, ["version", "--output", "json"])).toMatchObject({ exitCode: 0, stderr: "" });
  });

  it("has no descriptor left for another process", async () => {
    const exhausting = `
      import { openSync } from "node:fs";
      import { syncBuiltinESMExports } from "node:module";
      import processes from "node:child_process";
      const { spawn } = processes;
      processes.spawn = (...words) => {
        try {
          for (;;) openSync("/dev/null");
        } catch {}
        return spawn(...words);
      };
      syncBuiltinESMExports();`;
    const limited = ["prlimit", "--nofile=100", process.execPath];
    const { exitCode, stdout, stderr } = await svctables(exhausting, ["version"], limited);
    expect(stderr).toMatch(/^error: [^\n]*EMFILE[^\n]*$/);
    expect([exitCode, stdout]).toEqual([2, ""]);
  });
});
