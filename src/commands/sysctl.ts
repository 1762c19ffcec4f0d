import { readState, writeState } from "../apply/state.ts";
import type { Io } from "./io.ts";

const SECTION = "routeLocalnet";

/** Notes in the state directory whether it was us who switched route_localnet on, so that clean-up can undo it. */
export async function rememberRouteLocalnet(stateDir: string, setByUs: boolean, io: Io): Promise<void> {
  const { record } = await readState(stateDir);
  try {
    await writeState(stateDir, { ...record, sections: { ...record.sections, [SECTION]: setByUs } });
  } catch (error) {
    const reason = error instanceof Error ? error.message : "unknown";
    io.note(`note: could not write to ${stateDir}: ${reason}; clean-up will leave route_localnet as it is\n`);
  }
}

export async function didWeSetRouteLocalnet(stateDir: string): Promise<boolean> {
  return (await readState(stateDir)).record.sections[SECTION] === true;
}
