import { mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ended, jsonLines, type Ran, start, stowage } from "../../support/command.js";

const NUMBERS = Array.from({ length: 5000 }, (_, i) => `${i}\n`).join("");

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-cli-"));
  await mkdir(join(folder, "reports"));
  await writeFile(join(folder, "notes.txt"), "hello\n");
  await writeFile(join(folder, "reports/a.csv"), NUMBERS);
  await writeFile(join(folder, "reports/a.csv.gz"), gzipSync(NUMBERS));
  await utimes(join(folder, "notes.txt"), 1_800_000_000, 1_800_000_000);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const run = (args: string[], input?: string | Buffer): Promise<Ran> =>
  stowage(args, { cwd: folder, ...(input === undefined ? {} : { input }) });
const content = (name: string) => readFile(join(folder, name), "utf8");
const url = (name: string) => `file://${folder}/${name}`;

describe("ls and glob", () => {
  test("one level: size, time and name of objects, and directories with a slash", async () => {
    const { code, stdout } = await run(["ls"]);
    expect(code).toBe(0);
    expect(stdout).toBe(`     6 B  2027-01-15 08:00:00  notes.txt\n${" ".repeat(31)}reports/\n`);
  });

  test("-r lists everything below, relative to the path", async () => {
    const { stdout } = await run(["ls", "-r", "."]);
    expect(stdout.split("\n").map((line) => line.slice(31))).toEqual([
      "notes.txt",
      "reports/a.csv",
      "reports/a.csv.gz",
      "",
    ]);
  });

  test("--json is one object a line, with exact size and time", async () => {
    const { stdout } = await run(["ls", "--json"]);
    expect(jsonLines(stdout)).toEqual([
      expect.objectContaining({
        path: url("notes.txt"),
        type: "file",
        size: 6,
        modified: "2027-01-15T08:00:00.000Z",
      }),
      { path: url("reports"), type: "directory" },
    ]);
  });

  test("an object lists itself", async () => {
    expect((await run(["ls", "notes.txt"])).stdout).toMatch(/ {2}notes\.txt\n$/);
  });

  test("several paths get headings", async () => {
    const { stdout } = await run(["ls", "notes.txt", "reports"]);
    expect(stdout.split("\n")).toContain(`${url("reports")}:`);
  });

  test("a path with nothing at it and nothing below it fails and says where to look", async () => {
    const { code, stderr } = await run(["ls", "reports/b"]);
    expect(code).toBe(1);
    expect(stderr).toContain(
      `NotFound (there is neither an object nor anything below it); look around: stowage ls ${url("reports")}`,
    );
  });

  test("control characters of a name do not reach the terminal", async () => {
    await writeFile(join(folder, "reports/\u001b[31mred\n.txt"), "");
    const { stdout } = await run(["ls", "reports"]);
    expect(stdout).toContain("\\x1b[31mred\\x0a.txt");
    expect(stdout).not.toContain("\u001b");
  });

  test("glob matches across segments", async () => {
    const { stdout } = await run(["glob", "--json", "**/*.{gz,txt}"]);
    expect(jsonLines(stdout).map(({ path }) => path)).toEqual([url("notes.txt"), url("reports/a.csv.gz")]);
  });
});

