import { describe, expect, test } from "vitest";
import { environmentOf } from "../../../src/discovery/env.ts";
import type { ServiceManifest, ServicePortSpec } from "../../../src/types.ts";

const HTTP: ServicePortSpec = { name: "http", protocol: "TCP", port: 80 };

function service(place: string, clusterIP: string, ports: readonly ServicePortSpec[] = [HTTP]): ServiceManifest {
  const [namespace = "", name = ""] = place.split("/");
  const source = { file: "-", document: 0 };
  return { kind: "Service", source, metadata: { namespace, name }, spec: { type: "ClusterIP", clusterIP, ports } };
}

function environment(services: readonly ServiceManifest[], namespace = "default", serviceLinks = true): string[] {
  return environmentOf(services, namespace, { serviceLinks }).map(({ name, value }) => `${name}=${value}`);
}

/** Names of the Services that a Pod learns of, with their address. */
const known = (services: readonly ServiceManifest[], namespace: string, serviceLinks = true) =>
  environment(services, namespace, serviceLinks).filter((line) => line.includes("_SERVICE_HOST="));

test("a Service with one unnamed port: what Pods that start after it see", () => {
  expect(environment([service("default/redis-master", "10.0.0.11", [{ protocol: "TCP", port: 6379 }])])).toEqual([
    "REDIS_MASTER_SERVICE_HOST=10.0.0.11",
    "REDIS_MASTER_SERVICE_PORT=6379",
    "REDIS_MASTER_PORT=tcp://10.0.0.11:6379",
    "REDIS_MASTER_PORT_6379_TCP=tcp://10.0.0.11:6379",
    "REDIS_MASTER_PORT_6379_TCP_PROTO=tcp",
    "REDIS_MASTER_PORT_6379_TCP_PORT=6379",
    "REDIS_MASTER_PORT_6379_TCP_ADDR=10.0.0.11",
  ]);
});

test("named ports, one number with two protocols, in the kubelet's order", () => {
  const ports: readonly ServicePortSpec[] = [
    { name: "u-d-p", protocol: "UDP", port: 8081 },
    { name: "t-c-p", protocol: "TCP", port: 8081 },
  ];
  expect(environment([service("default/abc-123", "5.6.7.8", ports)])).toEqual([
    "ABC_123_SERVICE_HOST=5.6.7.8",
    "ABC_123_SERVICE_PORT=8081",
    "ABC_123_SERVICE_PORT_U_D_P=8081",
    "ABC_123_SERVICE_PORT_T_C_P=8081",
    "ABC_123_PORT=udp://5.6.7.8:8081",
    "ABC_123_PORT_8081_UDP=udp://5.6.7.8:8081",
    "ABC_123_PORT_8081_UDP_PROTO=udp",
    "ABC_123_PORT_8081_UDP_PORT=8081",
    "ABC_123_PORT_8081_UDP_ADDR=5.6.7.8",
    "ABC_123_PORT_8081_TCP=tcp://5.6.7.8:8081",
    "ABC_123_PORT_8081_TCP_PROTO=tcp",
    "ABC_123_PORT_8081_TCP_PORT=8081",
    "ABC_123_PORT_8081_TCP_ADDR=5.6.7.8",
  ]);
});

test("IPv6 is in brackets in URLs and bare elsewhere", () => {
  const lines = environment([service("default/web", "fd00::a")]);
  expect(lines).toEqual(
    expect.arrayContaining(["WEB_SERVICE_HOST=fd00::a", "WEB_PORT=tcp://[fd00::a]:80", "WEB_PORT_80_TCP_ADDR=fd00::a"]),
  );
});

describe("which Services a Pod learns of", () => {
  const api = service("default/kubernetes", "10.96.0.1");
  const web = service("shop/web", "10.96.0.2");
  const other = service("bank/web", "10.96.0.3");
  const ownMaster = service("shop/kubernetes", "10.96.0.4");

  test("those of its namespace, and default/kubernetes", () => {
    expect(known([api, web, other], "shop")).toEqual([
      "KUBERNETES_SERVICE_HOST=10.96.0.1",
      "WEB_SERVICE_HOST=10.96.0.2",
    ]);
    expect(known([api, web, other], "default")).toEqual(["KUBERNETES_SERVICE_HOST=10.96.0.1"]);
  });

  test.each([[[api, ownMaster]], [[ownMaster, api]]])(
    "a Service kubernetes of its own namespace displaces the other one, in any order",
    (services) => {
      expect(known(services, "shop")).toEqual(["KUBERNETES_SERVICE_HOST=10.96.0.4"]);
      expect(known(services, "bank")).toEqual(["KUBERNETES_SERVICE_HOST=10.96.0.1"]);
    },
  );

  test("without service links only default/kubernetes", () => {
    expect(known([api, web, ownMaster], "shop", false)).toEqual(["KUBERNETES_SERVICE_HOST=10.96.0.1"]);
  });

  test("none without an address of its own, and none without ports", () => {
    const services = [service("shop/db", "None"), service("shop/alias", ""), service("shop/empty", "10.96.0.9", [])];
    expect(environment(services, "shop")).toEqual([]);
  });
});

test("a name that two Services define is listed for both", () => {
  const clashing = [service("default/a", "10.96.0.1"), service("default/a-service", "10.96.0.2")];
  const found = environmentOf(clashing, "default", { serviceLinks: true }).filter(
    ({ name }) => name === "A_SERVICE_PORT",
  );
  expect(found).toEqual([
    { name: "A_SERVICE_PORT", value: "80", service: "default/a" },
    { name: "A_SERVICE_PORT", value: "tcp://10.96.0.2:80", service: "default/a-service" },
  ]);
});
