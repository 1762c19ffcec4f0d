import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { describe, expect, test } from "vitest";

/**
 * The house's own rules, as docs/architecture.md draws them: who may import whom, where the outside world is
 * touched, how long a file and a function may grow, and which names say nothing.
 */

const LEAVES = ["types", "errors", "ip", "labels", "change", "gradual"];
const STAGES = ["input", "resolve", "compile", "diff", "explain", "discovery", "settings"];

/** Each part of src/ and what it may import beside itself. A part is a file or a folder of that name. */
const PARTS: Readonly<Record<string, readonly string[]>> = {
  types: [],
  errors: [],
  ip: ["types"],
  labels: ["types"],
  change: ["types"],
  gradual: [],
  ...Object.fromEntries(STAGES.map((stage) => [stage, LEAVES])),
  "backends/iptables": LEAVES,
  "backends/nftables": LEAVES,
  backends: [...LEAVES, "backends/iptables", "backends/nftables"],
  apply: LEAVES,
  report: LEAVES,
  pipeline: [...LEAVES, ...STAGES, "backends", "backends/iptables", "backends/nftables", "apply"],
  commands: [...LEAVES, "settings", "pipeline", "report"],
  cli: [...LEAVES, "settings", "report", "commands"],
};

/** Modules from outside and the only places that may import them; [""] is everywhere. */
const OUTSIDE: Readonly<Record<string, readonly string[]>> = {
  "node:fs": ["input/load", "apply"],
  // host: what /proc says about the node.
  "node:fs/promises": ["input/load", "apply", "commands/host"],
  "node:child_process": ["apply/exec"],
  "node:buffer": [""],
  "node:crypto": [""],
  "node:net": [""],
  "node:os": ["apply", "settings", "commands", "cli"],
  "node:path": [""],
  "node:timers/promises": ["apply/exec"],
  "node:url": ["commands", "cli"],
  "js-yaml": ["input/load"],
  ajv: ["input/validate"],
  execa: ["apply/exec"],
  chalk: ["report"],
  commander: ["cli"],
  "ip-address": [""],
};

/** Files outside src/ that may be imported, and where. */
const OWN_FILES: Readonly<Record<string, readonly string[]>> = { "package.json": ["cli"] };

/** Globals and the only places that may name them. */
const GLOBALS: Readonly<Record<string, readonly string[]>> = {
  process: ["cli", "commands"],
  console: ["cli", "commands"],
};

const FILE_LINES = 400;
const FUNCTION_LINES = 60;

/** Files that may be longer, and why. */
const LONG_FILES: Readonly<Record<string, string>> = {
  "src/types.ts": "all nouns in one file, no code",
  "test/unit/input/ruleTable.ts":
    "a flat list: every rule of the API server, an example that keeps it and one that breaks it",
};

/** Functions that may be longer, as file#function, and why: a flat switch or a flat list only. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {};

/** Names that hold anything and so say nothing. */
const EMPTY_NAMES = /^(utils?|helpers?|managers?|data|common|misc|stuff)$/i;

interface Import {
  readonly specifier: string;
  /** Written as import(…), so loaded only when it is needed. */
  readonly lazy: boolean;
  readonly typeOnly: boolean;
}

interface Module {
  /** Path from the project's folder. */
  readonly path: string;
  readonly lines: number;
  readonly ast: ts.SourceFile;
  readonly imports: readonly Import[];
}

const root = fileURLToPath(new URL("..", import.meta.url));

function modulesIn(folder: string): readonly Module[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => /\.(ts|mjs|js)$/.test(name) && !/\.generated\./.test(name))
    .sort()
    .map((name) => parse(posix.join(folder, name)));
}

function parse(path: string): Module {
  const text = readFileSync(join(root, path), "utf8");
  const ast = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  return { path, ast, lines: text.trimEnd().split("\n").length, imports: importsOf(ast) };
}

