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

/** What a terminal would act on, or would not show. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

/**
 * Text of others (lines of manifests, messages of tools) without anything that a terminal would act on: each such
 * character becomes one that is as wide. Line ends and tabs stay.
 */
export function harmless(text: string): string {
  return text.replace(UNSEEN, (character) => (character === "\n" || character === "\t" ? character : "\ufffd"));
}

/** A text of others that belongs on one line, such as a file's name: what is unseen shows as \uXXXX, line ends as well. */
export function oneLine(text: string): string {
  return text.replace(UNSEEN, escaped);
}

/** JSON that means the same, with nothing unseen in its texts. */
export function harmlessJson(json: string): string {
  return json.replace(UNSEEN, (character) => (character === "\n" ? character : escaped(character)));
}

function escaped(character: string): string {
  const units = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`).join("");
}
