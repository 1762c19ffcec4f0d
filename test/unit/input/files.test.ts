import { execFileSync } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { load } from "../../../src/input/load.ts";

/** What else lies about in a directory of manifests. */

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "files-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const contentOf = async (...inputs: readonly string[]) => {
  const { documents, diagnostics } = await load(inputs);
  return [...documents.map(({ value }) => (value as { id: string }).id), ...diagnostics.map(({ code }) => code)];
};

test("a directory without manifests beside manifests is none, and all of them together are", async () => {
  const site = join(folder, "site");
  await mkdir(join(site, "docs/images"), { recursive: true });
  await symlink(site, join(site, "docs/loop"));
  expect(await contentOf(site)).toEqual(["input-empty"]);
  await mkdir(join(site, "prod"));
  await writeFile(join(site, "prod/web.yaml"), "id: web\n");
  expect(await contentOf(site)).toEqual(["web"]);
  expect(await contentOf(join(site, "prod"), site)).toEqual(["web"]);
  expect(await contentOf(site, join(site, "docs"))).toEqual(["web"]);
});

test("what is no regular file is read only if it was named", async () => {
  const pipe = join(folder, "pipes/first.yaml");
  await mkdir(join(folder, "pipes"));
  await writeFile(join(folder, "pipes/second.yaml"), "id: second\n");
  execFileSync("mkfifo", [pipe]);
  expect(await contentOf(join(folder, "pipes"))).toEqual(["second"]);
  const [named] = await Promise.all([contentOf(pipe), writeFile(pipe, "id: first\n")]);
  expect(named).toEqual(["first"]);
});
