/**
 * Reads names of network namespaces from standard input, one a line, and removes those that still exist when the
 * input ends: when the test process has closed it, or has died in whatever way.
 */
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";

const names = [];
createInterface({ input: process.stdin })
  .on("line", (name) => names.push(name))
  .on("close", () => {
    for (const name of names) {
      if (existsSync(`/run/netns/${name}`)) execFileSync("ip", ["netns", "del", name]);
    }
  });
