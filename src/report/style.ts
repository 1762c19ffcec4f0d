import { Chalk } from "chalk";

/** Words for people in colour, or plain. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  bad(text: string): string;
  good(text: string): string;
  warn(text: string): string;
  info(text: string): string;
}

export function styleFor(color: boolean): Style {
  const chalk = new Chalk({ level: color ? 1 : 0 });
  return {
    bold: (text) => chalk.bold(text),
    dim: (text) => chalk.dim(text),
    bad: (text) => chalk.red(text),
    good: (text) => chalk.green(text),
    warn: (text) => chalk.yellow(text),
    info: (text) => chalk.cyan(text),
  };
}

/** "1 Service", "2 Services". */
export function count(number: number, noun: string, plural = `${noun}s`): string {
  return `${number} ${number === 1 ? noun : plural}`;
}

/**
 * Text of others (file names, lines of manifests, messages of tools) without anything that a terminal would act on:
 * each such character becomes one that is as wide. Line ends and tabs stay.
 */
export function harmless(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) =>
    character === "\n" || character === "\t" ? character : "\ufffd",
  );
}
