import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { ExitCode } from "../src/errors.ts";
import { ALL_OPTIONS, flagOf } from "../src/settings/options.ts";

/** What the documents say about the code is held here, as far as a test can hold it. */

const root = fileURLToPath(new URL("..", import.meta.url));
const textOf = (path: string) => readFileSync(join(root, path), "utf8");
const documents = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...markdownIn("docs")];

function markdownIn(folder: string): readonly string[] {
  return readdirSync(join(root, folder))
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
}

/** Whether a text names a flag, and not only a longer one. */
function names(text: string, flag: string): boolean {
  return new RegExp(`${flag}(?![-a-z])`).test(text);
}

describe("README", () => {
  const readme = textOf("README.md");

  test("names every command", () => {
    const commands = readdirSync(join(root, "src/commands"))
      .filter((name) => /^export (async )?function run\(/m.test(textOf(join("src/commands", name))))
      .map((name) => name.replace(/\.ts$/, ""));
    expect(commands).toContain("sync");
    expect(commands.filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });

  test("names every option", () => {
    const flags = new Set(ALL_OPTIONS.map(({ key }) => flagOf(key)));
    for (const [, flag] of textOf("src/cli.ts").matchAll(/"(?:-\w, )?(--[a-z][-a-z]+)/g)) flags.add(flag ?? "");
    for (const own of ["--help", "--version"]) flags.delete(own);
    expect(flags).toContain("--dry-run");
    expect([...flags].filter((flag) => !names(readme, flag))).toEqual([]);
  });

  test("explains every exit code", () => {
    const missing = Object.values(ExitCode).filter((code) => !readme.includes(`\n| ${code} |`));
    expect(missing).toEqual([]);
  });
});

test("links between documents lead somewhere", () => {
  const broken = documents.flatMap((path) =>
    [...textOf(path).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)]
      .map(([, target]) => target ?? "")
      .filter((target) => !/^[a-z]+:/.test(target) && !existsSync(join(root, dirname(path), target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(broken).toEqual([]);
});

test("files of this repository that documents name are there", () => {
  const broken = documents.flatMap((path) =>
    [...textOf(path).matchAll(/`((?:src|test|fixtures|scripts|docs|contrib)\/[\w./-]*)`/g)]
      .map(([, target]) => target ?? "")
      .filter((target) => !existsSync(join(root, target)))
      .map((target) => `${path}: ${target}`),
  );
  expect(broken).toEqual([]);
});
