import { ExitCode, UserError } from "../errors.ts";
import { manifestYaml } from "../pipeline/standalone.ts";
import { compileText, type Decision, decide, type Input, nodeFor } from "../pipeline.ts";
import { familiesText } from "../report/changes.ts";
import { jsonText } from "../report/json.ts";
import { count } from "../report/style.ts";
import type { Node } from "../settings/node.ts";
import type { Settings } from "../settings/settings.ts";
import type { Family, ServicePort } from "../types.ts";
import { type Flags, settingsFrom, textFlag } from "./flags.ts";
import { someHost } from "./host.ts";
import { completeInputFrom } from "./input.ts";
import type { Io } from "./io.ts";

/** Prints what the tool takes on a node that holds none of our rules. Needs no root and reads no kernel. */
export async function run(flags: Flags, io: Io): Promise<ExitCode> {
  const settings = await settingsFrom(flags, io);
  demandBackend(settings, "compile");
  const input = await completeInputFrom(flags, settings, io);
  if (input === undefined) return ExitCode.inputRejected;
  noteNode(input, nodeFor(input.manifests, settings, someHost()), io);

  if (textFlag(flags, "output") === "yaml") {
    io.out(manifestYaml(input.manifests));
    return ExitCode.done;
  }
  const emit = textFlag(flags, "emit") ?? "rules";
  if (emit === "documents") {
    io.out(jsonText(input.documents));
    return ExitCode.done;
  }
  const decision = oneFamily(input, settings, io);
  noteUnserved([decision], io);
  io.out(
    emit === "model"
      ? jsonText(decision.servicePorts)
      : emit === "ruleset"
        ? jsonText(decision.ruleset)
        : compileText(decision, settings),
  );
  return ExitCode.done;
}

/** @throws UserError if the backend is left to the kernel, which this command does not ask */
export function demandBackend({ backend }: Settings, command: string): void {
  if (backend !== "auto") return;
  throw new UserError(
    `${command} asks no kernel, so it cannot choose the backend`,
    "write --backend iptables or nftables",
  );
}

/** The chosen family, else IPv4 unless all Services are IPv6. The tools take one family at a time. */
function oneFamily({ manifests }: Input, settings: Settings, io: Io): Decision {
  const [chosen, second] = settings.families ?? [];
  if (second !== undefined) {
    throw new UserError("compile writes one family at a time", "run it twice: --ip-family ipv4, then --ip-family ipv6");
  }
  const decided = (family: Family) => decide(manifests, settings, someHost(), family);
  if (chosen !== undefined) return decided(chosen);
  const [ipv4, ipv6] = [decided("ipv4"), decided("ipv6")];
  if (ipv6.servicePorts.length === 0) return ipv4;
  if (ipv4.servicePorts.length === 0) return ipv6;
  io.note(`note: this is ${familiesText(["ipv4"])}; there are IPv6 Services, too: --ip-family ipv6 writes them\n`);
  return ipv4;
}

/** Without its Node object, endpoints are local only if they name the node as this machine is called. */
export function noteNode({ manifests }: Input, { known, facts }: Node, io: Io): void {
  const nodes = manifests.filter(({ kind }) => kind === "Node");
  if (known || nodes.length === 0) return;
  const names = nodes.slice(0, 3).map(({ metadata }) => metadata.name);
  io.note(`note: the input has no Node ${facts.name} (but ${names.join(", ")}); choose one with --node-name\n`);
}

/** Names Services whose endpoints are missing, as happens where they are written by hand. */
export function noteUnserved(decisions: readonly Decision[], io: Io): void {
  const servicePorts = decisions.flatMap((decision) => decision.servicePorts);
  const nameOf = ({ name: { namespace, name } }: ServicePort) => `${namespace}/${name}`;
  const unserved = new Set(servicePorts.filter(({ endpoints }) => !endpoints.hasAny).map(nameOf));
  if (unserved.size === 0) return;
  for (const servicePort of servicePorts) if (servicePort.endpoints.hasAny) unserved.delete(nameOf(servicePort));
  if (unserved.size === 0) return;
  const first = [...unserved].slice(0, 3).join(", ");
  const rest = unserved.size > 3 ? ", …" : "";
  io.note(
    `note: no endpoint takes traffic, so connections are refused: ${count(unserved.size, "Service")} (${first}${rest})\n`,
  );
}
