/** `stowage migrate` as a process that is killed at any moment, and that begins again. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStorage } from "../../../src/index.js";
import { airflowReferences, fsck, XComObjectStorageBackend } from "../../../src/xcom.js";
import { all } from "../../support/all.js";
import { jsonLines, start, stowage } from "../../support/command.js";
import { openPool, type Postgres, startPostgres, whyNoPostgres } from "../../support/postgres.js";

const why = await whyNoPostgres();
if (why && process.env.CI) throw new Error(why);
if (why) console.error(`\n*** SKIPPED: migrate under SIGKILL: ${why} ***\n`);

const COUNT = 600;

describe.skipIf(why)("migrate under SIGKILL", () => {
  let postgres: Postgres;
  let pool: pg.Pool;
  let root: string;
  const storage = openStorage({ env: {} });
  const query = (text: string, values: unknown[]) => pool.query(text, values);
  beforeAll(async () => {
    postgres = await startPostgres();
    pool = openPool(postgres.url);
    pool.on("error", () => {});
    root = mkdtempSync(join(tmpdir(), "stowage-migrate-kill-"));
  });
  afterAll(async () => {
    await pool?.end();
    await postgres?.stop();
    await storage.close();
    rmSync(root, { recursive: true, force: true });
  });

  test.each([[[]], [["--compression", "zstd"]]])(
    "%j: rows and bytes are whole after it was killed at several points",
    {
      timeout: 240_000,
    },
    async (options) => {
      const [from, to] = [`file://${root}/old${options.length}`, `file://${root}/new${options.length}`];
      const backend = new XComObjectStorageBackend({ storage, path: from, threshold: 0, digest: true });
      await pool.query("DROP TABLE IF EXISTS xcom; CREATE TABLE xcom (id serial PRIMARY KEY, value jsonb)");
      for (let i = 0; i < COUNT; i++) {
        const reference = await backend.storeValue({ dagId: "d", runId: "r", taskId: `t${i}` }, "k", { i });
        await pool.query("INSERT INTO xcom (value) VALUES ($1)", [JSON.stringify(reference)]);
      }
      await pool.query("INSERT INTO xcom (value) VALUES ('5')");
      const args = ["migrate", from, to, "--database", postgres.url, "--concurrency", "2", "--json", ...options];

      // After so many references: within the first batch, around its end, where rows are changed, and near the end.
      const points = [1, 100, 255, 256, 257, 300, 560];
      let kills = 0;
      for (const point of points) {
        const child = start(args, { cwd: root });
        const closed = once(child, "close");
        let [text, lines] = ["", 0];
        child.stdout?.on("data", (chunk: Buffer) => {
          text += chunk;
          lines += chunk.toString("latin1").split("\n").length - 1;
          if (lines >= point && child.exitCode === null && child.signalCode === null) child.kill("SIGKILL");
        });
        child.stderr?.on("data", (chunk: Buffer) => {
          text += chunk;
        });
        const [, signal] = await closed;
        if (signal === "SIGKILL") kills += 1;
        // Whatever it had done: no row leads nowhere, and none to other bytes.
        const sources = [airflowReferences(query)];
        const state = await fsck({ storage, sources, deep: true });
        expect(state, `killed after ${point}: ${text.slice(-500)}`).toMatchObject({
          checked: COUNT,
          missing: 0,
          damaged: 0,
          unchecked: 0,
        });
      }
      expect(kills).toBeGreaterThan(3);

      const { code, stdout, stderr } = await stowage(args, { cwd: root });
      expect(code, stdout.slice(-800) + stderr).toBe(0);
      expect(jsonLines(stdout).at(-1)).toMatchObject({ failed: 0, missing: 0, changed: 0 });
      const { rows } = await pool.query("SELECT value FROM xcom ORDER BY id");
      expect(rows).toHaveLength(COUNT + 1);
      expect(rows.at(-1).value).toBe(5);
      const reader = new XComObjectStorageBackend({ storage, path: to });
      for (const [i, { value }] of rows.slice(0, COUNT).entries()) {
        expect(String(value).startsWith(`${to}/`)).toBe(true);
        expect(String(value).endsWith(options.length > 0 ? ".json.zst" : ".json")).toBe(true);
        expect(await reader.loadValue(value, { owner: { dagId: "d", runId: "r", taskId: `t${i}` } })).toEqual({ i });
      }
      // No leftover of a run that was killed is below the new path, and the old objects are there for `sweep`.
      expect(await all(storage.list(to, { recursive: true }))).toHaveLength(COUNT);
      expect(await all(storage.list(from, { recursive: true }))).toHaveLength(COUNT);
    },
  );
});
