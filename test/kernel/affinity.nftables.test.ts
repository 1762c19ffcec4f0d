import { affinitySuite } from "./affinity.ts";

affinitySuite({ backend: "nftables", nft: "system" }, "ipv4");
affinitySuite({ backend: "nftables", nft: "system" }, "ipv6");
affinitySuite({ backend: "nftables", nft: "newer" }, "ipv4");
affinitySuite({ backend: "nftables", nft: "newer" }, "ipv6");
