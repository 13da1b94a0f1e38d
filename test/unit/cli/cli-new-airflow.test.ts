/** The weekly commands on an Airflow that has stored no large XCom yet: nothing is wrong with it. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { commandInProcess } from "../../support/in-process.js";
import { describeOnPostgres } from "../../support/postgres.js";

const KEY = "d/r/t/write-00000000-0000-4000-8000-000000000001/k.json";

await describeOnPostgres("a new Airflow", (database) => {
  let root: string;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "stowage-new-"));
    await database.pool.query("DROP TABLE IF EXISTS xcom; CREATE TABLE xcom (id serial PRIMARY KEY, value jsonb)");
    await database.pool.query(`INSERT INTO xcom (value) VALUES ('5'), ('"text"')`);
    return () => rmSync(root, { recursive: true, force: true });
  });
  const run = (args: string[]) => commandInProcess([...args, "--database", database.url], { cwd: root });

  test.each([
    ["sweep", ["sweep", "xcom", "--trash", "trash"]],
    ["sweep of a part", ["sweep", "xcom", "--delete", "--shard", "1/2"]],
    ["report", ["report", "xcom", "--out", "page.html"]],
  ])("%s: neither object nor reference is no failure", async (_, args) => {
    const { code, stdout, stderr } = await run(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("none was stored yet");
    if (args.includes("--out")) expect(existsSync(join(root, "page.html"))).toBe(true);
  });

  test.each([["sweep"], ["report"]])("%s: an empty path is one if rows refer to objects elsewhere", async (command) => {
    await database.pool.query("INSERT INTO xcom (value) VALUES ($1)", [JSON.stringify(`file://${root}/other/${KEY}`)]);
    expect(await run([command, "xcom"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("nothing below this path"),
    });
  });

  test.each([["sweep"], ["report"]])("%s: objects without a reference at all are one", async (command) => {
    mkdirSync(join(root, "xcom", KEY, ".."), { recursive: true });
    writeFileSync(join(root, "xcom", KEY), "1");
    expect(await run([command, "xcom"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("has no reference at all"),
    });
  });

  test.each([["sweep"], ["report"]])("%s: a file without a reference is the wrong one", async (command) => {
    writeFileSync(join(root, "refs.txt"), "");
    expect((await run([command, "xcom", "--refs", "refs.txt"])).code).toBe(1);
  });
});
