import { readdirSync, readFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { findings } from "../../src/input/checks/index.ts";
import { load } from "../../src/input/load.ts";
import { validate } from "../../src/input/validate.ts";
import type { Diagnostic, Manifest } from "../../src/types.ts";

/**
 * Mutated manifests against the reading and checking of input. Three things must hold whatever the text: nothing
 * throws or hangs, every finding is a known one that names a place, and what comes through as a manifest holds
 * nothing that could not stand in a rule (judged here by rules of our own, not by the checks under test).
 */

export interface FuzzResult {
  readonly texts: number;
  readonly manifests: number;
  readonly diagnostics: number;
  readonly slowestMs: number;
  readonly codes: ReadonlyMap<string, number>;
}

type Random = () => number;

/** A small generator with a seed: the same run again for the same seed (mulberry32). */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

function pick<T>(random: Random, list: readonly T[]): T {
  const chosen = list[Math.floor(random() * list.length)];
  if (chosen === undefined) throw new Error("nothing to pick from");
  return chosen;
}

const TOKENS = [
  "---\n",
  "...\n",
  ": ",
  "- ",
  "  ",
  "\t",
  "\n",
  "\r\n",
  "\r",
  "{",
  "}",
  "[",
  "]",
  ",",
  '"',
  "'",
  "#",
  "&a ",
  "*a",
  "<<: ",
  "!!binary ",
  "!x ",
  "|",
  ">",
  "%YAML 1.2\n",
  "? ",
  "\0",
  "\u0007",
  "\ufeff",
  "\u202e",
  "\ud800",
  "é",
  "🙂",
  "\\u0000",
  "0x1F",
  "0o17",
  "0644",
  ".nan",
  "1e999",
  "~",
  "null",
  "yes",
  "__proto__",
  "constructor",
  "items:\n- ",
  "kind: List\n",
  "kind: Service\n",
  "apiVersion: v1\n",
  "-A INPUT -j ACCEPT",
  "; flush ruleset",
  "9".repeat(30),
] as const;

const VALUES: readonly unknown[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  80,
  65535,
  65536,
  4294967296,
  1.5,
  1e300,
  "",
  " ",
  "None",
  "TCP",
  "tcp",
  "80",
  "a",
  "a".repeat(64),
  "a".repeat(254),
  "A b",
  "10.0.0.1",
  "010.0.0.1",
  "::1",
  "fe80::1%eth0",
  "::ffff:1.2.3.4",
  "2001:DB8::1",
  "0.0.0.0/0",
  "10.0.0.1/33",
  "web\n-A INPUT -j ACCEPT",
  'a" comment "b',
  "$(reboot)",
  "\u0000",
  "\u202e",
  "🙂",
  [],
  {},
  [null],
  [[]],
  { a: 1 },
  "ClusterIP",
  "NodePort",
  "LoadBalancer",
  "ExternalName",
  "IPv4",
  "IPv6",
  "Local",
  ["10.0.0.1", "fd00::1"],
  ["IPv4", "IPv6"],
];

// ── Material ─────────────────────────────────────────────────────────────────────────────────────

/** Texts to start from: the examples of all findings, and the hostile fixtures. */
function corpus(root: string): readonly string[] {
  const examples = findings.flatMap(({ bad, good }) => [bad, good]).filter((text) => text.length < 5_000);
  const folder = join(root, "fixtures/hostile");
  const hostile = readdirSync(folder).flatMap((name) => {
    const file = readdirSync(join(folder, name)).find((entry) => entry.startsWith("input."));
    return file === undefined ? [] : [readFileSync(join(folder, name, file), "utf8")];
  });
  return [...examples, ...hostile.filter((text) => text.length < 5_000)];
}

function mutateText(random: Random, text: string, corpusTexts: readonly string[]): string {
  let mutated = text;
  for (let round = 1 + Math.floor(random() * 4); round > 0; round--) {
    const at = Math.floor(random() * (mutated.length + 1));
    const length = Math.floor(random() * 12);
    const other = pick(random, corpusTexts);
    const action = Math.floor(random() * 6);
    const cut = mutated.slice(0, at) + mutated.slice(at + length);
    if (action === 0) mutated = cut;
    else if (action === 1) mutated = mutated.slice(0, at) + pick(random, TOKENS) + mutated.slice(at);
    else if (action === 2) mutated = mutated.slice(0, at) + mutated.slice(at, at + length * 4) + mutated.slice(at);
    else if (action === 3)
      mutated =
        mutated.slice(0, at) + other.slice(Math.floor(random() * other.length)).slice(0, 200) + mutated.slice(at);
    else if (action === 4) mutated = `${mutated}---\n${other}`;
    else mutated = mutated.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + mutated.slice(at + 1);
  }
  return mutated.slice(0, 20_000);
}

/** Replaces, adds or removes values inside parsed objects, so that the text is sound and the object is not. */
function mutateValue(random: Random, value: unknown, depth = 0): unknown {
  if (random() < 0.04 + depth * 0.02) return pick(random, VALUES);
  if (Array.isArray(value)) {
    const list = value.map((element) => mutateValue(random, element, depth + 1));
    if (random() < 0.08) list.push(list.length > 0 ? pick(random, list) : pick(random, VALUES));
    return list;
  }
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(() => random() > 0.03);
  if (random() < 0.03)
    entries.push([pick(random, ["clusterIP", "nodePort", "Port", "spec", "__proto__", "name"]), pick(random, VALUES)]);
  return Object.fromEntries(entries.map(([key, inner]) => [key, mutateValue(random, inner, depth + 1)]));
}

// ── Oracle ───────────────────────────────────────────────────────────────────────────────────────

const SAFE_NAME = /^[a-z0-9.-]{1,253}$/;

/** Throws when a manifest holds a text that could not stand in a rule. */
function mustBeSafe(manifest: Manifest): void {
  const name = (text: string | undefined) =>
    must(text === undefined || text === "" || SAFE_NAME.test(text), `name ${JSON.stringify(text)}`);
  const ip = (text: string | undefined) =>
    must(
      text === undefined || text === "" || text === "None" || (isIP(text) !== 0 && !text.includes("%")),
      `address ${JSON.stringify(text)}`,
    );
  const port = (number: number | undefined) =>
    must(number === undefined || (Number.isInteger(number) && number >= 0 && number <= 65535), `port ${number}`);
  name(manifest.metadata.name);
  if (manifest.kind !== "Node") name(manifest.metadata.namespace);
  if (manifest.kind === "Service") {
    const { spec, status } = manifest;
    if (spec.type === "ExternalName") return;
    for (const address of [spec.clusterIP, ...(spec.clusterIPs ?? []), ...(spec.externalIPs ?? [])]) ip(address);
    for (const entry of status?.loadBalancer?.ingress ?? []) ip(entry.ip);
    for (const range of spec.loadBalancerSourceRanges ?? [])
      must(/^\s*[0-9a-fA-F.:]+\/\d{1,3}\s*$/.test(range), `range ${JSON.stringify(range)}`);
    for (const entry of spec.ports ?? []) {
      name(entry.name);
      port(entry.port);
      port(entry.nodePort);
      must(["TCP", "UDP", "SCTP"].includes(entry.protocol), `protocol ${entry.protocol}`);
    }
    port(spec.healthCheckNodePort);
  } else if (manifest.kind === "EndpointSlice" && manifest.addressType !== "FQDN") {
    for (const { addresses, nodeName } of manifest.endpoints ?? []) {
      must(addresses.length > 0, "an endpoint without address");
      for (const address of addresses) ip(address);
      name(nodeName);
    }
    for (const entry of manifest.ports ?? []) {
      name(entry.name);
      port(entry.port);
    }
  } else if (manifest.kind === "Endpoints") {
    for (const { addresses = [], notReadyAddresses = [], ports = [] } of manifest.subsets ?? []) {
      for (const address of [...addresses, ...notReadyAddresses]) ip(address.ip);
      for (const entry of ports) port(entry.port);
    }
  }
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(`unsafe ${what} came through`);
}

const KNOWN = new Set(findings.map(({ code }) => code));

function mustBeSound(diagnostic: Diagnostic, lines: number): void {
  const { code, source, message, hint } = diagnostic;
  must(KNOWN.has(code), `code ${code}`);
  must(hint !== undefined && hint !== "", `finding ${code} without hint`);
  must(!/[^\P{C}\p{Cn}\p{Co}]/u.test(message), `character in the message of ${code}: ${JSON.stringify(message)}`);
  must(
    source.line !== undefined && source.line >= 1 && source.line <= lines + 1,
    `line ${source.line} of ${lines} for ${code}`,
  );
}

// ── Run ──────────────────────────────────────────────────────────────────────────────────────────

/** Longest time one text may take; generous, since the machine may be busy. */
const LIMIT_MS = 5_000;

/**
 * Feeds this many mutated texts. @throws Error with the text when something does not hold
 */
export async function fuzz(options: {
  readonly seed: number;
  readonly count: number;
  readonly root: string;
}): Promise<FuzzResult> {
  const random = randomFrom(options.seed);
  const texts = corpus(options.root);
  const objects: unknown[] = [];
  for (const text of texts) {
    const { documents } = await load(["-"], { stdin: async () => text });
    for (const { value } of documents) objects.push(value);
  }
  const result = { manifests: 0, diagnostics: 0, slowestMs: 0, codes: new Map<string, number>() };
  for (let round = 0; round < options.count; round++) {
    const text = nextText(random, texts, objects);
    const started = performance.now();
    try {
      const found = await examine(text, random() < 0.1 ? 16 : 0);
      result.manifests += found.manifests.length;
      result.diagnostics += found.diagnostics.length;
      for (const { code } of found.diagnostics) result.codes.set(code, (result.codes.get(code) ?? 0) + 1);
      result.slowestMs = Math.max(result.slowestMs, performance.now() - started);
      must(performance.now() - started < LIMIT_MS, `time: ${Math.round(performance.now() - started)} ms`);
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      throw new Error(`round ${round} of seed ${options.seed}: ${reason}\n${JSON.stringify(text)}`);
    }
  }
  return { texts: options.count, ...result };
}

function nextText(random: Random, texts: readonly string[], objects: readonly unknown[]): string {
  if (random() < 0.5) return mutateText(random, pick(random, texts), texts);
  const count = 1 + Math.floor(random() * 3);
  const values = Array.from({ length: count }, () => mutateValue(random, pick(random, objects)));
  // The comment in front makes YAML of what would be read as JSON.
  if (random() < 0.4) return values.map((value) => `# yaml\n${JSON.stringify(value)}\n`).join("---\n");
  if (random() < 0.5) return values.map((value) => JSON.stringify(value)).join("\n");
  return JSON.stringify({ apiVersion: "v1", kind: "List", items: values }, null, random() < 0.5 ? 1 : 0);
}

async function examine(
  text: string,
  maxAliases: number,
): Promise<{ readonly manifests: readonly Manifest[]; readonly diagnostics: readonly Diagnostic[] }> {
  const loaded = await load(["-"], { stdin: async () => text, maxAliases });
  const { manifests, diagnostics } = validate(loaded.documents, { serviceCIDRs: ["10.0.0.0/8", "fd00::/112"] });
  const placed = loaded.positioned([...loaded.diagnostics, ...diagnostics]);
  const lines = text.split("\n").length;
  for (const diagnostic of placed) mustBeSound(diagnostic, lines);
  const [first] = placed;
  if (first !== undefined) loaded.locate(first.source);
  for (const manifest of manifests) mustBeSafe(manifest);
  return { manifests, diagnostics: placed };
}
