import { describe, expect, it } from "vitest";
import { chainName, endpointChainName, firewallChainName } from "../../../../src/backends/iptables/names.ts";
import type { ServicePortName } from "../../../../src/types.ts";

function port(text: string, protocol: ServicePortName["protocol"] = "tcp"): ServicePortName {
  return { namespace: "", name: "", port: "", protocol, text };
}

describe("chain names", () => {
  it.each([
    ["ns1/svc1:p80", "tcp", "XPGD46QRK7WJZT7O"],
    ["ns1/svc1", "tcp", "AQI2S6QIMU7PVVRP"],
    ["default/kubernetes:https", "tcp", "NPX46M4PTMTKRN6Y"],
    ["kube-system/kube-dns:dns", "udp", "TCOU7JCQXEZGVUNU"],
  ] as const)("%s %s", (text, protocol, hash) => {
    const servicePort = port(text, protocol);
    expect(chainName({ role: "cluster", servicePort })).toBe(`KUBE-SVC-${hash}`);
    expect(chainName({ role: "local", servicePort })).toBe(`KUBE-SVL-${hash}`);
    expect(chainName({ role: "external", servicePort })).toBe(`KUBE-EXT-${hash}`);
    expect(firewallChainName(servicePort)).toBe(`KUBE-FW-${hash}`);
  });

  it.each([
    ["10.180.0.1:80", "SXIVWICOYRO3J4NJ"],
    ["[fd00:10:180::1]:80", "OGYCNMB4EMRUSJ6N"],
  ])("endpoint %s of ns1/svc1:p80", (address, hash) => {
    expect(endpointChainName(port("ns1/svc1:p80"), address)).toBe(`KUBE-SEP-${hash}`);
  });
});
