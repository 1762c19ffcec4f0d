import { Command, CommanderError, Option as Flag } from "commander";
import packageJson from "../package.json" with { type: "json" };
import type { Flags } from "./commands/flags.ts";
import type { Io } from "./commands/io.ts";
import { ExitCode, isSystemError, UserError } from "./errors.ts";
import {
  BACKEND_OPTIONS,
  CLUSTER_OPTIONS,
  flagOf,
  KERNEL_OPTIONS,
  NODE_OPTIONS,
  type Option,
  STANDALONE_OPTIONS,
} from "./settings/options.ts";

/** One command: what it is called, what it takes, and where its code is, loaded only when it runs. */
interface CommandEntry {
  readonly name: string;
  readonly alias?: string;
  readonly summary: string;
  /** Options with a value in the configuration file. */
  readonly settings: readonly (readonly Option[])[];
  /** Options of this command alone: flags, description, and allowed values if they are few. */
  readonly flags: readonly (readonly [flags: string, description: string, choices?: readonly string[]])[];
  readonly load: () => Promise<{ run(flags: Flags, io: Io): Promise<ExitCode> }>;
}

const INPUT: CommandEntry["flags"] = [
  ["-f, --file <PATH...>", "manifests: a file, a directory (recursively), or - for standard input; repeatable"],
];
const SKIP: CommandEntry["flags"] = [
  ["--skip-invalid", "leave Services with errors as they are in the kernel, apply the others, and exit with 3"],
];
const STRICT: CommandEntry["flags"] = [["--strict", "treat warnings as errors"]];

/** What decides which addresses Services have that no cluster completed. */
const DISCOVERY_OPTIONS: CommandEntry["settings"] = [
  CLUSTER_OPTIONS,
  STANDALONE_OPTIONS,
  NODE_OPTIONS.filter(({ key }) => key === "ipFamily" || key === "serviceCidr"),
  KERNEL_OPTIONS.filter(({ key }) => key === "stateDir"),
];

/** Without a choice, all that is ours goes: no manifest says what is needed. */
const CLEANUP_OPTIONS: readonly Option[] = [
  { key: "ipFamily", argument: "FAMILY", description: "ipv4, ipv6 or dual (default: dual)" },
  { key: "backend", argument: "NAME", description: "whose rules: iptables, nftables or auto (default: auto, both)" },
  { key: "iptablesVariant", argument: "NAME", description: "nft or legacy (default: both)" },
  ...KERNEL_OPTIONS.filter(({ key }) => key !== "iptablesVariant"),
];

