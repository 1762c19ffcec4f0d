import type { InputObject } from "../objects.ts";
import { allocationFindings } from "./allocation.ts";
import type { Bundle, BundleCheck, BundleReport, Subject } from "./bundle.ts";
import type { Check, CheckContext, Finding, Report } from "./check.ts";
import { clashChecks } from "./clashes.ts";
import { nodeChecks, podChecks } from "./cluster.ts";
import { endpointSliceChecks } from "./endpointSlice.ts";
import { endpointsChecks } from "./endpoints.ts";
import { endpointSliceWarnings, endpointsWarnings, metadataWarnings } from "./endpointWarnings.ts";
import { joinChecks } from "./joins.ts";
import { metadataChecks } from "./metadata.ts";
import { nameChecks } from "./names.ts";
import { podJoinChecks } from "./podJoins.ts";
import { serviceAddressChecks } from "./serviceAddresses.ts";
import { serviceExposureChecks } from "./serviceExposure.ts";
import { servicePolicyChecks } from "./servicePolicies.ts";
import { servicePortChecks } from "./servicePorts.ts";
import { serviceTypeChecks } from "./serviceType.ts";
import { serviceWarnings } from "./serviceWarnings.ts";
import { sizeChecks } from "./size.ts";
import { textFindings } from "./text.ts";
import { usabilityChecks } from "./usability.ts";

/** Everything that is looked for, in the order in which it is reported. To add a check: one entry in one of these lists. */

const serviceChecks = [
  ...serviceTypeChecks,
  ...servicePortChecks,
  ...servicePolicyChecks,
  ...serviceAddressChecks,
  ...serviceExposureChecks,
  ...serviceWarnings,
];
const anyChecks = [...metadataChecks, ...metadataWarnings];
const allEndpointsChecks = [...endpointsChecks, ...endpointsWarnings];
const sliceChecks = [...endpointSliceChecks, ...endpointSliceWarnings];

const bundleChecks: readonly BundleCheck[] = [
  ...clashChecks,
  ...sizeChecks,
  ...joinChecks,
  ...usabilityChecks,
  ...podJoinChecks,
  ...nameChecks,
];

/** Every code with its explanation. */
export const findings: readonly Finding[] = [
  ...textFindings,
  ...anyChecks,
  ...serviceChecks,
  ...allEndpointsChecks,
  ...sliceChecks,
  ...nodeChecks,
  ...podChecks,
  ...bundleChecks,
  ...allocationFindings,
];

/** Called for each violation with the check that found it. */
export type OnViolation = (check: Check<never>, path: string, message: string, hint: string) => void;

/** Gives the function that runs every check that concerns one object. One report serves all objects. */
export function objectChecks(context: CheckContext, found: OnViolation): (object: InputObject) => void {
  let current: Check<never> | undefined;
  const report: Report = (path, message, hint) => {
    if (current !== undefined) found(current, path, message, hint ?? current.hint);
  };
  const runAll = <T>(checks: readonly Check<T>[], object: T) => {
    for (const check of checks) {
      current = check as Check<never>;
      check.run(object, report, context);
    }
  };
  return (object) => {
    runAll(anyChecks, object);
    if (object.kind === "Service") runAll(serviceChecks, object);
    else if (object.kind === "Endpoints") runAll(allEndpointsChecks, object);
    else if (object.kind === "EndpointSlice") runAll(sliceChecks, object);
    else if (object.kind === "Node") runAll(nodeChecks, object);
    else runAll(podChecks, object);
  };
}

/** Called for each violation that concerns several objects, with the one that should change. */
export type OnBundleViolation = (
  check: BundleCheck,
  subject: Subject,
  path: string,
  message: string,
  hint: string,
) => void;

/** Runs every check that needs more than one object. */
export function checkTogether(bundle: Bundle, context: CheckContext, found: OnBundleViolation): void {
  for (const check of bundleChecks) {
    const report: BundleReport = (subject, path, message, hint) =>
      found(check, subject, path, message, hint ?? check.hint);
    check.run(bundle, report, context);
  }
}
