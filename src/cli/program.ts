/** The tree of commands. */
import { readFile } from "node:fs/promises";
import { Command, CommanderError, Help } from "commander";
import type { CommonOptions } from "./command.js";
import { Cli, type ExitCode, envWith, report } from "./command.js";
import type { Io } from "./format.js";

/** Maximum width of help text, in characters: longer lines are hard to read. */
const WIDEST_HELP = 100;

type AddCommands = (cli: Cli, program: Command) => void;

/** The modules of the commands, in the order of the help. A command line loads the one that its command is in. */
export const MODULES: readonly { readonly commands: readonly string[]; readonly load: () => Promise<AddCommands> }[] = [
  { commands: ["ls", "glob"], load: async () => (await import("./commands/listing.js")).addListing },
  { commands: ["mb", "rb"], load: async () => (await import("./commands/buckets.js")).addBuckets },
  { commands: ["du"], load: async () => (await import("./commands/usage.js")).addUsage },
  { commands: ["cat", "cp", "mv"], load: async () => (await import("./commands/transfers.js")).addTransfers },
  { commands: ["sync"], load: async () => (await import("./commands/sync.js")).addSync },
  { commands: ["rm", "stat", "sign"], load: async () => (await import("./commands/objects.js")).addObjects },
  { commands: ["xcom"], load: async () => (await import("./commands/xcom.js")).addXCom },
  { commands: ["fsck"], load: async () => (await import("./commands/fsck.js")).addFsck },
  { commands: ["sweep"], load: async () => (await import("./commands/sweep.js")).addSweep },
  { commands: ["report"], load: async () => (await import("./commands/report.js")).addReport },
  { commands: ["migrate"], load: async () => (await import("./commands/migrate.js")).addMigrate },
  { commands: ["lifecycle"], load: async () => (await import("./commands/lifecycle.js")).addLifecycle },
  { commands: ["init"], load: async () => (await import("./init/index.js")).addInit },
  { commands: ["doctor"], load: async () => (await import("./doctor/index.js")).addDoctor },
  { commands: ["completion"], load: async () => (await import("./completion.js")).addCompletion },
];

/**
 * Adds the module of the command that the line starts with. Any other line gets all of them: help, an unknown command,
 * one after a common option, and `completion`, which prints the names of all.
 */
async function addCommands(cli: Cli, program: Command, args: readonly string[]): Promise<void> {
  const own = MODULES.filter(({ commands }) => args[0] !== "completion" && commands.includes(args[0] ?? ""));
  for (const add of await Promise.all((own.length > 0 ? own : MODULES).map(({ load }) => load()))) add(cli, program);
}

/** Runs one command line, `args` without `node` and the file, and returns its exit code. Never rejects. */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const cli = new Cli(io, wantsJson(args));
  const program = commandTree(cli, await version());
  await addCommands(cli, program, args);
  try {
    await program.parseAsync(withoutHelp(program, args), { from: "user" });
    return cli.exitCode;
  } catch (error) {
    // Commander has already reported the error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const options = program.opts<CommonOptions>();
    const { meantConnections } = await import("./known-connections.js");
    return report(io, error, { ...options, meant: await meantConnections(error, envWith(io, options)) });
  }
}

/**
 * Returns `help NAME` as NAME if there is no such command, where Commander would print the help of all, and
 * `help xcom push` as `xcom push --help`, where it would print that of `xcom`.
 */
function withoutHelp({ commands }: Command, args: readonly string[]): readonly string[] {
  const [help, name, inner] = args;
  if (help !== "help" || name === undefined || name.startsWith("-")) return args;
  const named = commands.find((command) => command.name() === name);
  if (!named) return args.slice(1);
  return inner !== undefined && named.commands.length > 0 ? [...args.slice(1), "--help"] : args;
}

function commandTree(cli: Cli, number: string): Command {
  const program = new Command("stowage");
  program
    .description("Object storage by URL: s3:// gs:// abfs:// file://, and Airflow's XComs on it.")
    .version(number, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .helpCommand("help [command]", "print help for a command")
    .option("--json", "print JSON, one object a line; errors, too")
    .option("--connections <file>", "look for connections in this file first")
    .option("--debug", "print the stack of an error")
    .addHelpText("after", AFTER)
    .showSuggestionAfterError()
    .exitOverride();
  present(program, cli);
  return program;
}

/** Also of a command line that cannot be parsed. */
function wantsJson(args: readonly string[]): boolean {
  const end = args.indexOf("--");
  return args.slice(0, end < 0 ? undefined : end).includes("--json");
}

function present(program: Command, cli: Cli): void {
  const { stdout, stderr } = cli.io;
  const width = ({ columns }: Io["stdout"]) => Math.min(columns ?? 80, WIDEST_HELP);
  program.configureOutput({
    writeOut: (text) => void stdout.stream.write(text),
    writeErr: (text) => void stderr.stream.write(text),
    outputError: (text, write) => write(cli.usageError(program, text)),
    getOutHelpWidth: () => width(stdout),
    getErrHelpWidth: () => width(stderr),
    getOutHasColors: () => stdout.color,
    getErrHasColors: () => stderr.color,
  });
  // `cp` and `mv` have one argument of several paths, since none can follow a list; the last one is the target.
  const subcommandTerm = (command: Command) =>
    new Help().subcommandTerm(command).replace("<paths...>", "<from...> <to>");
  const styleTitle = (title: string) => `\u001b[1m${title}\u001b[0m`;
  program.configureHelp({ showGlobalOptions: true, subcommandTerm, styleTitle });
}

const AFTER = `
A path is a URL, s3://connection@bucket/key, or a file relative to the working directory.
Connections are found in --connections, then STOWAGE_CONNECTIONS_FILE, then AIRFLOW_CONN_<ID>;
a URL without one uses the provider's own environment. "-" is stdin or stdout.

Exit codes: 0 done, 1 failed or interrupted, 2 the command itself was wrong.`;

async function version(): Promise<string> {
  const file = await readFile(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(file) as { version: string }).version;
}
