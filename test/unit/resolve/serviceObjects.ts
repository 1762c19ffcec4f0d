import type { Allocated, AllocateOptions } from "../../../src/resolve/allocate.ts";
import type { ServiceManifest, ServiceSpec } from "../../../src/types.ts";

export const options: AllocateOptions = {
  serviceCIDRs: ["10.96.0.0/16"],
  nodePortRange: { first: 30000, last: 32767 },
};
export const dual: AllocateOptions = { ...options, serviceCIDRs: ["10.96.0.0/16", "fd00:10:96::/112"] };

/** A ClusterIP Service with port 80, unless the specification says otherwise. */
export function service(name: string, spec: Partial<ServiceSpec> = {}, namespace = "default"): ServiceManifest {
  return {
    kind: "Service",
    source: { file: "a.yaml", document: 0 },
    metadata: { name, namespace },
    spec: { type: "ClusterIP", ports: [{ protocol: "TCP", port: 80 }], ...spec },
  };
}

/** The specification of the one Service that was completed. */
export function only(result: Allocated): ServiceSpec {
  const [first] = result.services;
  if (first === undefined) throw new Error("no service");
  return first.spec;
}
