import { createRunner } from "../apply/exec.ts";
import { nftables } from "../backends/nftables/index.ts";
import { compile } from "../compile.ts";
import { SERVICE_NAME } from "../labels.ts";
import { resolve } from "../resolve/servicePorts.ts";
import type { BackendName, Manifest, NodeFacts, RenderOptions, Runner, Source } from "../types.ts";
import { type Machine, NFT, nftObstacle } from "./node.ts";

/** A backend chosen for the user, and the reason. */
export interface Choice {
  readonly backend: BackendName;
  readonly why: string;
}

/** nftables, if this node's nft and kernel load its rules in a network namespace made for that; else iptables. */
export async function chooseBackend(machine: Machine): Promise<Choice> {
  const run = createRunner(machine.searchPath);
  const obstacle = (await nftObstacle(run)) ?? (await kernelObstacle(run));
  if (obstacle === undefined) return { backend: "nftables", why: "this node's nft and kernel load its rules" };
  return { backend: "iptables", why: `nftables cannot be used: ${obstacle}` };
}

async function kernelObstacle(run: Runner): Promise<string | undefined> {
  const { exitCode, stderr } = await run({
    program: "unshare",
    args: ["--net", "--", NFT, "-f", "-"],
    input: sampleRules(),
  });
  if (exitCode === 0) return undefined;
  const reason = stderr.split("\n").find((line) => line.trim() !== "");
  if (reason === undefined) return `nft ended with ${exitCode} in a namespace of its own`;
  return NO_NAMESPACE.test(reason) ? `trying it needs CAP_SYS_ADMIN (${reason}); name the backend instead` : reason;
}

/** What unshare says of itself; nft was not asked then. */
const NO_NAMESPACE = /^unshare: .*not permitted/;

// ── A Service that uses every feature ────────────────────────────────────────────────────────────

const SOURCE: Source = { file: "sample", document: 0 };
const NODE: NodeFacts = { name: "node", zone: "", ips: { ipv4: undefined, ipv6: undefined }, addresses: [] };
const OPTIONS: RenderOptions = {
  family: "ipv4",
  masqueradeMark: 0x4000,
  nodePortAddresses: { kind: "any" },
  localhostNodePorts: false,
  serviceCIDRs: ["192.0.2.0/24"],
  comments: "auto",
  dropInvalid: true,
  randomFully: true,
};

function sampleRules(): string {
  const endpoints = ["198.51.100.1", "198.51.100.2"].map((ip) => ({ addresses: [ip], nodeName: NODE.name }));
  const manifests = (["None", "ClientIP"] as const).flatMap((sessionAffinity, index): readonly Manifest[] => {
    const name = `sample-${index}`;
    return [
      {
        kind: "Service",
        source: SOURCE,
        metadata: { namespace: "sample", name },
        spec: {
          type: "LoadBalancer",
          clusterIP: `192.0.2.${index}`,
          ports: [{ protocol: "TCP", port: 80, nodePort: 30000 + index }],
          externalTrafficPolicy: "Local",
          loadBalancerSourceRanges: ["203.0.113.0/25"],
          sessionAffinity,
        },
        status: { loadBalancer: { ingress: [{ ip: `192.0.2.${index + 8}` }] } },
      },
      {
        kind: "EndpointSlice",
        source: SOURCE,
        metadata: { namespace: "sample", name, labels: { [SERVICE_NAME]: name } },
        addressType: "IPv4",
        ports: [{ name: "", protocol: "TCP", port: 80 }],
        endpoints,
      },
    ];
  });
  const localDetector = { kind: "cidr", cidr: "198.51.100.0/24" } as const;
  const ruleset = compile(resolve(manifests, "ipv4", NODE), {
    family: "ipv4",
    node: NODE,
    masqueradeAll: false,
    localDetector,
  });
  return nftables
    .replacement("ipv4", nftables.render(ruleset, OPTIONS), [])
    .steps.map(({ text }) => text)
    .join("");
}
