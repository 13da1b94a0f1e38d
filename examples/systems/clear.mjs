// Before a task runs again, deletes its rows and every object that they refer to, on all stores.
import assert from "node:assert/strict";
import { openStorage, XComObjectStorageBackend } from "stowage";
import { memoryRows, replicate, XCom } from "stowage/xcom";
import { base, otherBase } from "./lib/place.mjs";

const storage = openStorage();
const at = (path) => new XComObjectStorageBackend({ storage, path, threshold: 1000 });
const runId = "manual__2026-11-21T00:00:00+00:00";
const xcom = new XCom({
  rows: memoryRows(),
  backend: replicate({ targets: [at(base), at(otherBase)] }),
  // For Airflow's database use airflowRuns(query), for its REST API the findRun of restRows().
  runs: async (_dagId, logicalDate) => (logicalDate === "2026-11-21T00:00:00.000000+00:00" ? runId : undefined),
});

const extract = { dagId: "sales", runId, taskId: "extract" };
const big = "x".repeat(2000);
for (const mapIndex of [0, 1]) await xcom.set({ ...extract, mapIndex, key: "return_value" }, big);
await xcom.set({ ...extract, mapIndex: 1, key: "count" }, 5);
await xcom.set({ ...extract, taskId: "load", key: "return_value" }, big);

// Lists what would be deleted, without a request to a store.
const dry = await xcom.clear({ ...extract, mapIndex: 1 }, { dryRun: true });
console.log(dry.deleted);
assert.deepEqual([dry.rows, dry.objects, dry.left], [2, 2, []]);

assert.deepEqual(await xcom.clear({ ...extract, mapIndex: 1 }), dry);
const rest = await xcom.clear({ dagId: "sales", taskId: "extract", logicalDate: new Date("2026-11-21T00:00:00Z") });
assert.deepEqual([rest.rows, rest.objects, rest.left], [1, 2, []]);
for (const { objects } of [...dry.deleted, ...rest.deleted])
  for (const path of objects) assert.equal(await storage.exists(path), false);

assert.equal(await xcom.get({ ...extract, taskId: "load", key: "return_value" }), big);
await assert.rejects(xcom.clear({ dagId: "sales", taskId: "extract" }), /exactly one of runId and logicalDate/);
await storage.close();
