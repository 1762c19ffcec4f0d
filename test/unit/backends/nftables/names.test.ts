import { describe, expect, it } from "vitest";
import {
  affinityChain,
  affinityEndpointChain,
  balanceChain,
  elementComment,
  externalClusterChain,
  externalLocalChain,
  isAffinityChain,
  isAffinityEndpointChain,
  isEndpointsMap,
  isSharedChain,
} from "../../../../src/backends/nftables/names.ts";
import type { ServicePortName } from "../../../../src/types.ts";

const NAME: ServicePortName = { namespace: "ns", name: "web", port: "http", protocol: "tcp", text: "ns/web:http" };
const LONGEST: ServicePortName = {
  namespace: "n".repeat(63),
  name: "s".repeat(63),
  port: "p".repeat(63),
  protocol: "sctp",
  text: `${"n".repeat(63)}/${"s".repeat(63)}:${"p".repeat(63)}`,
};
const LONGEST_ADDRESS = "fd00:1111:2222:3333:4444:5555:6666:7777";

describe("names", () => {
  it("say what a chain does", () => {
    expect(balanceChain("", "cluster", "tcp", 3)).toBe("load-balance-tcp-3");
    expect(balanceChain("nodeport-", "local", "udp", 2)).toBe("nodeport-load-balance-local-udp-2");
    expect(externalClusterChain("nodeport-", "sctp", 1)).toBe("nodeport-external-sctp-1");
    expect(externalLocalChain("", "tcp", 3, 0)).toBe("external-local-tcp-3-0");
    expect(affinityChain("cluster", NAME)).toBe("affinity-cluster-ns/web/tcp/http");
    expect(affinityEndpointChain(NAME, "fd00::1", 80)).toBe("affinity-endpoint-ns/web/tcp/http__fd00..1/80");
  });

  it("of shared chains are told from all others", () => {
    const shared = [
      balanceChain("", "local", "tcp", 3),
      externalLocalChain("nodeport-", "tcp", 3, 0),
      externalClusterChain("", "udp", 9),
    ];
    expect(shared.filter(isSharedChain)).toEqual(shared);
    expect(["services", "refuse", affinityChain("local", NAME), "load-balance-tcp"].filter(isSharedChain)).toEqual([]);
    expect(
      ["endpoints-tcp", "nodeport-endpoints-sctp", "service-ips", "no-endpoint-services"].filter(isEndpointsMap),
    ).toEqual(["endpoints-tcp", "nodeport-endpoints-sctp"]);
  });

  it("of endpoints are cut only where nft would refuse them", () => {
    const fits = { ...LONGEST, port: "p".repeat(63 - 6) };
    expect(affinityEndpointChain(fits, LONGEST_ADDRESS, 65535)).toHaveLength(255);
    expect(affinityEndpointChain(fits, LONGEST_ADDRESS, 65535)).toMatch(/.7777\/65535$/);
    const name = affinityEndpointChain({ ...fits, port: `${fits.port}p` }, LONGEST_ADDRESS, 65535);
    expect(name).toMatch(/^affinity-endpoint-[0-9a-f]{16}-n{63}\/s{63}\/sctp\/p{58}__.*\.\.\.$/);
    expect(isAffinityChain(name) && isAffinityEndpointChain(name)).toBe(true);
  });

  it("and comments stay within what nft takes", () => {
    const names = [10001, 10002].map((port) => affinityEndpointChain(LONGEST, LONGEST_ADDRESS, port));
    expect(new Set(names).size).toBe(2);
    for (const name of [...names, affinityChain("external", LONGEST)]) expect(name.length).toBeLessThanOrEqual(255);
    expect(elementComment(NAME)).toBe("ns/web:http");
    expect(elementComment(LONGEST)).toHaveLength(128);
    expect(elementComment(LONGEST).endsWith("...")).toBe(true);
  });
});
