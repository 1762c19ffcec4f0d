/**
 * Runs the program of this namespace again and again in one process, each time from its command line on: what a
 * start of Node takes is more than all the rest of a scenario. Reads JSON lines from standard input:
 *
 *   { id, cli, args, input } → { id, exitCode, stdout, stderr }
 *
 * `cli` is the program's module. It ends when its standard input does, so that it never outlives the test.
 */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { pathToFileURL } from "node:url";

const own = { stdin: process.stdin, write: process.stdout.write.bind(process.stdout) };
process.stdout.setMaxListeners(0);
process.stderr.setMaxListeners(0);

/** The standard streams as this run of the program sees them. */
function redirect(input, said) {
  Object.defineProperty(process, "stdin", { value: Readable.from([Buffer.from(input)]), configurable: true });
  for (const name of ["stdout", "stderr"]) {
    process[name].write = (text) => {
      said[name] += text;
      return true;
    };
  }
}

async function run({ id, cli, args, input }) {
  const said = { stdout: "", stderr: "" };
  redirect(input, said);
  process.argv.splice(1, process.argv.length, cli, ...args);
  process.exitCode = undefined;
  // Under another name a module is loaded anew, and runs.
  await import(`${pathToFileURL(cli).href}?run=${id}`);
  return { id, exitCode: process.exitCode, ...said };
}

const lines = createInterface({ input: own.stdin });
for await (const line of lines) own.write(`${JSON.stringify(await run(JSON.parse(line)))}\n`);
process.exitCode = 0;
