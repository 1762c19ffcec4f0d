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

function runAll<T>(checks: readonly Check<T>[], object: T, context: CheckContext, found: OnViolation): void {
  // One closure for all checks of an object: this runs for every object of every kind.
  let current: Check<T> | undefined;
  const report: Report = (path, message, hint) => {
    if (current !== undefined) found(current as Check<never>, path, message, hint ?? current.hint);
  };
  for (const check of checks) {
    current = check;
    check.run(object, report, context);
  }
}

/** Runs every check that concerns one object. */
export function checkObject(object: InputObject, context: CheckContext, found: OnViolation): void {
  runAll(anyChecks, object, context, found);
  if (object.kind === "Service") runAll(serviceChecks, object, context, found);
  else if (object.kind === "Endpoints") runAll(allEndpointsChecks, object, context, found);
  else if (object.kind === "EndpointSlice") runAll(sliceChecks, object, context, found);
  else if (object.kind === "Node") runAll(nodeChecks, object, context, found);
  else runAll(podChecks, object, context, found);
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