const COMMANDS: readonly CommandEntry[] = [
  {
    name: "compile",
    summary: "print the rules as the tool takes them; needs no root and changes nothing",
    settings: [
      CLUSTER_OPTIONS,
      STANDALONE_OPTIONS,
      NODE_OPTIONS,
      BACKEND_OPTIONS,
      KERNEL_OPTIONS.filter(({ key }) => key === "iptablesVariant" || key === "stateDir"),
    ],
    flags: [
      ...INPUT,
      ...STRICT,
      ["--emit <STAGE>", "print this stage instead, as JSON", ["documents", "model", "ruleset", "rules"]],
      ["--output <FORMAT>", "print rules, or the completed manifests as yaml", ["rules", "yaml"]],
    ],
    load: () => import("./commands/compile.ts"),
  },
  {
    name: "validate",
    summary: "check manifests as the API server would",
    settings: [CLUSTER_OPTIONS, NODE_OPTIONS.filter(({ key }) => key === "ipFamily" || key === "serviceCidr")],
    flags: [
      ...INPUT,
      ...STRICT,
      ["--fail-on <SEVERITY>", "what makes the command fail (default: error)", ["error", "warning", "never"]],
      ["--ignore <CODE...>", "leave out warnings of this code; repeatable"],
      ["--output <FORMAT>", "how to print findings", ["human", "json", "github", "sarif", "junit"]],
      ["--explain <CODE>", "say what a code means and how to mend it"],
    ],
    load: () => import("./commands/validate.ts"),
  },
  {
    name: "diff",
    summary: "compare the rules of this node with what the input asks for",
    settings: [CLUSTER_OPTIONS, STANDALONE_OPTIONS, NODE_OPTIONS, BACKEND_OPTIONS, KERNEL_OPTIONS],
    flags: [...INPUT, ...STRICT, ...SKIP, ["--output <FORMAT>", "how to print changes", ["human", "json", "restore"]]],
    load: () => import("./commands/diff.ts"),
  },
  {
    name: "sync",
    alias: "apply",
    summary: "make the rules of this node what the input asks for, all or nothing",
    settings: [CLUSTER_OPTIONS, STANDALONE_OPTIONS, NODE_OPTIONS, BACKEND_OPTIONS, KERNEL_OPTIONS],
    flags: [
      ...INPUT,
      ...STRICT,
      ...SKIP,
      ["--dry-run", "print what would change, and change nothing"],
      ["--replace-kube-proxy", "take over from a kube-proxy that is stopped: remove what only it leaves"],
      ["--output <FORMAT>", "how to print changes", ["human", "json"]],
      ["--verbose", "print what was changed"],
    ],
    load: () => import("./commands/sync.ts"),
  },
  {
    name: "explain",
    summary: "say what becomes of a packet on this node, and why; needs no root and changes nothing",
    settings: [
      CLUSTER_OPTIONS,
      STANDALONE_OPTIONS,
      NODE_OPTIONS,
      BACKEND_OPTIONS.slice(0, 1),
      KERNEL_OPTIONS.filter(({ key }) => key === "stateDir"),
    ],
    flags: [
      ...INPUT,
      ...STRICT,
      ["--to <ADDRESS:PORT>", "where the packet is sent; IPv6 as [ADDRESS]:PORT"],
      ["--protocol <NAME>", "of the packet (default: tcp)", ["tcp", "udp", "sctp"]],
      ["--from <ADDRESS>", "who sends it (default: this node)"],
      ["--in-interface <NAME>", "by which it comes in, for detect-local modes that ask for interfaces"],
      ["--output <FORMAT>", "how to print it", ["human", "json"]],
    ],
    load: () => import("./commands/explain.ts"),
  },
  {
    name: "dns",
    summary: "print the records that a cluster's DNS server would have for these Services",
    settings: DISCOVERY_OPTIONS,
    flags: [
      ...INPUT,
      ...STRICT,
      ["--cluster-domain <NAME>", "under which the names are (default: cluster.local)"],
      ["--output <FORMAT>", "how to print them", ["zone", "hosts", "json"]],
    ],
    load: () => import("./commands/dns.ts"),
  },
  {
    name: "env",
    summary: "print what a container finds about these Services in its environment",
    settings: DISCOVERY_OPTIONS,
    flags: [
      ...INPUT,
      ...STRICT,
      ["--pod-namespace <NAME>", "of the container's Pod (default: that of --namespace)"],
      ["--no-service-links", "for a Pod with enableServiceLinks: false"],
      ["--output <FORMAT>", "how to print it", ["env", "json"]],
    ],
    load: () => import("./commands/env.ts"),
  },
  {
    name: "allocate",
    summary: "show the addresses and ports that are filled in where manifests lack them",
    settings: [
      CLUSTER_OPTIONS,
      STANDALONE_OPTIONS,
      NODE_OPTIONS.filter(({ key }) => key === "ipFamily" || key === "serviceCidr"),
      KERNEL_OPTIONS.filter(({ key }) => key === "stateDir" || key === "lockTimeout"),
    ],
    flags: [
      ...INPUT,
      ...STRICT,
      ["--record", "keep them from now on, as sync does"],
      ["--output <FORMAT>", "how to print them; yaml: the completed manifests", ["human", "json", "yaml"]],
    ],
    load: () => import("./commands/allocate.ts"),
  },
  {
    name: "cleanup",
    summary: "remove all rules of ours from this node",
    settings: [CLEANUP_OPTIONS],
    flags: [
      ["--kube-proxy", "remove the chains of a kube-proxy that is gone, too, with its canaries and its nft tables"],
      ["--dry-run", "print what would be removed, and change nothing"],
    ],
    load: () => import("./commands/cleanup.ts"),
  },
  {
    name: "version",
    summary: "print versions of svctables and of the tools that it uses",
    settings: [],
    flags: [["--output <FORMAT>", "how to print them", ["human", "json"]]],
    load: () => import("./commands/version.ts"),
  },
];

const EXIT_CODES = `
Exit codes: 0 done, or nothing to say; 1 validate found errors, or diff found differences; 2 could not run,
or not write the result; 3 input rejected, nothing changed (with --skip-invalid: only the valid part was applied);
4 the kernel refused, nothing changed or rolled back; 70 a bug of ours.`;

