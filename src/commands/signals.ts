import type { Io } from "./io.ts";

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Runs work that must not stop half-way. The first signal is kept until it is done, and ends the process then as it
 * would have at once; the second one is not kept.
 */
export async function uninterrupted<T>(io: Io, work: () => Promise<T>): Promise<T> {
  let kept: NodeJS.Signals | undefined;
  const keep = (signal: NodeJS.Signals) => {
    kept = signal;
    io.error("finishing what was begun; once more to stop at once\n");
    letGo();
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
