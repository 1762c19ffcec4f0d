import type { Backend, BackendName } from "../types.ts";
import { iptables } from "./iptables/index.ts";
import { nftables } from "./nftables/index.ts";

/** Every way to write the rules, by name. */
export const backends: Readonly<Record<BackendName, Backend>> = { iptables, nftables };
