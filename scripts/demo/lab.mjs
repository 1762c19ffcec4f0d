// A throw-away network: a node, a client beside it and Pods' stand-ins behind it, each in a namespace of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { capture } from "../setup/run.mjs";

const script = (name) => fileURLToPath(new URL(name, import.meta.url));

/** What Pods use as their gateway; the same on every link, as it never leaves it. */
const GATEWAY = "169.254.1.1";
const CLIENT_ADDRESS = "192.0.2.50";

/** Whether this user may make network namespaces; the reason if not. */
export function mayMakeNamespaces() {
  const { exitCode, stderr } = capture("unshare", ["--net", "--mount", "true"]);
  return exitCode === 0 ? undefined : stderr.trim() || "unshare failed";
}

/** An empty lab. Nothing is made yet; `close` removes whatever was made until then. */
export class Lab {
  #prefix = `svct-demo-${process.pid}`;
  #namespaces = [];
  #standIns = [];

  get node() {
    return `${this.#prefix}-node`;
  }

  get client() {
    return `${this.#prefix}-client`;
  }

  /**
   * The node with its address, the client on the same network, and the client's way to the cluster IPs.
   * @param address the node's IPv4 address, inside 192.0.2.0/24
   */
  build(address, serviceCIDR) {
    this.#addNamespace(this.node);
    this.#addNamespace(this.client);
    ip("-n", this.node, "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", this.client);
    ip("-n", this.node, "address", "add", `${address}/24`, "dev", "uplink");
    ip("-n", this.client, "address", "add", `${CLIENT_ADDRESS}/24`, "dev", "eth0");
    ip("-n", this.node, "link", "set", "uplink", "up");
    ip("-n", this.client, "link", "set", "eth0", "up");
    ip("-n", this.client, "route", "add", serviceCIDR, "via", address);
    // Refusals happen on the way through, so the node must believe that there is a way on.
    ip("-n", this.node, "route", "add", "default", "via", CLIENT_ADDRESS);
    this.#sysctl("net/ipv4/ip_forward", "1");
    // Otherwise the kernel answers only a few refused connections per second.
    this.#sysctl("net/ipv4/icmp_ratelimit", "0");
  }

  /** A Pod's stand-in behind the node: listens on `ports` of `address` and answers with its name. */
  async addPod(name, address, ports) {
    const namespace = `${this.#prefix}-${name}`;
    const link = `pod${this.#standIns.length}`;
    this.#addNamespace(namespace);
    ip("-n", this.node, "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace);
    ip("-n", this.node, "address", "add", `${GATEWAY}/32`, "dev", link);
    ip("-n", this.node, "link", "set", link, "up");
    ip("-n", this.node, "route", "add", `${address}/32`, "dev", link);
    ip("-n", namespace, "address", "add", `${address}/32`, "dev", "eth0");
    ip("-n", namespace, "link", "set", "eth0", "up");
    ip("-n", namespace, "route", "add", `${GATEWAY}/32`, "dev", "eth0");
    ip("-n", namespace, "route", "add", "default", "via", GATEWAY);
    const args = ["netns", "exec", namespace, process.execPath, script("standIn.mjs"), name, ...ports.map(String)];
    const child = spawn("ip", args, { stdio: ["pipe", "pipe", "inherit"] });
    this.#standIns.push(child);
    const [ready] = await Promise.race([once(child.stdout, "data"), once(child, "close").then(() => [undefined])]);
    if (ready === undefined) throw new Error(`the stand-in of Pod ${name} did not start`);
  }

  /** Runs a program on the node. Returns { exitCode, stdout, stderr }. */
  onNode(program, args) {
    return capture("ip", ["netns", "exec", this.node, program, ...args]);
  }

  /** Connects from the client. Returns how often each name answered. */
  connect(address, port, times) {
    const args = [process.execPath, script("client.mjs"), address, String(port), String(times)];
    return JSON.parse(must("ip", ["netns", "exec", this.client, ...args]));
  }

  /** Ends the stand-ins and removes the namespaces, and with them every rule made in them. */
  close() {
    for (const child of this.#standIns.splice(0)) child.kill("SIGKILL");
    for (const namespace of this.#namespaces.splice(0)) capture("ip", ["netns", "delete", namespace]);
  }

  #addNamespace(name) {
    this.#namespaces.push(name);
    ip("netns", "add", name);
    ip("-n", name, "link", "set", "lo", "up");
  }

  #sysctl(key, value) {
    must("ip", ["netns", "exec", this.node, "tee", `/proc/sys/${key}`], { input: value });
  }
}

const ip = (...args) => must("ip", args);

function must(program, args, options) {
  const { exitCode, stdout, stderr } = capture(program, args, options);
  if (exitCode !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`);
  return stdout;
}
