import { describe, expect, test } from "vitest";
import { dnsOf, judge } from "../../../src/pipeline.ts";
import { settingsOf } from "../../../src/settings/settings.ts";

/** Records as lines, without the one about the zone itself. */
function records(yaml: string): readonly string[] {
  const { found } = answer(yaml);
  expect(found[0]).toBe('dns-version.cluster.local. TXT "1.1.0"');
  return found.slice(1);
}

function answer(yaml: string) {
  const text = { name: "a.yaml", bytes: Buffer.from(yaml), fromDirectory: false, rereadable: false };
  const { manifests, diagnostics } = judge({ inputs: [text] }, settingsOf([]));
  expect(diagnostics.filter(({ severity }) => severity === "error")).toEqual([]);
  const { records: all, leftOut } = dnsOf(manifests, "cluster.local");
  return { found: all.map(({ name, type, content }) => `${name} ${type} ${content}`), leftOut };
}

const service = (spec: string, name = "web") =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}, namespace: shop}\nspec: ${spec}\n---\n`;
const slice = (endpoints: string, ports = "[{name: sql, port: 15432}]", type = "IPv4") =>
  `apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-${type.toLowerCase()}, namespace: shop, labels: {kubernetes.io/service-name: db, service.kubernetes.io/headless: ""}}
addressType: ${type}
ports: ${ports}
endpoints: ${endpoints}
---
`;
const HEADLESS = "{clusterIP: None, ports: [{name: sql, port: 5432}]}";

describe("a Service with a cluster IP", () => {
  test("has its addresses, a service record for each named port, and the way back", () => {
    const spec = `{clusterIPs: [10.96.0.10, "fd00::a"], clusterIP: 10.96.0.10, ipFamilyPolicy: RequireDualStack,
      ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}`;
    expect(records(service(spec))).toEqual([
      "web.shop.svc.cluster.local. A 10.96.0.10",
      "web.shop.svc.cluster.local. AAAA fd00::a",
      "_http._tcp.web.shop.svc.cluster.local. SRV 0 100 80 web.shop.svc.cluster.local.",
      "_dns._udp.web.shop.svc.cluster.local. SRV 0 100 53 web.shop.svc.cluster.local.",
      "10.0.96.10.in-addr.arpa. PTR web.shop.svc.cluster.local.",
      "a.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. PTR web.shop.svc.cluster.local.",
    ]);
  });

  test("has no service record for a port without a name, and none for its endpoints", () => {
    const text = service("{clusterIP: 10.96.0.10, ports: [{port: 80}]}", "db") + slice("[{addresses: [10.1.0.1]}]");
    expect(records(text)).toEqual([
      "db.shop.svc.cluster.local. A 10.96.0.10",
      "10.0.96.10.in-addr.arpa. PTR db.shop.svc.cluster.local.",
    ]);
  });
});

describe("a headless Service", () => {
  test("has its ready endpoints, by their host names and the ports on which they listen", () => {
    const endpoints = `[{addresses: [10.1.0.2], hostname: db-1}, {addresses: [10.1.0.1], conditions: {ready: true}},
      {addresses: [10.1.0.3], conditions: {ready: false}}]`;
    expect(records(service(HEADLESS, "db") + slice(endpoints))).toEqual([
      "db.shop.svc.cluster.local. A 10.1.0.1",
      "db.shop.svc.cluster.local. A 10.1.0.2",
      "10-1-0-1.db.shop.svc.cluster.local. A 10.1.0.1",
      "db-1.db.shop.svc.cluster.local. A 10.1.0.2",
      "_sql._tcp.db.shop.svc.cluster.local. SRV 0 50 15432 10-1-0-1.db.shop.svc.cluster.local.",
      "_sql._tcp.db.shop.svc.cluster.local. SRV 0 50 15432 db-1.db.shop.svc.cluster.local.",
      "1.0.1.10.in-addr.arpa. PTR 10-1-0-1.db.shop.svc.cluster.local.",
      "2.0.1.10.in-addr.arpa. PTR db-1.db.shop.svc.cluster.local.",
    ]);
  });

  test("of both families has each target once, and labels that do not end with a hyphen", () => {
    const text =
      service(HEADLESS, "db") +
      slice("[{addresses: [10.1.0.1], hostname: db-0}]") +
      slice('[{addresses: ["fd00::1"], hostname: db-0}, {addresses: ["fd00::"]}]', undefined, "IPv6");
    const found = records(text);
    expect(found.filter((line) => / (A|AAAA) /.test(line))).toEqual([
      "db.shop.svc.cluster.local. A 10.1.0.1",
      "db.shop.svc.cluster.local. AAAA fd00::1",
      "db.shop.svc.cluster.local. AAAA fd00::",
      "db-0.db.shop.svc.cluster.local. A 10.1.0.1",
      "db-0.db.shop.svc.cluster.local. AAAA fd00::1",
      "fd00--0.db.shop.svc.cluster.local. AAAA fd00::",
    ]);
    expect(found.filter((line) => line.includes(" SRV "))).toEqual([
      "_sql._tcp.db.shop.svc.cluster.local. SRV 0 50 15432 db-0.db.shop.svc.cluster.local.",
      "_sql._tcp.db.shop.svc.cluster.local. SRV 0 50 15432 fd00--0.db.shop.svc.cluster.local.",
    ]);
  });

  test("that publishes addresses that are not ready has all of them", () => {
    const spec = "{clusterIP: None, publishNotReadyAddresses: true, ports: [{name: sql, port: 5432}]}";
    const found = records(service(spec, "db") + slice("[{addresses: [10.1.0.3], conditions: {ready: false}}]"));
    expect(found[0]).toBe("db.shop.svc.cluster.local. A 10.1.0.3");
  });

  test("without ports has addresses and host names only, also from Endpoints", () => {
    const written = `apiVersion: v1\nkind: Endpoints\nmetadata: {name: db, namespace: shop}
