/** What `sweep`, `fsck`, `migrate`, `report` and `xcom` say when something is amiss or young: all of it, and a way out. */
import { mkdirSync, mkdtempSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { report } from "../../../src/cli/command.js";
import { openStorage } from "../../../src/index.js";
import { objectOf, placesOf } from "../../../src/runtimes/temporal-places.js";
import { caught } from "../../support/caught.js";
import { jsonLines } from "../../support/command.js";
import { collectedIo, commandInProcess } from "../../support/in-process.js";
import { type Postgres, startPostgres, whyNoPostgres } from "../../support/postgres.js";

let root: string;
let base: string;
let stored: string[];
beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), "stowage-next-steps-"));
  base = `file://${root}/xcom`;
  await using storage = openStorage({ env: {} });
  const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0 });
  stored = [];
  for (const taskId of ["a", "b", "c", "d"])
    stored.push((await backend.storeValue({ dagId: "dag", runId: "run", taskId }, "k", taskId)) as string);
  writeFileSync(join(root, "refs.txt"), `${stored[0]}\n${stored[1]}\n`);
  writeFileSync(join(root, "one.txt"), `${stored[0]}\n`);
  writeFileSync(join(root, "empty.txt"), "\n");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const run = (args: string[], options: object = {}) => commandInProcess(args, { cwd: root, ...options });
function aged(path: string, days = 30): void {
  const time = Date.now() / 1000 - days * 86_400;
  utimesSync(path.slice("file://".length), time, time);
}

describe("fsck counts objects that are too young to judge", () => {
  const fsck = (...args: string[]) => run(["fsck", base, "--refs", "refs.txt", ...args]);

  test("those without a reference, in its text and as `young`", async () => {
    const sums = "2 references, 6 B; 0 missing, 0 damaged; 4 objects listed, ";
    expect(await fsck()).toMatchObject({
      code: 0,
      stdout: `${sums}2 too young to judge: within 24 hours and an hour\n`,
    });
    expect((await fsck("--grace", "0s")).stdout).toBe(`${sums}2 too young to judge: within an hour\n`);
    expect(jsonLines((await fsck("--json")).stdout)).toMatchObject([{ listed: 4, checked: 2, young: 2, orphan: 0 }]);
  });

  test("none of those that are old enough, nor what a reference names", async () => {
    aged(stored[2]!);
    const { code, stdout } = await fsck();
    expect(code).toBe(1);
    expect(stdout).toContain("4 objects listed, 1 too young to judge: within 24 hours and an hour; 1 object without");
    aged(stored[3]!);
    expect((await fsck()).stdout).toContain("4 objects listed; 2 objects without a reference");
  });

  test("what --grace adds is in the help, and in the sums of sweep", async () => {
    for (const name of ["fsck", "sweep"])
      expect((await run([name, "--help"])).stdout.replace(/\s+/g, " ")).toContain("an hour is added for clocks");
    const young = async (...args: string[]) =>
      /young .*/.exec((await run(["sweep", base, "--refs", "refs.txt", ...args])).stdout)?.[0];
    expect(await young()).toMatch(/within the grace of 24 hours and an hour$/);
    expect(await young("--force", "--grace", "1m")).toMatch(/within the grace of 1 minute$/);
  });
});

describe("counts of one have the singular", () => {
  test("of references and objects", async () => {
    aged(stored[1]!);
    const { stdout } = await run(["fsck", base, "--refs", "one.txt"]);
    expect(stdout).toContain("1 reference, 3 B;");
    expect(stdout).toContain("; 1 object without a reference");
  });
});

describe("a source without any reference is at fault, not the path", () => {
  test.each([
    ["sweep", ["sweep", "XCOM"]],
    ["report", ["report", "XCOM"]],
    ["migrate", ["migrate", "XCOM", "other"]],
  ])("%s", async (_, args) => {
    const { code, stderr } = await run([...args.map((one) => one.replace("XCOM", base)), "--refs", "empty.txt"]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/empty.txt has no reference at all.*; is it the right/)]);
    expect(stderr).not.toContain("look around");
  });
});

describe("a file that cannot be read is named with its option or command", () => {
  test.each([
    [1, ["sweep", "XCOM", "--refs", "nope.txt"], "--refs nope.txt cannot be read: ENOENT"],
    [2, ["sweep", "XCOM", "--refs", "."], "--refs . cannot be read: EISDIR"],
    [1, ["report", "XCOM", "--policy", "nope.json"], "nope.json cannot be read: ENOENT"],
    [
      1,
      ["xcom", "push", "nope.json", "--base", "XCOM", "--dag", "d", "--run", "r", "--task", "t"],
      "nope.json cannot be",
    ],
  ])("%i, %j", async (exit, args, words) => {
    const { code, stderr } = await run(args.map((one) => one.replace("XCOM", base)));
    expect([code, stderr]).toEqual([exit, expect.stringMatching(`^stowage: ${words}.*[^;]\n$`)]);
  });
});

