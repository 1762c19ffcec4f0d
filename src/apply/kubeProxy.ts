import type { Backend, Command, Family, KernelCommands, Runner } from "../types.ts";
import { listed } from "./listing.ts";

/** What kube-proxy leaves behind beside the rules that are the same as ours. */
export interface Leftover {
  /** For people: "nft table ip kube-proxy". */
  readonly name: string;
  /** Undefined where only kube-proxy itself can take it away. */
  readonly removal: Command | undefined;
  /** Whether KUBE-SERVICES and the chains that it leads to are then kube-proxy's and not ours. */
  readonly ownsChains: boolean;
}

/** How the nftables backend asks nft. */
type NftCommands = Pick<KernelCommands, "isAbsent">;

const CANARY = "KUBE-PROXY-CANARY";
/** Chains of its IPVS mode, which has no canaries; what they match is in ipsets and in IPVS. */
const IPVS_CHAIN = /^:(KUBE-(?:NODE-PORT|LOAD-BALANCER|IPVS-\S+)) /m;

/** The empty chains by which kube-proxy notices that somebody flushed its tables, and those of its IPVS mode. */
export async function findCanaries(
  run: Runner,
  backend: Pick<Backend, "commands">,
  family: Family,
  flavour: string,
): Promise<readonly Leftover[]> {
  const commands = backend.commands(family, flavour);
  const leftovers: Leftover[] = [];
  for (const list of commands.list) {
    const listing = await listed(run, list);
    const chain = IPVS_CHAIN.exec(listing)?.[1];
    if (chain !== undefined) {
      leftovers.push({ name: `${family} chain ${chain} of its IPVS mode`, removal: undefined, ownsChains: true });
    }
    for (const section of listing.split(/^\*/m).slice(1)) {
      if (!section.includes(`\n:${CANARY} `)) continue;
      const table = section.slice(0, section.indexOf("\n"));
      const text = `*${table}\n:${CANARY} - [0:0]\n-X ${CANARY}\nCOMMIT\n`;
      const removal = commands.apply({ text, origins: [] });
      leftovers.push({ name: `${family} ${table} chain ${CANARY}`, removal, ownsChains: true });
    }
  }
  return leftovers;
}

/**
 * The tables of kube-proxy's nftables mode. Each is asked for a small map that it always has: with nft 1.0.6 to list
 * all tables means to load all rules. Without nft on this node there can be none to remove.
 */
export async function findTables(run: Runner, { isAbsent }: NftCommands): Promise<readonly Leftover[]> {
  const leftovers: Leftover[] = [];
  for (const family of ["ip", "ip6"]) {
    const probe = ["list", "map", family, "kube-proxy", "no-endpoint-nodeports"];
    if ((await listed(run, { program: "nft", args: probe }, isAbsent)) === "") continue;
    const removal = { program: "nft", args: ["delete", "table", family, "kube-proxy"] };
    leftovers.push({ name: `nft table ${family} kube-proxy`, removal, ownsChains: false });
  }
  return leftovers;
}

/** Whether a table of iptables-nft has the chain that all Services are reached by; for tables that it cannot show. */
export async function mayHoldServices(run: Runner, family: Family, { isAbsent }: NftCommands): Promise<boolean> {
  for (const table of ["filter", "nat"]) {
    const args = ["list", "chain", family === "ipv4" ? "ip" : "ip6", table, "KUBE-SERVICES"];
    if ((await listed(run, { program: "nft", args }, isAbsent)) !== "") return true;
  }
  return false;
}
