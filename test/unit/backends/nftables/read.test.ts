import { describe, expect, it } from "vitest";
import { comparable, read } from "../../../../src/backends/nftables/read.ts";
import type { TableObject } from "../../../../src/types.ts";

function objectsIn(body: string, family: "ipv4" | "ipv6" = "ipv4"): readonly TableObject[] {
  const word = family === "ipv4" ? "ip" : "ip6";
  const [table] = read(`table ${word} svctables {\n${body}}\n`, family);
  return [...(table?.objects.values() ?? [])];
}

function keysIn(body: string, family: "ipv4" | "ipv6" = "ipv4"): readonly string[] {
  return objectsIn(body, family).flatMap((object) => ("elements" in object ? [...object.elements.keys()] : []));
}

describe("read", () => {
  it("leaves out all that is not in our table of this family", () => {
    const listing =
      "table ip filter {\n\tchain INPUT {\n\t}\n}\ntable ip6 svctables {\n\tchain a {\n\t\tdrop\n\t}\n}\n";
    expect(read(listing, "ipv4")).toEqual([]);
    expect(read("", "ipv4")).toEqual([]);
    expect(read(listing, "ipv6").map(({ objects }) => [...objects.keys()])).toEqual([["a"]]);
  });

  it("reads sets, maps and chains", () => {
    const body = [
      '\tcomment "x"',
      "\tset cluster-ips {",
      "\t\ttype ipv4_addr",
      '\t\tcomment "Every ClusterIP"',
      "\t\telements = { 10.0.0.1, 10.0.0.2,",
      "\t\t\t     10.0.0.3 }",
      "\t}",
      "",
      "\tchain nat-prerouting {",
      '\t\tcomment "Services"',
      "\t\ttype nat hook prerouting priority -100; policy accept;",
      "\t\tjump services",
      "\t}",
      "",
    ].join("\n");
    expect(objectsIn(body)).toEqual([
      {
        kind: "set",
        name: "cluster-ips",
        declaration: "type ipv4_addr",
        comment: "Every ClusterIP",
        elements: new Map(["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((key) => [key, { key, value: "" }])),
      },
      {
        kind: "chain",
        name: "nat-prerouting",
        comment: "Services",
        hook: "type nat hook prerouting priority -100; policy accept",
        ordered: true,
        lines: [{ text: "jump services" }],
      },
    ]);
  });

  it("keeps an element's comment in its key, whatever is in it", () => {
    const [object] = objectsIn(
      '\tmap m {\n\t\ttype ipv4_addr : verdict\n\t\telements = { 10.0.0.1 comment "a, b : c }" : goto x, 10.0.0.2 : drop }\n\t}\n',
    );
    expect(object).toMatchObject({
      elements: new Map([
        ['10.0.0.1 comment "a, b : c }"', { key: '10.0.0.1 comment "a, b : c }"', value: "goto x" }],
        ["10.0.0.2", { key: "10.0.0.2", value: "drop" }],
      ]),
    });
  });

  it("leaves out what packets wrote", () => {
    const body =
      "\tset affinity {\n\t\ttypeof ip saddr . numgen inc mod 65536\n\t\tsize 4194304\n\t\tflags dynamic,timeout\n" +
      "\t\telements = { 10.0.0.1 . 5 timeout 3h expires 2h59m,\n\t\t\t     10.0.0.2 . 6 timeout 3h expires 1s }\n\t}\n";
    expect(keysIn(body)).toEqual([]);
    expect(objectsIn(body)).toMatchObject([
      { declaration: "typeof ip saddr . numgen inc mod 65536; size 4194304; flags dynamic,timeout" },
    ]);
  });

  it("knows protocols by number, as nft prints them without /etc/protocols", () => {
    const body =
      "\tmap m {\n\t\ttype ipv4_addr . inet_proto . inet_service : verdict\n\t\telements = { 10.0.0.1 . 17 . 6 : drop }\n\t}\n" +
      "\tmap n {\n\t\ttype inet_proto . inet_service : verdict\n\t\telements = { 6 . 132 : drop }\n\t}\n";
    expect(keysIn(body)).toEqual(["10.0.0.1 . udp . 6", "tcp . 132"]);
    expect(objectsIn("\tchain c {\n\t\tmeta l4proto 6 dnat to 10.0.0.1:80\n\t}\n")).toMatchObject([
      { lines: [{ text: "meta l4proto tcp dnat to 10.0.0.1:80" }] },
    ]);
  });

  it("does not take a port for a protocol", () => {
    const body =
      "\tmap endpoints-tcp {\n\t\ttypeof ip daddr . tcp dport . numgen random mod 65536 : ip daddr . tcp dport\n" +
      "\t\telements = { 10.0.0.1 . 17 . 6 : 10.0.0.2 . 6 }\n\t}\n";
    expect(keysIn(body)).toEqual(["10.0.0.1 . 17 . 6"]);
  });

  it("writes IPv6 addresses in one way", () => {
    expect(keysIn("\tset s {\n\t\ttype ipv6_addr\n\t\telements = { ::10.0.0.1, fd00::1 }\n\t}\n", "ipv6")).toEqual([
      "::a00:1",
      "fd00::1",
    ]);
  });

  it("takes a dormant table for none", () => {
    expect(objectsIn("\tflags dormant\n\tchain a {\n\t\tdrop\n\t}\n")).toEqual([]);
  });

  it("shows objects of kinds that we never write under their kind", () => {
    expect(objectsIn("\tcounter hits {\n\t\tpackets 0 bytes 0\n\t}\n\tchain a {\n\t\tdrop\n\t}\n")).toMatchObject([
      { name: "counter hits" },
      { name: "a" },
    ]);
  });
});

describe("comparable", () => {
  it.each([
    ["meta mark set meta mark | 0x00004000", "meta mark set meta mark or 0x4000"],
    ["meta mark & 0x80000000 != 0x00000000 masquerade", "meta mark != 0x00000000/1 masquerade"],
    ["reject with tcp reset", "meta l4proto tcp reject with tcp reset"],
    ["reject", "reject with icmpv6 port-unreachable"],
  ])("%s is %s", (one, other) => {
    expect(comparable("c", one)).toBe(comparable("c", other));
  });

  it("keeps apart what is different", () => {
    expect(comparable("c", "meta mark set meta mark | 0x4000")).not.toBe(
      comparable("c", "meta mark set meta mark | 0x40000"),
    );
    expect(comparable("c", "reject")).not.toBe(comparable("c", "reject with icmp host-unreachable"));
  });
});
