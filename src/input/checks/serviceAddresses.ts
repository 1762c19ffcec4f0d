import { canonicalIP, contains } from "../../ip.ts";
import type { Family } from "../../types.ts";
import { familyOfText, ipProblem } from "../grammar.ts";
import type { ServiceObject, ServiceSpecObject } from "../objects.ts";
import { duplicate, invalid, notSupported } from "../words.ts";
import type { Check, CheckContext } from "./check.ts";
import { service } from "./examples.ts";
import { isHeadless } from "./serviceType.ts";

const FAMILIES = ["IPv4", "IPv6"];
const POLICIES = ["SingleStack", "PreferDualStack", "RequireDualStack"];
const FAMILY_NAME: Readonly<Record<Family, string>> = { ipv4: "IPv4", ipv6: "IPv6" };

const ports = "\n  ports:\n  - port: 80";

/** Wraps a check that has nothing to say about aliases in DNS. */
function unlessExternalName(run: Check<ServiceObject>["run"]): Check<ServiceObject>["run"] {
  return (object, report, context) => {
    if (object.spec.type !== "ExternalName") run(object, report, context);
  };
}

/** Whether every entry is an address, so that rules about families make sense. */
function allAddresses({ clusterIPs }: ServiceSpecObject, context: CheckContext): boolean {
  return clusterIPs.every((ip) => ipProblem(ip, context.addressRules) === undefined);
}

const clusterIPsMismatch: Check<ServiceObject> = {
  code: "cluster-ips-mismatch",
  severity: "error",
  title: "clusterIP and clusterIPs do not agree",
  paragraph:
    "clusterIPs[0] repeats clusterIP character by character. clusterIPs alone is refused, clusterIP alone is fine.",
  hint: "give only clusterIP, or repeat it as the first of clusterIPs",
  bad: service(`spec:\n  clusterIP: 10.96.0.10\n  clusterIPs: [10.96.0.11]${ports}`),
  good: service(`spec:\n  clusterIP: 10.96.0.10\n  clusterIPs: [10.96.0.10]${ports}`),
  run: unlessExternalName(({ spec }, report) => {
    const { clusterIP, clusterIPs } = spec;
    if (clusterIP === "" && clusterIPs.length > 0) {
      report("spec.clusterIPs", invalid(clusterIPs, "must be empty when `clusterIP` is not specified"));
    } else if (clusterIP !== "" && clusterIPs[0] !== clusterIP) {
      report("spec.clusterIPs", invalid(clusterIPs, "first value must match `clusterIP`"));
    }
  }),
};

const clusterIPsNone: Check<ServiceObject> = {
  code: "cluster-ips-none",
  severity: "error",
  title: "None stands beside a cluster IP",
  paragraph: "A Service is headless or it is not: None may only be the single entry of clusterIPs.",
  hint: "write clusterIP: None alone, or remove None",
  bad: service(`spec:\n  clusterIP: None\n  clusterIPs: [None, "2001:db8::1"]${ports}`),
  good: service(`spec:\n  clusterIP: None\n  clusterIPs: [None]${ports}`),
  run: unlessExternalName(({ spec }, report) => {
    if (spec.clusterIPs.length < 2 || spec.clusterIPs[0] !== "None") return;
    report("spec.clusterIPs", invalid(spec.clusterIPs, "'None' must be the first and only value"));
  }),
};

const clusterIPInvalid: Check<ServiceObject> = {
  code: "cluster-ip-invalid",
  severity: "error",
  title: "A cluster IP is not an IP address",
  paragraph:
    "Write IPv4 without leading zeros and IPv6 in its own notation; IPv4-mapped IPv6 (::ffff:10.0.0.1) is refused since 1.36, because programs disagree about what it means.",
  hint: "write a plain address or None, or leave the field out to have one allocated",
  bad: service(`spec:\n  clusterIP: 010.96.0.10${ports}`),
  good: service(`spec:\n  clusterIP: 10.96.0.10${ports}`),
  run: unlessExternalName(({ spec }, report, context) => {
    spec.clusterIPs.forEach((ip, i) => {
      if (i === 0 && ip === "None") return;
      const problem = ipProblem(ip, context.addressRules);
      if (problem !== undefined) report(`spec.clusterIPs[${i}]`, invalid(ip, problem));
    });
  }),
};

