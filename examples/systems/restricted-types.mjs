// Allows only the types that a team agreed on, both for storing values and for loading those that others stored.
import assert from "node:assert/strict";
import { isStorageError, openStorage, XComObjectStorageBackend } from "stowage";
import { DataFrame, DateTime, Decimal } from "stowage/xcom";
import { base } from "./lib/place.mjs";

const storage = openStorage();
const owner = { dagId: "billing", runId: "manual__2026-11-21T00:00:00+00:00", taskId: "invoices" };
const at = (allowedTypes) => new XComObjectStorageBackend({ storage, path: base, threshold: 0, allowedTypes });
const refused = (code, name) => (error) => isStorageError(error, code) && error.detail.includes(name);

const strict = at(["datetime.*", "decimal.Decimal"]);
for (const value of [{ amount: new Decimal("12.50") }, [new DateTime(0)], { json: ["always", 1, null, true] }])
  assert.deepEqual(await strict.loadValue(await strict.storeValue(owner, "k", value), { owner }), value);

// The backend refuses a data frame before the first write...
const frame = new DataFrame("50415231", "pandas.DataFrame");
await assert.rejects(strict.storeValue(owner, "k", { frame }), refused("InvalidArgument", "pandas.DataFrame"));
// ...and does not create one from a value that a task without the list has stored.
const row = await at(undefined).storeValue(owner, "k", { frame });
await assert.rejects(strict.loadValue(row, { owner }), refused("PermissionDenied", "pandas.DataFrame"));
assert.equal(await strict.purge(row, { owner }), true);

// Every backend refuses values that are neither JSON nor have a serializer, and the error gives their position.
for (const [value, where] of [
  [{ a: [Buffer.from("x")] }, "value.a[0]"],
  [{ f() {} }, "value.f"],
])
  await assert.rejects(at("*").storeValue(owner, "k", value), refused("InvalidArgument", where));
await storage.close();
