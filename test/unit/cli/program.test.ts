/** Which modules a command line loads. */
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { Cli } from "../../../src/cli/command.js";
import { processIo } from "../../../src/cli/format.js";
import { MODULES } from "../../../src/cli/program.js";
import { commandInProcess } from "../../support/in-process.js";

describe.each(MODULES.map((module) => [module.commands.join(", "), module] as const))("%s", (_, { commands, load }) => {
  test("the module adds these commands and no other", async () => {
    const program = new Command();
    (await load())(new Cli(processIo(new AbortController().signal)), program);
    expect(program.commands.map((command) => command.name())).toEqual(commands);
  });
});

test.each([["--help"], ["help"]])("%s lists the commands of all modules", async (...args) => {
  const { stdout, code } = await commandInProcess(args);
  expect(code).toBe(0);
  for (const name of MODULES.flatMap(({ commands }) => commands))
    expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
});

test("a command after a common option is found", async () => {
  expect(await commandInProcess(["--json", "stat", import.meta.filename])).toMatchObject({ code: 0 });
});

test("an unknown command gets the nearest of all modules", async () => {
  const { stderr, code } = await commandInProcess(["lifecicle"]);
  expect(stderr).toMatch("Did you mean lifecycle?");
  expect(code).toBe(2);
});

test("help of a command that does not exist is an unknown command, with the one that was meant", async () => {
  const unknown = await commandInProcess(["help", "lss"]);
  expect(unknown).toMatchObject({ code: 2, stdout: "" });
  expect(unknown.stderr).toBe("stowage: unknown command 'lss' (Did you mean ls?); see: stowage --help\n");
  expect((await commandInProcess(["help", "ls"])).stdout).toContain("Usage: stowage ls");
  expect((await commandInProcess(["help"])).stdout).toContain("Usage: stowage ");
});