const clusterIPsCount: Check<ServiceObject> = {
  code: "cluster-ips-too-many",
  severity: "error",
  title: "More than two cluster IPs",
  paragraph: "A Service has one cluster IP per family, so two at most.",
  hint: "keep one IPv4 and one IPv6 address",
  bad: service(`spec:\n  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, "fd00::1", 10.96.0.2]${ports}`),
  good: service(
    `spec:\n  ipFamilyPolicy: RequireDualStack\n  clusterIP: 10.96.0.10\n  clusterIPs: [10.96.0.10, "fd00::1"]${ports}`,
  ),
  run: unlessExternalName(({ spec }, report) => {
    if (spec.clusterIPs.length > 2) report("spec.clusterIPs", invalid(spec.clusterIPs, "may only hold up to 2 values"));
  }),
};

const clusterIPsFamilies: Check<ServiceObject> = {
  code: "cluster-ips-one-family",
  severity: "error",
  title: "Two cluster IPs of the same family",
  paragraph: "Two cluster IPs make a dual-stack Service, so one is IPv4 and the other IPv6.",
  hint: "keep one address per family",
  bad: service(
    `spec:\n  ipFamilyPolicy: PreferDualStack\n  clusterIP: 10.96.0.1\n  clusterIPs: [10.96.0.1, 10.96.0.2]${ports}`,
  ),
  good: service(
    `spec:\n  ipFamilyPolicy: PreferDualStack\n  clusterIP: 10.96.0.10\n  clusterIPs: [10.96.0.10, "fd00::1"]${ports}`,
  ),
  run: unlessExternalName(({ spec }, report, context) => {
    if (spec.clusterIPs.length < 2 || !allAddresses(spec, context)) return;
    if (new Set(spec.clusterIPs.map(familyOfText)).size === 2) return;
    report("spec.clusterIPs", invalid(spec.clusterIPs, "may specify no more than one IP for each IP family"));
  }),
};

const clusterIPFamily: Check<ServiceObject> = {
  code: "cluster-ip-family",
  severity: "error",
  title: "A cluster IP is not of the family that ipFamilies gives it",
  paragraph: "clusterIPs[i] belongs to ipFamilies[i].",
  hint: "put the addresses and the families into the same order",
  bad: service(`spec:\n  clusterIP: 10.96.0.10\n  ipFamilies: [IPv6]${ports}`),
  good: service(`spec:\n  clusterIP: 10.96.0.10\n  ipFamilies: [IPv4]${ports}`),
  run: unlessExternalName(({ spec }, report, context) => {
    if (isHeadless(spec) || !allAddresses(spec, context)) return;
    spec.clusterIPs.forEach((ip, i) => {
      const wanted = spec.ipFamilies[i];
      const family = familyOfText(ip);
      // A family that does not exist has been reported as such.
      if (wanted === undefined || !FAMILIES.includes(wanted)) return;
      if (family === undefined || wanted === FAMILY_NAME[family]) return;
      report(`spec.clusterIPs[${i}]`, invalid(ip, `expected an ${wanted} value as indicated by \`ipFamilies[${i}]\``));
    });
  }),
};

const familyUnsupported: Check<ServiceObject> = {
  code: "ip-family-unsupported",
  severity: "error",
  title: "An IP family does not exist",
  paragraph: "ipFamilies holds IPv4 and IPv6, written like this.",
  hint: "use IPv4 and IPv6",
  bad: service(`spec:\n  ipFamilies: [ipv4]${ports}`),
  good: service(`spec:\n  ipFamilies: [IPv4]${ports}`),
  run: unlessExternalName(({ spec }, report) => {
    spec.ipFamilies.forEach((family, i) => {
      if (!FAMILIES.includes(family)) report(`spec.ipFamilies[${i}]`, notSupported(family, FAMILIES));
    });
  }),
};

