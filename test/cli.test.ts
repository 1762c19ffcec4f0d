import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import packageJson from "../package.json" with { type: "json" };

/**
 * The program as a user meets it: words in, exit code and text out. Everything here is decided before the kernel is
 * asked, so nothing of this machine is read or changed.
 */

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const INSTALLED = ["bin", "dist", "package.json"];

const SERVICE = `apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.0.10
  selector: {app: web}
  ports: [{port: 80}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{name: "", port: 8080}]
endpoints: [{addresses: [10.244.0.7]}]
`;

const FILES: Readonly<Record<string, string>> = {
  "web.yaml": SERVICE,
  "dual.yaml": SERVICE.replace(
    "clusterIP: 10.96.0.10",
    "clusterIP: 10.96.0.10\n  clusterIPs: [10.96.0.10, 'fd00:96::a']\n  ipFamilies: [IPv4, IPv6]\n  ipFamilyPolicy: RequireDualStack",
  ),
  "six.yaml": SERVICE.replace("10.96.0.10", "'fd00:96::a'").replace("IPv4", "IPv6").replace("10.244.0.7", "'fd00::7'"),
  "bad.yaml": SERVICE.replace("port: 80}", "port: 80, name: Web_1}").replace(
    "clusterIP: 10.96.0.10",
    "clusterIP: 10.96.0.300",
  ),
  "hostile.yaml": SERVICE.replace("name: web}", 'name: "web\\n-A INPUT -j ACCEPT"}'),
  "broken.yaml": "kind: Service\n  metadata: [",
  "others.yaml": `${SERVICE}---\n{apiVersion: apps/v1, kind: Deployment}\n---\n{apiVersion: v1, kind: ConfigMap}\n---\n{apiVersion: v1, kind: ConfigMap}\n`,
  "nodes.yaml": `${SERVICE}---\napiVersion: v1\nkind: Node\nmetadata: {name: worker-7}\n`,
  "unserved.yaml": SERVICE.split("---\n")[0] ?? "",
  "empty/readme.txt": "",
  "empty.yaml": "",
  "remarks.yaml": readFileSync(join(ROOT, "contrib/config.yaml"), "utf8"),
  "text.yaml": "nodeName\n",
  "node.yaml": "nodeName: n1\nmasqueradeBit: 9\n",
  "wrong.yaml": "nodeName: n1\nmasqueradeBit: 40\n",
  "unknown.yaml": "nodeIP: 192.0.2.1\n",
  "two.yaml": "nodeName: n1\n---\nnodeName: n2\n",
  "kube-proxy.yaml":
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: iptables\niptables: {masqueradeBit: 9, syncPeriod: 30s}\n",
  "ipvs.yaml": "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: ipvs\n",
};

/** Services that are found by name alone, and two that define the same variable. */
const NAMES: readonly (readonly [name: string, spec: string])[] = [
  ["a", "{clusterIP: 10.96.0.11, ports: [{port: 80}]}"],
  ["a-service", "{clusterIP: 10.96.0.12, ports: [{port: 80}]}"],
  ["1st", "{clusterIP: 10.96.0.13, ports: [{name: http, port: 80}]}"],
  ["db", "{clusterIP: None, ports: [{name: sql, port: 5432}]}"],
  ["alias", "{type: ExternalName, externalName: db.example.com}"],
];

let home: string;
beforeAll(() => {
  if (!existsSync(join(ROOT, "dist/cli.js")))
    throw new Error("these tests run the built program: `npm run build` first");
  home = mkdtempSync(join(tmpdir(), "svctables-cli-"));
  for (const name of INSTALLED) cpSync(join(ROOT, name), join(home, name), { recursive: true });
  mkdirSync(join(home, "empty"));
  const named = NAMES.map(
    ([name, spec]) => `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n`,
  );
  writeFileSync(join(home, "names.yaml"), named.join("---\n"));
  for (const [name, text] of Object.entries(FILES)) writeFileSync(join(home, name), text);
});
afterAll(() => rmSync(home, { recursive: true }));

async function svctables(words: readonly string[], input = "") {
  const bin = join(home, "bin/svctables.js");
  const { exitCode, stdout, stderr } = await execa(process.execPath, [bin, ...words], {
    cwd: home,
    input,
    reject: false,
    stripFinalNewline: false,
    extendEnv: false,
    env: { PATH: process.env.PATH ?? "" },
  });
  return { exitCode, stdout, stderr };
}

/** Words of a command line, split at blanks. */
const words = (line: string) => line.split(" ").filter((word) => word !== "");

