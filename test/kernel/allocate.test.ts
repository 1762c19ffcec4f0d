import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addNamespace, deleteNamespace, uniquePrefix } from "../support/namespaces.ts";
import { requireKernel } from "../support/requireKernel.ts";

/** Runs at once take the lock of their network namespace, so they need root. */

requireKernel();

const BIN = fileURLToPath(new URL("../../bin/svctables.js", import.meta.url));

const service = (name: string) =>
  `{apiVersion: v1, kind: Service, metadata: {name: ${name}}, spec: {ports: [{port: 80}]}}\n`;

describe("allocate --record", () => {
  const namespace = `${uniquePrefix()}-allocate`;
  const stateDir = mkdtempSync(join(tmpdir(), "svctables-allocate-"));
  // The range has an address for each of them, so that they meet.
  const flags = ["--service-cidr", "10.96.0.0/29", "--state-dir", stateDir, "--lock-timeout", "60", "--output", "json"];
  const allocate = async (input: string, ...more: readonly string[]) => {
    const words = ["netns", "exec", namespace, process.execPath, BIN, "allocate", "-f", "-", ...flags, ...more];
    const { stdout } = await execa("ip", words, { input });
    return JSON.parse(stdout) as readonly { readonly value: string; readonly isNew: boolean }[];
  };
  beforeAll(() => addNamespace(namespace));
  afterAll(() => {
    deleteNamespace(namespace);
    rmSync(stateDir, { recursive: true });
  });

  test("by several at once gives nothing out twice, and forgets nobody", async () => {
    const names = ["a", "b", "c", "d", "e"];
    await Promise.all(names.map((name) => allocate(service(name), "--record")));
    const given = await allocate(names.map(service).join("---\n"));
    expect(given.map(({ isNew }) => isNew)).toEqual(names.map(() => false));
    expect(new Set(given.map(({ value }) => value)).size).toBe(names.length);
  });
});
