// How the demo speaks: plain text in a pipe, a little colour on a terminal.
const coloured = process.stdout.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
const paint = (code) => (text) => (coloured ? `\u001b[${code}m${text}\u001b[0m` : text);
export const bold = paint("1");
export const dim = paint("2");
const green = paint("32");

const WIDTH = 100;
let chapters = 0;

export function say(text = "") {
  console.log(text);
}

export function chapter(title) {
  chapters += 1;
  const heading = `── ${chapters}. ${title} `;
  say(`\n${bold(heading + "─".repeat(Math.max(0, WIDTH - heading.length)))}\n`);
}

export function prompt(command) {
  say(`${dim("$")} ${bold(command)}`);
}

/** One line per name, with a bar as long as its part of the whole. */
export function bars(counts) {
  const total = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const names = Object.keys(counts).sort();
  const width = Math.max(...names.map((name) => name.length), 14);
  for (const name of names) {
    const bar = "█".repeat(Math.max(1, Math.round((counts[name] / total) * 40)));
    say(`    ${name.padEnd(width)} ${String(counts[name]).padStart(4)}  ${green(bar)}`);
  }
}
