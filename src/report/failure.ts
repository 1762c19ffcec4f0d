import { harmless, type Style } from "./style.ts";

/** A refusal of the world: what happened, and what to do about it. */
export function failureText(message: string, hint: string, style: Style): string {
  return `${style.bad("error:")} ${harmless(message)}\n${style.info("hint:")} ${harmless(hint)}\n`;
}

/** A bug of ours, ready to be reported as it is. */
export function bugText(error: unknown, facts: Readonly<Record<string, string>>, style: Style): string {
  const lines = Object.entries(facts).map(([name, value]) => `  ${name}: ${value}`);
  const trace = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return [
    `${style.bad("internal error:")} this is a bug in svctables, and nothing that you did wrong.`,
    "Please report it with the lines below and, if you can, the input.",
    "",
    ...lines,
    ...harmless(trace)
      .split("\n")
      .map((line) => `  ${line}`),
    "",
  ].join("\n");
}
