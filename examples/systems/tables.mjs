// Stores tables as files that pandas opens, identified by their extension; all other values as JSON beside them.
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
/** The types that csv and jsonl do not record. Parquet and Arrow files contain their types. */
const schema = { id: "int", customer: "string", amount: "float", paid: "boolean", at: "timestamp" };
/** Timestamps are read as dates that also keep microseconds and a zone. */
const plain = (rows) => rows.map((row) => ({ ...row, at: row.at && new Date(row.at) }));

// One serializer for each format: every reader with that serializer reads its files.
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

// With several serializers, the first writes, and all of them read.
const serializers = [tables({ format: "parquet" }), tables({ format: "csv" })];
const both = new XComObjectStorageBackend({ storage, path: base, threshold: 0, serializers });
const stored = await both.storeValue(owner, "return_value", [{ a: 1 }]);
assert.match(stored, /\.parquet$/);
await assert.rejects(
  new XComObjectStorageBackend({ storage, path: base }).loadValue(stored, { owner }),
  /Unsupported.*\.parquet/,
);
await both.purge(stored, { owner });

// Streams a million rows in both directions; they are never all in memory.
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
