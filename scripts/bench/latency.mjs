// What the rules add to the first packet of a flow, by the shape of the rules and the number of Services.
//
// A packet crosses a veth pair within the very call that sends it: when `send` returns, the node has taken it through
// all its hooks and the sink has counted it. So the time of that call, less the time where the node only forwards, is
// what connection tracking and the rules cost. All shapes stand at once, each in namespaces of its own, and are
// measured in turn, so that whatever else the machine does meets all of them.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { capture, root } from "../setup/run.mjs";
import { clusterIPOf, writeCluster } from "./cluster.mjs";
import { startFlood, wireLane } from "./flood.mjs";
import { kubeProxyTable } from "./kubeProxyShape.mjs";
import { table } from "./table.mjs";

const DEFAULTS = { sizes: [10_000, 30_000], endpoints: 2, rounds: 7, flows: 5_000 };
/** Wider than the cluster IPs, as the first address of the range belongs to Service default/kubernetes. */
const SERVICE_CIDR = "10.64.0.0/10";
const PORT = 80;

/** Lines for one run of nft: a transaction with very many chains takes quadratic time. */
const LINES_PER_RUN = 10_000;

/**
 * Returns rows { rules, services, meanMicroseconds, medianMicroseconds, addedMean, addedMedian }: the time to send a
 * first packet through the node, and how much more that is than without rules. Needs root, and dist/.
 */
export async function measureLatency(options = {}) {
  const { sizes, endpoints, rounds, flows } = { ...DEFAULTS, ...options };
  const folder = mkdtempSync(join(tmpdir(), "svctables-latency-"));
  const lanes = [];
  const removeAll = () => {
    for (const lane of lanes.splice(0)) removeLane(lane);
    rmSync(folder, { recursive: true, force: true });
  };
  process.once("exit", removeAll);
  try {
    for (const { load, ...subject } of subjects(sizes, endpoints, folder)) {
      const lane = { ...subject, ...namespaces(lanes.length), results: [] };
      lanes.push(lane);
      addLane(lane);
      await load(lane.node);
    }
    // The first round only warms up.
    for (let round = 0; round <= rounds; round++) {
      for (const lane of lanes) lane.results.push(await sendThrough(lane, round, flows));
    }
    return rowsOf(lanes);
  } finally {
    process.off("exit", removeAll);
    removeAll();
  }
}

/** The rows as text, with what they mean. */
export function latencyText(rows) {
  const micro = (value) => value.toFixed(1);
  const cells = rows.map((row) => [
    row.rules,
    row.services === 0 ? "–" : row.services.toLocaleString("en"),
    micro(row.meanMicroseconds),
    micro(row.medianMicroseconds),
    micro(row.addedMean),
    micro(row.addedMedian),
  ]);
  return table(["µs for a first packet", "Services", "mean", "median", "added, mean", "added, median"], cells);
}

// ── What is compared ─────────────────────────────────────────────────────────────────────────────

function subjects(sizes, endpoints, folder) {
  return [
    { rules: "none, forwarding only", services: 0, translates: false, load: () => undefined },
    { rules: "one nat rule", services: 0, translates: true, load: (node) => feed(node, "nft", ONE_RULE) },
    ...sizes.flatMap((services) => {
      const cluster = join(folder, `${services}.json`);
      const of = (rules, load) => ({ rules, services, translates: true, load });
      return [
        of("svctables, nftables", (node) => {
          writeUdpCluster(cluster, services, endpoints);
          feed(node, "nft", compiled(cluster, "nftables"));
        }),
        of("kube-proxy's nftables shape", (node) => feedInParts(node, asUdp(kubeProxyTable({ services, endpoints })))),
        of("iptables-legacy", (node) =>
          feed(node, "iptables-legacy-restore", compiled(cluster, "iptables", "--iptables-variant", "legacy")),
        ),
      ];
    }),
  ];
}

const ONE_RULE = `
table ip nat {
  chain prerouting {
    type nat hook prerouting priority -100
    ip daddr ${SERVICE_CIDR} udp dport ${PORT} dnat to 10.128.0.1:8080
  }
}
`;

