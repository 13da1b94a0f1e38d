/** Two thousand random values each way through real Airflow: none may differ, in type neither. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import type { Storage } from "../../../src/fs/storage.js";
import { openStorage } from "../../../src/open.js";
import { type Airflow, startAirflow } from "./python.js";
import { canonical, type RandomPair, randomPairs } from "./random-values.js";

const OWNER = { dagId: "random", runId: "r", taskId: "t" };
const VALUES = 2000;
/** The same values in every run, so that a red run is the change's doing; STOWAGE_TEST_SEED draws others. */
const SEED = Number(process.env.STOWAGE_TEST_SEED ?? 20261129);

describe.each([
  { version: "3.3.2", list: "airflow-3.3.2.txt", layout: "uuid" },
  { version: "3.4.0b2", list: "airflow-3.4.0b2.txt", layout: "ti" },
] as const)(`Airflow $version, seed ${SEED}`, ({ list, layout }) => {
  const pairs = randomPairs(VALUES, SEED);
  let home: string;
  let airflow: Airflow;
  let storage: Storage;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "stowage-random-"));
    airflow = await startAirflow(list, home);
    storage = openStorage({ env: {} });
  });
  afterAll(async () => {
    await airflow?.stop();
    await storage?.close();
    await rm(home, { recursive: true, force: true });
  });

  const isObject = (row: unknown) => typeof row === "string" && row.startsWith(`file://${home}/xcom/`);

  /** Objects for all values, for large ones, and rows: those that a row can carry. */
  const modes = [0, 100, -1].map((threshold, mode) => ({
    threshold,
    some: pairs.filter((pair, i) => i % 3 === mode && (threshold === 0 || !pair.object)),
  }));
  const rest = pairs.filter((pair, i) => i % 3 !== 0 && pair.object);

  async function each(look: (backend: XComObjectStorageBackend, pair: RandomPair) => Promise<string | undefined>) {
    const differences: string[] = [];
    let seen = 0;
    for (const { threshold, some } of modes) {
      const path = `file://${home}/xcom`;
      await airflow.configure({ path, threshold, compression: null, connections: {} });
      const backend = new XComObjectStorageBackend({ storage, path, threshold, layout });
      for (const pair of threshold === 0 ? [...some, ...rest] : some) {
        const found = await look(backend, pair).catch((error: unknown) => String(error));
        if (found !== undefined) differences.push(`threshold ${threshold}, ${pair.python}: ${found}`.slice(0, 2000));
        seen++;
      }
    }
    expect(differences.slice(0, 5), `STOWAGE_TEST_SEED=${SEED}: ${differences.length} differences`).toEqual([]);
    expect(seen).toBe(VALUES);
  }

  test("what Python stores stowage reads", async () => {
    await each(async (backend, pair) => {
      const row = await airflow.store(pair.python, OWNER, "k");
      const found = canonical(await backend.loadValue(row, { owner: OWNER }));
      const wanted = canonical(pair.read(isObject(row)));
      return found === wanted ? undefined : `read ${found}, not ${wanted}`;
    });
  });
  test("what stowage stores Python reads", async () => {
    await each(async (backend, pair) => {
      const row = await backend.storeValue(OWNER, "k", pair.value);
      const { equal, repr } = await airflow.load(row, pair.reads(isObject(row)));
      return equal ? undefined : `Python read ${repr}`;
    });
  });
});
