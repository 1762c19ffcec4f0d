import type { InputObject } from "../objects.ts";
import type { Check, CheckContext, Finding, Report } from "./check.ts";
import { nodeChecks, podChecks } from "./cluster.ts";
import { endpointSliceChecks } from "./endpointSlice.ts";
import { endpointsChecks } from "./endpoints.ts";
import { endpointSliceWarnings, endpointsWarnings, metadataWarnings } from "./endpointWarnings.ts";
import { metadataChecks } from "./metadata.ts";
import { serviceAddressChecks } from "./serviceAddresses.ts";
import { serviceExposureChecks } from "./serviceExposure.ts";
import { servicePolicyChecks } from "./servicePolicies.ts";
import { servicePortChecks } from "./servicePorts.ts";
import { serviceTypeChecks } from "./serviceType.ts";
import { serviceWarnings } from "./serviceWarnings.ts";
import { textFindings } from "./text.ts";

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

/** Every code with its explanation. */
export const findings: readonly Finding[] = [
  ...textFindings,
  ...anyChecks,
  ...serviceChecks,
  ...allEndpointsChecks,
  ...sliceChecks,
  ...nodeChecks,
  ...podChecks,
];

/** Called for each violation with the check that found it. */
export type OnViolation = (check: Check<never>, path: string, message: string, hint: string) => void;

function runAll<T>(checks: readonly Check<T>[], object: T, context: CheckContext, found: OnViolation): void {
  for (const check of checks) {
    const report: Report = (path, message, hint) => found(check as Check<never>, path, message, hint ?? check.hint);
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