const familyDuplicate: Check<ServiceObject> = {
  code: "ip-family-duplicate",
  severity: "error",
  title: "An IP family is listed twice",
  paragraph: "ipFamilies lists each family once, the primary one first.",
  hint: "remove the second entry",
  bad: service(`spec:\n  ipFamilies: [IPv4, IPv4]${ports}`),
  good: service(`spec:\n  ipFamilies: [IPv4]${ports}`),
  run: unlessExternalName(({ spec }, report) => {
    spec.ipFamilies.forEach((family, i) => {
      if (spec.ipFamilies.indexOf(family) < i) report(`spec.ipFamilies[${i}]`, duplicate(family));
    });
  }),
};

const familyPolicyUnsupported: Check<ServiceObject> = {
  code: "ip-family-policy-unsupported",
  severity: "error",
  title: "The IP family policy does not exist",
  paragraph: "ipFamilyPolicy is SingleStack, PreferDualStack or RequireDualStack.",
  hint: "use one of the three, or leave the field out",
  bad: service(`spec:\n  ipFamilyPolicy: DualStack${ports}`),
  good: service(`spec:\n  ipFamilyPolicy: PreferDualStack${ports}`),
  run: unlessExternalName(({ spec }, report) => {
    const policy = spec.ipFamilyPolicy;
    if (policy !== undefined && !POLICIES.includes(policy))
      report("spec.ipFamilyPolicy", notSupported(policy, POLICIES));
  }),
};

/** The policy in force: a headless Service without selector says nothing about where its endpoints are, so it is dual-stack. */
function effectivePolicy(spec: ServiceSpecObject): string {
  return spec.ipFamilyPolicy ?? (isBareHeadless(spec) ? "RequireDualStack" : "SingleStack");
}

function isBareHeadless(spec: ServiceSpecObject): boolean {
  return isHeadless(spec) && Object.keys(spec.selector ?? {}).length === 0;
}

const singleStackTwo: Check<ServiceObject> = {
  code: "single-stack-two-families",
  severity: "error",
  title: "A single-stack Service asks for two families",
  paragraph:
    "Without ipFamilyPolicy a Service is single-stack; two clusterIPs or two ipFamilies need PreferDualStack or RequireDualStack.",
  hint: "set ipFamilyPolicy: RequireDualStack, or keep one family",
  bad: service(`spec:\n  ipFamilies: [IPv4, IPv6]${ports}`),
  good: service(`spec:\n  ipFamilyPolicy: PreferDualStack\n  ipFamilies: [IPv4, IPv6]${ports}`),
  run: unlessExternalName(({ spec }, report, context) => {
    if (effectivePolicy(spec) !== "SingleStack") return;
    const isTwo = (list: readonly string[]) => new Set(list).size === 2 && list.length === 2;
    const detail = (what: string) =>
      invalid(
        spec.ipFamilyPolicy ?? "SingleStack",
        `must be RequireDualStack or PreferDualStack when multiple ${what} are specified`,
      );
    if (spec.clusterIPs.length === 2 && allAddresses(spec, context))
      report("spec.ipFamilyPolicy", detail("clusterIPs"));
    if (isTwo(spec.ipFamilies) && spec.ipFamilies.every((family) => FAMILIES.includes(family))) {
      report("spec.ipFamilyPolicy", detail("ipFamilies"));
    }
  }),
};

/** Whether the rules about what the cluster serves can be judged: earlier ones must have been kept. */
function familiesAreSound(spec: ServiceSpecObject, context: CheckContext): boolean {
  const familiesFine = spec.ipFamilies.every(
    (family, i) => FAMILIES.includes(family) && spec.ipFamilies.indexOf(family) === i,
  );
  const addressesFine = isHeadless(spec) || allAddresses(spec, context);
  return familiesFine && addressesFine && POLICIES.includes(effectivePolicy(spec));
}

