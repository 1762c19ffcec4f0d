import { describe, expect, it } from "vitest";
import { readConfig } from "../../../src/settings/config.ts";
import { settingsOf } from "../../../src/settings/settings.ts";

const KUBE_PROXY = { kind: "KubeProxyConfiguration", apiVersion: "kubeproxy.config.k8s.io/v1alpha1" };
const settings = (value: unknown, backend?: string) => settingsOf(readConfig(value, "c.yaml", backend).settings);

describe("our own configuration", () => {
  it("has the flags' names as keys, and null for nothing", () => {
    expect(settings({ nodeName: "n1", masqueradeBit: 7, nodeIp: ["192.0.2.1"], zone: null })).toMatchObject({
      nodeName: "n1",
      masqueradeBit: 7,
      nodeIPs: ["192.0.2.1"],
      zone: undefined,
    });
  });

  it.each([
    ["a name that is close", { nodeIP: "192.0.2.1" }, 'there is no key "nodeIP"', "write nodeIp"],
    ["a flag's spelling", { "node-name": "n1" }, 'there is no key "node-name"', "write nodeName"],
    ["no name of ours", { frobnicate: 1 }, 'there is no key "frobnicate"', "known are"],
    ["a list", ["nodeName"], "a mapping of keys", "KubeProxyConfiguration"],
    ["text", "nodeName: n1", "a mapping of keys", "KubeProxyConfiguration"],
    [
      "another kind",
      { kind: "KubeletConfiguration", apiVersion: "kubelet.config.k8s.io/v1beta1" },
      "found kind",
      "Kube",
    ],
    ["another version", { ...KUBE_PROXY, apiVersion: "kubeproxy.config.k8s.io/v1" }, "found kind", "v1alpha1"],
  ])("refuses %s", (_, value, message, hint) => {
    expect(() => readConfig(value, "c.yaml", undefined)).toThrow(message);
    expect(() => readConfig(value, "c.yaml", undefined)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining(hint) }),
    );
  });

  it("names the key and the file of a wrong value", () => {
    expect(() => settings({ masqueradeBit: 99 })).toThrow("masqueradeBit in c.yaml: a whole number from 0 to 31");
  });
});

