// `allocate` on Services that leave their addresses open, from a state directory that is empty, and again with one
// Service fewer and one more: how long it takes, and whether every other Service keeps what it has.
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { nameOf, namespaceOf } from "./cluster.mjs";
import { once } from "./measure.mjs";
import { milliseconds, table } from "./table.mjs";

const SERVICES = 10_000;
/** Every fifth has a NodePort, since there are no more than 2768. */
const NODE_PORT_EVERY = 5;
/** The Service that goes and comes back; it has a NodePort. */
const LEFT_OUT_INDEX = SERVICES / 2;
const LEFT_OUT = `${namespaceOf(LEFT_OUT_INDEX)}/${nameOf(LEFT_OUT_INDEX)}`;
const RUNS = 3;
const CIDR = "10.96.0.0/12";
/** Automatic choices come from behind the first 256 addresses and the first 86 ports, which are left to people. */
const FIRST_ADDRESS = (10 << 24) + (96 << 16) + 257;
const LAST_ADDRESS = (10 << 24) + (111 << 16) + (255 << 8) + 254;
const FIRST_PORT = 30_086;
const LAST_PORT = 32_767;

/** As people write them: nothing that an API server fills in. */
function service(index) {
  const name = nameOf(index);
  const type = index % NODE_PORT_EVERY === 0 ? "NodePort" : "ClusterIP";
  const ports = [{ name: "http", port: 80, targetPort: 8080 }];
  const metadata = { name, namespace: namespaceOf(index) };
  return { apiVersion: "v1", kind: "Service", metadata, spec: { type, selector: { app: name }, ports } };
}

function writeServices(path, services) {
  writeFileSync(path, `${JSON.stringify({ apiVersion: "v1", kind: "List", items: services })}\n`);
}

async function run(args, output) {
  const result = await once(["allocate", ...args, "--service-cidr", CIDR, "--output", "json", "--quiet"], output);
  if (result.exitCode !== 0) throw new Error(`allocate ended with ${result.exitCode}: ${result.stderr.trim()}`);
  return result;
}

/** What was given out, by Service and field. */
function given(output) {
  return new Map(
    JSON.parse(readFileSync(output, "utf8")).map(({ service, path, value }) => [`${service} ${path}`, value]),
  );
}

/** What is wrong with the values themselves, or "". */
function flaw(values) {
  const addresses = [...values.values()].filter((value) => typeof value === "string").map(number);
  const ports = [...values.values()].filter((value) => typeof value === "number");
  const within = (list, first, last) => list.every((value) => value >= first && value <= last);
  if (addresses.length !== SERVICES || ports.length !== SERVICES / NODE_PORT_EVERY) return "some are missing";
  if (new Set(addresses).size !== addresses.length || new Set(ports).size !== ports.length) return "some are equal";
  const areInBand = within(addresses, FIRST_ADDRESS, LAST_ADDRESS) && within(ports, FIRST_PORT, LAST_PORT);
  return areInBand ? "" : "some are out of their band";
}

const number = (ip) => ip.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0);

/** How many values of all Services but the one are others in `after`, or are not there. */
function changed(before, after) {
  return [...before].filter(([field, value]) => !field.startsWith(`${LEFT_OUT} `) && after.get(field) !== value).length;
}

/** One after the other: all, all but one, all again; and before that what takes as long to read, and fills in nothing. */
async function round(path, record) {
  const state = path("allocation-state");
  rmSync(state, { recursive: true, force: true });
  const allocate = (name, output, flags) => run(["-f", path(name), "--state-dir", state, ...flags], output);
  const reading = await allocate("all.json", undefined, ["--no-standalone"]);
  const all = await allocate("all.json", path("all.out"), record);
  const fewer = await allocate("fewer.json", path("fewer.out"), record);
  const again = await allocate("all.json", path("again.out"), record);
  return { reading, all, fewer, again };
}

/** Prints the times, and throws when a value is wrong or has changed. */
export async function allocationTimes(folder) {
  const path = (name) => join(folder, name);
  const services = Array.from({ length: SERVICES }, (_, index) => service(index));
  writeServices(path("all.json"), services);
  writeServices(path("fewer.json"), services.toSpliced(LEFT_OUT_INDEX, 1));
  const isRoot = process.getuid?.() === 0;
  const rounds = [];
  for (let left = RUNS; left > 0; left--) rounds.push(await round(path, isRoot ? ["--record"] : []));
  const [all, fewer, again] = ["all.out", "fewer.out", "again.out"].map((name) => given(path(name)));
  if (flaw(all) !== "") throw new Error(`of the values that were given out, ${flaw(all)}`);
  const moved = { fewer: changed(all, fewer), again: changed(all, again) };
  if (isRoot && moved.fewer + moved.again > 0) throw new Error(`values changed: ${JSON.stringify(moved)}`);
  console.log(
    `\nallocate, ${SERVICES.toLocaleString("en")} Services without addresses, median of ${RUNS} runs${isRoot ? "" : "; not root: nothing is recorded"}`,
  );
  const typical = (key, figure) => median(rounds.map((one) => one[key][figure]));
  const row = (what, key, others) => {
    const beyond = (figure) => milliseconds(typical(key, figure) - typical("reading", figure));
    return [what, milliseconds(typical(key, "ms")), beyond("ms"), beyond("cpuMs"), others];
  };
  console.log(
    table(
      ["run", "time", "beyond start-up and reading", "processor, likewise", "values of other Services that changed"],
      [
        row("all of them, empty state directory", "all", "–"),
        row("one fewer", "fewer", moved.fewer),
        row("all of them again", "again", moved.again),
      ],
    ),
  );
}

const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
