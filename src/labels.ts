import type { ObjectMeta } from "./types.ts";

/** The labels of EndpointSlices that controllers and proxies go by (k8s.io/api/discovery/v1, well_known_labels.go). */

export const SERVICE_NAME = "kubernetes.io/service-name";
export const MANAGED_BY = "endpointslice.kubernetes.io/managed-by";
export const SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror";
export const HEADLESS = "service.kubernetes.io/headless";

/** "namespace/name" of the Service that an EndpointSlice serves; without a name where it serves none. */
export function servedServiceOf({ namespace, labels }: Pick<ObjectMeta, "namespace" | "labels">): string {
  return `${namespace}/${labels?.[SERVICE_NAME] ?? ""}`;
}
