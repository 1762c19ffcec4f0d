import { setImmediate } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { apply, type FamilyPlan, isRefusal, readKernel } from "../../../src/apply/apply.ts";
import { iptables } from "../../../src/backends/iptables/index.ts";
import { nftables } from "../../../src/backends/nftables/index.ts";
import { diff } from "../../../src/diff.ts";
import { UserError } from "../../../src/errors.ts";
import type { Command, Family, Table, TransactionStep } from "../../../src/types.ts";
import { type FakeNode, fakeNode, refusal } from "../../support/fakeNode.ts";
import { renderOptions, rulesetOf, service, slice } from "../../support/manifests.ts";

const WEB = service("default/web", { clusterIP: "172.30.0.41" });
const WEB_SLICE = slice("default/web", [{ addresses: ["10.180.0.1"] }, { addresses: ["10.180.0.2"] }]);
const WANTED = iptables.render(rulesetOf([WEB, WEB_SLICE]), renderOptions());
const WANTED_IPV6 = iptables.render(rulesetOf([], { family: "ipv6" }), renderOptions({ family: "ipv6" }));

let node: FakeNode;
beforeEach(() => {
  node = fakeNode();
  node.feed("ipv4", "*filter\n-A INPUT -i eth0 -j ACCEPT\nCOMMIT\n");
});

function world() {
  return { run: node.run, backend: iptables, diff };
}

async function planFor(family: Family, wanted: readonly Table[]): Promise<FamilyPlan> {
  const commands = iptables.commands(family, "nft");
  const held = await readKernel(commands, family, world());
  if (isRefusal(held)) throw new Error(held.reason);
  const changes = diff(iptables, held, wanted);
  const transaction = iptables.transaction(family, changes, "nft");
  const listed = { stamp: undefined, verify: true, isRecorded: false };
  return { family, flavour: "nft", commands, held, wanted, changes, transaction, ...listed };
}

async function bothFamilies(): Promise<readonly FamilyPlan[]> {
  return [await planFor("ipv4", WANTED), await planFor("ipv6", WANTED_IPV6)];
}

const isRestore = ({ program, args }: Command, family: Family) =>
  program === (family === "ipv4" ? "iptables-nft-restore" : "ip6tables-nft-restore") && !args.includes("--test");

/** A plan whose kernel answers otherwise from its n-th restore on. */
function failRestore(family: Family, stderr: string, from = 1, to = Number.POSITIVE_INFINITY): void {
  node.fault = (command, times) =>
    isRestore(command, family) && times >= from && times <= to ? refusal(stderr) : undefined;
}

