// Everything that the demo and the tests need: node packages, dist/, the system's tools. Does nothing that is done already.
// By hand: `node scripts/setup.mjs`, with `--newer-nft` also a newer nft for comparison.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureNewerNft } from "./setup/newerNft.mjs";
import { loudly, root, run } from "./setup/run.mjs";
import { ensureTools } from "./setup/tools.mjs";

/** Runs `npm ci` (which also builds) when node_modules/ is missing or differs from package-lock.json. */
export function ensurePackages() {
  if (packagesAreFresh()) return;
  console.log("installing the node packages …");
  mustRun("npm", ["ci", "--no-audit", "--no-fund"]);
}

function packagesAreFresh() {
  const installed = packagesOf(join(root, "node_modules/.package-lock.json"));
  if (installed === undefined) return false;
  const wanted = packagesOf(join(root, "package-lock.json")) ?? {};
  return Object.entries(wanted).every(([path, { version, optional }]) => {
    if (path === "") return true;
    // Optional packages are those of other platforms.
    return installed[path] === undefined ? optional === true : installed[path].version === version;
  });
}

function packagesOf(lockFile) {
  return existsSync(lockFile) ? JSON.parse(readFileSync(lockFile, "utf8")).packages : undefined;
}

/** Builds when something that dist/ is made from is newer than dist/. */
export function ensureBuilt() {
  const built = join(root, "dist/cli.js");
  const age = existsSync(built) ? statSync(built).mtimeMs : 0;
  const sources = readdirSync(join(root, "src"), { recursive: true })
    .filter((name) => /\.ts$/.test(name) && !/\.generated\./.test(name))
    .map((name) => join(root, "src", name));
  const others = ["package.json", "package-lock.json", "scripts/build.mjs", "scripts/validators.mjs"];
  const inputs = [...sources, ...others.map((name) => join(root, name))];
  if (inputs.every((path) => statSync(path).mtimeMs <= age)) return;
  mustRun(process.execPath, ["scripts/build.mjs"]);
}

/** The whole set-up. Returns the system programs that are missing and could not be installed. */
export function setup() {
  ensurePackages();
  ensureBuilt();
  return ensureTools();
}

function mustRun(program, args) {
  const exitCode = run(program, args);
  if (exitCode === 0) return;
  loudly(`SET-UP FAILED: ${[program, ...args].join(" ")} ended with ${exitCode}`);
  process.exit(1);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const missing = setup();
  const newer = process.argv.includes("--newer-nft") ? ensureNewerNft() : "";
  process.exitCode = missing.length > 0 || newer === undefined ? 1 : 0;
}
