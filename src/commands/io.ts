/** What a command may say, and how: the only way from commands to the outside. */
export interface Io {
  /** The result; a pipe may be at the other end. */
  out(text: string): void;
  /** Everything about the result; with --quiet not printed, nor made, unless it is an error. */
  note(text: string | (() => string)): void;
  error(text: string): void;
  readonly version: string;
  readonly color: boolean;
  readonly outIsTTY: boolean;
  readonly errorIsTTY: boolean;
  /** All of standard input; asked again, the same. */
  stdin(): Promise<Uint8Array>;
}

export interface IoOptions {
  /** Our own version. */
  readonly version: string;
  readonly quiet: boolean;
}

/** Standard streams. Colours follow NO_COLOR, FORCE_COLOR and whether somebody looks at a terminal. */
export function standardIo({ quiet, version }: IoOptions): Io {
  const { stdin, stdout, stderr, env } = process;
  let content: Promise<Uint8Array> | undefined;
  return {
    out: (text) => void stdout.write(text),
    note: (text) => {
      if (!quiet) stderr.write(typeof text === "string" ? text : text());
    },
    error: (text) => void stderr.write(text),
    version,
    color: wantsColor(env, stderr.isTTY === true && stdout.isTTY === true),
    outIsTTY: stdout.isTTY === true,
    errorIsTTY: stderr.isTTY === true,
    stdin: () => {
      content ??= readAll(stdin);
      return content;
    },
  };
}

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function wantsColor(env: NodeJS.ProcessEnv, isTTY: boolean): boolean {
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
  if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0") return true;
  return isTTY && env.TERM !== "dumb";
}
