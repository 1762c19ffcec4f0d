import type { Io } from "./io.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs work that must not stop half-way, and nothing but that: what only reads or computes may be ended by a signal at
 * once, even while no other code can run. The first signal is kept until the work is done, and ends the process then as
 * it would have at once; the second one is not kept.
 */
export async function uninterrupted<T>(io: Io, work: () => Promise<T>): Promise<T> {
  let kept: NodeJS.Signals | undefined;
  const keep = (signal: NodeJS.Signals) => {
    if (kept !== undefined) {
      letGo();
      process.kill(process.pid, signal);
      return;
    }
    kept = signal;
    io.error("finishing what was begun; once more to stop at once\n");
    // Not before the next turn: of two signals that came while nothing could run, the second would be lost.
    setImmediate(letGo);
  };
  const letGo = () => {
    for (const signal of SIGNALS) process.off(signal, keep);
  };
  for (const signal of SIGNALS) process.on(signal, keep);
  try {
    return await work();
  } finally {
    letGo();
    if (kept !== undefined) process.kill(process.pid, kept);
  }
}
