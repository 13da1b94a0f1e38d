/** What the command says when something is wrong: in its own options, and with next commands that work as printed. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import { describeOn, type ServerOf, useBucket } from "../../servers/use.js";
import { knowing } from "../../support/command.js";
import { commandInProcess } from "../../support/in-process.js";

const folder = mkdtempSync(join(tmpdir(), "stowage-advice-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const run = (args: string[], options: object = {}) => commandInProcess(args, { cwd: folder, ...options });
const KEY = "dag/run/task/write-00000000-0000-4000-8000-000000000000/return_value.json";
writeFileSync(join(folder, "refs.txt"), `file://${folder}/nope/${KEY}\n`);
writeFileSync(join(folder, "none.json"), "{}");
const OTHERS = { gcp: { conn_type: "google_cloud_platform" }, broken: { conn_type: "aws", extra: { x: 1 } } };
writeFileSync(
  join(folder, "lake.json"),
  JSON.stringify({ lake: { conn_type: "aws" }, depot: { conn_type: "aws" }, ...OTHERS }),
);

describe("usage errors with --json are JSON, with where to look", () => {
  test.each([
    [["--json", "sl"], "unknown command 'sl' (Did you mean ls?)", "stowage --help"],
    [
      ["--json", "ls", "--recursiv", "x"],
      "unknown option '--recursiv' (Did you mean --recursive?)",
      "stowage ls --help",
    ],
    [
      ["ls", "--recursiv", "x", "--json"],
      "unknown option '--recursiv' (Did you mean --recursive?)",
      "stowage ls --help",
    ],
    [["--json", "init", "--provider", "aws"], "Allowed choices are s3, gcs, azure", "stowage init --help"],
  ])("%j", async (args, message, help) => {
    const { code, stderr, stdout } = await run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    const { error } = JSON.parse(stderr);
    expect(error).toMatchObject({ code: "InvalidArgument", next: `see: ${help}` });
    expect(error.message).toContain(message);
  });

  test("not after --, where it is a path", async () => {
    expect((await run(["ls", "--recursiv", "--", "--json"])).stderr).toMatch(/^stowage: unknown option/);
  });
});

describe("messages name the options of the command, not those of a program", () => {
  test.each([
    [["sync", "--delete", "--follow-links", ".", "../x"], "--delete and --follow-links exclude each other"],
    [["sweep", ".", "--refs", "refs.txt", "--delete", "--trash", "x"], "--delete and --trash contradict each other"],
    [["sweep", ".", "--refs", "refs.txt", "--grace", "5m"], "--grace is below one hour"],
    [["sweep", ".", "--refs", "refs.txt", "--grace", "5m"], "; --force allows this"],
    [["sweep", ".", "--claims", "--refs", "refs.txt", "--delete"], "as --refresh-after"],
    [
      ["sweep", ".", "--claims", "--refs", "refs.txt", "--delete", "--grace", "2h", "--refresh-after", "12h"],
      "--grace must be at least 43200s",
    ],
    [["ls", "s3://lake@data"], "set AIRFLOW_CONN_LAKE); or name the file that has it"],
    [["mb", "data2"], '"data2" names no bucket; expected s3://connection@bucket'],
    [["mb", "s3://data2/key"], "names an object, not a bucket; expected s3://connection@bucket"],
    [["rm", "memory://data"], "to empty it: stowage rm -r --empty-bucket memory://data"],
    [["rm", "memory://data"], "to delete an empty one: stowage rb memory://data"],
    [["xcom", "pull", "file:///some/file.json"], "not an XCom reference"],
  ])("%j: %s", async (args, message) => {
    const { code, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).not.toMatch(/followLinks|graceMs|maxShare|`connections`/);
  });

  test("in JSON, too", async () => {
    const { stderr } = await run(["--json", "sweep", ".", "--refs", "refs.txt", "--grace", "5m"]);
    expect(JSON.parse(stderr).error.message).toContain("--grace is below one hour");
  });
});

describe("next commands have the connections of the command before", () => {
  test.each([
    [["--connections", "none.json"], "stowage --connections none.json ls "],
    [[], "look around: stowage ls "],
  ])("%j", async (options, next) => {
    expect((await run([...options, "cat", "gone"])).stderr).toContain(next);
  });
});

test("lifecycle check repeats a time as it was typed", async () => {
  const check = (time: string) => run(["lifecycle", "check", "s3://b/x", "--class", "week=7", "--longest-run", time]);
  for (const [time, text] of [
    ["3d", "3 days"],
    ["24h", "24 hours"],
    ["90m", "90 minutes"],
    ["61", "61 seconds"],
  ] as const)
    expect((await check(time)).stdout).toBe(`nothing expires within ${text}\n`);
});

describe("a path whose connection id is", () => {
  test("misspelled: the doctor and the others name the one of the file", async () => {
    const doctor = await run(["doctor", "s3://lakee@site", "--connections", "lake.json"]);
    expect(doctor.stdout).toContain("did you mean lake?");
    expect(doctor.stdout.replace(/\s+/g, " ")).toContain("fix: correct the id in the path, or set AIRFLOW_CONN_LAKEE");
    const { stderr } = await run(["ls", "s3://lakee@site", "--connections", "lake.json"]);
    expect(stderr).toMatch(/; did you mean lake\? Else set AIRFLOW_CONN_LAKEE\)\n$/);
  });

  test("left out: those of the file that fit the scheme are named, beside what fails", async () => {
    const env = { AWS_EC2_METADATA_DISABLED: "true", HOME: folder };
    const known = "no connection id in the path; known: lake (s3://lake@site), depot (s3://depot@site)";
    const doctor = await run(["doctor", "s3://site/x", "--connections", "lake.json"], { env });
    expect(doctor.stdout.replace(/\s+/g, " ")).toContain(known);
    const { stderr } = await run(["ls", "s3://site/x", "--connections", "lake.json"], { env });
    expect(stderr).toMatch(/Unauthenticated \(no credentials from /);
    expect(stderr).toContain(`; ${known}; find out more: `);
    expect((await run(["ls", "s3://site/x"], { env })).stderr).not.toContain("known:");
  });
});

test("errors about buckets begin with the name of the command", async () => {
  const failed = async (...args: string[]) => (await run(args)).stderr;
  expect(await failed("mb", "memory://data")).toMatch(/^stowage: mb memory:\/\/data/);
  expect(await failed("rb", "memory://data")).toMatch(/^stowage: rb memory:\/\/data/);
  expect(await failed("ls", "memory://")).toMatch(/^stowage: ls memory:\/\//);
});

test.each([
  ["sweep", ["sweep", "./nope", "--refs", "refs.txt"]],
  ["report", ["report", "./nope"]],
])("%s of a path with nothing below it fails without a table of nothing", async (_, args) => {
  const { code, stdout, stderr } = await run(args);
  expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  expect(stderr).toMatch(
    /^stowage: \w+ file:.*\/nope: NotFound \(there is nothing below this path\); look around: .*\n$/,
  );
});

test("sweep of one shard with nothing in it does not fail", async () => {
  expect(await run(["sweep", "./nope", "--refs", "refs.txt", "--shard", "1/2"])).toMatchObject({ code: 0, stderr: "" });
});

test("migrate with --refs alone does not ask for a run that would find the same", async () => {
  const storage = openStorage({ env: {} });
  const from = `file://${folder}/from`;
  await storage.write(`${from}/${KEY}`, "1");
  writeFileSync(join(folder, "moved.txt"), `${from}/${KEY}\n`);
  const { code, stdout } = await run(["migrate", from, `file://${folder}/to`, "--refs", "moved.txt"]);
  expect(code).toBe(0);
  expect(stdout).toContain("1 object copied");
  expect(stdout).toContain("Only objects were copied: --refs has no rows to change.");
  const none = await run(["migrate", `file://${folder}/elsewhere`, `file://${folder}/to`, "--refs", "moved.txt"]);
  expect(none.stdout).toContain("No line of --refs names file:");
});

await describeOn("minio", "a directory in a bucket", (server: ServerOf<"minio">) => {
  const bucket = useBucket(server);
  const at = (key: string) => `s3://lake@${bucket().name}${key}`;
  const onServer = (args: string[]) => run(args, knowing("lake", server.connection));
  beforeEach(async () => {
    await openStorage({ env: {}, connections: { lake: server.connection } }).write(at("/in/a.csv"), "1");
  });

  test.each([
    ["cp", ["cp", "IN", "out"], "; copy that with -r"],
    ["cp of several", ["cp", "IN", "IN2", "out/"], "; copy that with -r"],
    ["mv", ["mv", "IN", "out"], "; move that with -r"],
    ["rm", ["rm", "IN"], "; delete that with -r"],
    ["cp --dry-run", ["cp", "-n", "IN", "out"], "; copy that with -r"],
    ["cat", ["cat", "IN"], "); look around: stowage ls s3:"],
    ["stat", ["stat", "IN"], "); look around: stowage ls s3:"],
  ])("%s says what is there", async (_, args, fix) => {
    const { code, stderr } = await onServer(args.map((word) => word.replace(/^IN(?=2?$)/, at("/in"))));
    expect(code).toBe(1);
    expect(stderr).toContain(`there is no object, only something below it${fix}`);
  });

  test("a name with nothing below it is only missing", async () => {
    expect((await onServer(["cat", at("/nope")])).stderr).toMatch(/NotFound \(GET 404 NoSuchKey.*ls s3:/);
  });

  test("a bucket that is not empty: how to empty it", async () => {
    expect((await onServer(["rb", at("")])).stderr).toContain(`or empty it: stowage rm -r --empty-bucket ${at("")}`);
  });
});
