import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import type { Protocol } from "../../src/types.ts";

const AGENT = fileURLToPath(new URL("agent.mjs", import.meta.url));

export interface Listener {
  readonly protocol: Protocol;
  readonly ip: string;
  readonly port: number;
}

export interface Connection {
  readonly protocol: Protocol;
  readonly source: string;
  readonly destination: string;
  readonly port: number;
  /** Milliseconds to wait for an answer. */
  readonly timeout: number;
}

/** What a real connection met. `endpoint` is the local address of whoever answered, `seen` the source it saw. */
export type Outcome =
  | { readonly outcome: "answered"; readonly endpoint: string; readonly seen: string }
  | { readonly outcome: "refused" }
  | { readonly outcome: "silent" }
  | { readonly outcome: "failed"; readonly code: string };

interface Answer {
  readonly id: number;
  readonly failed?: readonly string[];
}

/** A process inside one namespace that listens and connects for the tests. */
export interface Agent {
  /** Resolves when all sockets listen; throws when one cannot. */
  listen(sockets: readonly Listener[]): Promise<void>;
  connect(connection: Connection): Promise<Outcome>;
  close(): Promise<void>;
}

/** Starts an agent in a network namespace; resolves when it is ready. */
export async function startAgent(namespace: string): Promise<Agent> {
  const process_ = execa("ip", ["netns", "exec", namespace, process.execPath, AGENT], {
    buffer: false,
    reject: false,
    stderr: "inherit",
  });
  const waiting = new Map<number, (answer: Answer) => void>();
  let lastId = 0;
  const answerTo = (id: number) => new Promise<Answer>((resolve) => waiting.set(id, resolve));
  const request = (body: object): Promise<Answer> => {
    lastId += 1;
    const answer = answerTo(lastId);
    process_.stdin.write(`${JSON.stringify({ id: lastId, ...body })}\n`);
    return answer;
  };
  const ready = answerTo(0);
  createInterface({ input: process_.stdout }).on("line", (line) => {
    const answer: Answer = JSON.parse(line);
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  await Promise.race([
    ready,
    process_.then(({ exitCode }) => {
      throw new Error(`the agent in ${namespace} ended with ${exitCode}`);
    }),
  ]);
  return {
    async listen(sockets) {
      const { failed = [] } = await request({ do: "listen", sockets });
      if (failed.length > 0) throw new Error(`${namespace} cannot listen: ${failed.join(", ")}`);
    },
    async connect(connection) {
      // The agent's word on its own connection: the shape is fixed a few lines up in agent.mjs.
      return (await request({ do: "connect", ...connection })) as unknown as Outcome;
    },
    async close() {
      process_.stdin.end();
      await process_;
    },
  };
}
