// Compiles the JSON schemas of src/input/schemas into src/input/validators.generated.js, so that neither ajv nor
// the compiling of schemas costs anything when the tool starts.
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import Ajv from "ajv";
import standaloneCode from "ajv/dist/standalone/index.js";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const target = join(root, "src/input/validators.generated.js");

const DECLARATIONS = `/** One violation: a JSON pointer to the value and the keyword it breaks. */
export interface Violation {
  readonly instancePath: string;
  readonly keyword: string;
  readonly params: Readonly<Record<string, unknown>>;
}
export interface Validator {
  (value: unknown): boolean;
  errors?: readonly Violation[] | null;
}
`;

const scratch = await mkdtemp(join(tmpdir(), "svctables-validators-"));
try {
  const schemaModule = join(scratch, "schemas.mjs");
  await build({
    entryPoints: [join(root, "src/input/schemas/kinds.ts")],
    outfile: schemaModule,
    bundle: true,
    format: "esm",
    logLevel: "error",
  });
  const { schemas } = await import(pathToFileURL(schemaModule).href);
  const ajv = new Ajv.default({
    allErrors: true,
    strict: true,
    strictRequired: false,
    allowUnionTypes: true,
    strictTypes: false,
    messages: false,
    code: { source: true, esm: true },
  });
  const names = Object.keys(schemas);
  for (const name of names) ajv.addSchema(schemas[name], name);
  const code = standaloneCode.default(ajv, Object.fromEntries(names.map((name) => [name, name])));
  // Bundling drops the copies of the schemas that the code does not use.
  const bundle = await build({
    stdin: { contents: code, loader: "js" },
    bundle: true,
    format: "esm",
    minify: true,
    write: false,
    logLevel: "error",
  });
  const compiled = bundle.outputFiles[0].text;
  // The chosen keywords compile to plain code; a require would break the ES module, so it is refused here.
  if (/\brequire\(/.test(compiled)) throw new Error("a schema keyword needs the ajv run time: use a plainer one");
  // Written beside and renamed: two runs at once never leave half a file.
  const part = `${target}.${process.pid}`;
  await writeFile(part, compiled);
  await rename(part, target);
  const types = names.map((name) => `export const ${name}: Validator;\n`).join("");
  await writeFile(`${part}.d.ts`, DECLARATIONS + types);
  await rename(`${part}.d.ts`, target.replace(/\.js$/, ".d.ts"));
} finally {
  await rm(scratch, { recursive: true, force: true });
}
