// Feeds mutated manifests to the reading and checking of input: node scripts/fuzz.mjs [COUNT] [SEED].
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const [count = "100000", seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
const scratch = await mkdtemp(join(tmpdir(), "svctables-fuzz-"));

try {
  const bundle = join(scratch, "fuzz.mjs");
  await build({
    entryPoints: [join(root, "test/support/inputFuzz.ts")],
    outfile: bundle,
    bundle: true,
    platform: "node",
    format: "esm",
    logLevel: "error",
  });
  const { fuzz } = await import(pathToFileURL(bundle).href);
  const started = performance.now();
  const { texts, manifests, diagnostics, slowestMs, codes } = await fuzz({
    count: Number(count),
    seed: Number(seed),
    root,
  });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `seed ${seed}: ${texts} texts in ${seconds} s, ${manifests} manifests came through, ${diagnostics} findings of ${codes.size} codes, slowest ${slowestMs.toFixed(0)} ms`,
  );
} finally {
  await rm(scratch, { recursive: true, force: true });
}
