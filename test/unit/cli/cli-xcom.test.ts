import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { jsonLines, type Ran, stowage } from "../../support/command.js";

const TI = "01234567-89ab-4cde-8f01-23456789abcd";
const OWNER = ["--dag", "sales", "--run", "manual__2026-11-21T00:00:00+00:00", "--task", "extract"];
/** What JavaScript's own JSON would lose, and an envelope of Airflow's. */
const VALUE =
  '{"big":12345678901234567890,"nan":NaN,"when":{"__classname__":"some.Class","__version__":1,"__data__":[1,2]},"text":"héllo"}';

let folder: string;
let base: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "stowage-xcom-"));
  base = `file://${folder}/xcom`;
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const settings = (more: Record<string, string> = {}) => ({
  AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH: base,
  ...more,
});
const run = (args: string[], input = "", env: Record<string, string> = settings()): Promise<Ran> =>
  stowage(["xcom", ...args], { cwd: folder, input, env });

async function pushed(more: string[] = [], value = VALUE): Promise<string> {
  const { code, stdout, stderr } = await run(["push", ...OWNER, ...more], value);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

describe("push and pull", () => {
  test.each([
    ["as it is", [], /\/extract\/write-[0-9a-f-]{36}\/return_value\.json$/],
    ["compressed", ["--compression", "zstd"], /\/return_value\.json\.zst$/],
    ["in the layout of the task instance", ["--ti", TI, "--key", "a/b c"], new RegExp(`/ti-${TI}/a%2Fb%20c\\.json$`)],
    ["in the older layout", ["--layout", "uuid", "--compression", "gzip"], /\/extract\/[0-9a-f-]{36}\.gz$/],
  ])("a value stored %s comes back to the last digit", async (_, more, reference) => {
    const stored = await pushed(more);
    expect(stored).toMatch(reference);
    expect((await run(["pull", stored])).stdout).toBe(`${VALUE}\n`);
  });

  test("Airflow's settings decide, and options go before them", async () => {
    const env = settings({
      AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD: "1000",
      AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION: "gzip",
    });
    const small = await run(["push", ...OWNER], "[1]", env);
    expect(small.stdout).toBe("[1]\n");
    const large = await run(["push", ...OWNER, "--threshold", "0"], "[1]", env);
    expect(large.stdout).toMatch(/return_value\.json\.gz"\n$/);
    const elsewhere = await run(["push", ...OWNER, "--base", "other"], "[1]", {});
    expect(elsewhere.stdout).toContain(`"file://${folder}/other/sales/`);
  });

  test("a file is read, --json tells the reference", async () => {
    await writeFile(join(folder, "value.json"), VALUE);
    const { stdout } = await run(["push", ...OWNER, "--json", "value.json"]);
    expect(jsonLines(stdout)).toEqual([{ action: "pushed", stored: expect.stringContaining(base) }]);
  });

  test.each([
    ["what is not JSON", ["push", ...OWNER], "{nonsense", "is not JSON"],
    ["an id that climbs out", ["push", "--dag", "..", "--run", "r", "--task", "t"], "1", "dagId"],
    ["a reference of no layout", ["pull", "file:///some/file.json"], "", "not an XCom reference"],
  ])("%s is refused with 2, and nothing is stored", async (_, args, input, why) => {
    const { code, stdout, stderr } = await run(args, input);
    expect({ code, stdout, stderr }).toEqual({ code: 2, stdout: "", stderr: expect.stringContaining(why) });
    expect(await readdir(folder)).toEqual([]);
  });

  test("without a base path push says where to name one", async () => {
    const { code, stderr } = await run(["push", ...OWNER], "1", {});
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining("--base") });
  });

  test("an object that is cut off fails with 1 and prints nothing", async () => {
    const stored = await pushed();
    await writeFile(new URL(stored), VALUE.slice(0, 40));
    const { code, stdout, stderr } = await run(["pull", stored]);
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: "", stderr: expect.stringContaining("Corrupt") });
  });

  test("an object that is missing fails with 1", async () => {
    const stored = await pushed();
    await run(["purge", stored]);
    expect(await run(["pull", stored])).toMatchObject({ code: 1, stderr: expect.stringContaining("NotFound") });
  });
});

