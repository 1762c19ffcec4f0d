/**
 * node ownLock.mjs LOCK PROGRAM ARGUMENTS… runs a Node program for which LOCK stands in place of the lock file that
 * all network namespaces share, so that tests of iptables-legacy do not wait for one another.
 * To be started by `ip netns exec`, which makes a mount namespace of its own.
 */
import { execFileSync } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { pathToFileURL } from "node:url";

const SHARED = "/run/xtables.lock";

const [, lock] = process.argv.splice(1, 2);
const [, program] = process.argv;
closeSync(openSync(lock, "a"));
closeSync(openSync(SHARED, "a"));
execFileSync("mount", ["--bind", lock, SHARED]);
await import(pathToFileURL(program).href);
