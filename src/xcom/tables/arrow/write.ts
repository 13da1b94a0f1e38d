/** Rows and tables as an Arrow IPC stream. */
import type { Table } from "apache-arrow";
import type { Bytes } from "../../../fs/driver.js";
import type { Plan } from "../batches.js";
import { checkNames } from "../row.js";
import { type Arrow, loadArrow } from "./library.js";
import type { ArrowTable } from "./shape.js";
import { fieldsOf, recordBatch } from "./vectors.js";

/** Bytes of the end-of-stream marker. */
const END = 8;

/** One record batch for each batch of rows; moments have microseconds and the zone that is common to their column. */
export async function* writeArrow({ names, columns, batches }: Plan): Bytes {
  checkNames(names, "InvalidArgument", "arrow");
  const arrow = await loadArrow();
  const all = columns();
  const schema = new arrow.Schema(fieldsOf(arrow, all));
  // A stream that begins with the schema and holds no batch is what every later one begins with.
  const head = arrow.tableToIPC(new arrow.Table(schema), "stream");
  const start = head.subarray(0, head.byteLength - END);
  yield start;
  let rows = 0;
  for await (const batch of batches) {
    const table = new arrow.Table([recordBatch(arrow, schema, all, batch, rows)]);
    const bytes = arrow.tableToIPC(table, "stream");
    rows += batch.length;
    yield bytes.subarray(start.byteLength, bytes.byteLength - END);
  }
  yield head.subarray(head.byteLength - END);
}

/** The table as it is: its own types, zones and batches. */
export async function* writeTable(table: ArrowTable, signal: AbortSignal | undefined): Bytes {
  const arrow = await loadArrow();
  for await (const chunk of writerOf(arrow, table)) {
    signal?.throwIfAborted();
    yield chunk;
  }
}

/** The writer hands out views of the table's own memory. */
function writerOf({ RecordBatchStreamWriter }: Arrow, table: ArrowTable): AsyncIterable<Uint8Array> {
  return RecordBatchStreamWriter.writeAll(table as Table) as AsyncIterable<Uint8Array>;
}
