// The main use case in one file: stores values, gets references, and loads the values again.
// Without settings it uses a local folder; the commands that it prints at the end run the same program on S3.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { codecs, isStorageError, openStorage, StoragePath, XComObjectStorageBackend } from "stowage";

const countries = createRequire(import.meta.url)("world-countries");

const settings = {
  AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH: `${pathToFileURL("quickstart-data")}`,
  AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD: "1000",
  ...process.env,
};

const values = {
  small_object: { a: 23, b: 42, message: "below the threshold: stays in the row" },
  big_dictionary: Object.fromEntries(
    Array.from({ length: 5000 }, (_, i) => [`key_${i}`, { value: i, text: `text ${i}` }]),
  ),
  countries,
};

const storage = openStorage({ env: settings });
const owner = { dagId: "quickstart", runId: `manual__${new Date().toISOString()}`, taskId: "push", tiId: randomUUID() };

/** Stores and loads all values with one codec; returns a table row for each. */
async function run(compression) {
  const xcom = XComObjectStorageBackend.fromEnv(
    { ...settings, AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_COMPRESSION: compression ?? "" },
    { storage },
  );
  const rows = [];
  for (const [key, value] of Object.entries(values)) {
    const stored = await xcom.storeValue(owner, key, value);
    assert.deepEqual(await xcom.loadValue(stored, { owner }), value, `${key} came back different`);
    rows.push(await describe(key, value, stored));
  }
  return rows;
}

async function describe(key, value, stored) {
  const size = Buffer.byteLength(JSON.stringify(value));
  const inRow = typeof stored !== "string";
  const bytes = inRow ? Buffer.byteLength(JSON.stringify(stored)) : (await storage.stat(stored)).size;
  const ratio = inRow ? "" : (size / bytes).toFixed(1);
  return [
    key,
    size.toLocaleString("en"),
    inRow ? "row" : "object",
    bytes.toLocaleString("en"),
    ratio,
    inRow ? "" : shorten(stored),
  ];
}

/** Returns the end of a reference, the only part that differs. */
function shorten(reference) {
  return `…/${StoragePath.parse(reference).parts.slice(-2).join("/")}`;
}

function print(rows) {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i].length)));
  const right = new Set([1, 3, 4]);
  for (const row of rows) {
    console.log(
      `  ${row.map((cell, i) => (right.has(i) ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join("  ")}`.trimEnd(),
    );
  }
}

const base = settings.AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH;
console.log(`Base path   ${base}\nThreshold   ${settings.AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_THRESHOLD} bytes`);
const header = ["key", "JSON bytes", "in", "stored bytes", "ratio", "reference"];
let verified = 0;
for (const name of [null, ...codecs.names.filter((name) => codecs.get(name).suffixes.length > 0)]) {
  try {
    const rows = await run(name);
    console.log(`\n${name ?? "no compression"}`);
    print([header, ...rows]);
    verified += rows.length;
  } catch (error) {
    if (!isStorageError(error, "Unsupported")) throw error;
    console.log(`\n${name}\n  left out: ${error.detail}`);
  }
}
await storage.close();

console.log(`
${verified} values were read back and are equal to what went in.

The same job on S3 (or MinIO: set the endpoint in the connection):
  export AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH=s3://my_s3@my-bucket/xcom
  export AIRFLOW_CONN_MY_S3='{"conn_type": "aws", "login": "<access key id>", "password": "<secret access key>", "extra": {"region_name": "eu-central-1"}}'
  npm run quickstart`);
