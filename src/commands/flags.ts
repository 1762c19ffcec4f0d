import type { Machine } from "../pipeline/node.ts";
import { readConfig } from "../settings/config.ts";
import { ALL_OPTIONS, flagOf } from "../settings/options.ts";
import { type RawSetting, type Settings, settingsOf } from "../settings/settings.ts";
import type { Io } from "./io.ts";

/** Options as commander read them: by camelCase name; text, a list of texts, or a switch. */
export type Flags = Readonly<Record<string, unknown>>;

/**
 * Flags and the configuration file, put together; flags win.
 * @throws UserError naming the flag or key that is wrong
 */
export async function settingsFrom(flags: Flags, io: Io): Promise<Settings> {
  const fromFlags: RawSetting[] = [];
  for (const { key } of ALL_OPTIONS) {
    const value = flags[key];
    if (value !== undefined) fromFlags.push({ key, value, where: flagOf(key) });
  }
  const file = textFlag(flags, "config");
  if (file === undefined) return settingsOf(fromFlags);
  const { readObject } = await import("../pipeline/object.ts");
  const config = readConfig(await readObject(file, io.stdin), file, textFlag(flags, "backend"));
  if (config.ignored.length > 0) io.note(`note: ${file}: ignored: ${config.ignored.join(", ")}\n`);
  return settingsOf([...config.settings, ...fromFlags]);
}

/** The settings with a backend: for `auto`, the one that this node can use, and why is said. */
export async function settingsHere(flags: Flags, machine: Machine, io: Io): Promise<Settings> {
  const choose = async () => {
    const { chooseBackend } = await import("../pipeline/backend.ts");
    const { backend, why } = await chooseBackend(machine);
    io.note(`note: backend ${backend}: ${why}\n`);
    return backend;
  };
  // Before the file is read: kube-proxy's has a section for each backend.
  if (textFlag(flags, "backend") === "auto") return settingsFrom({ ...flags, backend: await choose() }, io);
  const settings = await settingsFrom(flags, io);
  return settings.backend === "auto" ? { ...settings, backend: await choose() } : settings;
}

export function textFlag(flags: Flags, name: string): string | undefined {
  const value = flags[name];
  return typeof value === "string" ? value : undefined;
}

export function listFlag(flags: Flags, name: string): readonly string[] {
  const value = flags[name];
  return Array.isArray(value) ? value.filter((item): item is string => typeof item === "string") : [];
}

export function isSet(flags: Flags, name: string): boolean {
  return flags[name] === true;
}
