import { packetSuite } from "./packets.ts";

packetSuite({ backend: "nftables", nft: "newer" }, "ipv6");
