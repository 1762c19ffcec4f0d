import { describe, expect, test } from "vitest";
import { validate } from "../../../src/input/validate.ts";
import { endpoints, service, slice } from "./ruleTable.ts";

function check(value: object) {
  const { manifests, diagnostics } = validate([{ source: { file: "-", document: 0 }, value }]);
  const errors = diagnostics.filter(({ severity }) => severity === "error");
  return { manifest: manifests[0], errors: errors.map(({ code, source }) => `${code} ${source.path}`) };
}

// As encoding/json decodes null into Go's types.
describe("null", () => {
  const manifestOf = (object: object) => {
    const { manifest, errors } = check(object);
    expect(errors).toEqual([]);
    return manifest;
  };
  const meta = { labels: { a: null }, annotations: { b: null } };

  test("is the empty text in a map of texts", () => {
    expect(manifestOf(service({ selector: { app: null, tier: "x" } }, meta))).toMatchObject({
      metadata: { labels: { a: "" }, annotations: { b: "" } },
      spec: { selector: { app: "", tier: "x" } },
    });
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: "a", ...meta } };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "a", ...meta } };
    for (const object of [endpoints({}, meta), slice({}, meta), node, pod]) {
      expect(manifestOf(object)?.metadata).toMatchObject({ labels: { a: "" }, annotations: { b: "" } });
    }
  });

  test.each([
    [
      service({
        ports: [{ port: 80, name: null, protocol: null, targetPort: null, nodePort: null, appProtocol: null }],
      }),
    ],
    [service({ type: null, clusterIP: null, ipFamilies: null, externalName: null, publishNotReadyAddresses: null })],
    [{ ...service(), metadata: { name: "web", namespace: null, labels: null, uid: null, creationTimestamp: null } }],
    [{ ...service(), status: null }],
    [{ ...service(), status: { loadBalancer: { ingress: null }, conditions: null } }],
  ])("is no value of a field: %j", (object) => {
    expect(manifestOf(object)).toEqual({ ...manifestOf(service()), metadata: expect.anything() });
  });

  test.each([
    [service({ ports: [null] }), "port-invalid spec.ports[0].port"],
    [service({ externalIPs: [null] }), "external-ip-invalid spec.externalIPs[0]"],
    [service({}, { finalizers: [null] }), "finalizer-invalid metadata.finalizers"],
    [{ ...endpoints(), subsets: [null] }, "endpoints-subset-empty subsets[0]"],
    [endpoints({ addresses: [null] }), "endpoints-ip-invalid subsets[0].addresses[0].ip"],
    [slice({ endpoints: [null] }), "slice-addresses-required endpoints[0].addresses"],
    [slice({ endpoints: [{ addresses: [null] }] }), "slice-address-invalid endpoints[0].addresses[0]"],
  ])("is the empty value in a list: %j", (object, expected) => {
    expect(check(object).errors).toContain(expected);
  });

  test("is an address that says nothing among those of a Node", () => {
    const addresses = [null, { type: "InternalIP", address: "192.0.2.1" }];
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: "a" }, status: { addresses } };
    expect(manifestOf(node)).toMatchObject({ status: { addresses: [{ type: "", address: "" }, addresses[1]] } });
  });
});
