// `npm test`: set-up, types, lint and format, the fast tests, the tests on a real kernel. Its last line is the count.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ensureNewerNft } from "./setup/newerNft.mjs";
import { isRoot, loudly, root, run } from "./setup/run.mjs";
import { setup } from "./setup.mjs";

const started = Date.now();
const required = process.env.CI === "true";
const scratch = mkdtempSync(join(tmpdir(), "svctables-test-"));
const counts = { passed: 0, failed: 0, skipped: 0 };

function add({ passed = 0, failed = 0, skipped = 0 }) {
  counts.passed += passed;
  counts.failed += failed;
  counts.skipped += skipped;
}

/** A check that is one success or one failure as a whole. */
function check(title, script, args) {
  console.log(`\n── ${title}`);
  const exitCode = run(process.execPath, [join(root, "node_modules", script), ...args]);
  add(exitCode === 0 ? { passed: 1 } : { failed: 1 });
  if (exitCode !== 0) console.error(`${title}: FAILED`);
}

/** One vitest project, counted test by test. */
function suite(title, project) {
  console.log(`\n── ${title}`);
  const report = join(scratch, `${project}.json`);
  const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
  const args = ["node_modules/vitest/vitest.mjs", "run", "--project", project, ...reporters];
  const exitCode = run(process.execPath, args);
  const result = countTests(report);
  // Errors outside any test fail the run and belong to no count.
  if (exitCode !== 0 && result.failed === 0) result.failed = 1;
  add(result);
}

function countTests(report) {
  try {
    const { testResults, numPassedTests, numFailedTests, numPendingTests, numTodoTests } = JSON.parse(
      readFileSync(report, "utf8"),
    );
    // A file that does not load has no tests of its own to count.
    const broken = testResults.filter(
      ({ status, assertionResults }) =>
        status === "failed" && assertionResults.every((test) => test.status !== "failed"),
    ).length;
    return { passed: numPassedTests, failed: numFailedTests + broken, skipped: numPendingTests + numTodoTests };
  } catch (error) {
    console.error(`no report of the tests: ${error.message}`);
    return { passed: 0, failed: 1, skipped: 0 };
  }
}

/** The tests that need a kernel, or a loud word on why they were left out. */
function kernelSuite(missing) {
  const reasons = [
    ...(isRoot ? [] : ["NOT RUN AS ROOT"]),
    ...(missing.length > 0 ? [`MISSING PROGRAMS: ${missing.join(", ")}`] : []),
  ];
  if (reasons.length === 0) {
    // Without it, the tests that want it fail where CI=true, and say elsewhere that they were left out.
    ensureNewerNft();
    suite("tests on the kernel", "kernel");
    if (required) return;
    return loudly(
      "LEFT TO CI: changes under load, and the packet tables on iptables-legacy with IPv6 and on the newer nft",
      "To run them here: CI=true npm test",
    );
  }
  loudly("THE TESTS ON THE KERNEL WERE LEFT OUT", ...reasons, "To run them: sudo npm test");
  if (required) add({ failed: 1 });
}

try {
  const missing = setup();
  check("types", "typescript/bin/tsc", ["--noEmit"]);
  check("lint and format", "@biomejs/biome/bin/biome", ["check", "--error-on-warnings"]);
  suite("fast tests", "fast");
  kernelSuite(missing);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

if (counts.skipped > 0) {
  loudly(`${counts.skipped} TESTS WERE SKIPPED`);
  if (required) add({ failed: counts.skipped });
}
const seconds = (Date.now() - started) / 1000;
console.log(`\nafter ${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed > 0 ? 1 : 0;