describe("a KubeProxyConfiguration", () => {
  /** As kubeadm writes it: every field, most of them empty. */
  const KUBEADM = {
    ...KUBE_PROXY,
    bindAddress: "0.0.0.0",
    bindAddressHardFail: false,
    clientConnection: {
      acceptContentTypes: "",
      burst: 0,
      contentType: "",
      kubeconfig: "/var/lib/kubeconfig.conf",
      qps: 0,
    },
    clusterCIDR: "10.244.0.0/16,fd00:10:244::/56",
    configSyncPeriod: "0s",
    conntrack: { maxPerCore: null, min: null, tcpCloseWaitTimeout: null, tcpEstablishedTimeout: null },
    detectLocal: { bridgeInterface: "", interfaceNamePrefix: "" },
    detectLocalMode: "",
    enableProfiling: false,
    healthzBindAddress: "",
    hostnameOverride: "",
    iptables: {
      localhostNodePorts: null,
      masqueradeAll: false,
      masqueradeBit: null,
      minSyncPeriod: "0s",
      syncPeriod: "30s",
    },
    logging: { flushFrequency: 0, options: {}, verbosity: 0 },
    metricsBindAddress: "",
    mode: "",
    nftables: { masqueradeAll: false, masqueradeBit: null, minSyncPeriod: "0s", syncPeriod: "0s" },
    nodePortAddresses: null,
    oomScoreAdj: null,
    portRange: "",
    winkernel: { enableDSR: false, networkName: "" },
  };

  it("as kubeadm writes it gives the cluster CIDR and defaults, and lists what has no meaning here", () => {
    expect(settings(KUBEADM)).toEqual(settingsOf([{ key: "clusterCidr", value: KUBEADM.clusterCIDR, where: "" }]));
    expect(readConfig(KUBEADM, "c.yaml", undefined).ignored).toEqual([
      "clientConnection.kubeconfig",
      "iptables.syncPeriod",
    ]);
  });

  it("is honoured field by field", () => {
    const config = {
      ...KUBE_PROXY,
      mode: "iptables",
      hostnameOverride: "Worker-1",
      bindAddress: "192.0.2.7",
      detectLocalMode: "BridgeInterface",
      detectLocal: { bridgeInterface: "cni0", interfaceNamePrefix: "veth" },
      nodePortAddresses: ["192.0.2.0/24", "127.0.0.0/8"],
      iptables: { masqueradeAll: true, masqueradeBit: 9, localhostNodePorts: false },
      nftables: { masqueradeBit: 11 },
    };
    expect(settings(config)).toMatchObject({
      backend: "iptables",
      nodeName: "worker-1",
      nodeIPs: ["192.0.2.7"],
      detectLocalMode: "BridgeInterface",
      podBridgeInterface: "cni0",
      podInterfaceNamePrefix: "veth",
      nodePortAddresses: { kind: "cidrs", cidrs: ["192.0.2.0/24", "127.0.0.0/8"] },
      masqueradeAll: true,
      masqueradeBit: 9,
      localhostNodePorts: false,
    });
    expect(readConfig(config, "c.yaml", undefined).ignored).toEqual(["nftables.masqueradeBit"]);
  });

  it.each(["0.0.0.0", "000.0.0.0", "::", "::0", "0:0:0:0:0:0:0:0", "::ffff:0.0.0.0"])(
    "that binds to every address, %s, says nothing about the node's own",
    (bindAddress) => expect(settings({ ...KUBE_PROXY, bindAddress }).nodeIPs).toEqual([]),
  );

  it("says which feature gates it does not heed, on or off", () => {
    const config = { ...KUBE_PROXY, featureGates: { AllowServiceExternalIPs: false, Other: true } };
    expect(readConfig(config, "c.yaml", undefined).ignored).toEqual([
      "featureGates.AllowServiceExternalIPs",
      "featureGates.Other",
    ]);
  });

  it("has a section for each backend; the flag says which one counts", () => {
    const config = { ...KUBE_PROXY, mode: "iptables", iptables: { masqueradeBit: 9 }, nftables: { masqueradeBit: 11 } };
    const bit = (backend?: string) =>
      readConfig(config, "c.yaml", backend).settings.find(({ key }) => key === "masqueradeBit")?.value;
    expect([bit(), bit("iptables"), bit("nftables")]).toEqual([9, 9, 11]);
  });

  it("of a mode that is not ours is refused by its own field", () => {
    expect(() => settings({ ...KUBE_PROXY, mode: "ipvs" })).toThrow("mode in c.yaml");
  });

  it("has sizes, of which 0 is the default", () => {
    const logging = { options: { json: { infoBufferSize: "0" } }, verbosity: 2 };
    expect(readConfig({ ...KUBE_PROXY, logging }, "c.yaml", undefined).ignored).toContain("logging.verbosity");
    expect(readConfig({ ...KUBE_PROXY, logging }, "c.yaml", undefined).ignored.join()).not.toContain("infoBufferSize");
  });

  it("is taken out of the ConfigMap that holds it", () => {
    expect(() => settings({ apiVersion: "v1", kind: "ConfigMap", data: { "config.conf": "" } })).toThrow(
      expect.objectContaining({ hint: expect.stringContaining("-o jsonpath='{.data.config\\.conf}'") }),
    );
  });

  it.each(["ipvs", "userspace", "kernelspace"])(
    "of mode %s asks for a backend, and takes the one that is named",
    (mode) => {
      expect(() => settings({ ...KUBE_PROXY, mode })).toThrow(
        expect.objectContaining({ hint: "choose with --backend iptables or --backend nftables" }),
      );
      expect(readConfig({ ...KUBE_PROXY, mode }, "c.yaml", "nftables").settings).not.toEqual([]);
    },
  );
});