describe("show", () => {
  test("tells owner, key, layout, codec and sizes, and shows the beginning", async () => {
    const long = JSON.stringify(Array.from({ length: 5000 }, (_, i) => `item ${i}`));
    const stored = await pushed(["--compression", "gzip", "--ti", TI, "--key", "a/b c"], long);
    const { stdout } = await run(["show", stored]);
    const shown = Object.fromEntries(stdout.split("\n").map((line) => [line.slice(0, 9).trim(), line.slice(11)]));
    expect(shown).toMatchObject({
      reference: stored,
      dag: "sales",
      run: "manual__2026-11-21T00:00:00+00:00",
      task: "extract",
      key: "a/b c",
      layout: `task instance (Airflow 3.4), ti-${TI}`,
      base,
      stored: expect.stringMatching(/^[\d.]+ KiB, gzip, [\d.]+ times smaller$/),
      value: "57.5 KiB of JSON",
      preview: expect.stringMatching(/^\["item 0","item 1",.*…$/),
    });
    expect(shown.preview?.length).toBe(301);
  });

  test("needs no setting: the base is what precedes the layout", async () => {
    const stored = await pushed(["--layout", "uuid"], '"v"');
    const [shown] = jsonLines((await run(["show", "--json", stored], "", {})).stdout);
    expect(shown).toMatchObject({
      base,
      dagId: "sales",
      taskId: "extract",
      layout: "uuid",
      bytes: 3,
      storedBytes: 3,
      preview: '"v"',
    });
    expect(shown).not.toHaveProperty("key");
  });

  test("with the setting, ids with slashes are told from the base", async () => {
    const { stdout } = await run(["push", "--dag", "team/sales", "--run", "r", "--task", "t"], "1");
    const [shown] = jsonLines((await run(["show", "--json", JSON.parse(stdout)])).stdout);
    expect(shown).toMatchObject({ base, dagId: "team/sales" });
  });

  test("escape sequences inside a value do not reach the terminal", async () => {
    const stored = await pushed([], '"x"');
    await writeFile(new URL(stored), '"\u001b[2J"');
    const { stdout } = await run(["show", stored]);
    expect(stdout).toContain("\\x1b[2J");
    expect(stdout).not.toContain("\u001b");
  });
});

describe("purge", () => {
  test("deletes the object and nothing beside it", async () => {
    const [doomed, kept] = [await pushed(), await pushed()];
    expect(await run(["purge", doomed])).toMatchObject({ code: 0, stdout: `purged ${doomed}\n` });
    expect((await run(["ls", "--refs"])).stdout).toBe(`${kept}\n`);
  });

  test("what is no reference is refused with 2 before anything is deleted", async () => {
    const kept = await pushed();
    const { code } = await run(["purge", kept, `${base}/sales`]);
    expect(code).toBe(2);
    expect((await run(["ls", "--refs"])).stdout).toBe(`${kept}\n`);
  });
});

describe("ls and export", () => {
  const stored: string[] = [];
  beforeEach(async () => {
    stored.splice(0);
    for (const [dag, run_, task, key, ...more] of [
      ["a", "r1", "t1", "k1", "--compression", "gzip"],
      ["a", "r1", "t2", "k2"],
      ["a", "r2", "t1", "k1"],
      ["b", "r1", "t1", "k1"],
    ] as const) {
      const { stdout } = await run(
        ["push", "--dag", dag, "--run", run_, "--task", task, "--key", key, ...more],
        `"${dag}${run_}${task}"`,
      );
      stored.push(JSON.parse(stdout));
    }
    await writeFile(join(folder, "xcom/a/r1/stray.txt"), "no XCom");
  });

  test("groups what is in storage by Dag and run, and passes over other objects", async () => {
    const { stdout } = await run(["ls"]);
    const lines = stdout
      .split("\n")
      .map((line) => line.replace(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/, "TIME").replace(/\d+ B/, "SIZE"));
    expect(lines).toEqual([
      "a  r1",
      expect.stringMatching(/^ +SIZE {2}gzip {2}TIME {2}t1 {2}k1$/),
      expect.stringMatching(/^ +SIZE {8}TIME {2}t2 {2}k2$/),
      "",
      "a  r2",
      expect.stringMatching(/t1 {2}k1$/),
      "",
      "b  r1",
      expect.stringMatching(/t1 {2}k1$/),
      "",
    ]);
  });

  test.each([
    ["a Dag", ["--dag", "a"], [0, 1, 2]],
    ["a run", ["--run", "r1"], [0, 1, 3]],
    ["task and key", ["--task", "t2", "--key", "k2"], [1]],
    ["a path below the base", ["xcom/a/r1"], [0, 1]],
  ])("%s narrows the list", async (_, args, expected) => {
    const { stdout } = await run(["ls", "--refs", ...args]);
    expect(stdout.trim().split("\n")).toEqual(expected.map((index) => stored[index]));
  });

  test("needs no setting, and prints JSON", async () => {
    const { stdout } = await run(["ls", "--json", "xcom/b"], "", {});
    expect(jsonLines(stdout)).toEqual([
      expect.objectContaining({
        dagId: "b",
        runId: "r1",
        taskId: "t1",
        key: "k1",
        reference: stored[3],
        storedBytes: 7,
      }),
    ]);
  });

  test("nothing found is a failure", async () => {
    expect(await run(["ls", "--dag", "c"])).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining("no XComs"),
    });
  });

  test("export writes every value decoded, and an index of them", async () => {
    expect(await run(["export", "--dag", "a", "--run", "r1", "--to", "backup"])).toMatchObject({
      code: 0,
      stdout: `exported 2 XComs to file://${folder}/backup\n`,
    });
    const index = jsonLines(await readFile(join(folder, "backup/index.jsonl"), "utf8"));
    expect(index.map(({ taskId, key, reference }) => [taskId, key, reference])).toEqual([
      ["t1", "k1", stored[0]],
      ["t2", "k2", stored[1]],
    ]);
    const values = index.map(({ file }) => readFile(join(folder, "backup", String(file)), "utf8"));
    expect(await Promise.all(values)).toEqual(['"ar1t1"', '"ar1t2"']);
  });

  test("export of nothing fails and leaves no index", async () => {
    expect((await run(["export", "--dag", "c", "--to", "backup"])).code).toBe(1);
    expect(await readdir(join(folder, "backup")).catch(() => [])).toEqual([]);
  });
});
