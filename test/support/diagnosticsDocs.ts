import type { Finding } from "../../src/input/checks/check.ts";
import { findings } from "../../src/input/checks/index.ts";
import { load } from "../../src/input/load.ts";
import { type ValidateOptions, validate } from "../../src/input/validate.ts";
import { allocate } from "../../src/resolve/allocate.ts";
import type { Diagnostic, ServiceManifest } from "../../src/types.ts";

/** Turns the explanations of the checks into the document and the fixtures that show them. */

/** Codes whose example is no text that could stand in a file here: bytes, or no file at all. */
export const NOT_TEXT: ReadonlySet<string> = new Set([
  "input-unreadable",
  "encoding-utf16",
  "encoding-invalid",
  "binary-input",
]);

function optionsOf({ flags = "" }: Finding): ValidateOptions {
  const value = (flag: string) => new RegExp(`${flag} (\\S+)`).exec(flags)?.[1];
  const serviceCIDR = value("--service-cidr");
  const allowed = value("--allow-external-ips");
  return {
    ...(serviceCIDR === undefined || flags.includes("--standalone") ? {} : { serviceCIDRs: [serviceCIDR] }),
    ...(flags.includes("--ip-family ipv4") ? { families: ["ipv4"] as const } : {}),
    ...(flags.includes("--kube-version 1.35") ? { kubeVersion: "1.35" as const } : {}),
    ...(allowed === undefined ? {} : { allowedExternalIPs: [allowed] }),
  };
}

/** Everything that is found in an example, with positions. */
export async function diagnose(finding: Finding, text: string): Promise<readonly Diagnostic[]> {
  const loaded = await load(["-"], { stdin: async () => text });
  const { manifests, diagnostics } = validate(loaded.documents, optionsOf(finding));
  const allocated = (finding.flags ?? "").includes("--standalone") ? allocationDiagnostics(finding, manifests) : [];
  return loaded.positioned([...loaded.diagnostics, ...diagnostics, ...allocated]);
}

function allocationDiagnostics(
  { flags = "" }: Finding,
  manifests: ReturnType<typeof validate>["manifests"],
): readonly Diagnostic[] {
  const services = manifests.filter((manifest): manifest is ServiceManifest => manifest.kind === "Service");
  const cidr = /--service-cidr (\S+)/.exec(flags)?.[1];
  const [, first = 30000, last = 32767] = /--node-port-range (\d+)-(\d+)/.exec(flags) ?? [];
  const nodePortRange = { first: Number(first), last: Number(last) };
  // What an earlier run gave out: port 30080 to a Service that comes first.
  const recorded = new Map([["default/older", { clusterIPs: [], nodePorts: { "": 30080 }, healthCheckNodePort: 0 }]]);
  const older: ServiceManifest = {
    kind: "Service",
    source: { file: "-", document: 0 },
    metadata: { name: "older", namespace: "default" },
    spec: {
      type: "NodePort",
      clusterIP: "10.96.9.9",
      clusterIPs: ["10.96.9.9"],
      ports: [{ protocol: "TCP", port: 80 }],
    },
  };
  const given = flags === "--standalone" ? [...services, older] : services;
  return allocate(given, { serviceCIDRs: cidr === undefined ? [] : [cidr], nodePortRange }, recorded).diagnostics;
}

function line({ source, code, severity, message }: Diagnostic): string {
  return `input.yaml:${source.line ?? "-"}:${source.column ?? "-"} ${severity} ${code} ${message}\n`;
}

const LONGEST_LINE = 160;

function shown(text: string): string {
  const lines = text.trimEnd().split("\n");
  return lines
    .map((one) => (one.length > LONGEST_LINE ? `${one.slice(0, 60)}… (${one.length} characters)` : one))
    .join("\n");
}

function section({ code, severity, title, paragraph, bad, good, flags }: Finding): string {
  const under = flags === undefined ? "" : ` With \`${flags}\`:`;
  const head = `## ${code}\n\n*${severity}* · ${title}.\n\n${paragraph}${under}\n\n`;
  if (NOT_TEXT.has(code)) return head;
  return `${head}Wrong:\n\n\`\`\`yaml\n${shown(bad)}\n\`\`\`\n\nRight:\n\n\`\`\`yaml\n${shown(good)}\n\`\`\`\n\n`;
}

const HEAD = `# Diagnostics

Everything that \`svctables validate\` may say about the input, with an example that has the problem and one that has
not. \`svctables validate --explain CODE\` prints one of these sections. This file is generated from the checks
themselves (\`node scripts/diagnostics.mjs\`); change it there.

`;

/** Path and content of every generated file. */
export async function files(): Promise<ReadonlyMap<string, string>> {
  const result = new Map([["docs/diagnostics.md", `${HEAD}${findings.map(section).join("")}`.trimEnd().concat("\n")]]);
  for (const finding of findings) {
    const { code, bad } = finding;
    if (NOT_TEXT.has(code) || bad.length > 10_000) continue;
    const folder = `fixtures/validation/${code}`;
    result.set(`${folder}/input.yaml`, bad);
    result.set(`${folder}/diagnostics.txt`, (await diagnose(finding, bad)).map(line).join(""));
  }
  return result;
}
