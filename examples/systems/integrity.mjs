// A row that identifies the bytes it refers to: the digest of the stored data is part of the object's name.
import assert from "node:assert/strict";
import { isStorageError, openStorage, XComObjectStorageBackend } from "stowage";
import { base } from "./lib/place.mjs";

const storage = openStorage();
const owner = { dagId: "billing", runId: "manual__2026-11-21T00:00:00+00:00", taskId: "invoices" };
const invoices = Array.from({ length: 20_000 }, (_, i) => ({ id: i, amount: i / 4, customer: `customer ${i % 97}` }));

for (const [layout, compression] of [
  ["ti", "zstd"],
  ["uuid", null],
]) {
  const xcom = new XComObjectStorageBackend({
    storage,
    path: base,
    threshold: 1000,
    layout,
    compression,
    digest: true,
  });
  const reference = await xcom.storeValue(owner, "return_value", invoices);
  console.log(reference);
  assert.match(reference, /~sha256-[0-9a-f]{64}/);

  // Readers need no option: the name contains the digest to check.
  const reader = new XComObjectStorageBackend({ storage, path: base });
  assert.deepEqual(await reader.loadValue(reference, { owner }), invoices);

  // Another writer replaces the object with a different, valid one.
  const other = await new XComObjectStorageBackend({
    storage,
    path: base,
    threshold: 0,
    layout,
    compression,
  }).storeValue(owner, "return_value", invoices.slice(1));
  await storage.copy(other, reference);
  await assert.rejects(reader.loadValue(reference, { owner }), (error) => isStorageError(error, "Corrupt"));

  assert.equal(await reader.purge(reference, { owner }), true);
  assert.equal(await storage.exists(reference), false);
}
await storage.close();