function writeUdpCluster(path, services, endpoints) {
  writeCluster(path, { services, endpoints });
  writeFileSync(path, readFileSync(path, "utf8").replaceAll('"protocol": "TCP"', '"protocol": "UDP"'));
}

function asUdp(rules) {
  return rules.replaceAll(". tcp .", ". udp .").replaceAll("meta l4proto tcp", "meta l4proto udp");
}

function compiled(cluster, backend, ...more) {
  const program = [join(root, "bin/svctables.js"), "compile", "-f", cluster, "--backend", backend, ...more];
  return must(process.execPath, [...program, "--ip-family", "ipv4", "--service-cidr", SERVICE_CIDR]);
}

function feed(namespace, program, input) {
  const args = program === "nft" ? ["-f", "-"] : ["--noflush", "-w", "60"];
  must("ip", ["netns", "exec", namespace, program, ...args], input);
}

/** In which transaction a rule came makes no difference to packets. */
function feedInParts(namespace, text) {
  const lines = text.split("\n");
  for (let from = 0; from < lines.length; from += LINES_PER_RUN) {
    feed(namespace, "nft", `${lines.slice(from, from + LINES_PER_RUN).join("\n")}\n`);
  }
}

// ── Lanes ────────────────────────────────────────────────────────────────────────────────────────

function namespaces(index) {
  const prefix = `svct-latency-${process.pid}-${index}`;
  return { sender: `${prefix}-sender`, node: `${prefix}-node`, sink: `${prefix}-sink` };
}

function addLane({ sender, node, sink }) {
  for (const namespace of [sender, node, sink]) must("ip", ["netns", "add", namespace]);
  wireLane({ sender, node, sink });
  feed(sink, "nft", SINK);
}

function removeLane({ sender, node, sink }) {
  for (const namespace of [sender, node, sink]) capture("ip", ["netns", "del", namespace]);
}

/** The sink takes everything, and counts what was translated. */
const SINK = `
table ip flood {
  counter translated { }
  chain arrivals {
    type filter hook prerouting priority -300; policy drop;
    udp dport 8080 counter name translated
  }
}
`;

/** Flows to Services picked by chance; whatever was sent must have been translated. */
async function sendThrough({ sender, sink, services, translates }, round, flows) {
  const options = { target: clusterIPOf(0), targets: Math.max(services, 1), port: PORT };
  const before = translated(sink);
  const result = await startFlood(sender, { ...options, count: flows, first: round * flows, timed: 1 }).ended;
  const arrived = translated(sink) - before;
  if (arrived !== (translates ? flows : 0)) throw new Error(`${arrived} of ${flows} flows were translated`);
  return result;
}

function translated(sink) {
  const listing = must("ip", ["netns", "exec", sink, "nft", "list", "counter", "ip", "flood", "translated"]);
  return Number(/packets (\d+)/.exec(listing)?.[1]);
}

/** Of each figure the median of all rounds but the first. */
function rowsOf(lanes) {
  const rows = lanes.map(({ rules, services, results }) => ({
    rules,
    services,
    meanMicroseconds: median(results.slice(1).map((result) => result.meanMicroseconds)),
    medianMicroseconds: median(results.slice(1).map((result) => result.medianMicroseconds)),
  }));
  const [plain] = rows;
  return rows.map((row) => ({
    ...row,
    addedMean: row.meanMicroseconds - plain.meanMicroseconds,
    addedMedian: row.medianMicroseconds - plain.medianMicroseconds,
  }));
}

const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];

function must(program, args, input) {
  const options = input === undefined ? { stdio: ["ignore", "pipe", "pipe"] } : { input };
  const { exitCode, stdout, stderr } = capture(program, args, options);
  if (exitCode !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${exitCode}: ${stderr.trim()}`);
  return stdout;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => process.exit(130));
  const sizes = process.argv.slice(2).map(Number);
  console.log(latencyText(await measureLatency(sizes.length > 0 ? { sizes } : {})));
}
