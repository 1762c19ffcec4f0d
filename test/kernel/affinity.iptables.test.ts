import { affinitySuite } from "./affinity.ts";

affinitySuite({ backend: "iptables", variant: "nft" }, "ipv4");
affinitySuite({ backend: "iptables", variant: "nft" }, "ipv6");
affinitySuite({ backend: "iptables", variant: "legacy" }, "ipv4");