describe("cat", () => {
  test("prints the stored bytes, whatever the suffix", async () => {
    expect(gunzipSync((await run(["cat", "reports/a.csv.gz"])).data).toString()).toBe(NUMBERS);
  });

  test("--compression infer decodes by the suffix, and leaves alone what has none", async () => {
    const { stdout } = await run(["cat", "--compression", "infer", "notes.txt", "reports/a.csv.gz"]);
    expect(stdout).toBe(`hello\n${NUMBERS}`);
  });

  test("--start and --end are a half-open range", async () => {
    expect((await run(["cat", "--start", "1", "--end", "4", "notes.txt"])).stdout).toBe("ell");
  });

  test("--json carries text as text and other bytes as base64", async () => {
    await writeFile(join(folder, "bytes"), Buffer.from([0xff, 0]));
    const { stdout } = await run(["cat", "--json", "notes.txt", "bytes"]);
    expect(jsonLines(stdout)).toEqual([
      { path: url("notes.txt"), text: "hello\n" },
      { path: url("bytes"), base64: "/wA=" },
    ]);
  });

  test("ends quietly and with 0 when its reader has seen enough", async () => {
    await writeFile(join(folder, "big"), Buffer.alloc(16 * 2 ** 20));
    const child = start(["cat", "big"], { cwd: folder });
    const told = ended(child);
    child.stdout?.once("data", () => child.stdout?.destroy());
    expect(await told).toMatchObject({ code: 0, stderr: "" });
  });

  test("corrupt data fails with 1 and names the object", async () => {
    await writeFile(join(folder, "bad.gz"), "no gzip at all");
    const { code, stderr } = await run(["cat", "--compression", "infer", "bad.gz"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^stowage: read ${url("bad.gz")}: Corrupt .*\n$`));
  });
});

describe("cp and mv", () => {
  test("copies the bytes as they are and says so", async () => {
    const { stdout } = await run(["cp", "reports/a.csv.gz", "copy.gz"]);
    expect(stdout).toBe(`copied ${url("reports/a.csv.gz")} to ${url("copy.gz")}\n`);
    expect(gunzipSync(await readFile(join(folder, "copy.gz"))).toString()).toBe(NUMBERS);
  });

  test.each([
    ["a target with a slash at its end, there or not", "new/", "new/notes.txt"],
    ["an existing local directory", "reports", "reports/notes.txt"],
    ["a URL with a slash at its end", "file://FOLDER/reports/", "reports/notes.txt"],
  ])("%s gets the copy under the source's name", async (_, to, expected) => {
    await run(["cp", "notes.txt", to.replace("FOLDER", folder)]);
    expect(await content(expected)).toBe("hello\n");
  });

  test.each(["cp", "mv"])("%s goes into the folder that a link leads to", async (verb) => {
    await symlink("reports", join(folder, "latest"));
    expect((await run([verb, "notes.txt", "latest"])).code).toBe(0);
    expect(await content("reports/notes.txt")).toBe("hello\n");
    expect(await readlink(join(folder, "latest"))).toBe("reports");
  });

  test("-r copies what is below FROM to the same place below TO", async () => {
    await mkdir(join(folder, "reports/deep"));
    await writeFile(join(folder, "reports/deep/b"), "b");
    expect((await run(["cp", "-r", "reports", "out"])).code).toBe(0);
    expect(await readdir(join(folder, "out"), { recursive: true })).toEqual(
      expect.arrayContaining(["a.csv", "a.csv.gz", "deep/b"]),
    );
  });

  test("--if-absent leaves alone what is there, and fails", async () => {
    const { code, stderr } = await run(["cp", "--if-absent", "reports/a.csv", "notes.txt"]);
    expect(code).toBe(1);
    expect(stderr).toContain("AlreadyExists");
    expect(stderr).toContain("leave out --if-absent to replace it");
    expect(await content("notes.txt")).toBe("hello\n");
  });

  test("stdin is stored, encoded as told; stdout is decoded as told", async () => {
    const { stdout } = await run(["cp", "--compression", "infer", "-", "in.gz"], NUMBERS);
    expect(stdout).toMatch(/^wrote [\d.]+ KiB to /);
    expect(gunzipSync(await readFile(join(folder, "in.gz"))).toString()).toBe(NUMBERS);
    expect((await run(["cp", "--compression", "gzip", "in.gz", "-"])).stdout).toBe(NUMBERS);
    expect(gunzipSync((await run(["cp", "in.gz", "-"])).data).toString()).toBe(NUMBERS);
  });

  test("--json says what was done, with the stored bytes of a stream", async () => {
    expect(jsonLines((await run(["cp", "--json", "-", "x"], "12345")).stdout)).toEqual([
      { action: "wrote", to: url("x"), bytes: 5 },
    ]);
    expect(jsonLines((await run(["mv", "--json", "x", "y"])).stdout)).toEqual([
      { action: "moved", from: url("x"), to: url("y") },
    ]);
  });

  test.each([
    ["recoding between two paths", ["cp", "--compression", "gzip", "notes.txt", "b"], "to recode: stowage cat"],
    ["a directory as the target of stdin", ["cp", "-", "reports/"], "stdin has no name"],
    ["stdin with -r", ["cp", "-r", "-", "x"], "it goes to one object"],
    ["stdin to stdout", ["cp", "-", "-"], "it goes to one object"],
    ["a tree to stdout", ["cp", "-r", "reports", "-"], "it takes one object"],
    ["mv to stdout", ["mv", "notes.txt", "-"], "only cp"],
    ["a copy of a tree into itself", ["cp", "-r", "reports", "reports/inner"], "one contains the other"],
  ])("refuses %s with 2 and stores nothing", async (_, args, why) => {
    const before = await readdir(folder, { recursive: true });
    const { code, stderr } = await run(args, "data");
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining(why) });
    expect(await readdir(folder, { recursive: true })).toEqual(before);
  });

  test("mv takes the source away when its copy is there", async () => {
    expect((await run(["mv", "notes.txt", "reports/"])).code).toBe(0);
    expect(await readdir(folder)).toEqual(["reports"]);
    expect(await content("reports/notes.txt")).toBe("hello\n");
  });

  test("a source that is missing fails and leaves no target", async () => {
    const { code, stderr } = await run(["cp", "nothing", "target"]);
    expect(code).toBe(1);
    expect(stderr).toContain(`copy ${url("nothing")}: NotFound`);
    expect(await readdir(folder)).not.toContain("target");
  });

  test("Ctrl-C ends a stream from stdin with 1 and leaves neither an object nor a part of one", async () => {
    const child = start(["cp", "-", "half"], { cwd: folder });
    const told = ended(child);
    child.stdin?.on("error", () => {});
    child.stdin?.write(Buffer.alloc(2 ** 20));
    // Its temporary file says that the write is under way.
    await expect.poll(async () => (await readdir(folder)).length, { timeout: 20_000 }).toBe(3);
    child.kill("SIGINT");
    expect(await told).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringMatching(/^stowage: interrupted.*\n$/),
    });
    expect(await readdir(folder)).toEqual(["notes.txt", "reports"]);
  });
});

describe("a tree with odd entries", () => {
  beforeEach(async () => {
    await mkdir(join(folder, "behind"));
    await writeFile(join(folder, "behind/f"), "behind");
    await symlink("../behind", join(folder, "reports/link"));
    await symlink("none", join(folder, "reports/dangling"));
    await writeFile(Buffer.concat([Buffer.from(`${folder}/reports/caf`), Buffer.of(0xe9)]), "1");
  });

  test.each(["cp", "mv"])(
    "%s -r does all it can, names the others on lines of their own and exits with 1",
    async (verb) => {
      const { code, stdout, stderr } = await run([verb, "-r", "reports", "out"]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      const lines = stderr.trimEnd().split("\n");
      expect(lines).toHaveLength(4);
      for (const name of ["caf\\xe9", "dangling", "link"])
        expect(lines.some((line) => line.startsWith(`stowage: ${url(`reports/${name}`)}: `))).toBe(true);
      expect(lines.at(-1)).toContain("3 failed, 2 done");
      expect(await content("out/a.csv")).toBe(NUMBERS);
      expect((await readdir(join(folder, "reports"))).length).toBe(verb === "cp" ? 5 : 3);
      expect(await content("behind/f")).toBe("behind");
    },
  );

  test("--json lists each failure", async () => {
    const { code, stderr } = await run(["cp", "-r", "--json", "reports", "out"]);
    const { error } = JSON.parse(stderr);
    expect(code).toBe(1);
    expect(error).toMatchObject({ op: "copy", failureCount: 3, completed: 2, retryable: false });
    expect(error.failures.map(({ path }: { path: string }) => path).sort()).toEqual(
      ["caf\\xe9", "dangling", "link"].map((name) => url(`reports/${name}`)),
    );
  });

  test("--follow-links copies what is behind links, ls shows what links are and names what it cannot list", async () => {
    await run(["cp", "-r", "--follow-links", "reports", "out"]);
    expect(await content("out/link/f")).toBe("behind");
    const { code, stdout, stderr } = await run(["ls", "reports"]);
    expect(code).toBe(1);
    expect(stdout).toContain("link  (a link to a directory)");
    expect(stdout).toContain("dangling  (a link that leads nowhere)");
    expect(stderr).toContain("caf\\xe9");
    expect((await run(["ls", "-r", "--follow-links", "reports"])).stdout).toContain("link/f");
    const globbed = await run(["glob", "reports/*/f"]);
    expect(globbed).toMatchObject({ code: 0, stdout: "", stderr: expect.stringContaining("not followed: ") });
    expect((await run(["glob", "--follow-links", "reports/*/f"])).stdout).toContain("reports/link/f");
  });

  test("rm -r of a link, also of one that leads nowhere, takes the link alone; rm -r of a folder spares what is behind", async () => {
    await symlink("behind", join(folder, "top"));
    expect((await run(["rm", "-r", "top", "reports/dangling"])).code).toBe(0);
    expect((await run(["rm", "-r", "reports"])).code).toBe(1);
    expect(await content("behind/f")).toBe("behind");
    expect(await readdir(join(folder, "reports"))).toHaveLength(1);
    expect((await readdir(folder)).sort()).toEqual(["behind", "notes.txt", "reports"]);
  });

  test("mv of a file to another name of the same file keeps it and fails", async () => {
    await symlink("behind", join(folder, "latest"));
    expect((await run(["mv", "behind/f", "latest/f"])).code).toBe(2);
    expect((await run(["mv", "behind/f", "behind/f"])).code).toBe(2);
    expect((await run(["mv", "-r", "behind", "latest"])).code).not.toBe(0);
    expect(await content("behind/f")).toBe("behind");
    expect((await run(["mv", "-r", "latest", "newest"])).code).toBe(0);
    expect(await content("newest/f")).toBe("behind");
  });
});

describe("rm, stat and sign", () => {
  test("rm deletes objects, and only those", async () => {
    expect((await run(["rm", "notes.txt", "reports/a.csv"])).code).toBe(0);
    expect(await readdir(folder, { recursive: true })).toEqual(["reports", "reports/a.csv.gz"]);
  });

  test("rm of what is not there fails before anything is deleted; -f does not mind", async () => {
    expect(await run(["rm", "notes.txt", "nothing"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("NotFound"),
    });
    expect(await content("notes.txt")).toBe("hello\n");
    expect(await run(["rm", "-f", "notes.txt", "nothing"])).toMatchObject({
      code: 0,
      stdout: `deleted ${url("notes.txt")}\n`,
    });
    expect(await readdir(folder)).toEqual(["reports"]);
  });

  test("rm of a directory needs -r, and a sibling that begins alike stays", async () => {
    await writeFile(join(folder, "reports2"), "");
    for (const command of [
      ["rm", "reports"],
      ["rm", "-f", "reports"],
    ])
      expect(await run(command)).toMatchObject({ code: 1, stderr: expect.stringContaining("with -r") });
    expect((await run(["rm", "-r", "reports"])).code).toBe(0);
    expect(await readdir(folder)).toEqual(expect.arrayContaining(["notes.txt", "reports2"]));
    expect((await run(["ls", "reports"])).code).toBe(1);
  });

  test("rm -r of a whole bucket is refused without --empty-bucket", async () => {
    const { code, stderr } = await run(["rm", "-r", "-f", "memory://bucket"]);
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("pass --empty-bucket") });
    expect((await run(["rm", "-r", "-f", "--empty-bucket", "memory://bucket"])).code).toBe(0);
  });

  test("stat prints facts for a person and all of them as JSON", async () => {
    const { stdout } = await run(["stat", "notes.txt"]);
    expect(stdout).toContain(
      `path          ${url("notes.txt")}\nsize          6 B\nmodified      2027-01-15 08:00:00\n`,
    );
    const [info] = jsonLines((await run(["stat", "--json", "reports/a.csv"])).stdout);
    expect(info).toMatchObject({ path: url("reports/a.csv"), size: NUMBERS.length, contentType: "text/csv" });
    expect(info).toHaveProperty("etag");
  });

  test("sign needs no request, and times can be written short", async () => {
    const env = { AIRFLOW_CONN_LAKE: "aws://AKIDEXAMPLE:canary-signing-key@/?region_name=eu-central-1" };
    const { code, stdout } = await stowage(["sign", "--expires", "15m", "s3://lake@bucket/a b.csv"], { env });
    expect(code).toBe(0);
    const link = new URL(stdout.trim());
    expect(link.pathname).toBe("/a%20b.csv");
    expect(link.searchParams.get("X-Amz-Expires")).toBe("900");
    expect(stdout).not.toContain("canary-signing-key");
  });
});
