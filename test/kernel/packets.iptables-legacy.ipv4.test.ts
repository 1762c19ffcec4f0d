import { packetSuite } from "./packets.ts";

packetSuite({ backend: "iptables", variant: "legacy" }, "ipv4");
