import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execaSync } from "execa";
import { describe, expect, test } from "vitest";

/** The units of contrib/systemd/, as far as they can be held without a systemd that runs. */

const folder = fileURLToPath(new URL("../contrib/systemd", import.meta.url));
const UNITS = readdirSync(folder).map((name) => join(folder, name));
const README = readFileSync(fileURLToPath(new URL("../README.md", import.meta.url)), "utf8");

/** The values of a key of a unit, in their order; none for a key that is not there. */
function valuesOf(unit: string, section: string, key: string): readonly string[] {
  const text = readFileSync(join(folder, unit), "utf8");
  const body = text.split(/^\[/m).find((part) => part.startsWith(`${section}]\n`)) ?? "";
  return body
    .split("\n")
    .filter((line) => line.startsWith(`${key}=`))
    .map((line) => line.slice(key.length + 1));
}

const inService = (section: string, key: string) => valuesOf("svctables.service", section, key);

/** Whether there is systemd's own judge; where not, that is said loudly. */
function hasSystemdAnalyze(): boolean {
  if (execaSync("systemd-analyze", ["--version"], { reject: false }).exitCode === 0) return true;
  console.warn("\n!!! THE UNITS ARE NOT VERIFIED: there is no systemd-analyze here\n");
  return false;
}

describe("the units of systemd", () => {
  if (hasSystemdAnalyze()) {
    test("say nothing that systemd does not know", () => {
      const { all } = execaSync("systemd-analyze", ["verify", ...UNITS], { reject: false, all: true });
      // It speaks of other units of the machine, too, and ends with 0 where it only names what it ignores.
      expect(all.split("\n").filter((line) => line.includes("svctables"))).toEqual([]);
    });
  }

  test("are never switched off by manifests that change often", () => {
    // systemd's own limit is five starts in ten seconds; the path unit that asks for a sixth fails, and stays so.
    expect(inService("Unit", "StartLimitIntervalSec")).toEqual(["0"]);
  });

  test("tell of manifests that are missing", () => {
    // A condition that is not met is no failure, and systemd says so where nobody sees it.
    expect(README).toContain("install -d /etc/svctables/manifests");
    expect(readFileSync(join(folder, "svctables.service"), "utf8")).not.toMatch(/^(?:Condition|Assert)/m);
  });

  test("speak in the name of svctables, and only of what is news", () => {
    expect(inService("Service", "SyslogIdentifier")).toEqual(["svctables"]);
    // What is less urgent than this is dropped: systemd's word on every start and end, but nothing of ours.
    expect(inService("Service", "LogLevelMax")).toEqual(["notice"]);
    expect(inService("Service", "SyslogLevel")).toEqual(["notice"]);
  });

  test("wait for whoever flushes the tables at boot", () => {
    const after = inService("Unit", "After").join(" ").split(" ");
    const flushers = ["nftables", "firewalld", "ufw", "netfilter-persistent", "iptables", "ip6tables"];
    expect(after).toEqual(
      expect.arrayContaining(["network-online.target", ...flushers.map((name) => `${name}.service`)]),
    );
  });

  test("come at boot, and a minute after each run", () => {
    expect(valuesOf("svctables.timer", "Timer", "OnBootSec")).toEqual(["0"]);
    expect(valuesOf("svctables.timer", "Timer", "OnUnitInactiveSec")).toEqual(["1min"]);
  });

  test("watch the files that the service reads, which are those of README", () => {
    const [command = ""] = inService("Service", "ExecStart");
    const read = [...command.matchAll(/ (\/etc\/\S+)/g)].map(([, path]) => path);
    expect(read).toHaveLength(2);
    expect([...valuesOf("svctables.path", "Path", "PathChanged")].sort()).toEqual(read.sort());
    expect(read.filter((path) => path === undefined || !README.includes(path))).toEqual([]);
  });
});
