/** Several sources, wildcards, dry runs, attributes, and the options that people know from other tools. */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { jsonLines, type Ran } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-cli-"));
  await mkdir(join(folder, "logs/old"), { recursive: true });
  for (const name of ["a.log", "b.log", "c.txt", "old/d.log"]) await writeFile(join(folder, "logs", name), name);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (...args: string[]): Promise<Ran> => commandInProcess(args, { cwd: folder });
const files = async (name = "logs") => {
  const entries = await readdir(join(folder, name), { recursive: true, withFileTypes: true });
  return entries
    .filter((one) => one.isFile())
    .map((one) => join(one.parentPath, one.name).slice(folder.length + 1))
    .sort();
};
const url = (name: string) => `file://${folder}/${name}`;
const OLD = ["logs/a.log", "logs/b.log", "logs/c.txt", "logs/old/d.log"];

describe("cp and mv", () => {
  test("several sources and wildcards go into a directory under their names", async () => {
    const { code, stdout } = await run("cp", "logs/*.log", "logs/c.txt", "out/");
    expect(code).toBe(0);
    expect(stdout.trim().split("\n").sort()).toEqual(
      ["a.log", "b.log", "c.txt"].map((name) => `copied ${url(`logs/${name}`)} to ${url(`out/${name}`)}`),
    );
    expect(await files("out")).toEqual(["out/a.log", "out/b.log", "out/c.txt"]);
    expect((await run("mv", "-R", "logs/*", "moved/")).code).toBe(0);
    expect(await files("moved")).toEqual(OLD.map((name) => name.replace("logs", "moved")));
    expect(await files()).toEqual([]);
  });

  test("without a slash at its end a target for several is refused, and so are two sources of one name", async () => {
    const { code, stderr } = await run("cp", "logs/*.log", "out");
    expect([code, stderr]).toEqual([2, expect.stringContaining("which ends in a slash: out/")]);
    await writeFile(join(folder, "a.log"), "another");
    const twice = await run("cp", "logs/a.log", "a.log", "out/");
    expect([twice.code, twice.stderr]).toEqual([2, expect.stringContaining("the same name")]);
    expect((await run("cp", "logs/a.log")).code).toBe(2);
    await expect(files("out")).rejects.toThrow("ENOENT");
  });

  test("what fails is named, and the others are copied", async () => {
    const { code, stderr } = await run("cp", "logs/a.log", "logs/none", "logs/c.txt", "out/");
    expect(code).toBe(1);
    expect(stderr).toContain(`${url("logs/none")}: NotFound`);
    expect(stderr).toContain("1 failed, 2 done");
    expect(await files("out")).toEqual(["out/a.log", "out/c.txt"]);
  });

  test("a name with wildcard characters is itself, and no pattern that matches others", async () => {
    await writeFile(join(folder, "logs/[ab].log"), "itself");
    expect((await run("cp", "logs/[ab].log", "copy")).code).toBe(0);
    expect(await readFile(join(folder, "copy"), "utf8")).toBe("itself");
    expect((await run("rm", "logs/[ab].log")).stdout).toBe(`deleted ${url("logs/[ab].log")}\n`);
    expect(await files()).toEqual(OLD);
  });

  test("so is a directory, a link that leads nowhere, and the working directory before a pattern", async () => {
    await mkdir(join(folder, "app/[id]"), { recursive: true });
    await mkdir(join(folder, "app/i"));
    for (const name of ["[id]/page.log", "i/other.log"]) await writeFile(join(folder, "app", name), name);
    expect((await run("rm", "-r", "app/[id]")).stdout).toBe(`deleted ${url("app/[id]")}\n`);
    expect(await files("app")).toEqual(["app/i/other.log"]);
    await symlink("nowhere", join(folder, "app/*"));
    expect((await run("rm", "app/*")).stdout).toBe(`deleted ${url("app/*")}\n`);
    expect(await files("app")).toEqual(["app/i/other.log"]);
    await mkdir(join(folder, "app/[i]"));
    await writeFile(join(folder, "app/[i]/own.log"), "own");
    const { stdout } = await commandInProcess(["cat", "*.log"], { cwd: join(folder, "app/[i]") });
    expect(stdout).toBe("own");
  });

  test.each(["cp", "mv"])("%s --dry-run prints what it would do, and does nothing", async (verb) => {
    const word = verb === "cp" ? "copy" : "move";
    const one = await run(verb, "-n", "logs/a.log", "out/");
    expect(one.stdout).toBe(`would ${word} ${url("logs/a.log")} to ${url("out/a.log")}\n`);
    const all = await run(verb, "-n", "-r", "--json", "logs", "out");
    expect(jsonLines(all.stdout).map(({ to, dryRun }) => [to, dryRun])).toEqual(
      OLD.map((name) => [url(name.replace("logs", "out")), true]),
    );
    expect((await run(verb, "-n", "logs/none", "out")).code).toBe(1);
    expect((await run(verb, "-n", "-r", "none", "out")).code).toBe(1);
    expect(await files()).toEqual(OLD);
    await expect(files("out")).rejects.toThrow("ENOENT");
  });

  test("attributes that a target cannot store are refused by name, and bad pairs as usage errors", async () => {
    const { code, stderr } = await run("cp", "--cache-control", "no-cache", "logs/a.log", "copy");
    expect([code, stderr]).toEqual([1, expect.stringContaining("cacheControl")]);
    for (const pair of [["novalue"], ["=x"], ["a=1", "--metadata", "a=2"]])
      expect((await run("cp", "--metadata", ...pair, "logs/a.log", "copy")).code).toBe(2);
    expect((await run("cp", "--tag", "a=1", "logs/a.log", "-")).code).toBe(2);
    await expect(readFile(join(folder, "copy"))).rejects.toThrow("ENOENT");
  });
});

