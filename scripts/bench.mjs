// `npm run bench`: how long whole runs of the command line take, start-up included, on made-up clusters.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { allocationTimes } from "./bench/allocation.mjs";
import { writeCluster } from "./bench/cluster.mjs";
import { measure } from "./bench/measure.mjs";
import { mebibytes, milliseconds, table } from "./bench/table.mjs";
import { isRoot } from "./setup/run.mjs";
import { setup } from "./setup.mjs";

const ENDPOINTS = 10;
const SIZES = [
  { services: 1_000, compact: true },
  { services: 5_000, compact: true },
  { services: 20_000, compact: true },
  { services: 5_000, compact: false },
];
const RUNS = 5;
const VALIDATE_SIZES = [1_000, 5_000, 10_000];
const VALIDATE_ENDPOINTS = 25;
const NFTABLES_SIZES = ["1000x10", "5000x10", "10000x10", "10000x25"];

async function startUp() {
  const { medianMs, minMs, maxMs } = await measure(["--version"], { runs: 11 });
  console.log(
    `\nstart-up: --version takes ${milliseconds(medianMs)} (${milliseconds(minMs)} … ${milliseconds(maxMs)})`,
  );
}

/** Time and memory of `compile` against the number of Services; linear growth keeps `ms per 1000` even. */
async function compileGrowth(folder) {
  const rows = [];
  for (const { services, compact } of SIZES) {
    const input = join(folder, "cluster.json");
    writeCluster(input, { services, endpoints: ENDPOINTS, compact });
    const output = join(folder, "rules");
    const result = await measure(["compile", "-f", input, "--node-name", "node-0"], { runs: RUNS, output });
    rows.push({ services, compact, input: statSync(input).size, output: statSync(output).size, ...result });
  }
  const [least] = rows;
  console.log(`\ncompile, ${ENDPOINTS} endpoints per Service, JSON input on one line, median of ${RUNS} runs`);
  console.log(
    table(
      [
        "Services",
        "input",
        "rules",
        "time",
        "least … most",
        "processor",
        "peak memory",
        "ms per 1000",
        "against the first row",
      ],
      rows.map((row) => [
        `${row.services.toLocaleString("en")}${row.compact ? "" : ", indented as kubectl prints them"}`,
        mebibytes(row.input / 2 ** 20),
        mebibytes(row.output / 2 ** 20),
        milliseconds(row.medianMs),
        `${milliseconds(row.minMs)} … ${milliseconds(row.maxMs)}`,
        milliseconds(row.cpuMs),
        mebibytes(row.peakMiB),
        Math.round((row.cpuMs / row.services) * 1000),
        `${(row.services / least.services).toFixed(0)}× Services, ${(row.cpuMs / least.cpuMs).toFixed(1)}× processor`,
      ]),
    ),
  );
}

/** `validate` beside what reading and parsing the same file takes in a bare process: the rest is the checks. */
async function validateGrowth(folder) {
  const rows = [];
  for (const services of VALIDATE_SIZES) {
    const input = join(folder, "cluster.json");
    writeCluster(input, { services, endpoints: VALIDATE_ENDPOINTS, compact: true });
    const result = await measure(["validate", "-f", input], { runs: 3 });
    const parse = parseTime(input);
    rows.push({ services, parse, ...result });
  }
  console.log(`\nvalidate, ${VALIDATE_ENDPOINTS} endpoints per Service, JSON input on one line, median of 3 runs`);
  console.log(
    table(
      ["Services", "time", "bare JSON.parse", "beyond parsing", "peak memory"],
      rows.map(({ services, medianMs, parse, peakMiB }) => [
        services.toLocaleString("en"),
        milliseconds(medianMs),
        milliseconds(parse),
        milliseconds(medianMs - parse),
        mebibytes(peakMiB),
      ]),
    ),
  );
}

/** Milliseconds of a process that only reads and parses the file; the least of three. */
function parseTime(file) {
  const program = "JSON.parse(require('fs').readFileSync(process.argv[1], 'utf8'))";
  const times = [1, 2, 3].map(() => {
    const started = process.hrtime.bigint();
    spawnSync(process.execPath, ["-e", program, file]);
    return Number(process.hrtime.bigint() - started) / 1e6;
  });
  return Math.min(...times);
}

/** Needs a kernel that takes orders, and nft; where one is missing it is left out, and that is said. */
function nftables(missing) {
  const lacking = isRoot ? ["nft", "unshare"].filter((tool) => missing.includes(tool)) : ["root"];
  if (lacking.length > 0) {
    console.log(`\nnftables: LEFT OUT, it needs ${lacking.join(" and ")}`);
    return;
  }
  const script = join(import.meta.dirname, "bench/nftables.mjs");
  const { status } = spawnSync("unshare", ["--net", "--", process.execPath, script, ...NFTABLES_SIZES], {
    stdio: "inherit",
  });
  if (status !== 0) throw new Error(`the nftables part ended with ${status}`);
}

const folder = mkdtempSync(join(tmpdir(), "svctables-bench-"));
try {
  const missing = setup();
  console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model ?? "unknown processor"}`);
  await startUp();
  await compileGrowth(folder);
  await validateGrowth(folder);
  await allocationTimes(folder);
  nftables(missing);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