/** @param finish receives the exit code of the command that ran */
function programOf(finish: (code: ExitCode) => void): Command {
  const program = new Command("svctables")
    .description(
      "Compiles Kubernetes Services into the packet rules of one node: kube-proxy in one shot, without a cluster.",
    )
    .version(packageJson.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help on a command")
    .addHelpText("after", EXIT_CODES)
    .configureHelp({ helpWidth: 110 })
    .showSuggestionAfterError()
    .exitOverride();
  for (const entry of COMMANDS) addCommand(program, entry, finish);
  return program;
}

function addCommand(program: Command, entry: CommandEntry, finish: (code: ExitCode) => void): void {
  const command = program
    .command(entry.name)
    .summary(entry.summary)
    .description(`${entry.summary[0]?.toUpperCase()}${entry.summary.slice(1)}.`)
    .helpOption("-h, --help", "print help")
    .configureHelp({ helpWidth: 110 })
    .showHelpAfterError(`(svctables ${entry.name} --help lists all options)`)
    .allowExcessArguments(false);
  if (entry.alias !== undefined) command.alias(entry.alias);
  for (const [flags, description, choices] of entry.flags) {
    const flag = new Flag(flags, description);
    // One value at a time, so that what follows a repeatable option is not swallowed.
    flag.variadic = false;
    if (flags.includes("...")) flag.argParser(append);
    command.addOption(choices === undefined ? flag : flag.choices(choices));
  }
  for (const option of entry.settings.flat()) addSetting(command, option);
  if (entry.settings.length > 0)
    command.option("--config <FILE>", "our own YAML, or a KubeProxyConfiguration; flags win");
  command.option("-q, --quiet", "print results and errors only");
  command.action(async (flags: Flags) => {
    mustBeRecent();
    const [{ run }, io] = await Promise.all([entry.load(), openIo(flags.quiet === true)]);
    finish(await run(flags, io));
  });
}

/** On an older Node our files do not even load, and that would pass for a bug of ours. */
function mustBeRecent(): void {
  const needed = packageJson.engines.node.replace(">=", "");
  const { node } = process.versions;
  // Not by localeCompare, which takes 20 ms to begin with.
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const [leastMajor = 0, leastMinor = 0] = needed.split(".").map(Number);
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return;
  throw new UserError(
    `this is Node ${node}, and svctables needs ${needed} or newer`,
    `install a newer one where PATH finds it first; sudo, cron and systemd may find another than your shell does (here: ${process.execPath})`,
  );
}

async function openIo(quiet: boolean): Promise<Io> {
  const { standardIo } = await import("./commands/io.ts");
  return standardIo({ quiet, version: packageJson.version });
}

function addSetting(command: Command, { key, argument, list, negatable, description }: Option): void {
  const flag = flagOf(key);
  if (argument === undefined) {
    command.option(flag, description);
    if (negatable) command.addOption(new Flag(`--no-${flag.slice(2)}`).hideHelp());
  } else if (list) {
    command.addOption(new Flag(`${flag} <${argument}>`, `${description}; repeatable`).argParser(append));
  } else {
    command.option(`${flag} <${argument}>`, description);
  }
}

function append(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

// ── The one place where everything ends ──────────────────────────────────────────────────────────

async function main(argv: readonly string[]): Promise<ExitCode> {
  let code: ExitCode = ExitCode.done;
  const program = programOf((finished) => {
    code = finished;
  });
  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    return endOf(error).catch(() => endWithout(error));
  }
}

/** Says what went wrong, and with which exit code. */
async function endOf(error: unknown): Promise<ExitCode> {
  // commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.cannotRun;
  const [io, { failureText, bugText }, { styleFor }] = await Promise.all([
    openIo(false),
    import("./report/failure.ts"),
    import("./report/style.ts"),
  ]);
  if (error instanceof UserError) {
    io.error(failureText(error.message, error.hint, styleFor(io.color)));
    return error.exitCode;
  }
  if (isSystemError(error)) {
    const hint = "make room, or mend what the system complains about, and run the same command again";
    io.error(failureText(error.message, hint, styleFor(io.color)));
    return ExitCode.cannotRun;
  }
  const facts = { svctables: packageJson.version, node: process.version, command: process.argv[2] ?? "" };
  io.error(bugText(error, facts, styleFor(io.color)));
  return ExitCode.internal;
}

/** Where our own files cannot be read, since no descriptor is left or another version was just installed, a line must do. */
function endWithout(error: unknown): ExitCode {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`error: ${message.replace(/[^ -~]+/g, " ")}\n`);
  return ExitCode.cannotRun;
}

/** A stream that cannot be written falls silent, and the work goes on: what it does must not depend on its readers. */
function bearLoss(stream: NodeJS.WriteStream, lost: (error: Error) => void): void {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    stream.write = () => true;
    // A reader that has seen enough (head, a closed pager) and a closed terminal are no error.
    if (error.code !== "EPIPE" && !(error.code === "EIO" && stream.isTTY)) lost(error);
  });
}

/** The worst exit code counts: a stream may fail before the work ends, or after. */
let worst: number = ExitCode.done;
function endWith(code: ExitCode): void {
  worst = Math.max(worst, code);
  process.exitCode = worst;
}

/**
 * What a library loses on its way ends here, and ends everything: where no descriptor is left for another process, Node
 * tells that to nobody who waits for it.
 */
process.on("uncaughtException", async (error) => {
  process.exit(isSystemError(error) ? endWithout(error) : await endOf(error).catch(() => endWithout(error)));
});
bearLoss(process.stderr, () => undefined);
bearLoss(process.stdout, async ({ message }) => {
  const hint = "what the command does was not stopped by this; make room, and run it again for its result";
  endWith(await endOf(new UserError(`the result cannot be written: ${message}`, hint)));
});
endWith(await main(process.argv));
// When all is written: to give hundreds of megabytes back piece by piece takes longer than to let the system take them.
process.once("beforeExit", () => process.exit());
