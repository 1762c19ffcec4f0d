// `npm run demo`: a small shop's Services become packet rules; as root they are also applied and tried, in a network of
// their own that is gone afterwards. Nothing on this machine is changed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { table } from "./bench/table.mjs";
import { Lab, mayMakeNamespaces } from "./demo/lab.mjs";
import { bars, chapter, dim, prompt, say } from "./demo/print.mjs";
import { capture, isRoot, loudly, root } from "./setup/run.mjs";
import { setup } from "./setup.mjs";

const CLI = join(root, "bin/svctables.js");
const MANIFESTS = "fixtures/demo";
const NODE = "shop-node-1";
const NODE_ADDRESS = "192.0.2.11";
const SERVICE_CIDR = "10.96.0.0/12";
const CONNECTIONS = 60;

const INPUT = ["-f", MANIFESTS, "--node-name", NODE];

/** Runs the command line, here or on the lab's node, shows what it prints, and stops the demo if it fails. */
function svctables(args, { lab, stateDir, expected = [0] } = {}) {
  prompt(["svctables", ...args].join(" "));
  const hidden = stateDir === undefined ? [] : ["--state-dir", stateDir];
  const command = [CLI, ...args, ...hidden];
  const result = lab === undefined ? capture(process.execPath, command) : lab.onNode(process.execPath, command);
  say(`${result.stdout}${result.stderr}`.trimEnd());
  if (!expected.includes(result.exitCode)) throw new Error(`svctables ${args[0]} ended with ${result.exitCode}`);
}

/** The Services as this node serves them: what `compile --emit model` prints. */
function readModel() {
  const { exitCode, stdout, stderr } = capture(process.execPath, [CLI, "compile", ...INPUT, "--emit", "model"]);
  if (exitCode !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

function summary(servicePorts) {
  const rows = servicePorts.map(({ name, clusterIP, port, nodePort, affinitySeconds, endpoints }) => {
    const usable = endpoints.cluster.length;
    return [
      name.text,
      `${clusterIP}:${port}`,
      nodePort === 0 ? "–" : `any address:${nodePort}`,
      `${usable} of ${endpoints.all.length}`,
      usable === 0 ? "nobody: refused" : `${(100 / usable).toFixed(1)} % of connections`,
      affinitySeconds === undefined ? "" : `one client, one Pod for ${affinitySeconds} s`,
    ];
  });
  say(table(["Service port", "cluster IP", "NodePort", "Pods ready", "each Pod gets", ""], rows));
}

// ── On a kernel ──────────────────────────────────────────────────────────────────────────────────

/** Everything that can answer: each Pod's address with the ports it serves, ready or not. */
function podsOf(servicePorts) {
  const pods = new Map();
  for (const { name, endpoints } of servicePorts) {
    endpoints.all.forEach(({ ip, port }) => {
      const pod = pods.get(ip) ?? { ip, name: `${name.name}-${Number(ip.split(".").at(-1)) % 10}`, ports: [] };
      pods.set(ip, { ...pod, ports: [...pod.ports, port] });
    });
  }
  return [...pods.values()];
}

async function onAKernel(servicePorts, stateDir) {
  const lab = new Lab();
  const interrupted = () => {
    lab.close();
    rmSync(stateDir, { recursive: true, force: true });
    process.exit(130);
  };
  process.on("SIGINT", interrupted).on("SIGTERM", interrupted);
  try {
    chapter("A network to try it in");
    lab.build(NODE_ADDRESS, SERVICE_CIDR);
    const pods = podsOf(servicePorts);
    for (const { name, ip, ports } of pods) await lab.addPod(name, ip, ports);
    say(
      `A node (${NODE_ADDRESS}), a client beside it, and ${pods.length} Pods' stand-ins behind it, which answer with`,
    );
    say(`their names: ${pods.map(({ name }) => name).join(", ")}.`);
    const onNode = { lab, stateDir };
    chapter("Apply");
    svctables(["sync", ...INPUT], onNode);
    chapter("Who answers?");
    for (const servicePort of servicePorts) ask(lab, servicePort);
    chapter("And again: nothing left to do");
    svctables(["sync", ...INPUT, "--verbose"], onNode);
    svctables(["diff", ...INPUT], onNode);
    chapter("The same with nftables: new rules in first, then the old ones out");
    svctables(["sync", ...INPUT, "--backend", "nftables"], onNode);
    say();
    for (const servicePort of servicePorts.filter(({ nodePort }) => nodePort !== 0)) ask(lab, servicePort);
    chapter("Clean up");
    svctables(["cleanup"], onNode);
  } finally {
    lab.close();
    process.off("SIGINT", interrupted).off("SIGTERM", interrupted);
  }
  say("\nThe network is gone, and this machine's own rules were never touched.");
}

function ask(lab, { name, clusterIP, port, nodePort, endpoints, affinitySeconds }) {
  const targets = [[clusterIP, port, "cluster IP"]];
  if (nodePort !== 0) targets.push([NODE_ADDRESS, nodePort, "NodePort"]);
  for (const [address, number, kind] of targets) {
    const counts = lab.connect(address, number, CONNECTIONS);
    say(`${name.text} ${dim(`${kind} ${address}:${number}, ${CONNECTIONS} connections`)}`);
    bars(counts);
    check(name, Object.keys(counts), { usable: endpoints.cluster.length, sticky: affinitySeconds !== undefined });
  }
}

/** What was seen must be what the rules promise. */
function check({ text, name }, answers, { usable, sticky }) {
  const expected = sticky ? Math.min(1, usable) : usable;
  const right =
    usable === 0
      ? answers.join() === "refused"
      : answers.length === expected && answers.every((answer) => answer.startsWith(`${name}-`));
  if (!right) throw new Error(`${text}: ${answers.join(", ")} answered, expected ${expected || "no"} Pods`);
}

/** Why the rules cannot be tried on a kernel here, or undefined if they can. */
function obstacle(missing) {
  if (!isRoot) return "this user is not root";
  if (missing.length > 0) return `programs are missing: ${missing.join(", ")}`;
  const refusal = mayMakeNamespaces();
  return refusal === undefined ? undefined : `this system lets nobody make network namespaces (${refusal})`;
}

const missing = setup();
const stateDir = mkdtempSync(join(tmpdir(), "svctables-demo-"));
try {
  chapter("From manifests to rules");
  svctables(["validate", "-f", MANIFESTS]);
  say();
  svctables(["compile", ...INPUT]);
  chapter("What they mean");
  const servicePorts = readModel();
  summary(servicePorts);
  const reason = obstacle(missing);
  if (reason === undefined) await onAKernel(servicePorts, stateDir);
  else {
    loudly(
      `LEFT OUT: applying the rules and sending connections, because ${reason}.`,
      "To see it: sudo npm run demo (all of it happens in network namespaces that are removed again)",
    );
  }
} catch (error) {
  loudly(`THE DEMO FAILED: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(stateDir, { recursive: true, force: true });
}
