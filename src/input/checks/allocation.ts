import type { Finding } from "./check.ts";
import { service } from "./examples.ts";

/** What can go wrong when missing addresses and ports are given out without an API server; found by `resolve/allocate.ts`. */

const port = "\n  ports:\n  - port: 80";

const nodePort = (ports: string): string =>
  service(`spec:\n  type: NodePort\n  clusterIP: 10.96.0.10\n  ports:${ports}`);

export const allocationFindings: readonly Finding[] = [
  {
    code: "cluster-ip-taken",
    severity: "error",
    title: "A cluster IP was given to another Service before",
    paragraph:
      "An address that was given out stays with its Service as long as that exists, and the first one of --service-cidr belongs to default/kubernetes.",
    flags: "--standalone --service-cidr 10.96.0.0/12",
    bad: service(`spec:\n  clusterIP: 10.96.0.1${port}`),
    good: service(`spec:\n  clusterIP: 10.96.0.10${port}`),
  },
  {
    code: "cluster-ip-missing",
    severity: "warning",
    title: "A Service has no cluster IP, and none can be given out",
    paragraph:
      "In a cluster the API server gives every Service an address. Without one no rules are written, unless --service-cidr names a range to take one from.",
    flags: "--standalone",
    bad: service(`spec:${port}`),
    good: service(`spec:\n  clusterIP: 10.96.0.10${port}`),
  },
  {
    code: "cluster-ip-exhausted",
    severity: "error",
    title: "The Service range is full",
    paragraph: "Every address of --service-cidr has an owner. A range cannot grow in place: name a second one.",
    flags: "--standalone --service-cidr 10.96.0.0/30",
    bad: `${service(`spec:${port}`)}---\n${service(`spec:${port}`, "name: web-2")}`,
    good: service(`spec:\n  clusterIP: 10.96.0.10${port}`),
  },
  {
    code: "node-port-taken",
    severity: "error",
    title: "A node port was given to another Service before",
    paragraph:
      "Node ports and health-check ports share one pool, and a port that was given out stays with its Service as long as that exists. In the example another Service was given 30080 by an earlier run.",
    flags: "--standalone",
    bad: nodePort("\n  - {port: 80, nodePort: 30080}"),
    good: nodePort("\n  - {port: 80, nodePort: 30081}"),
  },
  {
    code: "node-port-exhausted",
    severity: "error",
    title: "The range of node ports is full",
    paragraph: "Every port of --node-port-range has an owner, node ports and health-check ports together.",
    flags: "--standalone --node-port-range 30000-30000",
    bad: nodePort("\n  - {name: a, port: 80}\n  - {name: b, port: 81}"),
    good: nodePort("\n  - {name: a, port: 80, nodePort: 30000}"),
  },
];
