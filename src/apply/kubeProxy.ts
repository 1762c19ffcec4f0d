import type { Backend, Command, Family, Runner } from "../types.ts";

/** What kube-proxy leaves behind beside the rules that are the same as ours. */
export interface Leftover {
  /** For people: "nft table ip kube-proxy". */
  readonly name: string;
  readonly removal: Command;
}

const CANARY = "KUBE-PROXY-CANARY";

/** The empty chains by which kube-proxy notices that somebody flushed its tables. */
export async function findCanaries(
  run: Runner,
  backend: Pick<Backend, "commands">,
  family: Family,
  flavour: string,
): Promise<readonly Leftover[]> {
  const commands = backend.commands(family, flavour);
  const leftovers: Leftover[] = [];
  for (const list of commands.list) {
    const { exitCode, stdout } = await run(list);
    if (exitCode !== 0) continue;
    for (const section of stdout.split(/^\*/m).slice(1)) {
      if (!section.includes(`\n:${CANARY} `)) continue;
      const table = section.slice(0, section.indexOf("\n"));
      const text = `*${table}\n:${CANARY} - [0:0]\n-X ${CANARY}\nCOMMIT\n`;
      leftovers.push({ name: `${family} ${table} chain ${CANARY}`, removal: commands.apply({ text, origins: [] }) });
    }
  }
  return leftovers;
}

/**
 * The tables of kube-proxy's nftables mode. Each is asked for a small map that it always has: with nft 1.0.6 to list
 * all tables means to load all rules. Without nft on this node there can be none to remove.
 */
export async function findTables(run: Runner): Promise<readonly Leftover[]> {
  const leftovers: Leftover[] = [];
  for (const family of ["ip", "ip6"]) {
    const probe = ["list", "map", family, "kube-proxy", "no-endpoint-nodeports"];
    if ((await run({ program: "nft", args: probe })).exitCode !== 0) continue;
    const removal = { program: "nft", args: ["delete", "table", family, "kube-proxy"] };
    leftovers.push({ name: `nft table ${family} kube-proxy`, removal });
  }
  return leftovers;
}
