/** The tree of commands. */
import { readFile } from "node:fs/promises";
import { Command, CommanderError } from "commander";
import type { CommonOptions } from "./command.js";
import { Cli, type ExitCode, report } from "./command.js";
import { addBuckets } from "./commands/buckets.js";
import { addFsck } from "./commands/fsck.js";
import { addLifecycle } from "./commands/lifecycle.js";
import { addListing } from "./commands/listing.js";
import { addMigrate } from "./commands/migrate.js";
import { addObjects } from "./commands/objects.js";
import { addReport } from "./commands/report.js";
import { addSweep } from "./commands/sweep.js";
import { addSync } from "./commands/sync.js";
import { addTransfers } from "./commands/transfers.js";
import { addUsage } from "./commands/usage.js";
import { addXCom } from "./commands/xcom.js";
import { addCompletion } from "./completion.js";
import { addDoctor } from "./doctor/index.js";
import type { Io } from "./format.js";
import { styled } from "./format.js";
import { addInit } from "./init/index.js";

/** Maximum width of help text, in characters: longer lines are hard to read. */
const WIDEST_HELP = 100;

/** Runs one command line, `args` without `node` and the file, and returns its exit code. Never rejects. */
export async function run(args: readonly string[], io: Io): Promise<ExitCode> {
  const cli = new Cli(io);
  const program = programOf(cli, await version());
  try {
    await program.parseAsync(args, { from: "user" });
    return cli.exitCode;
  } catch (error) {
    // Commander has already reported the error.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    return report(io, error, program.opts<CommonOptions>());
  }
}

function programOf(cli: Cli, number: string): Command {
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
  present(program, cli.io);
  addListing(cli, program);
  addBuckets(cli, program);
  addUsage(cli, program);
  addTransfers(cli, program);
  addSync(cli, program);
  addObjects(cli, program);
  addXCom(cli, program);
  addFsck(cli, program);
  addSweep(cli, program);
  addReport(cli, program);
  addMigrate(cli, program);
  addLifecycle(cli, program);
  addInit(cli, program);
  addDoctor(cli, program);
  addCompletion(cli, program);
  return program;
}

function present(program: Command, { stdout, stderr }: Io): void {
  const width = ({ columns }: Io["stdout"]) => Math.min(columns ?? 80, WIDEST_HELP);
  program.configureOutput({
    writeOut: (text) => void stdout.stream.write(text),
    writeErr: (text) => void stderr.stream.write(text),
    outputError: (text, write) =>
      write(
        `${styled(stderr, "red", "stowage:")} ${text
          .replace(/^error: /, "")
          .trim()
          .replace(/\s*\n\s*/g, " ")}; see: stowage --help\n`,
      ),
    getOutHelpWidth: () => width(stdout),
    getErrHelpWidth: () => width(stderr),
    getOutHasColors: () => stdout.color,
    getErrHasColors: () => stderr.color,
  });
  program.configureHelp({ showGlobalOptions: true, styleTitle: (title) => `\u001b[1m${title}\u001b[0m` });
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
