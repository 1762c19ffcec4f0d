import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** vitest would leave one processor free, which halves a machine with two. */
const maxWorkers = Math.max(2, availableParallelism());

/** Floods, and the same tables once more on further variants: minutes that only CI spends. `scripts/test.mjs` says so. */
const FOR_CI = [
  "test/kernel/load.test.ts",
  "test/kernel/packets.iptables-legacy.ipv6.test.ts",
  "test/kernel/packets.nftables-newer.*.test.ts",
];
const leftToCi = process.env.CI === "true" ? [] : FOR_CI;

export default defineConfig({
  test: {
    maxWorkers,
    projects: [
      {
        test: {
          name: "fast",
          include: ["test/**/*.test.ts"],
          exclude: ["test/kernel/**"],
          // A hang is what this has to catch, also on a machine that does five things at once.
          testTimeout: 120_000,
          maxWorkers,
        },
      },
      {
        test: {
          name: "kernel",
          include: ["test/kernel/**/*.test.ts"],
          exclude: leftToCi,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          pool: "forks",
          // Many of these wait for packets that must not come.
          maxWorkers: maxWorkers * 2,
        },
      },
    ],
  },
});
