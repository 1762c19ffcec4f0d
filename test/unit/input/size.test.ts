import { describe, expect, test } from "vitest";
import { validate } from "../../../src/input/validate.ts";
import type { Diagnostic } from "../../../src/types.ts";
import { service, slice } from "./ruleTable.ts";

const ips = (count: number, first: number) =>
  Array.from({ length: count }, (_, index) => `${first}.${index >> 16}.${(index >> 8) & 255}.${index & 255}`);
const ports = (count: number) => Array.from({ length: count }, (_, index) => ({ name: `p${index}`, port: index + 1 }));
const slices = (count: number, names: readonly { readonly name: string }[]) =>
  Array.from({ length: count }, (_, index) => ({
    ...(slice({
      ports: names.map(({ name }) => ({ name, port: 80, protocol: "TCP" })),
      endpoints: ips(1000, 10 + index).map((ip) => ({ addresses: [ip] })),
    }) as object),
    metadata: { name: `web-${index}`, labels: { "kubernetes.io/service-name": "web" } },
  }));
const pods = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `web-${index}`, labels: { app: "web" } },
    spec: { containers: [{ name: "web" }] },
  }));
const ingress = (count: number) => ({ loadBalancer: { ingress: ips(count, 203).map((ip) => ({ ip })) } });

/** What is found about the size of one Service with these slices. */
function found(spec: object, status?: object, others: readonly object[] = []): readonly Diagnostic[] {
  const whole = { ...(service({ clusterIP: "10.96.0.10", ...spec }) as object), ...(status && { status }) };
  const documents = [whole, ...others].map((value, document) => ({ source: { file: "-", document }, value }));
  return validate(documents).diagnostics.filter(({ code }) => code === "service-too-large");
}

describe("lists of a Service that multiply", () => {
  test.each([
    ["addresses and ports", found({ externalIPs: ips(709, 203), ports: ports(710) }), "710 addresses with 710 ports"],
    [
      "addresses and endpoints",
      found({ externalIPs: ips(99, 203), ports: ports(2) }, undefined, slices(3, ports(2))),
      "100 addresses with 6000 endpoints of their ports",
    ],
    [
      "addresses and Pods",
      found({ selector: { app: "web" }, externalIPs: ips(499, 203), ports: ports(2) }, undefined, pods(501)),
      "500 addresses with 1002 endpoints of their ports",
    ],
    [
      "addresses and source ranges",
      found(
        { type: "LoadBalancer", ports: ports(2), loadBalancerSourceRanges: ips(900, 11).map((ip) => `${ip}/32`) },
        ingress(300),
      ),
      "300 load balancer addresses with 2 ports and 900 source ranges",
    ],
    [
      "addresses that may be sources",
      found({ type: "LoadBalancer", ports: ports(2), loadBalancerSourceRanges: ["192.168.0.0/16"] }, ingress(600)),
      "600 load balancer addresses with 2 ports and 1 source ranges",
    ],
  ])("%s", (_, diagnostics, factors) => {
    expect(diagnostics).toMatchObject([{ severity: "error", object: "Service default/web" }]);
    expect(diagnostics[0]?.message).toContain(`${factors} would take`);
  });

  test("are no matter while the product is what a node can take", () => {
    expect(found({ externalIPs: ips(499, 203), ports: ports(1000) })).toEqual([]);
    expect(found({ externalIPs: ips(9, 203), ports: ports(2) }, undefined, slices(20, ports(2)))).toEqual([]);
    // Pods have their endpoints in slices.
    const selecting = { selector: { app: "web" }, externalIPs: ips(499, 203), ports: ports(2) };
    expect(found(selecting, undefined, [...pods(501), slice({}) as object])).toEqual([]);
    // Endpoints of ports that the Service does not have.
    expect(found({ externalIPs: ips(99, 203), ports: ports(1) }, undefined, slices(4, ports(10)))).toEqual([]);
    expect(found({ type: "LoadBalancer", ports: ports(2) }, ingress(2000))).toEqual([]);
  });
});
