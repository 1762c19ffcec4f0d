import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { yamlText } from "../../../src/input/load/write.ts";
import { load } from "../../../src/input/load.ts";
import { type ValidateOptions, validate } from "../../../src/input/validate.ts";
import { allocate } from "../../../src/resolve/allocate.ts";
import type { Manifest, ServiceManifest } from "../../../src/types.ts";

const root = "fixtures/users";
const nodePortRange = { first: 30000, last: 32767 };
const serviceCIDRs = ["10.96.0.0/12", "fd00:10:96::/112"];
const strict: ValidateOptions = { serviceCIDRs, nodePortRange };

/** The Services of a fixture as somebody without an API server would write them: nothing that it fills in. */
function bare({ kind, metadata, spec }: ServiceManifest): unknown {
  const {
    clusterIP,
    clusterIPs: _,
    ipFamilies: __,
    ipFamilyPolicy: ___,
    healthCheckNodePort: ____,
    ports = [],
    ...rest
  } = spec;
  const plainPorts = ports.map(({ nodePort: _nodePort, ...port }) => port);
  const headless = clusterIP === "None" ? { clusterIP } : {};
  return {
    apiVersion: "v1",
    kind,
    metadata,
    spec: { ...rest, ...headless, ports: plainPorts, externalTrafficPolicy: rest.externalTrafficPolicy || undefined },
  };
}

const isService = (manifest: Manifest): manifest is ServiceManifest => manifest.kind === "Service";

async function servicesOf(text: string): Promise<readonly ServiceManifest[]> {
  const loaded = await load(["-"], { stdin: async () => text });
  const { manifests, diagnostics } = validate(loaded.documents, strict);
  expect([...loaded.diagnostics, ...diagnostics].filter(({ severity }) => severity === "error")).toEqual([]);
  return manifests.filter(isService);
}

describe("manifests without what the API server fills in", () => {
  test.each(readdirSync(root))("%s completes itself, and what it completes to is valid and lasts", async (name) => {
    const loaded = await load([`${root}/${name}/input.yaml`]);
    const wanted = validate(loaded.documents).manifests.filter(isService).map(bare);
    const services = await servicesOf(yamlText(wanted));
    expect(services).toHaveLength(wanted.length);

    const first = allocate(services, { serviceCIDRs, nodePortRange });
    expect(first.diagnostics).toEqual([]);
    for (const { spec } of first.services) {
      if (spec.type === "ExternalName") continue;
      expect(spec.clusterIP).toMatch(/^(?:10\.|fd00:|None$)/);
      expect(spec.ipFamilies?.length).toBeGreaterThan(0);
      if (spec.type === "NodePort")
        expect((spec.ports ?? []).every(({ nodePort = 0 }) => nodePort >= 30000)).toBe(true);
    }

    const written = await servicesOf(
      yamlText(first.services.map(({ kind, metadata, spec }) => ({ apiVersion: "v1", kind, metadata, spec }))),
    );
    const again = allocate(written, { serviceCIDRs, nodePortRange });
    expect(again.assignments).toEqual([]);
    expect(again.allocations).toEqual(first.allocations);
    expect(allocate(services, { serviceCIDRs, nodePortRange }, first.allocations).services).toEqual(first.services);
  });
});
