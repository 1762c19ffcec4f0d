import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, describe, expect, it } from "vitest";

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