describe("help", () => {
  it.each([
    "--help",
    "help sync",
    "compile --help",
    "validate --help",
    "diff --help",
    "sync --help",
    "cleanup --help",
    "version --help",
    "allocate --help",
    "explain --help",
    "dns --help",
    "env --help",
  ])("%s", async (line) => {
    const { exitCode, stdout, stderr } = await svctables(words(line));
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatchSnapshot();
  });

  it("says how to switch off what is on by default", async () => {
    const { stdout } = await svctables(words("sync --help"));
    for (const flag of ["--no-standalone", "--no-localhost-nodeports"]) expect(stdout).toContain(flag);
  });

  it("describes every option of every command in a terminal's width", async () => {
    for (const command of [
      "compile",
      "validate",
      "diff",
      "sync",
      "explain",
      "dns",
      "env",
      "allocate",
      "cleanup",
      "version",
    ]) {
      const { stdout } = await svctables([command, "--help"]);
      for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(110);
      expect(stdout).not.toMatch(/^ {2}(-\S, )?--[\w-]+( <[\w.]+>)?$/m);
    }
  });
});

/** What other tests hold word by word. */
function inShort(stdout: string): string {
  if (stdout.startsWith("*filter\n")) return "(rules)";
  return stdout.length > 1000 && /^[[{]/.test(stdout)
    ? `(JSON with ${Object.keys(JSON.parse(stdout)).join(", ")})`
    : stdout;
}

describe("exit code and what is said", () => {
  const table: [line: string, exitCode: number, input?: string][] = [
    // usage
    ["", 2],
    ["frobnicate", 2],
    ["complie -f web.yaml", 2],
    ["compile", 2],
    ["compile -f", 2],
    ["compile web.yaml", 2],
    ["compile -f web.yaml --emit rule", 2],
    ["compile -f web.yaml --node-pi 192.0.2.1", 2],
    ["compile -f web.yaml --node-ip 192.0.2", 2],
    ["compile -f web.yaml --masquerade-bit 32", 2],
    ["compile -f web.yaml --nodeport-addresses everywhere", 2],
    ["compile -f web.yaml --detect-local-mode NodeCIDR --node-name n1", 2],
    ["compile -f web.yaml --ip-family dual", 2],
    ["compile -f web.yaml --iptables-variant nftables", 2],
    ["compile -f web.yaml --config absent.yaml", 2],
    ["compile -f web.yaml --config wrong.yaml", 2],
    ["compile -f web.yaml --config unknown.yaml", 2],
    ["compile -f web.yaml --config two.yaml", 2],
    ["compile -f web.yaml --config broken.yaml", 2],
    ["compile -f web.yaml --config web.yaml", 2],
    ["compile -f web.yaml --config ipvs.yaml", 2],
    ["validate --explain no-such-code", 2],
    ["validate -f web.yaml --ignore no-such-code", 2],
    ["sync", 2],
    ["sync -f web.yaml --backend iptables --state-dir /dev/null/state", 2],
    ["cleanup --state-dir /dev/null/state", 2],
    ["cleanup web.yaml", 2],
    // input
    ["compile -f absent.yaml", 3],
    ["compile -f empty", 3],
    ["compile -f bad.yaml", 3],
    ["compile -f web.yaml -f bad.yaml", 3],
    ["compile -f hostile.yaml", 3],
    ["compile -f broken.yaml", 3],
    ["compile -f -", 3, ""],
    ["sync -f bad.yaml --backend iptables", 3],
    ["sync -f hostile.yaml --backend iptables --dry-run", 3],
    ["diff -f broken.yaml --backend iptables", 3],
    // validate
    ["validate -f web.yaml", 0],
    ["validate -f web.yaml --quiet", 0],
    ["validate -f others.yaml", 0],
    ["validate -f bad.yaml", 1],
    ["validate -f bad.yaml -q", 1],
    ["validate -f bad.yaml --fail-on never", 0],
    ["validate -f bad.yaml --output github", 1],
    ["validate -f bad.yaml --output junit", 1],
    ["validate -f bad.yaml --output json", 1],
    ["validate -f bad.yaml --output sarif", 1],
    ["validate -f -", 0, SERVICE],
    ["validate --explain port-name-invalid", 0],
    // compile
    ["compile -f web.yaml --node-name n1", 0],
    ["compile -f - --node-name n1 --masquerade-bit 9 --no-localhost-nodeports", 0, SERVICE],
    ["compile -f web.yaml --config node.yaml", 0],
    ["compile -f web.yaml --config kube-proxy.yaml --node-name n1", 0],
    ["compile -f dual.yaml --node-name n1", 0],
    ["compile -f dual.yaml --node-name n1 --quiet", 0],
    ["compile -f six.yaml --node-name n1", 0],
    ["compile -f nodes.yaml --node-name n1", 0],
    ["compile -f unserved.yaml --node-name n1", 0],
    ["compile -f web.yaml --node-name n1 --emit documents", 0],
    ["compile -f web.yaml --node-name n1 --emit model", 0],
    ["compile -f web.yaml --node-name n1 --emit ruleset", 0],
    // explain
    ["explain -f web.yaml", 2],
    ["explain -f web.yaml --to 10.96.0.10", 2],
    ["explain -f web.yaml --to fd00:96::a:80", 2],
    ["explain -f web.yaml --to 10.96.0.10:65536", 2],
    ["explain -f web.yaml --to 10.96.0.10:80 --from fd00:96::b", 2],
    ["explain -f web.yaml --to 10.96.0.10:80 --backend auto", 2],
    [
      "explain -f web.yaml --to 10.96.0.10:80 --from 198.51.100.1 --detect-local-mode BridgeInterface --pod-bridge-interface cni0",
      2,
    ],
    ["explain -f web.yaml --to 127.0.0.1:80 --in-interface eth0", 2],
    ["explain -f bad.yaml --to 10.96.0.10:80", 3],
    ["explain -f web.yaml --to 10.96.0.10:80 --from 198.51.100.1", 0],
    ["explain -f web.yaml --to 10.96.0.10:80 --from 198.51.100.1 --cluster-cidr 10.244.0.0/16 --backend nftables", 0],
    [
      "explain -f web.yaml --to 10.96.0.10:80 --from 198.51.100.1 --detect-local-mode BridgeInterface --pod-bridge-interface cni0 --in-interface cni0",
      0,
    ],
    ["explain -f web.yaml --to 10.96.0.10:81 --from 198.51.100.1 --backend nftables --output json", 0],
    ["explain -f web.yaml --to 127.0.0.1:80 --protocol udp", 0],
    ["explain -f six.yaml --to [fd00:96::a]:80 --from fd00::7", 0],
    // dns, env
    ["dns", 2],
    ["dns -f web.yaml --cluster-domain Cluster_local", 2],
    ["dns -f bad.yaml", 3],
    ["dns -f web.yaml", 0],
    ["dns -f web.yaml --cluster-domain example.org. --output hosts", 0],
    ["dns -f names.yaml --output json", 0],
    ["env -f web.yaml --pod-namespace Shop", 2],
    ["env -f bad.yaml", 3],
    ["env -f web.yaml", 0],
    ["env -f web.yaml --no-service-links", 0],
    ["env -f names.yaml --pod-namespace shop", 0],
    ["env -f names.yaml --pod-namespace shop --output json --quiet", 0],
  ];

  it.concurrent.for(table)("svctables %s → %i", async ([line, expected, input = ""], { expect }) => {
    const { exitCode, stdout, stderr } = await svctables(words(line), input);
    expect({ exitCode, stdout: inShort(stdout), stderr }).toMatchSnapshot();
    expect(exitCode).toBe(expected);
    expect(stdout + stderr).not.toMatch(/^\s+at .+:\d+:\d+/m);
    expect(stdout + stderr).not.toContain("\u001b");
    if (exitCode === 2 || exitCode === 3)
      expect({ stdout, silent: stderr === "" }).toEqual({ stdout: "", silent: false });
  });
});

describe("compile", () => {
  it("gives the same bytes whatever the order of files and documents", async () => {
    const [service = "", slice = ""] = SERVICE.split("---\n");
    const one = await svctables(words("compile -f - --node-name n1"), `${service}---\n${slice}`);
    const other = await svctables(words("compile -f - --node-name n1"), `${slice}---\n${service}`);
    expect(one.stdout).toContain("10.244.0.7:8080");
    expect(other.stdout).toBe(one.stdout);
  });

  it("writes the chosen family of a Service that has both", async () => {
    for (const [family, address, other] of [
      ["ipv4", "10.96.0.10/32", "fd00:96::a"],
      ["ipv6", "fd00:96::a/128", "10.96.0.10"],
    ]) {
      for (const range of ["", " --service-cidr 10.96.0.0/12 --service-cidr fd00:96::/112"]) {
        const { exitCode, stdout } = await svctables(words(`compile -f dual.yaml --ip-family ${family}${range}`));
        expect([family, exitCode]).toEqual([family, 0]);
        expect(stdout).toContain(`-d ${address}`);
        expect(stdout).not.toContain(`-d ${other}`);
      }
    }
    const { exitCode, stdout } = await svctables(words("validate -f dual.yaml --ip-family ipv4"));
    expect([exitCode, stdout]).toEqual([1, expect.stringContaining("family-not-served")]);
  });

  it("has no use for a record that cannot be read, unless values of it are needed", async () => {
    mkdirSync(join(home, "closed"));
    writeFileSync(join(home, "closed", "state.json"), "{");
    for (const command of ["compile", "dns", "env", "explain --to 10.96.0.10:80"]) {
      const { exitCode, stderr } = await svctables(words(`${command} -f web.yaml --state-dir closed`));
      expect([command, exitCode, stderr]).toEqual([command, 0, ""]);
    }
    const bare = SERVICE.replace("clusterIP: 10.96.0.10", "type: ClusterIP");
    const { exitCode, stderr } = await svctables(words("compile -f - --state-dir closed"), bare);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("run as root");
  });

  it("takes a file in which all is commented out for no settings", async () => {
    for (const config of ["empty.yaml", "remarks.yaml"]) {
      expect(await svctables(words(`compile -f web.yaml --node-name n1 --config ${config}`))).toMatchObject({
        exitCode: 0,
        stdout: (await svctables(words("compile -f web.yaml --node-name n1"))).stdout,
      });
    }
    const { exitCode, stderr } = await svctables(words("compile -f web.yaml --config text.yaml"));
    expect({ exitCode, isAboutManifests: stderr.includes("apiVersion") }).toEqual({
      exitCode: 2,
      isAboutManifests: false,
    });
  });

  it("takes flags over the file, and the file over the default", async () => {
    const marks = async (line: string) => /--mark (0x\w+)/.exec((await svctables(words(line))).stdout)?.[1];
    expect(await marks("compile -f web.yaml")).toBe("0x4000");
    expect(await marks("compile -f web.yaml --config node.yaml")).toBe("0x200");
    expect(await marks("compile -f web.yaml --config node.yaml --masquerade-bit 3")).toBe("0x8");
  });

  it("survives a reader that has seen enough", async () => {
    const bin = join(home, "bin/svctables.js");
    const many =
      SERVICE +
      Array.from({ length: 3000 }, (_, i) =>
        `---\n${SERVICE.split("---")[0]}`
          .replaceAll("web", `web-${i}`)
          .replace("10.96.0.10", `10.97.${i >> 8}.${i & 255}`),
      ).join("");
    const head = execa("head", ["-n", "1"]);
    const program = execa(process.execPath, [bin, "compile", "-f", "-"], { input: many, reject: false });
    program.stdout.pipe(head.stdin);
    head.stdin.on("error", () => program.stdout.destroy());
    expect((await head).stdout).toBe("*filter");
    program.stdout.destroy();
    const { stderr } = await program;
    expect(stderr).not.toContain("EPIPE");
  });
});

describe("what cannot be written", () => {
  /** Runs a command line of the shell in which `svctables` is the program. */
  async function shell(line: string) {
    const script = `svctables() { "${process.execPath}" bin/svctables.js "$@"; }\n${line}`;
    const { exitCode, stderr } = await execa("bash", ["-c", script], { cwd: home, reject: false });
    return { exitCode, stderr };
  }

  it.each([
    ["validate -f bad.yaml --output json | true", 1],
    ["compile -f web.yaml | true", 0],
    ["compile -f bad.yaml 2>&1 | true", 3],
    ["compile -f bad.yaml --node-name n1 2>/dev/full", 3],
  ])("does not change what the work comes to: %s", async (line, exitCode) => {
    const result = await shell(`svctables ${line}; exit "\${PIPESTATUS[0]}"`);
    expect(result.exitCode).toBe(exitCode);
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });

  it.each([
    ["compile -f web.yaml --node-name n1", 2],
    ["validate -f bad.yaml --output json", 2],
    ["--help", 2],
  ])("is told when the result is lost: %s", async (line, exitCode) => {
    const { exitCode: found, stderr } = await shell(`svctables ${line} >/dev/full`);
    expect(stderr).toMatch(/^error: the result cannot be written: ENOSPC.*\nhint: [^\n]+$/);
    expect(found).toBe(exitCode);
  });
});

describe("version", () => {
  it("is the package's", async () => {
    expect(await svctables(["--version"])).toEqual({ exitCode: 0, stdout: `${packageJson.version}\n`, stderr: "" });
  });

  it("names the tools, there or not", async () => {
    const { exitCode, stdout } = await svctables(words("version --output json"));
    expect(exitCode).toBe(0);
    expect(Object.keys(JSON.parse(stdout) as object)).toEqual(["svctables", "node", "kernel", "iptables", "nftables"]);
  });
});
