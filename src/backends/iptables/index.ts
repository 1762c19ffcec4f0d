import type { Backend, Command, Family, KernelCommands, TransactionStep } from "../../types.ts";
import { comparable, read } from "./read.ts";
import { render } from "./render.ts";
import { transaction } from "./transaction.ts";

/** Seconds to wait for the xtables lock, as kube-proxy does. */
const LOCK_SECONDS = "5";
const PROGRAMS = { ipv4: "iptables", ipv6: "ip6tables" } as const;
const FAILED_LINE = /line:? (\d+)/i;
/** What iptables-nft-save says, with success, about a table that holds rules which only nft understands. */
const UNREADABLE = /^# Table `(filter|nat)' is incompatible/m;

/** mangle holds the hints of a kubelet. To name a table that is not there would make the legacy tools create it. */
function listings(flavour: string): readonly (readonly string[])[] {
  return flavour === "legacy"
    ? [[]]
    : [
        ["-t", "mangle"],
        ["-t", "filter"],
        ["-t", "nat"],
      ];
}

function commands(family: Family, flavour: string): KernelCommands {
  const program = `${PROGRAMS[family]}-${flavour}`;
  const restore = (step: TransactionStep, ...more: readonly string[]): Command => ({
    program: `${program}-restore`,
    args: ["--noflush", "-w", LOCK_SECONDS, ...more],
    input: step.text,
  });
  return {
    list: listings(flavour).map((args) => ({ program: `${program}-save`, args })),
    check: (step) => restore(step, "--test"),
    apply: (step) => restore(step),
    failedLine: (stderr) => {
      const line = FAILED_LINE.exec(stderr)?.[1];
      return line === undefined ? undefined : Number(line);
    },
    unreadableTable: (listing) => UNREADABLE.exec(listing)?.[1],
  };
}

/** kube-proxy's iptables mode; flavours "nft" and "legacy". */
export const iptables: Backend = { name: "iptables", render, read, comparable, transaction, commands };
