import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { execa, execaSync } from "execa";

/** Network namespaces of one test run: made with unique names, removed even when the test process is killed. */

const JANITOR = fileURLToPath(new URL("janitor.mjs", import.meta.url));

/** Outlives this process for a moment: it cleans up once its standard input ends. */
function startJanitor(): (name: string) => void {
  const janitor = execa(process.execPath, [JANITOR], {
    buffer: false,
    cleanup: false,
    detached: true,
    reject: false,
    stdout: "ignore",
    stderr: "inherit",
  });
  janitor.unref();
  return (name) => janitor.stdin.write(`${name}\n`);
}

let janitor: ((name: string) => void) | undefined;

/** A prefix that no other run uses: process id and random letters. */
export function uniquePrefix(): string {
  return `svct-${process.pid}-${randomBytes(3).toString("hex")}`;
}

export function addNamespace(name: string): void {
  janitor ??= startJanitor();
  janitor(name);
  ip(["netns", "add", name]);
  inNamespace(name, "ip", ["link", "set", "lo", "up"]);
}

export function deleteNamespace(name: string): void {
  ip(["netns", "del", name]);
}

export function ip(args: readonly string[]): void {
  execaSync("ip", args);
}

/** Runs a program inside a namespace, waits for it and returns its output; throws when it fails. */
export function inNamespace(name: string, program: string, args: readonly string[], input?: string): string {
  const options = input === undefined ? {} : { input };
  return execaSync("ip", ["netns", "exec", name, program, ...args], { ...options, stripFinalNewline: false }).stdout;
}

/** Sets sysctls inside a namespace; those that this kernel lacks are passed over. */
export function sysctl(name: string, settings: Readonly<Record<string, string>>): void {
  const words = Object.entries(settings).map(([key, value]) => `${key}=${value}`);
  inNamespace(name, "sysctl", ["-q", "-e", "-w", ...words]);
}
