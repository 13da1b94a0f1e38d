// Stores values that are not JSON: bytes, typed arrays, a Map with any keys, a Set, and instances of a class.
import assert from "node:assert/strict";
import { isStorageError, openStorage, XComObjectStorageBackend } from "stowage";
import { defineSerializer, serializerOf } from "stowage/xcom";
import { base } from "./lib/place.mjs";

async function whole(body) {
  const chunks = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const buffer = defineSerializer({
  name: "example.buffer@1",
  suffix: ".bin",
  test: (value) => Buffer.isBuffer(value),
  async *encode(value) {
    yield value;
  },
  decode: whole,
});

const floats = defineSerializer({
  name: "example.float64@1",
  suffix: ".f64",
  test: (value) => value instanceof Float64Array,
  async *encode(value) {
    yield new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
  },
  async decode(body) {
    const bytes = Uint8Array.from(await whole(body));
    return new Float64Array(bytes.buffer);
  },
});

// A Set, and a Map whose keys are strings, map to Airflow's own types; this serializer is for Maps with other keys.
const map = defineSerializer({
  name: "example.map@1",
  suffix: ".map",
  test: (value) => value instanceof Map,
  async *encode(value) {
    yield Buffer.from(JSON.stringify([...value]));
  },
  async decode(body) {
    return new Map(JSON.parse(String(await whole(body))));
  },
});

class Invoice {
  constructor(id, total, currency) {
    Object.assign(this, { id, total, currency });
  }
  serialize() {
    return { id: this.id, total: this.total, currency: this.currency };
  }
  // Version 1 had no currency.
  static deserialize({ id, total, currency = "EUR" }, version) {
    return new Invoice(id, total, version === 1 ? "EUR" : currency);
  }
}

const storage = openStorage();
const owner = { dagId: "billing", runId: "manual__2026-11-21T00:00:00+00:00", taskId: "invoices" };
const at = (serializers) =>
  new XComObjectStorageBackend({ storage, path: base, threshold: 1000, compression: "gzip", serializers });

const invoices = serializerOf(Invoice, { name: "example.Invoice@2" });
const xcom = at([buffer, floats, map, invoices]);
const values = [
  Buffer.from("bytes"),
  Float64Array.of(1.5, Number.NaN, -0),
  new Map([
    [1, "one"],
    [2, "two"],
  ]),
  new Set(["a", "b"]),
  new Invoice("2026-1", 12.5, "CHF"),
  { plain: ["JSON"] },
];
for (const value of values) {
  const row = await xcom.storeValue(owner, "return_value", value);
  console.log(typeof row === "string" ? row.split("/").at(-1) : row);
  assert.deepStrictEqual(await xcom.loadValue(row, { owner }), value);
}

// The error names the serializer that a reader lacks; also if the reader's version is older than the value's.
const row = await xcom.storeValue(owner, "return_value", new Invoice("2026-2", 1, "CHF"));
const names = (text) => (error) => isStorageError(error, "Unsupported") && error.detail.includes(text);
await assert.rejects(at([]).loadValue(row), names('".example-invoice"'));
await assert.rejects(
  at([serializerOf(Invoice, { name: "example.Invoice@1" })]).loadValue(row),
  names("example.Invoice@2"),
);

// The second version reads values that the first stored.
const old = await at([serializerOf(Invoice, { name: "example.Invoice@1" })]).storeValue(
  owner,
  "k",
  new Invoice("1", 1),
);
assert.equal((await xcom.loadValue(old)).currency, "EUR");
await storage.close();