function importsOf(ast: ts.SourceFile): readonly Import[] {
  const found: Import[] = [];
  walk(ast, (node) => {
    const isStatement = ts.isImportDeclaration(node) || ts.isExportDeclaration(node);
    if (isStatement && node.moduleSpecifier !== undefined && ts.isStringLiteral(node.moduleSpecifier)) {
      found.push({ specifier: node.moduleSpecifier.text, lazy: false, typeOnly: isTypeOnly(node) });
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const [argument] = node.arguments;
      const specifier = argument !== undefined && ts.isStringLiteralLike(argument) ? argument.text : "(computed)";
      found.push({ specifier, lazy: true, typeOnly: false });
    }
  });
  return found;
}

function isTypeOnly(node: ts.ImportDeclaration | ts.ExportDeclaration): boolean {
  if (ts.isExportDeclaration(node)) return node.isTypeOnly;
  return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Whether a path lies in a part: the file of that name, or the folder of that name. */
function isIn(path: string, part: string): boolean {
  return part === "" || path === `src/${part}.ts` || path.startsWith(`src/${part}/`);
}

/** The part that a file of src/ belongs to; the longest name wins. */
function partOf(path: string): string | undefined {
  const parts = Object.keys(PARTS).filter((part) => isIn(path, part));
  return parts.sort((a, b) => b.length - a.length)[0];
}

/** Path of one of our own files that an import names, or undefined for modules from outside. */
function target(module: Module, { specifier }: Import): string | undefined {
  return specifier.startsWith(".") ? posix.join(dirname(module.path), specifier) : undefined;
}

const at = (module: Module, node: ts.Node) =>
  `${module.path}:${module.ast.getLineAndCharacterOfPosition(node.getStart(module.ast)).line + 1}`;

const sources = modulesIn("src");
const tests = modulesIn("test");
const scripts = modulesIn("scripts");

describe("who may import whom", () => {
  test("every file of src/ belongs to a part", () => {
    expect(sources.filter(({ path }) => partOf(path) === undefined).map(({ path }) => path)).toEqual([]);
  });

  test("a part imports only what the table allows", () => {
    const wrong = sources.flatMap((module) => {
      const part = partOf(module.path) ?? "";
      return module.imports.flatMap((entry) => {
        const path = target(module, entry);
        const other = path === undefined || OWN_FILES[path]?.includes(part) ? part : partOf(path);
        if (other === undefined) return [`${module.path} imports ${entry.specifier}, which is no part of src/`];
        return other === part || PARTS[part]?.includes(other) ? [] : [`${module.path} (${part}) imports ${other}`];
      });
    });
    expect(wrong).toEqual([]);
  });

  test("the outside world is imported only in its place", () => {
    const wrong = sources.flatMap((module) =>
      module.imports
        .filter((entry) => target(module, entry) === undefined)
        .filter(({ specifier }) => !OUTSIDE[specifier]?.some((place) => isIn(module.path, place)))
        .map(({ specifier }) => `${module.path} imports ${specifier}`),
    );
    expect(wrong).toEqual([]);
  });

  test("cli loads commands lazily", () => {
    const wrong = sources
      .filter(({ path }) => isIn(path, "cli"))
      .flatMap((module) =>
        module.imports
          .filter((entry) => !entry.lazy && !entry.typeOnly)
          .filter((entry) => isIn(target(module, entry) ?? "", "commands"))
          .map(({ specifier }) => `${module.path} imports ${specifier} at once`),
      );
    expect(wrong).toEqual([]);
  });

  test("a sync that finds nothing to do loads neither what reads manifests nor what compiles them", () => {
    const loaded = loadedAtOnce("src/commands/sync.ts");
    expect(loaded).toContain("src/pipeline/asLeft.ts");
    const heavy = ["pipeline", "compile", "resolve/servicePorts", "input/load", "input/load/yaml", "input/validate"];
    expect(heavy.map((name) => `src/${name}.ts`).filter((path) => loaded.includes(path))).toEqual([]);
  });

  test("nothing imports itself by a detour", () => {
    expect(cycles(sources)).toEqual([]);
  });
});

/** A file and all that is loaded with it; what is imported lazily is not. */
function loadedAtOnce(start: string): readonly string[] {
  const byPath = new Map(sources.map((module) => [module.path, module]));
  const loaded = new Set([start]);
  for (const path of loaded) {
    const module = byPath.get(path);
    for (const entry of module?.imports ?? []) {
      const next = module === undefined || entry.lazy || entry.typeOnly ? undefined : target(module, entry);
      if (next !== undefined) loaded.add(next);
    }
  }
  return [...loaded];
}

/** Every import cycle once, written from its first file on. */
function cycles(modules: readonly Module[]): readonly string[] {
  const byPath = new Map(modules.map((module) => [module.path, module]));
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (module: Module, trail: readonly string[]): void => {
    const seenAt = trail.indexOf(module.path);
    if (seenAt >= 0) found.push([...trail.slice(seenAt), module.path].join(" → "));
    if (seenAt >= 0 || done.has(module.path)) return;
    for (const entry of module.imports) {
      const next = byPath.get(target(module, entry) ?? "");
      if (next !== undefined) visit(next, [...trail, module.path]);
    }
    done.add(module.path);
  };
  for (const module of modules) visit(module, []);
  return found;
}

describe("what may be named where", () => {
  test("process and console are for the command line", () => {
    const wrong = sources.flatMap((module) => {
      const found: string[] = [];
      walk(module.ast, (node) => {
        if (!ts.isIdentifier(node) || !isReference(node)) return;
        const places = Object.hasOwn(GLOBALS, node.text) ? GLOBALS[node.text] : undefined;
        if (places !== undefined && !places.some((place) => isIn(module.path, place))) {
          found.push(`${at(module, node)} uses ${node.text}`);
        }
      });
      return found;
    });
    expect(wrong).toEqual([]);
  });

  test("no value is of type any", () => {
    const wrong = [...sources, ...tests].flatMap((module) => {
      const found: string[] = [];
      walk(module.ast, (node) => {
        if (node.kind === ts.SyntaxKind.AnyKeyword) found.push(at(module, node));
      });
      return found;
    });
    expect(wrong).toEqual([]);
  });

  test("file and folder names say what is inside", () => {
    const wrong = [...sources, ...tests, ...scripts].filter(({ path }) =>
      path.split("/").some((name) => EMPTY_NAMES.test(name.replace(/\..*$/, ""))),
    );
    expect(wrong.map(({ path }) => path)).toEqual([]);
  });

  test("no test is left out", () => {
    const wrong = tests
      .filter(({ path }) => basename(path) !== basename(fileURLToPath(import.meta.url)))
      .flatMap((module) => {
        const found: string[] = [];
        walk(module.ast, (node) => {
          if (!ts.isPropertyAccessExpression(node) || !/^(only|skip|todo)$/.test(node.name.text)) return;
          if (/^(describe|test|it)\b/.test(node.expression.getText(module.ast))) found.push(at(module, node));
        });
        return found;
      });
    expect(wrong).toEqual([]);
  });
});

/** Whether an identifier stands for a value, not for the name of a property or of a declaration. */
function isReference(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return !(ts.isPropertySignature(parent) || ts.isParameter(parent) || ts.isMethodSignature(parent));
}

describe("how long things may be", () => {
  test(`a file has at most ${FILE_LINES} lines`, () => {
    const long = [...sources, ...tests, ...scripts].filter(({ lines }) => lines > FILE_LINES);
    expect(long.map(({ path }) => path)).toEqual(Object.keys(LONG_FILES));
  });

  test(`a function has at most ${FUNCTION_LINES} lines`, () => {
    const long = [...sources, ...scripts].flatMap(longFunctions);
    expect(long.map(({ name }) => name)).toEqual(Object.keys(LONG_FUNCTIONS));
  });
});

function longFunctions(module: Module): readonly { readonly name: string }[] {
  const found: { name: string }[] = [];
  const line = (position: number) => module.ast.getLineAndCharacterOfPosition(position).line;
  walk(module.ast, (node) => {
    if (!ts.isFunctionLike(node) || !("body" in node)) return;
    const length = line(node.getEnd()) - line(node.getStart(module.ast)) + 1;
    if (length > FUNCTION_LINES) found.push({ name: `${module.path}#${nameOf(node, module.ast)}` });
  });
  return found;
}

function nameOf(node: ts.SignatureDeclaration, ast: ts.SourceFile): string {
  if (node.name !== undefined) return node.name.getText(ast);
  const { parent } = node;
  return ts.isVariableDeclaration(parent) || ts.isPropertyAssignment(parent) ? parent.name.getText(ast) : "(anonymous)";
}
