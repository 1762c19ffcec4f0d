import { describe, expect, it } from "vitest";
import { ALL_OPTIONS, flagOf, type OptionKey } from "../../../src/settings/options.ts";
import { settingsOf } from "../../../src/settings/settings.ts";

const flag = (key: OptionKey, value: unknown) => ({ key, value, where: flagOf(key) });
const one = (key: OptionKey, value: unknown) => settingsOf([flag(key, value)]);

describe("settingsOf", () => {
  it("has kube-proxy's defaults", () => {
    expect(settingsOf([])).toMatchObject({
      nodeName: undefined,
      nodeIPs: [],
      families: undefined,
      detectLocalMode: "ClusterCIDR",
      clusterCIDRs: [],
      masqueradeAll: false,
      masqueradeBit: 14,
      nodePortAddresses: { kind: "default" },
      localhostNodePorts: true,
      comments: "auto",
      stateDir: "/var/lib/svctables",
      kubeVersion: "1.36",
      nodePortRange: { first: 30000, last: 32767 },
    });
  });

  it.each<[OptionKey, unknown, object]>([
    ["nodeName", "Worker-1.Example", { nodeName: "worker-1.example" }],
    ["nodeIp", ["192.0.2.1,2001:DB8::1", "192.0.2.2"], { nodeIPs: ["192.0.2.1", "2001:db8::1", "192.0.2.2"] }],
    ["zone", "", { zone: "" }],
    ["ipFamily", "dual", { families: ["ipv4", "ipv6"] }],
    ["ipFamily", "ipv6", { families: ["ipv6"] }],
    ["clusterCidr", ["10.244.3.7/16, fd00:10::/48"], { clusterCIDRs: ["10.244.0.0/16", "fd00:10::/48"] }],
    ["serviceCidr", ["10.96.0.0/12", "10.112.0.0/12"], { serviceCIDRs: ["10.96.0.0/12", "10.112.0.0/12"] }],
    ["detectLocalMode", "NodeCIDR", { detectLocalMode: "NodeCIDR" }],
    ["podBridgeInterface", "cni0", { podBridgeInterface: "cni0" }],
    ["masqueradeAll", true, { masqueradeAll: true }],
    ["masqueradeBit", "0", { masqueradeBit: 0 }],
    ["masqueradeBit", 31, { masqueradeBit: 31 }],
    ["nodeportAddresses", ["primary"], { nodePortAddresses: { kind: "primary" } }],
    ["nodeportAddresses", "all", { nodePortAddresses: { kind: "cidrs", cidrs: ["0.0.0.0/0", "::/0"] } }],
    ["nodeportAddresses", [], { nodePortAddresses: { kind: "default" } }],
    ["nodeportAddresses", ["192.168.0.9/24"], { nodePortAddresses: { kind: "cidrs", cidrs: ["192.168.0.0/24"] } }],
    ["localhostNodeports", false, { localhostNodePorts: false }],
    ["comments", "never", { comments: "never" }],
    ["iptablesVariant", "legacy", { iptablesVariant: "legacy" }],
    ["lockTimeout", "0", { lockTimeoutSeconds: 0 }],
    ["nodePortRange", "20000-20100", { nodePortRange: { first: 20000, last: 20100 } }],
    ["kubeVersion", "1.33", { kubeVersion: "1.33" }],
  ])("%s %j", (key, value, expected) => {
    expect(one(key, value)).toMatchObject(expected);
  });

  it.each<[OptionKey, unknown, string]>([
    ["nodeName", "worker 1", "--node-name: the name of a node is expected, found"],
    ["nodeName", "-f", "--node-name"],
    ["nodeIp", ["192.0.2.300"], '--node-ip: an IP address is expected, found "192.0.2.300"'],
    ["nodeIp", ["fe80::1%eth0"], "--node-ip"],
    ["nodeIp", ["192.0.2.1", "::0"], '--node-ip: an address that a node can have is expected, found "::0"'],
    ["nodeIp", "0.0.0.0", "--node-ip: an address that a node can have"],
    ["nodeIp", 7, "--node-ip: a list of texts is expected"],
    ["zone", "zone a", "--zone: a label value is expected"],
    ["ipFamily", "IPv4", '--ip-family: ipv4, ipv6 or dual is expected, found "IPv4"'],
    ["clusterCidr", ["10.0.0.0/8", "10.1.0.0/16"], "--cluster-cidr: at most one CIDR of each family"],
    ["clusterCidr", ["10.0.0.0"], '--cluster-cidr: a CIDR is expected, found "10.0.0.0"'],
    ["serviceCidr", ["10.96.0.0/33"], "--service-cidr: a CIDR is expected"],
    [
      "detectLocalMode",
      "clusterCIDR",
      "--detect-local-mode: ClusterCIDR, NodeCIDR, BridgeInterface or InterfaceNamePrefix",
    ],
    ["podBridgeInterface", "", "--pod-bridge-interface: the name of an interface is expected"],
    ["podBridgeInterface", "a-name-that-is-too-long", "--pod-bridge-interface"],
    ["podInterfaceNamePrefix", "veth+", "--pod-interface-name-prefix"],
    ["podInterfaceNamePrefix", "x -j ACCEPT", "--pod-interface-name-prefix"],
    ["masqueradeBit", "32", '--masquerade-bit: a whole number from 0 to 31 is expected, found "32"'],
    ["masqueradeBit", "1e1", "--masquerade-bit"],
    ["masqueradeBit", 1.5, "--masquerade-bit"],
    ["masqueradeAll", "true", "--masquerade-all: true or false is expected"],
    ["nodeportAddresses", ["primary", "10.0.0.0/8"], '--nodeport-addresses: a CIDR is expected, found "primary"'],
    ["nodeportAddresses", [""], '--nodeport-addresses: a CIDR, primary or all is expected, found [""]'],
    ["nodeportAddresses", [" , "], "--nodeport-addresses: a CIDR, primary or all is expected"],
    ["nodeportAddresses", ["192.168.0.1"], "--nodeport-addresses: a CIDR is expected"],
    ["backend", "ipvs", "--backend"],
    ["comments", true, "--comments: auto, always or never is expected, found true"],
    ["iptablesVariant", "nftables", "--iptables-variant: nft or legacy is expected"],
    ["stateDir", "", "--state-dir: a directory is expected"],
    ["lockTimeout", "-1", "--lock-timeout"],
    ["nodePortRange", "32767-30000", "--node-port-range: a range of ports is expected"],
    ["nodePortRange", "0-70000", "--node-port-range"],
    ["kubeVersion", 1.36, "--kube-version"],
    ["namespace", "My_NS", "--namespace: a namespace is expected"],
  ])("refuses %s %j", (key, value, message) => {
    expect(() => one(key, value)).toThrow(message);
    expect(() => one(key, value)).toThrow(expect.objectContaining({ exitCode: 2, hint: expect.stringMatching(/\w/) }));
  });

  it("of several values the last one counts, and only that one is judged", () => {
    const first = {
      key: "masqueradeBit",
      value: "no bit",
      where: "iptables.masqueradeBit in kube-proxy.yaml",
    } as const;
    expect(settingsOf([first, flag("masqueradeBit", "3")]).masqueradeBit).toBe(3);
    expect(() => settingsOf([flag("masqueradeBit", "3"), first])).toThrow("iptables.masqueradeBit in kube-proxy.yaml");
  });

  it("every option refuses what is no value of any", () => {
    const bears = ALL_OPTIONS.filter(({ key }) => {
      try {
        one(key, { not: "a value" });
        return true;
      } catch {
        return false;
      }
    });
    expect(bears.map(({ key }) => key)).toEqual([]);
  });
});
