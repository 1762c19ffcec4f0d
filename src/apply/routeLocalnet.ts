import { readFile, writeFile } from "node:fs/promises";
import { UserError } from "../errors.ts";
import { readState, writeState } from "./state.ts";
import { save, type Unsaved } from "./stateFile.ts";

/**
 * The one kernel switch that rules for Services need: with net.ipv4.conf.all.route_localnet, packets to 127.0.0.1
 * may be translated to addresses elsewhere, so that NodePorts answer on localhost.
 */

const SYSCTL = "/proc/sys/net/ipv4/conf/all/route_localnet";
/** Section of the state record: whether it was us who switched it on. */
const SECTION = "routeLocalnet";

export async function isRouteLocalnetOn(): Promise<boolean> {
  try {
    return (await readFile(SYSCTL, "utf8")).trim() === "1";
  } catch {
    return false;
  }
}

/**
 * Switches it on and notes in the state directory that it was off before.
 * @returns whether it was off
 * @throws UserError if it may not be changed
 */
export async function enableRouteLocalnet(stateDir: string, unsaved: Unsaved): Promise<boolean> {
  if (await isRouteLocalnetOn()) return false;
  await setTo("1", "or use --no-localhost-nodeports");
  await save(() => remember(stateDir, true), unsaved);
  return true;
}

/**
 * Switches it off if it was us who switched it on.
 * @param unsaved without it, a directory that cannot be written is an error
 * @returns whether it was switched off
 * @throws UserError if it may not be changed
 */
export async function restoreRouteLocalnet(stateDir: string, unsaved?: Unsaved): Promise<boolean> {
  const { record } = await readState(stateDir);
  if (record.sections[SECTION] !== true) return false;
  const on = await isRouteLocalnetOn();
  if (on) await setTo("0", "and run the same command again: while it is 1, others may reach what listens on 127.0.0.1");
  const forget = () => remember(stateDir, false);
  await (unsaved === undefined ? forget() : save(forget, unsaved));
  return on;
}

async function setTo(value: "0" | "1", otherwise: string): Promise<void> {
  try {
    await writeFile(SYSCTL, `${value}\n`);
  } catch (error) {
    throw new UserError(
      `the rules are as they should be, but net.ipv4.conf.all.route_localnet cannot be set to ${value}: ${reasonOf(error)}`,
      `run where /proc/sys can be written, ${otherwise}`,
    );
  }
}

async function remember(stateDir: string, setByUs: boolean): Promise<void> {
  const { record } = await readState(stateDir);
  await writeState(stateDir, { ...record, sections: { ...record.sections, [SECTION]: setByUs } });
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : "unknown";
}
