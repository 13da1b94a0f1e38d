/** What stowage stores real Airflow reads and purges, and the reverse: value, row and object. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { XComObjectStorageBackend } from "../../../src/backend.js";
import { codecs } from "../../../src/codecs/index.js";
import type { Storage } from "../../../src/fs/storage.js";
import { openStorage } from "../../../src/open.js";
import type { StoragePath } from "../../../src/path.js";
import { airflowEncoding, objectForm } from "../../../src/xcom/encoding/airflow.js";
import { measure } from "../../../src/xcom/encoding/json-write.js";
import { withRetention } from "../../../src/xcom/layers/retention.js";
import { suffixOf, type XComCompression } from "../../../src/xcom/settings.js";
import { type Bucket, makeBucket } from "../../servers/buckets.mjs";
import { server } from "../../servers/use.js";
import { canWrite } from "../../support/xcom-world.js";
import { type Airflow, startAirflow } from "./python.js";
import { PAIRS, type Pair } from "./values.js";

/** Which lists of packages, beside this file, are tested. */
const VERSIONS = [
  { version: "3.3.2", list: "airflow-3.3.2.txt", layout: "uuid" },
  { version: "3.4.0b2", list: "airflow-3.4.0b2.txt", layout: "ti" },
] as const;
const STORES = ["folder", "minio"] as const;
const COMPRESSIONS: (XComCompression | null)[] = [null, "gzip", "zip", "bz2", "xz", "lzma", "zstd", "lz4"];
/** A value of exactly this many bytes of Python's text goes to the store, one of fewer does not. */
const THRESHOLD = 100;

const OWNER = { dagId: "my_dag", runId: "manual__2026-01-02T03:04:05.678901+00:00", taskId: "grp.my task é?#%20" };
const rows: { version: string; store: string; codec: string; direction: string; values: number; objects: number }[] =
  [];

interface Place {
  path: string;
  storage: Storage;
  connections: Record<string, unknown>;
  close(): Promise<void>;
}

async function folder(): Promise<Place> {
  const home = await mkdtemp(join(tmpdir(), "stowage-airflow-"));
  const close = () => rm(home, { recursive: true, force: true });
  return { path: `file://${home}/xcom`, storage: openStorage({ env: {} }), connections: {}, close };
}

async function minio(): Promise<Place> {
  const found = await server("minio");
  const bucket: Bucket = await makeBucket(found);
  const { type, ...rest } = found.connection;
  return {
    path: `s3://stowage_live@${bucket.name}/xcom`,
    storage: openStorage({ env: {}, connections: { stowage_live: found.connection } }),
    connections: { stowage_live: { conn_type: type, ...rest } },
    close: () => bucket.remove(),
  };
}

const PLACES = { folder, minio };

