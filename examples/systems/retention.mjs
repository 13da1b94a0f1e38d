// Stores values of different lifetimes below different prefixes, and prints the bucket rules that expire them.
import assert from "node:assert/strict";
import { isStorageError, openStorage, StoragePath, XComObjectStorageBackend } from "stowage";
import { lifecyclePolicy, withRetention } from "stowage/xcom";
import { base } from "./lib/place.mjs";

const storage = openStorage();
const owner = { dagId: "sales", runId: "manual__2026-11-21T00:00:00+00:00", taskId: "extract" };
const xcom = withRetention({
  path: base,
  backend: (path) => new XComObjectStorageBackend({ storage, path, threshold: 1000 }),
  rules: [
    { class: "day", dag: "tmp_*" },
    { class: "week", key: "debug_*" },
    { class: "month", type: "array", minSize: 10_000 },
  ],
});

const rows = Array.from({ length: 2000 }, (_, id) => ({ id }));
const stored = [
  [await xcom.storeValue({ ...owner, dagId: "tmp_sales" }, "return_value", rows), "/retention=day/tmp_sales/"],
  [await xcom.storeValue(owner, "debug_rows", rows), "/retention=week/sales/"],
  [await xcom.storeValue(owner, "return_value", rows), "/retention=month/sales/"],
  [await xcom.storeValue(owner, "return_value", "x".repeat(2000)), `${base}/sales/`],
];
for (const [reference, part] of stored) assert.ok(reference.includes(part), `${reference} has ${part}`);

// Any backend of the base path reads them, so readers need no rules; stock Airflow reads them too.
const reader = new XComObjectStorageBackend({ storage, path: base });
for (const [reference] of stored) assert.deepEqual(await reader.loadValue(reference), await xcom.loadValue(reference));

try {
  const policy = lifecyclePolicy({ path: base, days: { day: 1, week: 7, month: 30 }, abortUploadsAfter: 3 });
  console.log(JSON.stringify(policy, null, 2));
} catch (error) {
  // A local folder has no lifecycle rules.
  if (StoragePath.parse(base).scheme !== "file" || !isStorageError(error, "Unsupported")) throw error;
}
for (const [reference] of stored) assert.equal(await xcom.purge(reference), true);
await storage.close();
