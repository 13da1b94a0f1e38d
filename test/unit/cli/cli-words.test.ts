/** What the command says and how it ends, whatever it does. */
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { stowage } from "../../support/command.js";

const execute = promisify(execFile);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-words-"));
  await writeFile(
    join(folder, "lake.json"),
    JSON.stringify({ lake: { conn_type: "aws", login: "FROMFILE", password: "canary-file-key" } }),
  );
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const COMMANDS = [
  [],
  ["ls"],
  ["glob"],
  ["du"],
  ["cat"],
  ["cp"],
  ["mv"],
  ["rm"],
  ["sync"],
  ["stat"],
  ["sign"],
  ["xcom"],
  ["xcom", "push"],
  ["xcom", "pull"],
  ["xcom", "purge"],
  ["xcom", "show"],
  ["xcom", "ls"],
  ["xcom", "export"],
  ["xcom", "import"],
  ["fsck"],
  ["sweep"],
  ["report"],
  ["migrate"],
  ["lifecycle"],
  ["lifecycle", "print"],
  ["lifecycle", "check"],
  ["init"],
  ["doctor"],
  ["completion"],
];

describe("help", () => {
  test.each(COMMANDS.map((words) => [["stowage", ...words].join(" "), words] as const))(
    "%s --help",
    async (_, words) => {
      const { code, stdout, stderr } = await stowage([...words, "--help"]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toMatchSnapshot();
      if (words.length > 0) expect(stdout).toContain(`\nExamples:\n  # `);
      // Examples are for copying, so they are not broken.
      const prose = stdout.split("Examples:")[0]!.split("\n");
      expect(Math.max(...prose.map((line) => line.length))).toBeLessThanOrEqual(100);
    },
  );

  test("without a command it is on stderr, and the exit code is 2", async () => {
    const { code, stdout, stderr } = await stowage([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: stowage");
  });

  test("--version prints the package's version", async () => {
    expect((await stowage(["--version"])).stdout).toMatch(/^\d+\.\d+\.\d+\S*\n$/);
  });
});

describe("what is wrong with a command is one line with the way to its help, and 2", () => {
  test.each([
    ["an unknown command", ["lss"], "unknown command 'lss' (Did you mean ls?); see: stowage --help"],
    [
      "an unknown subcommand",
      ["xcom", "shwo"],
      "unknown command 'shwo' (Did you mean show?); see: stowage xcom --help",
    ],
    ["an unknown option", ["ls", "--jsn"], "unknown option '--jsn' (Did you mean --json?); see: stowage ls --help"],
    ["a missing argument", ["cp", "a"], "missing required argument 'to'; see: stowage cp --help"],
    ["a missing option", ["xcom", "push"], "required option '--dag <id>' not specified; see: stowage xcom push --help"],
    ["too many arguments", ["sync", "a", "b", "c"], "too many arguments"],
    ["a codec that is none", ["cat", "--compression", "rar", "a"], "Allowed choices are zip, gzip"],
    ["a number that is none", ["cat", "--start", "-1", "a"], "It must be a whole number"],
    ["a time that is none", ["sign", "--expires", "1w", "s3://b/k"], "It must be seconds, or a time such as 15m"],
    [
      "a time that is too long",
      ["sign", "--expires", "8d", "s3://b/k"],
      "must be seconds, such as 900, from 1 to 604800",
    ],
    ["an unknown connection", ["cat", "s3://lake@bucket/key"], "set AIRFLOW_CONN_LAKE"],
    ["an unknown scheme", ["cat", "ftp://host/key"], 'no driver registered for scheme "ftp"'],
    ["a web address", ["cat", "https://b.s3.eu-west-1.amazonaws.com/a%20b?sig=canary"], "write s3://b/a b"],
    ["one with the bucket in the path", ["ls", "https://s3.amazonaws.com/b/k"], "write s3://b/k"],
    ["one of Google", ["ls", "https://storage.googleapis.com/b/k"], "write gs://b/k"],
    ["one of Azure", ["ls", "https://a.blob.core.windows.net/b/k"], "write abfs://connection@b/k"],
    ["another web address", ["ls", "https://example.com/k"], 'no driver registered for scheme "https"'],
    ["a password in a URL", ["cat", "s3://user:canary-url-password@bucket/key"], "never a user and a password"],
    ["an empty path", ["cat", ""], "a path is empty"],
  ])("%s", async (_, args, expected) => {
    const { code, stdout, stderr } = await stowage(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^stowage: .*\n$/);
    expect(stderr).toContain(expected);
    expect(stderr).not.toContain("canary");
  });
});

describe("errors", () => {
  const missing = ["cat", "no-such-file"];

  test("are one line; the stack comes with --debug only", async () => {
    expect((await stowage(missing)).stderr).toMatch(/^stowage: read file:\/\/.*\n$/);
    expect((await stowage(["--debug", ...missing])).stderr).toMatch(/\n {4}at /);
  });

  test("are JSON with --json, with the code and what to do next", async () => {
    const { code, stdout, stderr } = await stowage([...missing, "--json"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    const { error } = JSON.parse(stderr);
    expect(error).toMatchObject({ code: "NotFound", op: "read", next: expect.stringContaining("stowage ls ") });
  });
});

describe("connections", () => {
  const sign = ["sign", "s3://lake@bucket/key"];
  const env = { AIRFLOW_CONN_LAKE: "aws://FROMENV:canary-env-key@/" };
  const keyOf = (text: string) => /Credential=(\w+)/.exec(decodeURIComponent(text))?.[1];

  test("--connections comes before the environment, and is relative to the working directory", async () => {
    const { stdout } = await stowage(["--connections", "lake.json", ...sign], { cwd: folder, env });
    expect(keyOf(stdout)).toBe("FROMFILE");
    expect(keyOf((await stowage(sign, { env })).stdout)).toBe("FROMENV");
  });

  test("--connections comes before the file that the environment names", async () => {
    const both = { ...env, STOWAGE_CONNECTIONS_FILE: join(folder, "other.json") };
    const { stdout } = await stowage([...sign, "--connections", "lake.json"], { cwd: folder, env: both });
    expect(keyOf(stdout)).toBe("FROMFILE");
  });

  test("a file that is missing is told with 2", async () => {
    const { code, stderr } = await stowage([...sign, "--connections", "gone.json"], { cwd: folder, env });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("gone.json cannot be read") });
  });
});

describe("colour", () => {
  const ls = ["ls", "-r", "."];
  const coloured = async (env: Record<string, string>) =>
    (await stowage(ls, { cwd: folder, env })).stdout.includes("\u001b[");

  test("is for terminals: there is none in a pipe", async () => {
    expect(await coloured({ TERM: "xterm-256color" })).toBe(false);
    expect((await stowage(["--help"])).stdout).not.toContain("\u001b");
  });

  test("can be asked for by FORCE_COLOR, over which NO_COLOR wins", async () => {
    expect(await coloured({ FORCE_COLOR: "1" })).toBe(true);
    expect(await coloured({ FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(false);
  });
});

describe("completion", () => {
  const completed = async (...words: string[]) => {
    const { stdout: script } = await stowage(["completion", "bash"]);
    const line = words.map((word) => `'${word}'`).join(" ");
    const ask = `${script}\nCOMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _stowage; echo "\${COMPREPLY[*]}"`;
    return (await execute("bash", ["-c", ask])).stdout.trim().split(" ").filter(Boolean);
  };

  test("bash: commands, subcommands, options and the values of options", async () => {
    expect(await completed("stowage", "x")).toEqual(["xcom"]);
    expect(await completed("stowage", "xcom", "p")).toEqual(["push", "pull", "purge"]);
    expect(await completed("stowage", "--json", "cp", "--if")).toEqual(["--if-absent"]);
    expect(await completed("stowage", "cp", "--compression", "z")).toEqual(["zip", "zstd"]);
    expect(await completed("stowage", "completion", "")).toEqual(["bash", "zsh", "fish"]);
  });

  test("bash: paths and free values are left to the shell", async () => {
    expect(await completed("stowage", "cp", "no")).toEqual([]);
    expect(await completed("stowage", "--connections", "")).toEqual([]);
  });

  test.each(["zsh", "fish"])("%s knows every command and option", async (shell) => {
    const { stdout: script } = await stowage(["completion", shell]);
    for (const words of COMMANDS) for (const word of words) expect(script).toContain(word);
    for (const option of ["if-absent", "compression", "expires", "refs"]) expect(script).toContain(option);
  });

  test("another shell is refused with 2", async () => {
    expect((await stowage(["completion", "tcsh"])).code).toBe(2);
  });
});
