// The database is lost: lists and reads the XComs of a run from storage alone, and recreates their rows.
import assert from "node:assert/strict";
import { openStorage, XComObjectStorageBackend } from "stowage";
import { importReferences, listStoredXComs, memoryRows, XCom } from "stowage/xcom";
import { base } from "./lib/place.mjs";

const storage = openStorage();
const backend = new XComObjectStorageBackend({ storage, path: base, threshold: 0, compression: "gzip" });
const run = { dagId: "sales", runId: "manual__2026-11-21T00:00:00+00:00" };

const lost = new XCom({ rows: memoryRows(), backend });
for (const taskId of ["extract", "load"])
  for (const key of ["rows", "summary"]) await lost.set({ ...run, taskId, key }, { taskId, key });

// Same as `stowage xcom ls s3://…/sales/<run>`; `stowage xcom export --to DIR` writes the values as JSON files.
const stored = () => listStoredXComs({ storage, path: base, base }, run);
for await (const { taskId, key, size, codec } of stored()) console.log(taskId, key, size, codec);

// Same as `stowage xcom import`, with any rows.
const rows = memoryRows();
assert.deepEqual(await importReferences(rows, stored()), { rows: 4, skipped: [], failed: [] });
const found = new XCom({ rows, backend });
for (const taskId of ["extract", "load"])
  for (const key of ["rows", "summary"]) assert.deepEqual(await found.get({ ...run, taskId, key }), { taskId, key });
await storage.close();
