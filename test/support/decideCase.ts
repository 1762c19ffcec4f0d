import { diff } from "../../src/diff.ts";
import type { ExplainOptions } from "../../src/explain.ts";
import { complete } from "../../src/pipeline/standalone.ts";
import { backendOf, decide, nodeFor, readInput } from "../../src/pipeline.ts";
import type { Assignment } from "../../src/resolve/allocate.ts";
import { type HostFacts, renderOptions } from "../../src/settings/node.ts";
import { ALL_OPTIONS, flagOf } from "../../src/settings/options.ts";
import { type RawSetting, type Settings, settingsOf } from "../../src/settings/settings.ts";
import type { BackendName, Manifest, Ruleset, ServiceManifest } from "../../src/types.ts";
import { nodeAddresses } from "./addresses.ts";
import type { Flags, PacketCase } from "./packetCases.ts";
import { type Flow, parsePacketTable } from "./packetTable.ts";

/** The node of the test network, as the program would find it there. */
const HOST: HostFacts = {
  hostName: "test-node",
  addresses: [...nodeAddresses("ipv4"), ...nodeAddresses("ipv6")],
  conntrackIsLiberal: false,
  randomFully: true,
};

/** A directory that nobody makes: nothing was given out before. */
const NO_STATE = "/nonexistent/svctables";

export interface CompletedCase {
  readonly settings: Settings;
  /** What the input holds and what had to be filled in, by a program that gave out nothing before. */
  readonly manifests: readonly Manifest[];
  /** The values that were filled in. */
  readonly assignments: readonly Assignment[];
  readonly flows: readonly Flow[];
}

/** Reads and completes a scenario by the program's own stages; throws when its input is not accepted. */
export async function completeCase(packetCase: PacketCase, backend: BackendName): Promise<CompletedCase> {
  const { input, flags, family, table } = packetCase;
  const settings: Settings = { ...settingsFor(flags), backend, stateDir: NO_STATE };
  const read = await readInput(["-"], async () => Buffer.from(input), settings);
  const { input: whole, findings, assignments } = await complete(read, settings);
  const { manifests } = whole;
  const errors = [...read.diagnostics, ...findings].filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ code, message }) => `${code}: ${message}`).join("\n"));
  const services = manifests.filter((manifest): manifest is ServiceManifest => manifest.kind === "Service");
  return { settings, manifests, assignments, flows: parsePacketTable(table, family, backend, services) };
}

export interface DecidedCase {
  readonly flows: readonly Flow[];
  readonly ruleset: Ruleset;
  readonly explainOptions: ExplainOptions;
  /** What an empty kernel would be told. */
  readonly text: string;
}

/** Runs a scenario through the program's own stages, up to the text; throws when its input is not accepted. */
export async function decideCase(packetCase: PacketCase, backend: BackendName): Promise<DecidedCase> {
  const { family } = packetCase;
  const { settings, manifests, flows } = await completeCase(packetCase, backend);
  const { ruleset, wanted } = decide(manifests, settings, HOST, family);
  const node = nodeFor(manifests, settings, HOST);
  const own = backendOf(settings);
  const transaction = own.transaction(family, diff(own, [], wanted), "nft");
  return {
    flows,
    ruleset,
    explainOptions: { ...renderOptions(settings, node, HOST, family), backend, node: node.facts },
    text: transaction.steps.map((step) => step.text).join(""),
  };
}

/** Flags read as the command line would. */
function settingsFor(flags: Flags): Settings {
  const raw = Object.entries(flags).map(([name, value]): RawSetting => {
    const negated = name.startsWith("no-");
    const flag = `--${negated ? name.slice("no-".length) : name}`;
    const option = ALL_OPTIONS.find(({ key }) => flagOf(key) === flag);
    if (option === undefined) throw new Error(`no option ${flag}`);
    return { key: option.key, value: value === true ? !negated : value, where: flag };
  });
  return settingsOf(raw);
}
