// Starting programs from scripts: no shell, output passed through, a missing program is an answer and not a crash.
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

// cron, sudo and some shells leave these out, and the network tools live there.
const SYSTEM_FOLDERS = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"];
const folders = [...new Set([...(process.env.PATH ?? "").split(delimiter), ...SYSTEM_FOLDERS])].filter(Boolean);
process.env.PATH = folders.join(delimiter);

export const isRoot = process.getuid?.() === 0;

/** Full path of a program, or undefined when there is none. */
export function findProgram(name) {
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** Runs a program to its end in the project's folder. Returns its exit code; 127 when it could not be started. */
export function run(program, args, { env = {}, ...options } = {}) {
  const result = spawnSync(program, args, {
    cwd: root,
    stdio: "inherit",
    ...options,
    env: { ...process.env, ...env },
  });
  return result.status ?? 127;
}

/** Runs a program to its end and returns { exitCode, stdout, stderr }. */
export function capture(program, args, { env = {}, ...options } = {}) {
  const result = spawnSync(program, args, {
    cwd: root,
    encoding: "utf8",
    maxBuffer: 1 << 30,
    ...options,
    env: { ...process.env, ...env },
  });
  return {
    exitCode: result.status ?? 127,
    stdout: result.stdout ?? "",
    stderr: result.stderr ?? String(result.error ?? ""),
  };
}

/** Says something that must not be overlooked. */
export function loudly(...lines) {
  const line = "!".repeat(100);
  console.error(`\n${line}\n${lines.map((text) => `!! ${text}`).join("\n")}\n${line}\n`);
}
