// The nftables backend against the shape of kube-proxy's nftables mode, side by side. Runs in a network namespace of
// its own: `npm run bench` starts it there. Arguments: SERVICESxENDPOINTS …
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeCluster } from "./cluster.mjs";
import { kubeProxyTable } from "./kubeProxyShape.mjs";
import { measure, once } from "./measure.mjs";
import { milliseconds, table } from "./table.mjs";

const RUNS = 3;

const folder = mkdtempSync(join(tmpdir(), "svctables-bench-nft-"));
const state = join(folder, "state");
const path = (name) => join(folder, name);
const flags = [
  "--backend",
  "nftables",
  "--node-name",
  "node-0",
  "--cluster-cidr",
  "10.128.0.0/9",
  "--state-dir",
  state,
];
const sync = (name) => ["sync", "-f", path(name), ...flags, "--quiet"];

/** Milliseconds of one program, which must succeed. */
function timed(program, args) {
  const started = process.hrtime.bigint();
  const { status, stderr } = spawnSync(program, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
  return Number(process.hrtime.bigint() - started) / 1e6;
}

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** Loading a file into a namespace that holds nothing. */
const loadTime = (file) => timed("unshare", ["--net", "--", "nft", "-f", file]);

/** Medians of two files and of how many times longer the second takes: in turns, since a machine is not always as fast. */
function loadTimes(file, other) {
  const pairs = Array.from({ length: RUNS }, () => [loadTime(file), loadTime(other)]);
  return {
    first: median(pairs.map(([one]) => one)),
    second: median(pairs.map(([, two]) => two)),
    ratio: median(pairs.map(([one, two]) => two / one)),
  };
}

/** Median of going from one input to another and back, so that every run has the same to do. */
async function changeTime(from, to) {
  const times = [];
  await once(sync(from));
  for (let run = 0; run < RUNS; run++) {
    for (const name of [to, from]) times.push(await succeeded(name));
  }
  return median(times);
}

async function succeeded(name) {
  const { ms, exitCode, stderr } = await once(sync(name));
  if (exitCode !== 0) throw new Error(`sync ended with ${exitCode}: ${stderr}`);
  return ms;
}

async function fullTime(name) {
  const times = [];
  for (let run = 0; run < RUNS; run++) {
    await once(["cleanup", "--backend", "nftables", "--state-dir", state, "--quiet"]);
    rmSync(state, { recursive: true, force: true });
    times.push(await succeeded(name));
  }
  return median(times);
}

/** One row: what each step takes for a cluster of this size. */
async function measureSize(services, endpoints) {
  const cluster = (name, options) => writeCluster(path(name), { services, endpoints, compact: true, ...options });
  cluster("base.json", {});
  cluster("endpoint.json", { generation: (service, endpoint) => (service === 7 && endpoint === 3 ? 1 : 0) });
  cluster("percent.json", { generation: (service) => (service % 100 === 7 ? 1 : 0) });
  cluster("service.json", { services: services + 1 });
  await once(["compile", "-f", path("base.json"), "--backend", "nftables", "--node-name", "node-0"], path("ours.nft"));
  writeFileSync(path("kube-proxy.nft"), kubeProxyTable({ services, endpoints }));
  const { first: ours, second: kubeProxy, ratio } = loadTimes(path("ours.nft"), path("kube-proxy.nft"));
  const full = await fullTime("base.json");
  const unchanged = (await measure(sync("base.json"), { runs: RUNS })).medianMs;
  const endpoint = await changeTime("base.json", "endpoint.json");
  const service = await changeTime("base.json", "service.json");
  const percent = await changeTime("base.json", "percent.json");
  return [
    `${services.toLocaleString("en")} × ${endpoints}`,
    ...[full, endpoint, service, percent, unchanged, ours, kubeProxy].map(milliseconds),
    `${ratio.toFixed(1)}×`,
    `${(kubeProxy / full).toFixed(1)}×`,
  ];
}

try {
  const rows = [];
  for (const size of process.argv.slice(2)) {
    const [services, endpoints] = size.split("x").map(Number);
    rows.push(await measureSize(services, endpoints));
  }
  console.log(`\nnftables: whole runs of sync, JSON input on one line, median of ${RUNS} runs`);
  console.log(
    table(
      [
        "cluster",
        "full sync",
        "1 endpoint",
        "1 Service",
        "1 % replaced",
        "no change",
        "our nft -f",
        "kube-proxy's nft -f",
        "against nft -f",
        "against full sync",
      ],
      rows,
    ),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