subsets: [{addresses: [{ip: 10.1.0.1, hostname: db-0}], notReadyAddresses: [{ip: 10.1.0.2}]}]\n`;
    expect(records(service("{clusterIP: None}", "db") + written)).toEqual([
      "db.shop.svc.cluster.local. A 10.1.0.1",
      "db-0.db.shop.svc.cluster.local. A 10.1.0.1",
      "1.0.1.10.in-addr.arpa. PTR db-0.db.shop.svc.cluster.local.",
    ]);
  });

  test("leaves the way back to the Service whose cluster IP an endpoint is", () => {
    const text =
      service(HEADLESS, "db") +
      slice("[{addresses: [10.96.0.10]}]") +
      service("{clusterIP: 10.96.0.10, ports: [{port: 80}]}");
    expect(records(text).filter((line) => line.includes(" PTR "))).toEqual([
      "10.0.96.10.in-addr.arpa. PTR web.shop.svc.cluster.local.",
    ]);
  });

  test("of which nothing is ready has no name, and that is said", () => {
    expect(answer(service(HEADLESS, "db")).leftOut).toEqual([
      "shop/db: no endpoint is ready, so its name does not exist",
    ]);
  });
});

describe("an external name", () => {
  test("is an alias", () => {
    expect(records(service("{type: ExternalName, externalName: ds1.example.com.}"))).toEqual([
      "web.shop.svc.cluster.local. CNAME ds1.example.com.",
    ]);
  });

  test("that is an address has no record, and that is said", () => {
    const { found, leftOut } = answer(service("{type: ExternalName, externalName: 192.0.2.7}"));
    expect(found).toHaveLength(1);
    expect(leftOut).toEqual(["shop/web: its external name is an address, which no CNAME can hold"]);
  });

  test("with a label that DNS cannot hold is left out", () => {
    const { leftOut } = answer(service(`{type: ExternalName, externalName: ${"a".repeat(64)}.example.com}`));
    expect(leftOut).toEqual([expect.stringContaining("has more than 63 characters")]);
  });
});

test("a port name of 63 characters has no service record, since an underscore comes before it", () => {
  const name = "p".repeat(63);
  const { found, leftOut } = answer(service(`{clusterIP: 10.96.0.10, ports: [{name: ${name}, port: 80}]}`));
  expect(found.filter((line) => line.includes(" SRV "))).toEqual([]);
  expect(leftOut).toEqual([
    `shop/web: SRV _${name}._tcp.web.shop.svc.cluster.local.: _${name} has more than 63 characters`,
  ]);
});

test("the order of the input does not matter", () => {
  const parts = [
    service(HEADLESS, "db"),
    slice("[{addresses: [10.1.0.1]}]"),
    service("{clusterIP: 10.96.0.10, ports: [{port: 80}]}"),
  ];
  expect(records([...parts].reverse().join(""))).toEqual(records(parts.join("")));
});
