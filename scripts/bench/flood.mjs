// A lane through a node, for many new flows: a sender, the node, and a sink that takes whatever leaves the node. The
// sender is a Perl script, since Node.js has no raw sockets.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { capture } from "../setup/run.mjs";

const SENDER = fileURLToPath(new URL("flood.pl", import.meta.url));

/** Source addresses, which the node finds at the sender. */
export const SOURCES = { first: "10.180.128.0", cidr: "10.180.128.0/17", count: 32_768 };

/** The two links: what the node calls them, and both their ends. */
const LINKS = {
  sender: { name: "sender", node: "100.64.2.1", peer: "100.64.2.2", macs: ["02:00:00:00:02:01", "02:00:00:00:02:02"] },
  sink: { name: "sink", node: "100.64.3.1", peer: "100.64.3.2", macs: ["02:00:00:00:03:01", "02:00:00:00:03:02"] },
};

/**
 * Connects three namespaces that exist and are empty. Nothing on the lane has to be learned or to be looked up
 * elsewhere, and the node forgets silent flows after a second, or its table of connections would overflow.
 */
export function wireLane({ sender, node, sink }) {
  for (const namespace of [sender, node, sink]) {
    sysctl(namespace, "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0");
    ip("-n", namespace, "link", "set", "lo", "up");
  }
  addLink(LINKS.sender, node, sender);
  addLink(LINKS.sink, node, sink);
  ip("-n", sender, "route", "add", "default", "via", LINKS.sender.node);
  ip("-n", node, "route", "add", SOURCES.cidr, "via", LINKS.sender.peer);
  ip("-n", node, "route", "add", "default", "via", LINKS.sink.peer);
  sysctl(node, "net.ipv4.ip_forward=1", "net.netfilter.nf_conntrack_udp_timeout=1");
}

function addLink({ name, node, peer, macs }, nodeNamespace, peerNamespace) {
  const far = ["name", "eth0", "netns", peerNamespace, "address", macs[1]];
  ip("link", "add", name, "netns", nodeNamespace, "address", macs[0], "type", "veth", "peer", ...far);
  for (const [namespace, device, address, other, mac] of [
    [nodeNamespace, name, node, peer, macs[1]],
    [peerNamespace, "eth0", peer, node, macs[0]],
  ]) {
    ip("-n", namespace, "address", "add", `${address}/24`, "dev", device);
    ip("-n", namespace, "link", "set", device, "up");
    ip("-n", namespace, "neighbour", "replace", other, "lladdr", mac, "dev", device, "nud", "permanent");
  }
}

/**
 * Starts to send new UDP flows from a namespace; see flood.pl for the options. `stop` ends it early. Both `ended` and
 * `stop` give { sent, seconds }, with the option `timed` also { meanMicroseconds, medianMicroseconds }.
 */
export function startFlood(namespace, options) {
  const words = Object.entries({ source: SOURCES.first, ...options }).map(([key, value]) => `${key}=${value}`);
  const child = spawn("ip", ["netns", "exec", namespace, "perl", SENDER, ...words], { stdio: "pipe" });
  const ended = resultOf(child);
  // Whoever waits for it gets the error, too.
  ended.catch(() => undefined);
  return {
    ended,
    stop() {
      child.stdin.end();
      return ended;
    },
  };
}

async function resultOf(child) {
  const exitCode = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  // The sender may have gone by itself before.
  child.stdin.on("error", () => undefined);
  const [output, errors, code] = await Promise.all([text(child.stdout), text(child.stderr), exitCode]);
  if (code !== 0) throw new Error(`the sender ended with ${code}: ${errors.trim()}`);
  return JSON.parse(output);
}

async function text(stream) {
  let all = "";
  for await (const chunk of stream.setEncoding("utf8")) all += chunk;
  return all;
}

function ip(...args) {
  must("ip", args);
}

function sysctl(namespace, ...settings) {
  must("ip", ["netns", "exec", namespace, "sysctl", "-q", "-w", ...settings]);
}

function must(program, args) {
  const { exitCode, stderr } = capture(program, args);
  if (exitCode !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`);
}
