import { execa } from "execa";
import { describe, expect, it } from "vitest";

const SIGNALS = new URL("../../../src/commands/signals.ts", import.meta.url).href;

const WAIT = "await new Promise((resolve) => setTimeout(resolve, 500));";
/** Half a second in which no other code can run. */
const BUSY = "for (const end = Date.now() + 500; Date.now() < end; );";
/** The work signals its own process: another one, starved on a busy machine, would send too late. */
const send = (signal: NodeJS.Signals) => `process.kill(process.pid, "${signal}");`;

/** Says how a process ended that does these steps uninterrupted, and waits half a second after them. */
async function outcome(...steps: readonly string[]) {
  const script = `const { uninterrupted } = await import(${JSON.stringify(SIGNALS)});
    const io = { error: (text) => process.stderr.write(text) };
    await uninterrupted(io, async () => {
      process.stdout.write("begun\\n");
      ${steps.join("\n")}
      process.stdout.write("done\\n");
    });
    ${WAIT}
    process.stdout.write("after\\n");`;
  const words = ["--import", "tsx", "--input-type=module", "-e", script];
  const { stdout, stderr, signal } = await execa(process.execPath, words, { reject: false });
  return { stdout: stdout.split("\n"), stderr, signal };
}

describe("uninterrupted", () => {
  it("leaves work alone that nobody interrupts", async () => {
    expect(await outcome(WAIT)).toEqual({ stdout: ["begun", "done", "after"], stderr: "", signal: undefined });
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("finishes the work before %s ends the process", async (signal) => {
    expect(await outcome(send(signal), WAIT)).toEqual({
      stdout: ["begun", "done"],
      stderr: "finishing what was begun; once more to stop at once",
      signal,
    });
  });

  it.each([
    ["while it waits", WAIT],
    ["that came while nothing else could run", BUSY],
  ])("gives in to the second signal, %s", async (_, meanwhile) => {
    for (const second of ["SIGTERM", "SIGINT"] as const) {
      const ended = await outcome(send("SIGINT"), meanwhile, send(second), meanwhile, WAIT);
      expect(ended).toMatchObject({ stdout: ["begun"], signal: second });
    }
  });
});
