import { rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { flushStaleFlows } from "../../src/apply/conntrack.ts";
import { createRunner } from "../../src/apply/exec.ts";
import type { Runner } from "../../src/types.ts";
import { decided, service, slice } from "../support/manifests.ts";
import { addNamespace, deleteNamespace, inNamespace, uniquePrefix } from "../support/namespaces.ts";

/** Stale flows in the kernel's own table: all of them go, with few runs of the tool, and nothing else does. */

const NAMESPACE = `${uniquePrefix()}-ct`;
const ports = [{ name: "dns", protocol: "UDP", port: 53 }] as const;
const served = decided([
  service("ns/dns", { type: "NodePort", clusterIP: "172.30.0.10", ports: [{ ...ports[0], nodePort: 30053 }] }),
  slice("ns/dns", ["10.180.0.1"], { ports }),
]);

beforeAll(() => addNamespace(NAMESPACE));
afterAll(() => deleteNamespace(NAMESPACE));

/** One entry, as a line for conntrack --load-file. */
function added(client: number, destination: string, port: number, answeredBy: string, answerPort: number): string {
  const source = `10.180.0.9 -d ${destination} -p udp --sport ${1000 + client} --dport ${port}`;
  const reply = `-r ${answeredBy} -q 10.180.0.9 --reply-port-src ${answerPort} --reply-port-dst ${1000 + client}`;
  return `-A -s ${source} ${reply} -t 300\n`;
}

test("hundreds of stale flows go, all others stay", async () => {
  const stale: string[] = [];
  const good: string[] = [];
  for (let at = 0; at < 400; at++) {
    const anywhere = `203.0.113.${at % 250}`;
    stale.push(added(at, anywhere, 30053, anywhere, 30053), added(at, "172.30.0.10", 53, "10.180.0.2", 53));
    good.push(
      added(2000 + at, anywhere, 30053, "10.180.0.1", 53),
      added(4000 + at, "172.30.0.10", 53, "10.180.0.1", 53),
    );
    good.push(added(2000 + at, anywhere, 53, anywhere, 53));
  }
  const file = join(tmpdir(), `${NAMESPACE}.load`);
  onTestFinished(() => rmSync(file, { force: true }));
  writeFileSync(file, [...stale, ...good].join(""));
  inNamespace(NAMESPACE, "conntrack", ["--load-file", file]);
  const count = () => Number(inNamespace(NAMESPACE, "conntrack", ["-C"]));
  expect(count()).toBe(stale.length + good.length);
  let started = 0;
  const outside = createRunner(process.env.PATH ?? "");
  const run: Runner = (command) => {
    started += 1;
    const args = [`--net=/run/netns/${NAMESPACE}`, command.program, ...command.args];
    return outside({ ...command, program: "nsenter", args });
  };
  expect((await flushStaleFlows(run, "ipv4", served)).kind).toBe("flushed");
  expect(count()).toBe(good.length);
  expect(started).toBeLessThan(5);
});
