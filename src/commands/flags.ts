import { readObject } from "../pipeline.ts";
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
  const config = readConfig(await readObject(file, io.stdin), file, textFlag(flags, "backend"));
  if (config.ignored.length > 0) io.note(`note: ${file}: ignored: ${config.ignored.join(", ")}\n`);
  return settingsOf([...config.settings, ...fromFlags]);
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
