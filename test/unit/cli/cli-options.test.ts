/** docs/cli-options.md, which this test writes with `vitest -u`: every option of every command. */
import { Command } from "commander";
import { expect, test } from "vitest";
import { Cli } from "../../../src/cli/command.js";
import { MODULES } from "../../../src/cli/program.js";
import { collectedIo } from "../../support/in-process.js";

async function allCommands(): Promise<readonly Command[]> {
  const program = new Command("stowage");
  const cli = new Cli(collectedIo().io, false);
  for (const { load } of MODULES) (await load())(cli, program);
  const below = (command: Command): Command[] =>
    command.commands.length > 0 ? command.commands.flatMap(below) : [command];
  return program.commands.flatMap(below);
}

function nameOf(command: Command): string {
  return command.parent ? `${nameOf(command.parent)} ${command.name()}` : command.name();
}

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("<", "&lt;");

function sectionOf(command: Command): string {
  const help = command.createHelp();
  const options = help.visibleOptions(command).filter(({ long }) => long !== "--help");
  const rows = options.map((option) => `| \`${option.flags}\` | ${cell(help.optionDescription(option))} |`);
  const table = rows.length > 0 ? `\n\n| option | what it does |\n|---|---|\n${rows.join("\n")}` : "";
  const summary = command.summary() || command.description();
  return `## ${nameOf(command)}\n\n${summary.slice(0, 1).toUpperCase()}${cell(summary.slice(1))}.${table}`;
}

test("docs/cli-options.md has every option of every command", async () => {
  const sections = (await allCommands()).map(sectionOf);
  const head =
    "# All options of the command\n\n[The command](cli.md) has examples. Every command also takes `--json`, `--connections FILE`, `--debug` and `--help`.";
  await expect(`${[head, ...sections].join("\n\n")}\n`).toMatchFileSnapshot("../../../docs/cli-options.md");
});

test("every option says what it does", async () => {
  for (const command of await allCommands())
    for (const { flags, description } of command.createHelp().visibleOptions(command))
      expect([flags, description.length > 2]).toEqual([flags, true]);
});