describe("apply", () => {
  it("makes the kernel hold what is wanted, and a second time has nothing to do", async () => {
    expect(await apply(await bothFamilies(), world())).toMatchObject({ kind: "applied" });
    expect(node.listing("ipv4")).toContain("--to-destination 10.180.0.2:80");
    expect(node.listing("ipv4")).toContain("-A INPUT -i eth0 -j ACCEPT");
    const restores = node.log.filter((words) => words.includes("restore")).length;
    expect(await apply(await bothFamilies(), world())).toEqual({ kind: "unchanged" });
    expect(node.log.filter((words) => words.includes("restore"))).toHaveLength(restores);
  });

  it("checks both families before it writes the first", async () => {
    await apply(await bothFamilies(), world());
    expect(node.log.filter((words) => words.includes("restore"))).toEqual([
      "iptables-nft-restore --noflush -w 5 --test",
      "ip6tables-nft-restore --noflush -w 5 --test",
      "iptables-nft-restore --noflush -w 5",
      "ip6tables-nft-restore --noflush -w 5",
    ]);
  });

  it("refused at the check: nothing is written, and the Service whose line is blamed is named", async () => {
    const plans = await bothFamilies();
    const lines = plans[0]?.transaction.steps[0]?.text.split("\n") ?? [];
    const line = lines.findIndex((text) => text.includes("--to-destination")) + 1;
    const before = node.listing("ipv4");
    node.fault = ({ args }) =>
      args.includes("--test") ? refusal(`iptables-nft-restore: line ${line} failed`) : undefined;
    const result = await apply(plans, world());
    expect(result).toMatchObject({
      kind: "refused",
      rolledBack: true,
      origin: { servicePort: { text: "default/web" } },
    });
    expect(result).toHaveProperty("reason", expect.stringContaining(lines[line - 1] ?? "?"));
    expect(node.listing("ipv4")).toBe(before);
  });

  describe("with steps", () => {
    const change = { family: "ipv4", table: "t", name: "c", before: undefined, after: undefined } as const;
    const planOf = (steps: readonly TransactionStep[]): FamilyPlan => ({
      family: "ipv4",
      flavour: "nft",
      commands: { ...nftables.commands("ipv4", "nft"), check: () => undefined },
      held: [],
      wanted: [],
      changes: [{ ...change, removed: [], added: [] }],
      transaction: { backend: "nftables", family: "ipv4", steps, undo: [] },
      stamp: undefined,
      verify: false,
      isRecorded: false,
    });

    it("writes steps while the tool takes those before, then does what else there is", async () => {
      const log: string[] = [];
      const steps = ["first", "second", "third"].map((name, index) => {
        let isWritten = false;
        return {
          origins: [],
          isDependent: index > 0,
          get text() {
            if (!isWritten) log.push(`${name} is written`);
            isWritten = true;
            return name;
          },
        };
      });
      const pieces = ["one thing", "another"];
      const run = async ({ input, meanwhile }: Command) => {
        if (input !== undefined) log.push(`${input} is taken`);
        for (let piece = 0; piece < 2 && meanwhile?.() === true; piece++);
        return { exitCode: 0, stdout: "", stderr: "" };
      };
      const meanwhile = () => {
        const piece = pieces.shift();
        if (piece !== undefined) log.push(piece);
        return piece !== undefined;
      };
      const world = { run, backend: nftables, diff, meanwhile };
      expect(await apply([planOf(steps)], world)).toMatchObject({ kind: "applied" });
      expect(log).toEqual([
        "first is written",
        "first is taken",
        "second is written",
        "second is taken",
        "third is written",
        "one thing",
        "third is taken",
        "another",
      ]);
    });

    const rows = [
      { text: "before", origins: [], isDependent: true },
      ...["one", "two", "three", "four"].map((text) => ({ text, origins: [], isDependent: true, isUnordered: true })),
      { text: "after", origins: [], isDependent: true },
    ];
    const done = { exitCode: 0, stdout: "", stderr: "" };
    const listing = ({ input }: Command) => input === undefined;

    it("takes those at once that need no order, two at a time, and no other", async () => {
      const inFlight = new Set<string>();
      const seen: string[] = [];
      let endOne = () => {};
      const allOthers = new Promise<void>((resolve) => {
        endOne = resolve;
      });
      const run = async (command: Command) => {
        if (listing(command)) return done;
        const { input = "" } = command;
        inFlight.add(input);
        await (input === "one" ? allOthers : setImmediate());
        seen.push([...inFlight].join("+"));
        inFlight.delete(input);
        if (input === "four") endOne();
        return done;
      };
      expect(await apply([planOf(rows)], { run, backend: nftables, diff })).toMatchObject({ kind: "applied" });
      expect(seen).toEqual(["before", "one+two", "one+three", "one+four", "one", "after"]);
    });

    it.each([
      ["is refused", () => refusal("nft: no room")],
      [
        "is killed",
        () => {
          throw new Error("nft: no room");
        },
      ],
    ])("where one of those at once %s, lets the other end, begins no more and puts back", async (_, fail) => {
      const log: string[] = [];
      const run = async (command: Command) => {
        if (listing(command)) {
          log.push("listed");
          return done;
        }
        const { input = "" } = command;
        log.push(input);
        if (input === "one") return fail();
        await setImmediate();
        log.push(`${input} ended`);
        return done;
      };
      const result = await apply([planOf(rows)], { run, backend: nftables, diff });
      expect(result).toMatchObject({ kind: "refused", rolledBack: true, reason: expect.stringContaining("no room") });
      expect(log).toEqual(["before", "before ended", "one", "two", "two ended", "listed"]);
    });

    it("where one of those at once cannot be written, lets the other end and puts back", async () => {
      const log: string[] = [];
      const run = async (command: Command) => {
        log.push(command.input ?? "listed");
        await setImmediate();
        if (command.input !== undefined) log.push(`${command.input} ended`);
        return done;
      };
      const unwritable: TransactionStep = {
        origins: [],
        isUnordered: true,
        get text(): string {
          throw new Error("no room");
        },
      };
      const steps = rows.map((step) => (step.text === "two" ? unwritable : step));
      const result = await apply([planOf(steps)], { run, backend: nftables, diff });
      expect(result).toMatchObject({ kind: "refused", rolledBack: true, reason: "no room" });
      expect(log).toEqual(["before", "before ended", "one", "one ended", "listed"]);
    });
  });

  it("refused without a line: the message of the tool is all that is known", async () => {
    node.fault = ({ args }) => (args.includes("--test") ? refusal("") : undefined);
    const result = await apply(await bothFamilies(), world());
    expect(result).toMatchObject({ kind: "refused", origin: undefined });
    expect(result).toHaveProperty("reason", "iptables-nft-restore: exit code 1 without a message");
  });

  it("refused in the second family: the first is put back", async () => {
    const before = node.listing("ipv4");
    failRestore("ipv6", "ip6tables-nft-restore: line 3 failed");
    const result = await apply(await bothFamilies(), world());
    expect(result).toMatchObject({ kind: "refused", rolledBack: true });
    expect(node.listing("ipv4")).toBe(before);
  });

  it("put back is what was there before, drift and older rules included", async () => {
    await apply([await planFor("ipv4", WANTED)], world());
    node.feed("ipv4", "*nat\n-A KUBE-SERVICES -d 192.0.2.99 -j RETURN\nCOMMIT\n");
    const before = node.listing("ipv4");
    const other = iptables.render(rulesetOf([service("default/db", { clusterIP: "172.30.0.9" })]), renderOptions());
    const plans = [await planFor("ipv4", other), await planFor("ipv6", WANTED_IPV6)];
    failRestore("ipv6", "no");
    expect(await apply(plans, world())).toMatchObject({ rolledBack: true });
    expect(node.listing("ipv4")).toBe(before);
  });

  it("applied by half: what was done is put back by what the kernel then holds", async () => {
    const before = node.listing("ipv4");
    let half = false;
    node.fault = (command) => {
      if (half || !isRestore(command, "ipv4")) return undefined;
      half = true;
      const [filter = ""] = (command.input ?? "").split("COMMIT\n");
      node.feed("ipv4", `${filter}COMMIT\n`);
      return refusal("iptables-nft-restore: COMMIT_NAT failed");
    };
    expect(await apply(await bothFamilies(), world())).toMatchObject({ kind: "refused", rolledBack: true });
    expect(half).toBe(true);
    expect(node.listing("ipv4")).toBe(before);
  });

  it("a kernel that does not hold what it took is put back, and the line that is missing is named", async () => {
    const before = node.listing("ipv4");
    const plans = await bothFamilies();
    const lost = "*nat\n:KUBE-SERVICES - [0:0]\nCOMMIT\n";
    node.fault = ({ program, args }, times) => {
      // The second look at nat is the one after the restore.
      if (program === "iptables-nft-save" && args.at(-1) === "nat" && times === 2) node.feed("ipv4", lost);
      return undefined;
    };
    const result = await apply(plans, world());
    expect(result).toMatchObject({
      kind: "refused",
      rolledBack: true,
      origin: { servicePort: { text: "default/web" } },
    });
    expect(result).toHaveProperty("reason", expect.stringContaining("nat KUBE-SERVICES"));
    expect(result).toHaveProperty("reason", expect.stringContaining("missing: -d 172.30.0.41/32"));
    expect(node.listing("ipv4")).toBe(before);
  });

  it("a kernel that takes nothing back leaves no doubt that it is in between", async () => {
    node.fault = (command, times) => {
      if (isRestore(command, "ipv6")) return refusal("no");
      return isRestore(command, "ipv4") && times > 1 ? refusal("not now") : undefined;
    };
    const result = await apply(await bothFamilies(), world());
    expect(result).toMatchObject({ kind: "refused", rolledBack: false });
    expect(result).toHaveProperty("reason", expect.stringContaining("putting the rules back failed, too: ipv4:"));
    expect(result).toHaveProperty("reason", expect.stringContaining("not now"));
  });

  it("a tool that is killed half-way is undone like one that refuses", async () => {
    const before = node.listing("ipv4");
    node.fault = (command) => {
      if (isRestore(command, "ipv6")) throw new UserError("ip6tables-nft-restore was killed", "again");
      return undefined;
    };
    const result = await apply(await bothFamilies(), world());
    expect(result).toMatchObject({
      kind: "refused",
      reason: "ip6tables-nft-restore was killed (again)",
      rolledBack: true,
    });
    expect(node.listing("ipv4")).toBe(before);
  });

  it("a kernel that cannot be read any more gets the undo that was planned, and no promise", async () => {
    const before = node.listing("ipv4");
    const plans = await bothFamilies();
    node.fault = ({ program }) => (program.endsWith("-save") ? refusal("iptables-nft-save: table is busy") : undefined);
    const result = await apply(plans, world());
    expect(result).toMatchObject({ kind: "refused", rolledBack: false });
    expect(result).toHaveProperty("reason", expect.stringContaining("undone, but it cannot be read"));
    expect(node.listing("ipv4")).toBe(before);
  });

  it("a tool that is missing at the check is said at once, before anything is changed", async () => {
    const before = node.listing("ipv4");
    const plans = await bothFamilies();
    node.fault = () => {
      throw new UserError("the program iptables-nft-restore was not found", "install iptables");
    };
    await expect(apply(plans, world())).rejects.toThrow(UserError);
    expect(node.listing("ipv4")).toBe(before);
  });
});
