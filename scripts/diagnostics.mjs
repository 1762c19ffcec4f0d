// Writes docs/diagnostics.md and the fixtures of fixtures/validation from the explanations that the checks carry.
// `--check` writes nothing and fails when a file differs.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const scratch = await mkdtemp(join(tmpdir(), "svctables-diagnostics-"));
const differing = [];

try {
  const bundle = join(scratch, "docs.mjs");
  await build({
    entryPoints: [join(root, "test/support/diagnosticsDocs.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
  const { files } = await import(pathToFileURL(bundle).href);
  for (const [name, text] of await files()) {
    const path = join(root, name);
    const before = await readFile(path, "utf8").catch(() => undefined);
    if (before === text) continue;
    differing.push(name);
    if (process.argv.includes("--check")) continue;
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, text);
  }
} finally {
  await rm(scratch, { recursive: true, force: true });
}

for (const name of differing) console.log(name);
if (process.argv.includes("--check") && differing.length > 0) {
  console.error("these files differ from the checks; run node scripts/diagnostics.mjs");
  process.exitCode = 1;
}