describe("rm, stat, cat and ls", () => {
  test("take wildcards, and fail where nothing matches", async () => {
    expect((await run("cat", "logs/*.log")).stdout).toBe("a.logb.log");
    expect((await run("cat", "--last", "3", "logs/a.log")).stdout).toBe("log");
    expect(jsonLines((await run("stat", "--json", "logs/**/*.log")).stdout)).toHaveLength(3);
    expect((await run("ls", "logs/*")).stdout.match(/\/logs\/[^\n]+/g)).toEqual([
      "/logs/a.log",
      "/logs/b.log",
      "/logs/c.txt",
      "/logs/old/",
    ]);
    for (const verb of ["cat", "stat", "ls", "rm"]) expect((await run(verb, "logs/*.none")).code).toBe(1);
    expect(await run("rm", "-f", "logs/*.none")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    const some = await run("rm", "-f", "logs/a.log", "logs/none");
    expect(some).toMatchObject({ code: 0, stdout: `deleted ${url("logs/a.log")}\n`, stderr: "" });
    expect((await run("rm", "logs/*.log")).code).toBe(0);
    expect(await files()).toEqual(["logs/c.txt", "logs/old/d.log"]);
  });

  test("rm --dry-run prints what it would delete, and deletes nothing", async () => {
    const { stdout } = await run("rm", "-n", "-r", "logs");
    expect(stdout.trim().split("\n")).toEqual(OLD.map((name) => `would delete ${url(name)}`));
    expect(await files()).toEqual(OLD);
  });

  test("ls -l, -h and -R are understood", async () => {
    const { code, stdout } = await run("ls", "-lhR", "logs");
    expect(code).toBe(0);
    expect(stdout.trimEnd().split("\n")).toHaveLength(4);
  });
});

test("sign takes HEAD and DELETE, and a type for PUT alone", async () => {
  const env = { AIRFLOW_CONN_LAKE: "aws://AKIDEXAMPLE:canary-signing-key@/?region_name=eu-central-1" };
  const sign = (...args: string[]) => commandInProcess(["sign", "--json", ...args, "s3://lake@bucket/a"], { env });
  for (const method of ["HEAD", "DELETE"])
    expect(jsonLines((await sign("--method", method)).stdout)).toEqual([expect.objectContaining({ method })]);
  const put = await sign("--method", "PUT", "--content-type", "text/csv");
  expect(jsonLines(put.stdout)[0]).toMatchObject({ headers: { "content-type": "text/csv" } });
  expect((await sign("--content-type", "text/csv")).code).toBe(2);
});

test("sign refuses an upload to a directory: the slash would be dropped", async () => {
  const env = { AIRFLOW_CONN_LAKE: "aws://AKIDEXAMPLE:canary-signing-key@/?region_name=eu-central-1" };
  const sign = (method: string) => commandInProcess(["sign", "--method", method, "s3://lake@bucket/dir/"], { env });
  const put = await sign("PUT");
  expect([put.code, put.stderr]).toEqual([2, expect.stringContaining("a path that ends in a slash is a directory")]);
  expect((await sign("GET")).code).toBe(0);
});

describe("what looks like a URL", () => {
  test("file:/path and local:/path are paths, as in the library", async () => {
    expect((await run("cp", "logs/a.log", `file:${folder}/copy`)).stdout).toContain(`to ${url("copy")}\n`);
    expect(await readFile(join(folder, "copy"), "utf8")).toBe("a.log");
    expect((await run("cat", `local:${folder}/copy`)).stdout).toBe("a.log");
    expect((await run("ls", `FILE:${folder}/logs/*.log`)).stdout).toMatch(/a\.log\n.*b\.log\n$/);
    expect(await readdir(folder)).toEqual(["copy", "logs"]);
  });

  test("of another form or an unknown scheme is refused, and is no name of a folder", async () => {
    for (const to of ["s3:/bucket/x", "s3:bucket/x", "gs:x", "ftp:/host/x", "memory:x", "file:x"]) {
      const { code, stderr } = await run("cp", "logs/a.log", to);
      expect([code, stderr]).toEqual([
        2,
        `stowage: ${to} has no :// after its scheme; a file of that name is ./${to}\n`,
      ]);
    }
    const unknown = await run("cp", "logs/a.log", "ftp://host/x");
    expect([unknown.code, unknown.stderr]).toEqual([2, expect.stringContaining('"ftp"')]);
    expect(await readdir(folder)).toEqual(["logs"]);
  });

  test("names with a colon are files, and so is any name behind ./", async () => {
    await run("cp", "logs/a.log", "12:30.log");
    await run("cp", "logs/a.log", "run:1.log");
    await run("cp", "logs/a.log", "./s3:x");
    expect(await readdir(folder)).toEqual(["12:30.log", "logs", "run:1.log", "s3:x"]);
  });
});

test.each(["--dbos", "--langgraph", "--database"])("a path behind %s is no address of a database", async (option) => {
  const { code, stderr } = await run("fsck", option, "s3://lake@bucket/x");
  expect([code, stderr]).toEqual([2, expect.stringContaining("put the path before the option")]);
});

describe("files of references", () => {
  const reference = `file:///nowhere/d/r/t/${"0".repeat(8)}-0000-0000-0000-${"0".repeat(12)}.json`;
  const check = async (data: Uint8Array | string) => {
    await writeFile(join(folder, "refs"), data);
    return run("fsck", "--refs", "refs");
  };

  test("that are no UTF-8 are refused by their name, with the line and the fix", async () => {
    const lines = `${reference}\n`.repeat(3);
    const latin1 = Buffer.from(`${lines}file:///caf\u00e9/x\n${lines}`, "latin1");
    for (const [data, line] of [
      [Buffer.from(`\ufeff${lines}`, "utf16le"), 1],
      [Buffer.from(lines, "utf16le"), 1],
      [latin1, 4],
      [latin1.subarray(0, latin1.indexOf(0xe9) + 1), 4],
    ] as const) {
      const { code, stderr } = await check(data);
      expect([code, stderr]).toEqual([
        2,
        expect.stringMatching(`^stowage: line ${line} of refs is no text in UTF-8; .*iconv`),
      ]);
    }
    for (const size of [lines.length, 10 * 2 ** 20]) {
      const { code, stderr } = await check(gzipSync(randomBytes(size)));
      expect([code, stderr]).toEqual([
        2,
        "stowage: line 1 of refs is no text in UTF-8; it is gzip: decompress it first, with gunzip\n",
      ]);
    }
  });

  test("may begin with a mark, have long characters anywhere, and end without a line end", async () => {
    const many = `\ufeff${`${reference}\r\n# \u{1f600}\ufffd\n`.repeat(2000)}${reference}`;
    expect((await check(many)).stdout.split("\n").at(-2)).toBe("2001 references, 0 B; 2001 missing, 0 damaged");
    expect((await check(`${"x".repeat(9000)}`)).stderr).toContain("longer than any reference");
  });

  test("may have them as JSON texts, which push prints", async () => {
    expect(await check(`${JSON.stringify(reference)}\n`)).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("1 reference, 0 B; 1 missing"),
    });
  });

  test("that have other lines only are the wrong ones", async () => {
    expect(await check("total 12\n-rw-r--r-- refs.txt\n")).toMatchObject({
      code: 1,
      stdout: "no references in refs, only 2 other values; 0 references, 0 B; 0 missing, 0 damaged\n",
    });
  });

  test("that have none are no error, but are named", async () => {
    expect(await check("")).toMatchObject({
      code: 0,
      stdout: "no references in refs; 0 references, 0 B; 0 missing, 0 damaged\n",
    });
    const { stdout } = await run("fsck", "--json", "--refs", "-");
    expect(jsonLines(stdout)).toMatchObject([{ checked: 0, warning: "no references in stdin" }]);
    expect(jsonLines((await run("fsck", "--json", "--refs", "refs")).stdout)[0]).toHaveProperty("warning");
  });
});

test("rb and mb of a folder say that files have no buckets", async () => {
  for (const verb of ["rb", "mb"]) {
    const { code, stderr } = await run(verb, url("logs"));
    expect([code, stderr]).toEqual([2, "stowage: there are no buckets of files; use folders\n"]);
  }
});
