import { packetSuite } from "./packets.ts";

packetSuite({ backend: "nftables", nft: "system" }, "ipv4");