const reason = await whyNoPostgres();
if (reason && process.env.CI) throw new Error(reason);

describe.skipIf(reason)("a database that answers and refuses", () => {
  let postgres: Postgres;
  beforeEach(async () => {
    postgres = await startPostgres();
  }, 60_000);
  afterEach(() => postgres.stop());

  test("is no reason to try again later", async () => {
    const address = new URL(postgres.url);
    address.pathname = "/nodb";
    const { code, stderr } = await run(["fsck", "--database", String(address)]);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/database "nodb" does not exist/)]);
    expect(stderr).not.toContain("later");
  });
});

/** Needs Node 22.13. */
const hasSqlite = process.getBuiltinModule?.("node:sqlite" as never) !== undefined;

describe.skipIf(!hasSqlite)("a file of SQLite is named", () => {
  test.each([
    ["nope.db", /nope.db: unable to open database file/],
    ["one.txt", /one.txt: file is not a database/],
  ])("%s", async (file, words) => {
    const { code, stderr } = await run(["sweep", base, "--database", file]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(words)]);
    expect(stderr).not.toContain("later");
  });
});

describe("claims of a bucket that is not known", () => {
  const sha = "0".repeat(64);
  const claimData = { bucket: "temporal", key: `v0/d/sha256/${sha}`, hash_algorithm: "sha256", hash_value: sha };

  test("the library names its option, the command its own, and neither asks to try again", () => {
    const error = caught(() => objectOf(claimData, placesOf({ url: "memory://payloads" }))) as Error;
    expect(error.message).toContain('the bucket "temporal": say where it is with the option also');
    const { io, stderr } = collectedIo();
    expect(report(io, error, {})).toBe(1);
    expect(stderr()).toMatch(/the bucket "temporal": say where it is with --temporal-url temporal=URL\n$/);
  });
});

describe("a dry run of claims says what a removal would refuse", () => {
  const sweep = (...args: string[]) => run(["sweep", base, "--claims", "--refs", "refs.txt", ...args]);
  beforeEach(() => {
    const name = `v0/d/sha256/${"0".repeat(64)}`;
    mkdirSync(join(root, "xcom/v0/d/sha256"), { recursive: true });
    writeFileSync(join(root, "xcom", name), "value");
    writeFileSync(join(root, "refs.txt"), `${base}/${name}\n`);
  });

  test.each([
    [[], "give the refreshAfter of their writers as --refresh-after"],
    [["--refresh-after", "48h"], "--grace must be at least 2 days, which is --refresh-after"],
  ])("%j", async (args, words) => {
    const { stdout } = await sweep(...args);
    expect(stdout.replace(/\s+/g, " ")).toContain(`--delete and --trash would be refused: ${words}.`);
    expect(jsonLines((await sweep("--json", ...args)).stdout).at(-1)?.warning).toContain(words);
  });

  test("nothing of it if they would not", async () => {
    const { stdout } = await sweep("--refresh-after", "12h");
    expect(stdout).not.toContain("refused");
    expect((await run(["sweep", "--help"])).stdout).toMatch(/these claims,\s+such\s+as 12h/);
  });
});

describe("xcom", () => {
  test("show of a value that grew by its compression", async () => {
    await using storage = openStorage({ env: {} });
    const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0, compression: "gzip" });
    const reference = (await backend.storeValue({ dagId: "d", runId: "r", taskId: "t" }, "k", "x")) as string;
    expect((await run(["xcom", "show", reference])).stdout).toMatch(/stored +\d+ B, gzip, [\d.]+ times larger\n/);
  });

  test("purge of what is not there says so", async () => {
    expect((await run(["xcom", "purge", stored[0]!])).stdout).toBe(`purged ${stored[0]}\n`);
    expect(statSync(stored[0]!.slice("file://".length), { throwIfNoEntry: false })).toBeUndefined();
    const again = await run(["xcom", "purge", stored[0]!]);
    expect(again).toMatchObject({ code: 0, stdout: `nothing to purge at ${stored[0]}\n` });
    const json = await run(["--json", "xcom", "purge", stored[0]!, stored[1]!]);
    expect(jsonLines(json.stdout)).toEqual([
      { action: "absent", reference: stored[0] },
      { action: "purged", reference: stored[1] },
    ]);
  });
});
