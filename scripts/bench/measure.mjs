// Whole-process measurements of the command line.
import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { root } from "../setup/run.mjs";

const preload = pathToFileURL(join(root, "scripts/bench/usage.mjs")).href;

/**
 * Runs `svctables …args` once. Returns { ms, cpuMs, peakMiB, exitCode, stderr }; standard output
 * goes to the file `output`.
 */
export async function once(args, output = "/dev/null") {
  const target = openSync(output, "w");
  try {
    const started = process.hrtime.bigint();
    const child = spawn(process.execPath, ["--import", preload, join(root, "bin/svctables.js"), ...args], {
      stdio: ["ignore", target, "pipe", "pipe"],
    });
    const [exitCode, stderr, usage] = await Promise.all([ended(child), text(child.stdio[2]), text(child.stdio[3])]);
    const ms = Number(process.hrtime.bigint() - started) / 1e6;
    const { maxRSS, cpu } = JSON.parse(usage);
    return { ms, cpuMs: cpu / 1000, peakMiB: maxRSS / 1024, exitCode, stderr };
  } finally {
    closeSync(target);
  }
}

/**
 * Median, least and most of several runs' times, median processor time and peak memory, after one that warms the file cache.
 * Throws when a run does not end with one of the `expected` exit codes.
 */
export async function measure(args, { runs = 5, output, expected = [0] } = {}) {
  const results = [];
  for (let run = 0; run <= runs; run++) {
    const result = await once(args, output);
    if (!expected.includes(result.exitCode)) {
      throw new Error(`svctables ${args.join(" ")} ended with ${result.exitCode}: ${result.stderr.trim()}`);
    }
    if (run > 0) results.push(result);
  }
  const times = sorted(results.map(({ ms }) => ms));
  return {
    medianMs: median(times),
    minMs: times[0],
    maxMs: times[times.length - 1],
    cpuMs: median(sorted(results.map(({ cpuMs }) => cpuMs))),
    peakMiB: Math.max(...results.map(({ peakMiB }) => peakMiB)),
  };
}

const sorted = (numbers) => numbers.sort((a, b) => a - b);
const median = (numbers) => numbers[Math.floor(numbers.length / 2)];

const ended = (child) =>
  new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code));
  });

async function text(stream) {
  let all = "";
  for await (const chunk of stream.setEncoding("utf8")) all += chunk;
  return all;
}
