// Builds dist/: the command line as ES modules, cut where commands are loaded lazily, so that `--version` reads
// almost nothing. Run by `npm ci` through `prepare`, and by `npm run build`.
import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");

// Bundled CommonJS packages ask for Node's own modules with `require`, which ES modules do not have.
const BANNER = `import { createRequire as __createRequire } from "node:module";
const require = __createRequire(import.meta.url);`;

async function build() {
  const esbuild = await import("esbuild");
  if (existsSync(join(root, "scripts/validators.mjs"))) await import("./validators.mjs");
  // Built beside and moved: neither a failed build nor two at once leave half a dist/.
  const part = join(root, "dist", `.part-${process.pid}`);
  try {
    const result = await esbuild.build({
      absWorkingDir: root,
      entryPoints: { cli: "src/cli.ts" },
      outdir: part,
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "node",
      target: "node20",
      banner: { js: BANNER },
      chunkNames: "chunks/[name]-[hash]",
      sourcemap: "linked",
      metafile: true,
      logLevel: "warning",
    });
    await replaceDist(part);
    return result.metafile;
  } finally {
    await rm(part, { recursive: true, force: true });
  }
}

/** Moves what was built into place: chunks first, the entry that names them last. */
async function replaceDist(part) {
  const old = join(part, "old");
  await rm(old, { recursive: true, force: true });
  if (existsSync(join(dist, "chunks"))) await rename(join(dist, "chunks"), old);
  if (existsSync(join(part, "chunks"))) await rename(join(part, "chunks"), join(dist, "chunks"));
  await rename(join(part, "cli.js.map"), join(dist, "cli.js.map"));
  await rename(join(part, "cli.js"), join(dist, "cli.js"));
}

try {
  const { outputs } = await build();
  const scripts = Object.entries(outputs).filter(([path]) => path.endsWith(".js"));
  const bytes = scripts.reduce((sum, [, output]) => sum + output.bytes, 0);
  console.log(`built dist/: ${scripts.length} modules, ${Math.round(bytes / 1024)} KiB`);
} catch (error) {
  if (error?.code === "ERR_MODULE_NOT_FOUND" && existsSync(join(dist, "cli.js"))) {
    // A production install of a packed copy: dist/ came with it and the development packages did not.
    console.log("kept dist/ as it is: the packages needed to build are not installed");
  } else {
    console.error(error?.errors === undefined ? error : `build failed: ${error.message}`);
    process.exitCode = 1;
  }
}
