import { diff } from "../../src/diff.ts";
import type { ExplainOptions } from "../../src/explain.ts";
import { complete } from "../../src/pipeline/standalone.ts";
import { backendOf, decide, nodeFor, readInput } from "../../src/pipeline.ts";
import { type HostFacts, renderOptions } from "../../src/settings/node.ts";
import { ALL_OPTIONS, flagOf } from "../../src/settings/options.ts";
import { type RawSetting, type Settings, settingsOf } from "../../src/settings/settings.ts";
import type { BackendName, Ruleset } from "../../src/types.ts";
import { nodeAddresses } from "./addresses.ts";
import type { Flags, PacketCase } from "./packetCases.ts";

/** The node of the test network, as the program would find it there. */
const HOST: HostFacts = {
  hostName: "test-node",
  addresses: [...nodeAddresses("ipv4"), ...nodeAddresses("ipv6")],
  conntrackIsLiberal: false,
  randomFully: true,
};

/** A directory that nobody makes: nothing was given out before. */
const NO_STATE = "/nonexistent/svctables";

export interface DecidedCase {
  readonly ruleset: Ruleset;
  readonly explainOptions: ExplainOptions;
  /** What an empty kernel would be told. */
  readonly text: string;
}

/** Runs a scenario through the program's own stages, up to the text; throws when its input is not accepted. */
export async function decideCase({ input, flags, family }: PacketCase, backend: BackendName): Promise<DecidedCase> {
  const settings: Settings = { ...settingsFor(flags), backend, stateDir: NO_STATE };
  const read = await readInput(["-"], async () => Buffer.from(input), settings);
  const { input: whole, findings } = await complete(read, settings);
  const { manifests } = whole;
  const errors = [...read.diagnostics, ...findings].filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(errors.map(({ code, message }) => `${code}: ${message}`).join("\n"));
  const { ruleset, wanted } = decide(manifests, settings, HOST, family);
  const node = nodeFor(manifests, settings, HOST);
  const own = backendOf(settings);
  const transaction = own.transaction(family, diff(own, [], wanted), "nft");
  return {
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
