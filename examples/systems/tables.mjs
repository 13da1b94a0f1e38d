// Tables as files that pandas opens, each told by its extension; every other value as JSON beside them.
import assert from "node:assert/strict";
import { openStorage, XComObjectStorageBackend } from "stowage";
import { decodeRows, encodeRows, tables } from "stowage/tables";
import { base } from "./lib/place.mjs";

const storage = openStorage();
const owner = { dagId: "sales", runId: "manual__2026-11-21T00:00:00+00:00", taskId: "orders" };
const orders = [
  { id: 1, customer: 'Zoë "the first", 雪', amount: 19.5, paid: true, at: new Date("2026-01-02T03:04:05Z") },
  { id: 2n ** 60n, customer: "", amount: null, paid: null, at: null },
];
/** What csv and jsonl cannot say by themselves. Parquet and Arrow know their types. */
const schema = { id: "int", customer: "string", amount: "float", paid: "boolean", at: "timestamp" };
/** Moments are read as dates that also know microseconds and a zone. */
const plain = (rows) => rows.map((row) => ({ ...row, at: row.at && new Date(row.at) }));

// One serializer for each format: what it writes, every reader that has it reads.
for (const format of ["csv", "jsonl", "parquet", "arrow"]) {
  const serializers = [tables({ format, schema })];
  const xcom = new XComObjectStorageBackend({ storage, path: base, threshold: 0, compression: "gzip", serializers });
  const reference = await xcom.storeValue(owner, format, orders);
  console.log(reference);
  assert.match(reference, new RegExp(`\\.${format}\\.gz$`));
  assert.deepEqual(plain(await xcom.loadValue(reference, { owner })), orders);

  const other = await xcom.storeValue(owner, "count", { orders: orders.length });
  assert.match(other, /\.json\.gz$/);
  assert.deepEqual(await xcom.loadValue(other, { owner }), { orders: 2 });
  for (const row of [reference, other]) assert.equal(await xcom.purge(row, { owner }), true);
}

// The first one of several writes; the rest read what was written before.
const serializers = [tables({ format: "parquet" }), tables({ format: "csv" })];
const both = new XComObjectStorageBackend({ storage, path: base, threshold: 0, serializers });
const stored = await both.storeValue(owner, "return_value", [{ a: 1 }]);
assert.match(stored, /\.parquet$/);
await assert.rejects(
  new XComObjectStorageBackend({ storage, path: base }).loadValue(stored, { owner }),
  /Unsupported.*\.parquet/,
);
await both.purge(stored, { owner });

// A million rows that are never all in memory, on the way in and on the way out.
async function* many() {
  for (let id = 0; id < 1_000_000; id++) yield { id, name: `order ${id}` };
}
const at = `${base}/many.csv.gz`;
await storage.write(at, encodeRows(many(), { format: "csv" }), { compression: "infer" });
let next = 0;
const body = storage.read(at, { compression: "infer" });
for await (const { id } of decodeRows(body, { format: "csv", schema: { id: "int" } })) assert.equal(id, next++);
assert.equal(next, 1_000_000);
await storage.delete(at);
await storage.close();
