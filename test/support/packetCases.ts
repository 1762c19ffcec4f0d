import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { load } from "js-yaml";
import type { Family } from "../../src/types.ts";
import { CLUSTER_CIDR, inFamily, NODE_IP, NODE_NAME, NODE_ZONE, SERVICE_CIDR } from "./addresses.ts";
import { ipv6TwinOfText } from "./ipv6Twin.ts";

/**
 * Reads the scenarios: folders with `input.yaml`, `packets.txt` and, where a scenario needs them, `settings.yaml`:
 *
 *   only: ipv4                          # has no IPv6 twin
 *   twin: false                         # the input speaks of both families already
 *   options: { masquerade-all: true }   # flags of the program; null takes a default flag away
 */

const FIXTURES = fileURLToPath(new URL("../../fixtures", import.meta.url));
const THEMES = ["packets", "users"];

export type Flags = Readonly<Record<string, string | true>>;

export interface PacketCase {
  /** Folder below `fixtures`. */
  readonly name: string;
  readonly family: Family;
  readonly input: string;
  readonly flags: Flags;
  /** The packet table, as it is written: where Services are is known only when the input is complete. */
  readonly table: string;
}

interface Settings {
  readonly only?: Family;
  readonly twin?: false;
  readonly options?: Readonly<Record<string, string | number | boolean | null>>;
}

function bothFamilies(ipv4: string): string {
  return `${ipv4},${inFamily(ipv4, "ipv6")}`;
}

/** In a cluster with two families, the first one's address goes to a Service that names none. */
function firstFamilyFirst(ipv4: string, first: Family): string {
  const second = first === "ipv4" ? "ipv6" : "ipv4";
  return `${inFamily(ipv4, first)},${inFamily(ipv4, second)}`;
}

function defaultFlags(family: Family): Flags {
  return {
    "node-name": NODE_NAME,
    "node-ip": bothFamilies(NODE_IP),
    zone: NODE_ZONE,
    "cluster-cidr": bothFamilies(CLUSTER_CIDR),
    "service-cidr": firstFamilyFirst(SERVICE_CIDR, family),
  };
}

/** All scenarios of one family, in the order of their folders' names. */
export function packetCases(family: Family): readonly PacketCase[] {
  return caseFolders().flatMap((folder) => readCase(folder, family) ?? []);
}

/** Folders of all scenarios, absolute and sorted. */
export function caseFolders(): readonly string[] {
  const tables = THEMES.flatMap((theme) =>
    readdirSync(join(FIXTURES, theme), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith("packets.txt"))
      .map((path) => join(FIXTURES, theme, dirname(path))),
  );
  return tables.sort();
}

function readCase(folder: string, family: Family): PacketCase | undefined {
  const settings = readSettings(folder);
  if (settings.only !== undefined && settings.only !== family) return undefined;
  const input = readFileSync(join(folder, "input.yaml"), "utf8");
  return {
    name: relative(FIXTURES, folder),
    family,
    input: family === "ipv4" || settings.twin === false ? input : ipv6TwinOfText(input),
    flags: flagsOf(settings, family),
    table: readFileSync(join(folder, "packets.txt"), "utf8"),
  };
}

function readSettings(folder: string): Settings {
  const names = readdirSync(folder);
  if (!names.includes("settings.yaml")) return {};
  // The shape is ours; an unknown flag fails when the program is given it.
  return load(readFileSync(join(folder, "settings.yaml"), "utf8")) as Settings;
}

function flagsOf({ options = {} }: Settings, family: Family): Flags {
  const flags = new Map<string, string | true>(Object.entries(defaultFlags(family)));
  for (const [name, value] of Object.entries(options)) {
    if (value === null) flags.delete(name);
    else if (typeof value === "boolean") flags.set(value ? name : `no-${name}`, true);
    else flags.set(name, family === "ipv4" ? String(value) : ipv6TwinOfText(String(value)));
  }
  return Object.fromEntries(flags);
}

/** The flags as words for the command line. */
export function commandLine(flags: Flags): readonly string[] {
  return Object.entries(flags).flatMap(([name, value]) => (value === true ? [`--${name}`] : [`--${name}`, value]));
}
