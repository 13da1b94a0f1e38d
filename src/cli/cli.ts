/** What all commands of the tree are made with. */
import type { Command } from "commander";
import type { ExitCode } from "./errors.js";
import { styled } from "./format.js";
import type { Io } from "./io.js";
import { type CommonOptions, Session } from "./session.js";

export interface Description {
  name: string;
  /** One line, as the list of commands shows it. */
  summary: string;
  /** What the help says besides. */
  details?: string;
  /** Commands as they are typed, each with what it does. */
  examples: readonly (readonly [command: string, purpose: string])[];
}

/** Adds commands to the tree; knows the exit code after one of them has run. */
export class Cli {
  readonly io: Io;
  exitCode: ExitCode = 0;

  constructor(io: Io) {
    this.io = io;
  }

  /** A new command below `parent`. */
  add(parent: Command, { name, summary, details, examples }: Description): Command {
    const command = parent
      .command(name)
      .summary(summary)
      .description(details ? `${summary}\n\n${details}` : summary);
    command.configureOutput({ outputError: (text, write) => write(this.#usageError(command, text)) });
    command.addHelpText("after", () => this.#examples(examples));
    return command;
  }

  /** An action: runs `work` in a session of its own, with the arguments and options that were given. */
  run<A extends unknown[]>(work: (session: Session, ...args: A) => Promise<void>) {
    return async (...given: unknown[]): Promise<void> => {
      const command = given.at(-1) as Command;
      const session = new Session(this.io, command.optsWithGlobals<CommonOptions>());
      try {
        await work(session, ...(given.slice(0, -1) as A));
        this.exitCode = session.exitCode;
      } finally {
        await session.close();
      }
    };
  }

  #examples(examples: Description["examples"]): string {
    const { stdout } = this.io;
    const lines = examples.map(([command, purpose]) => `  ${styled(stdout, "dim", `# ${purpose}`)}\n  ${command}`);
    return `\n${styled(stdout, "bold", "Examples:")}\n${lines.join("\n")}`;
  }

  /** Commander's message on one line, in the words of the other errors. */
  #usageError(command: Command, text: string): string {
    const said = text
      .replace(/^error: /, "")
      .trim()
      .replace(/\s*\n\s*/g, " ")
      .replace(/\.$/, "");
    return `${styled(this.io.stderr, "red", "stowage:")} ${said}; see: ${nameOf(command)} --help\n`;
  }
}

/** `stowage xcom ls`. */
export function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}
