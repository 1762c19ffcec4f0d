import { copyFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  forgetAccepted,
  isRecorded,
  readAccepted,
  replaceAccepted,
  writeAccepted,
} from "../../../src/apply/accepted.ts";
import type { ServiceManifest } from "../../../src/types.ts";

const CHANGES = "accepted.changes.json";

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "svctables-accepted-"));
});
afterEach(() => rm(directory, { recursive: true }));

function service(name: string, clusterIP: string): ServiceManifest {
  const metadata = { namespace: "default", name };
  return { kind: "Service", source: { file: "-", document: 0 }, metadata, spec: { type: "ClusterIP", clusterIP } };
}

const A = service("a", "10.96.0.1");
const B = service("b", "10.96.0.2");
const MOVED = service("b", "10.96.0.3");

describe("what small changes alter", () => {
  beforeEach(() => writeAccepted(directory, { hash: "one", manifests: [A, B] }));

  test("is read with the rest, and does not write it again", async () => {
    const before = await stat(join(directory, "accepted.json"));
    await replaceAccepted(directory, "two", [MOVED], []);
    expect(await readAccepted(directory)).toEqual({ hash: "two", manifests: [A, MOVED] });
    expect([await isRecorded(directory, "one"), await isRecorded(directory, "two")]).toEqual([false, true]);
    expect((await stat(join(directory, "accepted.json"))).ino).toBe(before.ino);
  });

  test("adds up, the later counts", async () => {
    await replaceAccepted(directory, "two", [MOVED], []);
    await replaceAccepted(directory, "three", [service("a", "10.96.0.9")], []);
    await replaceAccepted(directory, "four", [B], []);
    expect(await readAccepted(directory)).toEqual({ hash: "four", manifests: [service("a", "10.96.0.9"), B] });
  });

  test("ends with the next whole record, also one of the same objects", async () => {
    await replaceAccepted(directory, "two", [MOVED], []);
    await writeAccepted(directory, { hash: "one", manifests: [A, B] });
    expect(await readAccepted(directory)).toEqual({ hash: "one", manifests: [A, B] });
    expect(await isRecorded(directory, "one")).toBe(true);
  });

  test("is passed over beside a record that it does not continue", async () => {
    await replaceAccepted(directory, "two", [MOVED], []);
    await copyFile(join(directory, CHANGES), join(directory, "kept"));
    await writeAccepted(directory, { hash: "three", manifests: [A] });
    await copyFile(join(directory, "kept"), join(directory, CHANGES));
    expect(await readAccepted(directory)).toEqual({ hash: "three", manifests: [A] });
    expect(await isRecorded(directory, "three")).toBe(true);
    await replaceAccepted(directory, "four", [A], []);
    expect(await readAccepted(directory)).toEqual({ hash: "four", manifests: [A] });
  });

  test("that is damaged leaves no record", async () => {
    await replaceAccepted(directory, "two", [MOVED], []);
    const text = await readFile(join(directory, CHANGES), "utf8");
    await writeFile(join(directory, CHANGES), text.replace("10.96.0.3", "10.96.0.4"));
    expect(await readAccepted(directory)).toBeUndefined();
    await replaceAccepted(directory, "three", [A], []);
    expect(await readdir(directory)).toEqual([]);
  });

  test.each(["", "{", "\0\0\0\0"])(
    "with a damaged first line leaves no record, not even the one before: %j",
    async (text) => {
      await replaceAccepted(directory, "two", [MOVED], []);
      await writeFile(join(directory, CHANGES), text);
      expect(await readAccepted(directory)).toBeUndefined();
      expect([await isRecorded(directory, "one"), await isRecorded(directory, "two")]).toEqual([false, false]);
      await replaceAccepted(directory, "three", [A], []);
      expect(await readdir(directory)).toEqual([]);
    },
  );

  test("becomes part of the whole when it is much", async () => {
    const many = Array.from({ length: 1_001 }, (_, at) => service(`s${at}`, "None"));
    await writeAccepted(directory, { hash: "one", manifests: [...many, B] });
    await replaceAccepted(directory, "two", [MOVED], []);
    await replaceAccepted(
      directory,
      "three",
      many.map((one) => service(one.metadata.name, "10.96.0.7")),
      [],
    );
    expect(await readdir(directory)).toEqual(["accepted.json"]);
    const { hash, manifests = [] } = (await readAccepted(directory)) ?? {};
    expect([hash, manifests.length, manifests[0], manifests.at(-1)]).toEqual([
      "three",
      1_002,
      service("s0", "10.96.0.7"),
      MOVED,
    ]);
  });

  test("may take objects out and put others in, again and again", async () => {
    const [c, d] = [service("c", "10.96.0.3"), service("d", "10.96.0.4")];
    await replaceAccepted(directory, "two", [c], ["Service default/a"]);
    expect(await readAccepted(directory)).toEqual({ hash: "two", manifests: [B, c] });
    await replaceAccepted(directory, "three", [d, A], ["Service default/c"]);
    expect(await readAccepted(directory)).toEqual({ hash: "three", manifests: [A, B, d] });
    await replaceAccepted(directory, "four", [], ["Service default/a", "Service default/d"]);
    expect(await readAccepted(directory)).toEqual({ hash: "four", manifests: [B] });
  });

  test("is forgotten with the rest", async () => {
    await replaceAccepted(directory, "two", [MOVED], []);
    await forgetAccepted(directory);
    expect(await readdir(directory)).toEqual([]);
  });
});

test("without a record none is made of changes alone", async () => {
  await replaceAccepted(directory, "two", [MOVED], []);
  expect(await readdir(directory)).toEqual([]);
});
