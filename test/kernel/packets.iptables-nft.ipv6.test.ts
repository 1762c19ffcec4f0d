import { packetSuite } from "./packets.ts";

packetSuite({ backend: "iptables", variant: "nft" }, "ipv6");
