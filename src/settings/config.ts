import { UserError } from "../errors.ts";
import { canonicalIP, isUnspecified } from "../ip.ts";
import { ALL_OPTIONS, type OptionKey } from "./options.ts";
import type { RawSetting } from "./settings.ts";

/** What a configuration file says. */
export interface Config {
  readonly settings: readonly RawSetting[];
  /** Fields of a KubeProxyConfiguration that have a value and no meaning here. */
  readonly ignored: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

const KUBE_PROXY_API = "kubeproxy.config.k8s.io/v1alpha1";

/**
 * Reads a configuration object: ours (keys are the flags' names in camelCase) or kube-proxy's own.
 * @param value undefined for a file that says nothing
 * @param mode the backend chosen by flag; a KubeProxyConfiguration has a section for each
 * @throws UserError naming the file and the field
 */
export function readConfig(value: unknown, file: string, mode: string | undefined): Config {
  if (value === undefined) return { settings: [], ignored: [] };
  if (!isFields(value)) throw notAConfig(file, "a mapping of keys to values is expected");
  if (value.kind === undefined && value.apiVersion === undefined) return ownConfig(value, file);
  if (value.kind === "KubeProxyConfiguration" && value.apiVersion === KUBE_PROXY_API) {
    return kubeProxyConfig(value, file, mode);
  }
  const found = `found kind ${JSON.stringify(value.kind)}, apiVersion ${JSON.stringify(value.apiVersion)}`;
  throw notAConfig(file, found, value.kind === "ConfigMap" ? IN_A_CONFIG_MAP : undefined);
}

const IN_A_CONFIG_MAP =
  "give what it holds: kubectl get configmap kube-proxy -n kube-system -o jsonpath='{.data.config\\.conf}'";

function notAConfig(file: string, found: string, hint?: string): UserError {
  return new UserError(
    `--config ${file}: ${found}`,
    hint ?? `give a file with our own keys (nodeName: worker-1), or a KubeProxyConfiguration of ${KUBE_PROXY_API}`,
  );
}

function ownConfig(fields: Fields, file: string): Config {
  const known = new Map(ALL_OPTIONS.map(({ key }) => [key as string, key]));
  const settings: RawSetting[] = [];
  for (const [name, value] of Object.entries(fields)) {
    const key = known.get(name);
    if (key === undefined) throw unknownKey(name, file);
    if (value !== null) settings.push({ key, value, where: `${name} in ${file}` });
  }
  return { settings, ignored: [] };
}

function unknownKey(name: string, file: string): UserError {
  const alike = ALL_OPTIONS.find(({ key }) => key.toLowerCase() === name.replace(/[-_]/g, "").toLowerCase());
  const hint = alike === undefined ? `known are ${ALL_OPTIONS.map(({ key }) => key).join(", ")}` : `write ${alike.key}`;
  return new UserError(`${file}: there is no key ${JSON.stringify(name)}`, hint);
}

// ── kube-proxy's own ─────────────────────────────────────────────────────────────────────────────

/** Path of a field, and the option that it stands for. `MODE` is iptables or nftables. */
const KUBE_PROXY_FIELDS: readonly (readonly [path: string, key: OptionKey])[] = [
  ["mode", "backend"],
  ["hostnameOverride", "nodeName"],
  ["bindAddress", "nodeIp"],
  ["clusterCIDR", "clusterCidr"],
  ["detectLocalMode", "detectLocalMode"],
  ["detectLocal.bridgeInterface", "podBridgeInterface"],
  ["detectLocal.interfaceNamePrefix", "podInterfaceNamePrefix"],
  ["nodePortAddresses", "nodeportAddresses"],
  ["MODE.masqueradeAll", "masqueradeAll"],
  ["MODE.masqueradeBit", "masqueradeBit"],
  ["iptables.localhostNodePorts", "localhostNodeports"],
];

/** Modes of kube-proxy that no backend stands for. */
const OTHER_MODES: ReadonlySet<unknown> = new Set(["ipvs", "userspace", "kernelspace"]);

function kubeProxyConfig(fields: Fields, file: string, chosenMode: string | undefined): Config {
  if (chosenMode === undefined && OTHER_MODES.has(fields.mode)) {
    throw new UserError(
      `mode in ${file}: rules as in kube-proxy's mode ${JSON.stringify(fields.mode)} are not written here`,
      "choose with --backend iptables or --backend nftables",
    );
  }
  const mode = chosenMode ?? (fields.mode === "nftables" ? "nftables" : "iptables");
  const settings: RawSetting[] = [];
  const used = new Set<string>(["kind", "apiVersion"]);
  for (const [pattern, key] of KUBE_PROXY_FIELDS) {
    const path = pattern.replace("MODE", mode);
    used.add(path);
    const value = path.split(".").reduce<unknown>((at, name) => (isFields(at) ? at[name] : undefined), fields);
    if (isUnset(value) || (key === "nodeIp" && isEveryAddress(value))) continue;
    settings.push({ key, value, where: `${path} in ${file}` });
  }
  return { settings, ignored: leavesOf(fields, "").filter((path) => !used.has(path)) };
}

/** "Bind to every address", in any spelling, says nothing about the node's own. */
function isEveryAddress(value: unknown): boolean {
  const ip = canonicalIP(String(value));
  return ip !== undefined && isUnspecified(ip);
}

/** What kubeadm writes for "use the default". */
function isUnset(value: unknown): boolean {
  return value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0);
}

/** Paths of all fields that hold something other than a default. A feature gate's is not known: each counts. */
function leavesOf(value: unknown, path: string): readonly string[] {
  const isOff = value === false && !path.startsWith("featureGates.");
  if (isUnset(value) || isOff || value === 0 || value === "0" || value === "0s") return [];
  if (!isFields(value)) return [path];
  return Object.entries(value).flatMap(([name, inner]) => leavesOf(inner, path === "" ? name : `${path}.${name}`));
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