const clusterFamily: Check<ServiceObject> = {
  code: "family-not-served",
  severity: "error",
  title: "The cluster does not serve a family that the Service asks for",
  paragraph:
    "Dual stack is assumed unless --service-cidr says otherwise, or --ip-family when only validating; then a Service can only have the families that are left. A headless Service without selector may have any.",
  hint: "use a family that the cluster serves, or correct --ip-family and --service-cidr",
  flags: "--ip-family ipv4",
  bad: service(`spec:\n  ipFamilies: [IPv6]${ports}`),
  good: service(`spec:\n  ipFamilies: [IPv4]${ports}`),
  run: unlessExternalName(({ spec }, report, context) => {
    if (!familiesAreSound(spec, context)) return;
    const served = context.families.map((family) => FAMILY_NAME[family]);
    const headless = isHeadless(spec);
    for (let i = spec.ipFamilies.length; !headless && i < spec.clusterIPs.length; i++) {
      const family = familyOfText(spec.clusterIPs[i] ?? "");
      if (family === undefined || context.families.includes(family)) continue;
      report(`spec.clusterIPs[${i}]`, invalid(spec.clusterIPs[i], "not configured on this cluster"));
    }
    if (isBareHeadless(spec)) return;
    if (effectivePolicy(spec) === "RequireDualStack" && served.length === 1) {
      const detail = "this cluster is not configured for dual-stack services";
      report("spec.ipFamilyPolicy", invalid(spec.ipFamilyPolicy, detail));
    }
    spec.ipFamilies.forEach((family, i) => {
      if (!served.includes(family)) report(`spec.ipFamilies[${i}]`, invalid(family, "not configured on this cluster"));
    });
  }),
};

const clusterIPRange: Check<ServiceObject> = {
  code: "cluster-ip-range",
  severity: "error",
  title: "A cluster IP lies outside the Service CIDRs",
  paragraph:
    "When --service-cidr is given, a cluster IP must lie in one of its ranges, and be neither the network's own address nor the IPv4 broadcast address.",
  hint: "choose an address inside the Service CIDR, or leave clusterIP out",
  flags: "--service-cidr 10.96.0.0/12",
  bad: service(`spec:\n  clusterIP: 192.0.2.1${ports}`),
  good: service(`spec:\n  clusterIP: 10.96.0.10${ports}`),
  run: unlessExternalName(({ spec }, report, context) => {
    if (context.serviceCIDRs.length === 0 || isHeadless(spec)) return;
    for (const [i, text] of spec.clusterIPs.entries()) {
      const ip = canonicalIP(text);
      if (ip === undefined || context.serviceCIDRs.some((cidr) => isUsable(cidr, ip))) continue;
      const detail = `failed to allocate IP ${ip}: the provided IP is not in the valid range (${context.serviceCIDRs.join(", ")})`;
      report("spec.clusterIPs", `Invalid value: ${JSON.stringify(spec.clusterIPs)}: ${detail}`);
      if (i > 0) return;
    }
  }),
};

function isUsable(cidr: string, ip: string): boolean {
  if (!contains(cidr, ip) || ip === cidr.slice(0, cidr.lastIndexOf("/"))) return false;
  if (ip.includes(":")) return true;
  const hostBits = 32 - Number(cidr.slice(cidr.lastIndexOf("/") + 1));
  const bits = ip.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);
  const size = 2 ** hostBits;
  return size <= 2 || bits % size !== size - 1;
}

export const serviceAddressChecks: readonly Check<ServiceObject>[] = [
  clusterIPsMismatch,
  clusterIPsNone,
  clusterIPInvalid,
  clusterIPsCount,
  clusterIPsFamilies,
  clusterIPFamily,
  familyUnsupported,
  familyDuplicate,
  familyPolicyUnsupported,
  singleStackTwo,
  clusterFamily,
  clusterIPRange,
];
