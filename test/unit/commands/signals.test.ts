import { execa } from "execa";
import { describe, expect, it } from "vitest";

const SIGNALS = new URL("../../../src/commands/signals.ts", import.meta.url).href;

const WORK = "await new Promise((resolve) => setTimeout(resolve, 500));";
/** The same, at first half a second in which no other code can run. */
const BUSY_WORK = `for (const end = Date.now() + 500; Date.now() < end; );${WORK}`;

/** Starts work of half a second, and says how it ended after these signals, sent when it has begun. */
async function interrupt(signals: readonly NodeJS.Signals[], work = WORK) {
  const script = `const { uninterrupted } = await import(${JSON.stringify(SIGNALS)});
    const io = { error: (text) => process.stderr.write(text) };
    await uninterrupted(io, async () => {
      process.stdout.write("begun\\n");
      ${work}
      process.stdout.write("done\\n");
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    process.stdout.write("after\\n");`;
  const words = ["--import", "tsx", "--input-type=module", "-e", script];
  const child = execa(process.execPath, words, { reject: false });
  child.stdout.once("data", async () => {
    for (const signal of signals) {
      child.kill(signal);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  });
  const { stdout, stderr, signal } = await child;
  return { stdout: stdout.split("\n"), stderr, signal };
}

describe("uninterrupted", () => {
  it("leaves work alone that nobody interrupts", async () => {
    expect(await interrupt([])).toEqual({ stdout: ["begun", "done", "after"], stderr: "", signal: undefined });
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("finishes the work before %s ends the process", async (signal) => {
    expect(await interrupt([signal])).toEqual({
      stdout: ["begun", "done"],
      stderr: "finishing what was begun; once more to stop at once",
      signal,
    });
  });

  it.each([
    ["while it waits", WORK],
    ["that came while nothing else could run", BUSY_WORK],
  ])("gives in to the second signal, %s", async (_, work) => {
    expect(await interrupt(["SIGINT", "SIGTERM"], work)).toMatchObject({ stdout: ["begun"], signal: "SIGTERM" });
    expect(await interrupt(["SIGINT", "SIGINT"], work)).toMatchObject({ stdout: ["begun"], signal: "SIGINT" });
  });
});
