import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execaSync } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { addNamespace, deleteNamespace, inNamespace, uniquePrefix } from "../support/namespaces.ts";
import { requireKernel } from "../support/requireKernel.ts";

/** A node that kube-proxy keeps: nothing to say while it is in sync, and each thing amiss is named. */

requireKernel();

const FOLDER = fileURLToPath(new URL("../../fixtures/golden/every-shape/", import.meta.url));
const PROGRAM = fileURLToPath(new URL("../../bin/svctables.js", import.meta.url));
const FLAGS = ["--node-name", "test-node", "--node-ip", "192.168.0.2", "--cluster-cidr", "10.180.0.0/16"];
const RULES = readFileSync(`${FOLDER}kube-proxy.rules`, "utf8");

describe.each(["nft", "legacy"])("auditing kube-proxy on iptables-%s", (variant) => {
  const namespace = `${uniquePrefix()}-audit-${variant}`;
  const iptables = (...args: readonly string[]) => inNamespace(namespace, `iptables-${variant}`, args);
  const save = () => inNamespace(namespace, `iptables-${variant}-save`, []).replace(/^#.*\n/gm, "");
  const run = (command: string, ...flags: readonly string[]) =>
    execaSync("ip", ["netns", "exec", namespace, process.execPath, PROGRAM, command, ...flags], { reject: false });
  const diff = (...flags: readonly string[]) => run("diff", "-f", `${FOLDER}input.yaml`, ...FLAGS, ...flags);

  beforeAll(() => {
    addNamespace(namespace);
    inNamespace(namespace, `iptables-${variant}-restore`, ["--noflush"], RULES);
  });

  afterAll(() => deleteNamespace(namespace));

  test("in sync: no difference, exit 0, found by kubelet's hints", () => {
    const { exitCode, stdout, stderr } = diff();
    expect({ exitCode, stderr, changes: /[+-] /.test(stdout) }).toMatchObject({ exitCode: 0, changes: false });
  });

  test.each<[string, readonly string[], readonly string[], string]>([
    [
      "an endpoint's rule is gone",
      ["-t", "nat", "-D", "KUBE-SEP-OYPFS5VJICHGATKP", "2"],
      [
        "-t",
        "nat",
        "-A",
        "KUBE-SEP-OYPFS5VJICHGATKP",
        "-p",
        "tcp",
        "-m",
        "comment",
        "--comment",
        "ns3/svc3:p80",
        "-m",
        "tcp",
        "-j",
        "DNAT",
        "--to-destination",
        "10.180.0.3:80",
      ],
      "ns3/svc3:p80",
    ],
    [
      "a jump is gone",
      ["-t", "nat", "-D", "PREROUTING", "1"],
      [
        "-t",
        "nat",
        "-I",
        "PREROUTING",
        "-m",
        "comment",
        "--comment",
        "kubernetes service portals",
        "-j",
        "KUBE-SERVICES",
      ],
      "PREROUTING",
    ],
    [
      "somebody added a rule",
      ["-t", "filter", "-I", "KUBE-FORWARD", "-j", "ACCEPT"],
      ["-t", "filter", "-D", "KUBE-FORWARD", "1"],
      "KUBE-FORWARD",
    ],
  ])("%s: exit 1, and named", (_, harm, mend, named) => {
    iptables(...harm);
    const { exitCode, stdout } = diff();
    iptables(...mend);
    expect(exitCode).toBe(1);
    expect(stdout).toContain(named);
    expect(diff().exitCode).toBe(0);
  });

  test("sync has nothing to do, and cleanup leaves what kubelet and others have", () => {
    const before = save();
    const sync = run("sync", "-f", `${FOLDER}input.yaml`, ...FLAGS, "--state-dir", `/tmp/${namespace}`);
    expect(sync.stderr).not.toContain("synced");
    expect(save()).toBe(before);
    // While its canaries say that kube-proxy lives here, the chains are kube-proxy's.
    expect(run("cleanup", "--state-dir", `/tmp/${namespace}`).exitCode).toBe(2);
    expect(save()).toBe(before);
    expect(run("cleanup", "--kube-proxy", "--state-dir", `/tmp/${namespace}`).exitCode).toBe(0);
    const left = save();
    for (const kept of [
      "KUBE-IPTABLES-HINT",
      "KUBE-KUBELET-CANARY",
      "CNI-FORWARD",
      "-A INPUT -j KUBE-FIREWALL",
      "somebody else",
    ]) {
      expect(left).toContain(kept);
    }
    expect(left).not.toMatch(/KUBE-(SVC|SVL|EXT|FW|SEP)-|KUBE-SERVICES|KUBE-NODEPORTS|KUBE-FORWARD|KUBE-MARK-MASQ/);
    expect(left).not.toContain("KUBE-PROXY-CANARY");
    execaSync("rm", ["-rf", `/tmp/${namespace}`]);
  });
});
