// Keeps every value in two stores: the row names the first, and reads fall back to the second.
import assert from "node:assert/strict";
import { isStorageError, openStorage, XComObjectStorageBackend } from "stowage";
import { replicate } from "stowage/xcom";
import { base, otherBase } from "./lib/place.mjs";

const storage = openStorage();
const owner = { dagId: "sales", runId: "manual__2026-11-21T00:00:00+00:00", taskId: "extract" };
const orders = Array.from({ length: 5000 }, (_, id) => ({ id, amount: id / 4 }));

const at = (path) => new XComObjectStorageBackend({ storage, path, threshold: 1000, compression: "gzip" });
const xcom = replicate({ targets: [at(base), at(otherBase)], write: "all", repair: true });

const reference = await xcom.storeValue(owner, "return_value", orders);
const [primary, replica] = xcom.pathsOf(reference);
console.log(`${primary}\n${replica}`);
assert.equal(String(primary), reference);
assert.deepEqual(await at(otherBase).loadValue(String(replica)), orders);

// The first store loses its object: stowage reads it from the second, and restores it from there.
await storage.delete(primary);
assert.deepEqual(await xcom.loadValue(reference, { owner }), orders);
assert.deepEqual(await at(base).loadValue(reference, { owner }), orders);

// Size and digest reveal an empty or wrong copy; a correct copy is not sent again.
await storage.write(replica, "");
assert.deepEqual((await xcom.sync(reference)).map(String), [String(replica)]);
assert.deepEqual(await xcom.sync(reference), []);

// A purge deletes both.
assert.equal(await xcom.purge(reference, { owner }), true);
for (const path of [primary, replica]) assert.equal(await storage.exists(path), false);
await assert.rejects(xcom.loadValue(reference), (error) => isStorageError(error, "NotFound"));
await storage.close();