describe.each(VERSIONS)("Airflow $version", ({ version, list, layout }) => {
  let home: string;
  let airflow: Airflow;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "stowage-airflow-home-"));
    airflow = await startAirflow(list, home);
  });
  afterAll(async () => {
    await airflow?.stop();
    await rm(home, { recursive: true, force: true });
  });

  describe.each(STORES)("on %s", (store) => {
    let place: Place;
    beforeAll(async () => {
      place = await PLACES[store]();
    });
    afterAll(async () => {
      await place?.storage.close();
      await place?.close();
    });

    const known = COMPRESSIONS.filter((name) => name === null || (codecs.names as readonly string[]).includes(name));

    async function made(compression: XComCompression | null, threshold: number) {
      const { path, storage, connections } = place;
      await airflow.configure({ path, threshold, compression, connections });
      return new XComObjectStorageBackend({ storage, path, threshold, compression, layout });
    }

    test.each(known)("X09 %s: Python writes, stowage reads and purges", async (compression) => {
      let objects = 0;
      for (const threshold of [THRESHOLD, 0, -1]) {
        const backend = await made(compression, threshold);
        for (const pair of PAIRS) {
          if (pair.object && threshold !== 0) continue;
          const row = await airflow.store(pair.python, OWNER, "k");
          expect(await backend.loadValue(row, { owner: OWNER }), pair.python).toEqual(
            "read" in pair ? pair.read : pair.value,
          );
          if (!(await backend.purge(row, { owner: OWNER }))) continue;
          objects++;
          expect(await airflow.exists(row as string)).toBe(false);
        }
      }
      rows.push({
        version,
        store,
        codec: compression ?? "none",
        direction: "Python -> stowage",
        values: PAIRS.length,
        objects,
      });
    });

    test.each(known.filter(canWrite))("X09 %s: stowage writes, Python reads and purges", async (compression) => {
      let objects = 0;
      for (const threshold of [THRESHOLD, 0, -1]) {
        const backend = await made(compression, threshold);
        for (const pair of PAIRS) {
          if (pair.object && threshold !== 0) continue;
          const row = await backend.storeValue(OWNER, "k", pair.value);
          const stored = await airflow.load(row, pair.reads ?? pair.python);
          expect(stored, `${pair.python} at ${threshold}`).toMatchObject({ equal: true });
          objects += await checkObject(backend, pair, row, threshold, compression);
        }
      }
      rows.push({
        version,
        store,
        codec: compression ?? "none",
        direction: "stowage -> Python",
        values: PAIRS.length,
        objects,
      });
    });

    /** Whether the value is where it belongs, and gone once Python has purged it. */
    async function checkObject(
      backend: XComObjectStorageBackend,
      { value }: Pair,
      row: unknown,
      threshold: number,
      compression: XComCompression | null,
    ): Promise<number> {
      const { length } = await measure(value, objectForm(value), airflowEncoding);
      const wanted = threshold >= 0 && length >= threshold;
      const isObject = typeof row === "string" && row.startsWith(place.path);
      expect(isObject).toBe(wanted);
      if (!isObject) return 0;
      expect(row.endsWith(suffixOf(compression))).toBe(true);
      expect(await backend.loadValue(row)).toBeDefined();
      await airflow.purge(row);
      expect(await place.storage.exists(row)).toBe(false);
      return 1;
    }

    test("X02 a string that looks like a reference is itself again in Python", async () => {
      const backend = await made(null, 1_000_000);
      const text = `${place.path}/notes`;
      const row = await backend.storeValue(OWNER, "k", text);
      expect(row).not.toBe(text);
      expect(await airflow.load(row, JSON.stringify(text))).toMatchObject({ equal: true });
    });

    const why = layout === "ti" ? "" : " [this Airflow's places are random]";
    test.runIf(layout === "ti")(`both write a task instance's value to the same place${why}`, async () => {
      const backend = await made(null, 0);
      const owner = {
        ...OWNER,
        runId: Array(40).fill("é".repeat(10)).join("/"),
        tiId: "019b1c2d-0000-7000-8000-000000000001",
      };
      for (const key of ["return_value", "a key/é~'()", "..", "k".repeat(300), ""]) {
        const row = await backend.storeValue(owner, key, [1]);
        expect(await airflow.store("[2]", owner, key)).toBe(row);
        expect(await backend.loadValue(row, { owner })).toEqual([2]);
        await airflow.purge(row);
      }
    });

    test.each([
      ["uuid", { layout: "uuid", digest: true }],
      ["write-", { digest: true }],
      [
        "a key template",
        { keyTemplate: "{dag_id}/{run_id}/{task_id}/{map_index}/{key}_data_{uuid}.json", digest: true },
      ],
    ] as const)("Python reads and purges names with a digest in %s", async (_name, options) => {
      const { path, storage } = place;
      for (const compression of [null, "gzip"] as const) {
        await made(compression, 0);
        const backend = new XComObjectStorageBackend({ storage, path, threshold: 0, compression, ...options });
        for (const key of ["return_value", "k".repeat(300)]) {
          const row = (await backend.storeValue(OWNER, key, [1, "é"])) as string;
          expect(row).toMatch(/~sha256-[0-9a-f]{64}/);
          expect(await airflow.load(row, '[1, "é"]')).toMatchObject({ equal: true });
          await airflow.purge(row);
          expect(await storage.exists(row)).toBe(false);
        }
      }
    });

    test("Python reads and purges values of every retention class, below the path that it is configured with", async () => {
      await made(null, 0);
      const { path, storage } = place;
      const backend = (at: StoragePath) => new XComObjectStorageBackend({ storage, path: at, threshold: 0 });
      const classes = withRetention({ path, backend, rules: [{ class: "week" }] });
      const row = (await classes.storeValue(OWNER, "a key/é", [1])) as string;
      expect(row).toContain(`${path}/retention=week/`);
      expect(await airflow.load(row, "[1]")).toMatchObject({ equal: true });
      await airflow.purge(row);
      expect(await storage.exists(row)).toBe(false);
    });

    test("Python reads what was written in the layout of 3.4", async () => {
      await made(null, 0);
      const { path, storage } = place;
      const backend = new XComObjectStorageBackend({ storage, path, threshold: 0 });
      const row = await backend.storeValue(OWNER, "a key/é", [1]);
      expect(row).toContain("/write-");
      expect(await airflow.load(row, "[1]")).toMatchObject({ equal: true });
      await airflow.purge(row);
      expect(await storage.exists(row as string)).toBe(false);
    });
  });
});

afterAll(() => {
  console.table(rows);
});
