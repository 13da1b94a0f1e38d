/** Rows and tables of an Arrow IPC stream; of an Arrow file (Feather) too. */
import type { RecordBatch } from "apache-arrow";
import { Pace } from "../../../codecs/pace.js";
import { failure, isStorageError } from "../../../errors.js";
import { abortable } from "../../../fs/bytes.js";
import type { Bytes } from "../../../fs/driver.js";
import { setOwn } from "../../json/encoding.js";
import type { DecodeContext } from "../format.js";
import { reasonOf } from "../reason.js";
import { type Batch, cellOf, type Row } from "../row.js";
import type { TableSchema } from "../schema.js";
import { readText } from "../text.js";
import { corrupt } from "./corrupt.js";
import { type Arrow, loadArrow } from "./library.js";
import type { ArrowTable } from "./shape.js";
import { rowsOf } from "./values.js";
import { Watched } from "./watched.js";

/** A stream is decoded batch by batch; a file is held in memory, since its index is at its end. */
export async function* readArrow(
  body: Bytes,
  { schema, signal }: DecodeContext,
): AsyncGenerator<Batch, void, undefined> {
  const arrow = await loadArrow();
  const source = new Watched(abortable(body, signal));
  const pace = new Pace();
  try {
    for await (const batch of batchesOf(await opened(arrow, source), source)) {
      for (const rows of readable(rowsOf(arrow, batch), source)) {
        yield schema ? revived(rows, schema) : rows;
        await pace.rest();
      }
    }
  } finally {
    await source.close();
  }
}

/** The whole table as apache-arrow has it. */
export async function readTable(body: Bytes, signal: AbortSignal | undefined): Promise<ArrowTable> {
  const arrow = await loadArrow();
  const source = new Watched(abortable(body, signal));
  const batches: RecordBatch[] = [];
  try {
    const reader = await opened(arrow, source);
    for await (const batch of batchesOf(reader, source)) batches.push(batch);
    return new arrow.Table(reader.schema, batches);
  } finally {
    await source.close();
  }
}

/** The rows of a table in memory. */
export async function* tableRows({ batches }: ArrowTable): AsyncGenerator<Row, void, undefined> {
  const arrow = await loadArrow();
  for (const batch of batches as RecordBatch[]) for (const rows of rowsOf(arrow, batch)) yield* rows;
}

type Reader = Awaited<ReturnType<typeof opened>>;

async function opened({ RecordBatchReader }: Arrow, source: Watched) {
  try {
    const reader = await RecordBatchReader.from(source);
    await reader.open({ autoDestroy: false });
    if (!reader.schema) throw new Error("there is no schema");
    return reader;
  } catch (cause) {
    throw told(cause, "it does not begin with a schema", source);
  }
}

async function* batchesOf(reader: Reader, source: Watched): AsyncGenerator<RecordBatch, void, undefined> {
  const batches = (reader as AsyncIterable<RecordBatch>)[Symbol.asyncIterator]();
  for (let at = 0; ; at++) {
    const { done, value } = await nextOf(batches, at, source);
    if (done) break;
    yield value;
  }
  await source.checkEnd();
}

async function nextOf(batches: AsyncIterator<RecordBatch>, at: number, source: Watched) {
  try {
    return await batches.next();
  } catch (cause) {
    throw told(cause, `batch ${at} cannot be read, before byte ${source.passed}`, source);
  }
}

/** Lengths and offsets inside of a batch are looked at only when its cells are. */
function* readable(rows: Iterable<Batch>, source: Watched): Generator<Batch, void, undefined> {
  try {
    yield* rows;
  } catch (cause) {
    throw isStorageError(cause) ? cause : told(cause, `a batch before byte ${source.passed} cannot be read`, source);
  }
}

function told(cause: unknown, what: string, source: Watched): unknown {
  if (source.failed) return source.failed.error;
  const reason = reasonOf(cause);
  if (/codec not found/.test(reason)) {
    return failure("Unsupported", "arrow: its buffers are compressed; write it without compression", { cause });
  }
  return corrupt(`${what}: ${reason}`, cause);
}

/** Arrow has its own types; only JSON comes as text. */
function revived(rows: Batch, schema: TableSchema): Batch {
  const names = Object.keys(schema).filter((name) => schema[name] === "json");
  for (const row of rows) {
    for (const name of names) {
      const cell = cellOf(row, name);
      if (typeof cell !== "string") continue;
      const value = readText("json", cell);
      if (value === undefined) throw corrupt(`a cell of the column ${JSON.stringify(name)} is no JSON`);
      setOwn(row, name, value);
    }
  }
  return rows;
}
