/** Reads rows and tables of an Arrow IPC stream or an Arrow file (Feather). */

import type { RecordBatch } from "apache-arrow";
import { Pace } from "../../../codecs/stream.js";
import { failure, isStorageError, type StorageError } from "../../../errors.js";
import { abortable, type ByteStream } from "../../../streams.js";
import { setOwn } from "../../encoding/encoding.js";
import type { DecodeContext } from "../format.js";
import { cellOf, MAX_METADATA, type Row, type RowBatch, reasonOf, type SchemaColumns } from "../schema.js";
import { readText } from "../text.js";
import { type Arrow, loadArrow } from "./library.js";
import { rowsOf } from "./values.js";
import type { ArrowTable } from "./write.js";

/** A stream is decoded batch by batch; a file is held in memory, since its index is at its end. */
export async function* readArrow(
  body: ByteStream,
  { schema, signal }: DecodeContext,
): AsyncGenerator<RowBatch, void, undefined> {
  const arrow = await loadArrow();
  const source = new Watched(abortable(body, signal));
  const pace = new Pace();
  try {
    for await (const batch of batchesOf(await openReader(arrow, source), source)) {
      for (const rows of readable(rowsOf(arrow, batch), source)) {
        yield schema ? revived(rows, schema) : rows;
        await pace.rest();
      }
    }
  } finally {
    await source.close();
  }
}

/** Returns the whole table as an apache-arrow Table. */
export async function readTable(body: ByteStream, signal: AbortSignal | undefined): Promise<ArrowTable> {
  const arrow = await loadArrow();
  const source = new Watched(abortable(body, signal));
  const batches: RecordBatch[] = [];
  try {
    const reader = await openReader(arrow, source);
    for await (const batch of batchesOf(reader, source)) batches.push(batch);
    return new arrow.Table(reader.schema, batches);
  } finally {
    await source.close();
  }
}

/** Yields the rows of a table in memory. */
export async function* tableRows({ batches }: ArrowTable): AsyncGenerator<Row, void, undefined> {
  const arrow = await loadArrow();
  for (const batch of batches as RecordBatch[]) for (const rows of rowsOf(arrow, batch)) yield* rows;
}

type Reader = Awaited<ReturnType<typeof openReader>>;

async function openReader({ RecordBatchReader }: Arrow, source: Watched) {
  try {
    const reader = await RecordBatchReader.from(source);
    await reader.open({ autoDestroy: false });
    if (!reader.schema) throw new Error("there is no schema");
    return reader;
  } catch (cause) {
    throw readFailure(cause, "it does not begin with a schema", source);
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
    throw readFailure(cause, `batch ${at} cannot be read, before byte ${source.passed}`, source);
  }
}

/** The library checks lengths and offsets inside a batch only when its cells are read. */
function* readable(rows: Iterable<RowBatch>, source: Watched): Generator<RowBatch, void, undefined> {
  try {
    yield* rows;
  } catch (cause) {
    throw isStorageError(cause)
      ? cause
      : readFailure(cause, `a batch before byte ${source.passed} cannot be read`, source);
  }
}

function readFailure(cause: unknown, what: string, source: Watched): unknown {
  if (source.failed) return source.failed.error;
  const reason = reasonOf(cause);
  if (/Unrecognized type|int64 dictionary|LargeList|ListView/i.test(reason)) {
    return failure("Unsupported", `arrow: a type that apache-arrow does not read: ${reason}`, { cause });
  }
  if (/codec not found/.test(reason)) {
    return failure("Unsupported", "arrow: its buffers are compressed; write it without compression", { cause });
  }
  return corrupt(`${what}: ${reason}`, cause);
}

/** Arrow has its own types; only JSON arrives as text. */
function revived(rows: RowBatch, schema: SchemaColumns): RowBatch {
  const names = [...schema.keys()].filter((name) => schema.get(name) === "json");
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

// Errors for data that is not Arrow.

function corrupt(what: string, cause?: unknown): StorageError {
  return failure("Corrupt", `arrow: ${what}`, cause === undefined ? {} : { cause });
}

// Input for the Arrow library, which accepts data truncated between two batches as complete.

const STREAM_END = "ffffffff00000000";
const FILE_END = Buffer.from("ARROW1").toString("hex");

/** Checks every message, and keeps the last bytes and its own failure. */
class Watched implements ByteStream {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #last: Buffer = Buffer.alloc(0);
  #ended = false;
  readonly #messages = new MessageCheck();
  /** The number of bytes pulled. */
  passed = 0;
  failed: { error: unknown } | undefined;

  constructor(bytes: ByteStream) {
    this.#chunks = bytes[Symbol.asyncIterator]();
  }

  /** Returning early closes nothing: `close` does that. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    for (let chunk = await this.#next(); chunk; chunk = await this.#next()) yield chunk;
  }

  /** Throws Corrupt unless the data ends with the end marker. */
  async checkEnd(): Promise<void> {
    while (await this.#next());
    const last = this.#last.toString("hex");
    if (last === STREAM_END || last.endsWith(FILE_END)) return;
    throw corrupt(`there is no mark of the end: it is cut off, or there is more, at byte ${this.passed}`);
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#chunks.return?.();
    this.#ended = true;
  }

  /** A copy, since the library keeps views of its input. */
  async #next(): Promise<Uint8Array | undefined> {
    if (this.#ended) return undefined;
    const { done, value } = await this.#pull();
    this.#ended = done === true;
    if (done) return undefined;
    this.#check(value);
    this.passed += value.byteLength;
    this.#last = Buffer.concat([this.#last, value.subarray(-8)]).subarray(-8);
    return new Uint8Array(value);
  }

  #check(chunk: Uint8Array): void {
    try {
      this.#messages.see(chunk);
    } catch (error) {
      this.failed = { error };
      throw error;
    }
  }

  async #pull(): Promise<IteratorResult<Uint8Array, unknown>> {
    try {
      return await this.#chunks.next();
    } catch (error) {
      this.#ended = true;
      this.failed = { error };
      throw error;
    }
  }
}

// Checks each message of an Arrow IPC stream before the library gets it.

const CONTINUATION = 0xffffffff;

/** Accepts the bytes in pieces of any size. Throws Corrupt, with the byte offset, at the first invalid message. */
class MessageCheck {
  #held: Buffer = Buffer.alloc(0);
  /** Remaining bytes of a body. */
  #skip = 0;
  #at = 0;
  #off = false;

  see(chunk: Uint8Array): void {
    let from = 0;
    while (!this.#off && from < chunk.byteLength)
      from += this.#skip > 0 ? this.#pass(chunk, from) : this.#take(chunk, from);
  }

  #pass(chunk: Uint8Array, from: number): number {
    const step = Math.min(this.#skip, chunk.byteLength - from);
    this.#skip -= step;
    this.#at += step;
    return step;
  }

  /** Collects the bytes of a message's head, then of its metadata. */
  #take(chunk: Uint8Array, from: number): number {
    const wanted = this.#wanted();
    const step = Math.min(wanted - this.#held.byteLength, chunk.byteLength - from);
    this.#held = Buffer.concat([this.#held, chunk.subarray(from, from + step)]);
    if (this.#held.byteLength === wanted) this.#whole();
    return step;
  }

  #wanted(): number {
    return this.#held.byteLength < 8 ? 8 : 8 + this.#held.readUInt32LE(4);
  }

  #whole(): void {
    const head = this.#held.readUInt32LE(0);
    const length = this.#held.readUInt32LE(4);
    // Before Arrow 0.15 there was no continuation mark; only the library checks such streams, and files.
    if (head !== CONTINUATION || length === 0) this.#off = true;
    else if (length > MAX_METADATA) throw corrupt(`a message is too long, at byte ${this.#at}`);
    else if (this.#held.byteLength > 8) this.#checked(this.#held.subarray(8));
  }

  #checked(metadata: Uint8Array): void {
    try {
      this.#skip = bodyLength(metadata);
    } catch (cause) {
      throw isStorageError(cause) ? cause : corrupt(`a message, at byte ${this.#at}: ${reasonOf(cause)}`, cause);
    }
    this.#at += this.#held.byteLength;
    this.#held = Buffer.alloc(0);
  }
}

// Checks that the metadata of an Arrow message, a FlatBuffer, stays within its bytes. The library trusts every length
// in it and allocates that many objects. Tables and their fields are numbered as in Arrow's Message.fbs and Schema.fbs.

/** Maximum nesting of fields, and maximum tables of a message. */
const MAX_DEPTH = 64;
const MAX_TABLES = 100_000;

const SCHEMA = 1;
const DICTIONARY = 2;
const BATCH = 3;

/** Bytes per element. */
const OFFSET = 4;
const LONG = 8;
const STRUCT = 16;

/** Returns the bytes of the body that follows. Throws if the metadata points outside itself. */
function bodyLength(metadata: Uint8Array): number {
  const walk = new Walk(metadata);
  const message = walk.root();
  const header = walk.target(message, 2);
  const kind = walk.byte(message, 1);
  const length = walk.long(message, 3);
  if (length < 0n || length > Number.MAX_SAFE_INTEGER) throw new RangeError("the body has no length");
  if (kind === SCHEMA) checkSchema(walk, header);
  else if (kind === BATCH) checkBatch(walk, header, length);
  else if (kind === DICTIONARY) checkBatch(walk, walk.target(header, 1), length);
  else throw new RangeError(`a message of the unknown kind ${kind}`);
  return Number(length);
}

/**
 * Returns the units of the durations among the columns of an IPC message with a schema, as Parquet files note them: by
 * name, in Arrow's `TimeUnit`. None if the message is not readable: the file is then read without it.
 */
export function durationUnits(message: Uint8Array): Map<string, number> {
  const units = new Map<string, number>();
  try {
    const walk = new Walk(message.subarray(message[3] === 0xff ? 8 : 4));
    for (const field of walk.tables(walk.target(walk.root(), 2), 1)) {
      if (walk.byte(field, 2) !== DURATION) continue;
      units.set(walk.text(field, 0), walk.short(walk.target(field, 3), 0, MILLISECOND));
    }
  } catch {
    units.clear();
  }
  return units;
}

const DURATION = 18;
/** Arrow leaves out the unit of a duration in milliseconds. */
const MILLISECOND = 1;

function checkSchema(walk: Walk, schema: number): void {
  for (const field of walk.tables(schema, 1)) checkField(walk, field, MAX_DEPTH);
  walk.vector(schema, 2, OFFSET);
  walk.vector(schema, 3, LONG);
}

function checkField(walk: Walk, field: number, levels: number): void {
  if (levels === 0) throw failure("TooLarge", `arrow: fields are nested more than ${MAX_DEPTH} deep`);
  walk.vector(field, 0, 1);
  walk.vector(field, 6, OFFSET);
  for (const child of walk.tables(field, 5)) checkField(walk, child, levels - 1);
}

/** Checks that the first column has as many rows as the batch, and that every buffer lies in the body. */
function checkBatch(walk: Walk, batch: number, body: bigint): void {
  const [rows] = walk.pairs(batch, 1);
  if (rows && rows[0] !== walk.long(batch, 0)) throw new RangeError("a batch has not as many rows as its columns");
  for (const [offset, length] of walk.pairs(batch, 2)) {
    if (offset < 0n || length < 0n || offset + length > body) throw new RangeError("a buffer lies outside of the body");
  }
  walk.vector(batch, 4, LONG);
}

/** Walks through a FlatBuffer; a DataView throws a RangeError for an offset outside. */
class Walk {
  readonly #view: DataView;
  #tables = 0;

  constructor({ buffer, byteOffset, byteLength }: Uint8Array) {
    this.#view = new DataView(buffer, byteOffset, byteLength);
  }

  root(): number {
    return this.#view.getUint32(0, true);
  }

  byte(table: number, field: number): number {
    const at = this.#field(table, field);
    return at === 0 ? 0 : this.#view.getUint8(at);
  }

  short(table: number, field: number, without: number): number {
    const at = this.#field(table, field);
    return at === 0 ? without : this.#view.getUint16(at, true);
  }

  text(table: number, field: number): string {
    const { start, count } = this.vector(table, field, 1);
    return Buffer.from(this.#view.buffer, this.#view.byteOffset + start, count).toString("utf8");
  }

  long(table: number, field: number): bigint {
    const at = this.#field(table, field);
    return at === 0 ? 0n : this.#view.getBigInt64(at, true);
  }

  /** Returns the table that a field points to. */
  target(table: number, field: number): number {
    const at = this.#field(table, field);
    if (at === 0) throw new RangeError("a part of a message is missing");
    return this.#follow(at);
  }

  /** Returns the elements of a vector of tables. */
  tables(table: number, field: number): number[] {
    const { start, count } = this.vector(table, field, OFFSET);
    this.#tables += count;
    if (this.#tables > MAX_TABLES) throw failure("TooLarge", `arrow: a schema has more than ${MAX_TABLES} fields`);
    return Array.from({ length: count }, (_, i) => this.#follow(start + i * OFFSET));
  }

  /** Returns the start and number of the elements of a vector or string. */
  vector(table: number, field: number, size: number): { start: number; count: number } {
    const at = this.#field(table, field);
    if (at === 0) return { start: 0, count: 0 };
    const vector = this.#follow(at);
    const count = this.#view.getUint32(vector, true);
    if (vector + 4 + count * size > this.#view.byteLength) throw new RangeError("a list is longer than its message");
    return { start: vector + 4, count };
  }

  /** Returns the elements of a vector of two-number structs. */
  pairs(table: number, field: number): [bigint, bigint][] {
    const { start, count } = this.vector(table, field, STRUCT);
    return Array.from({ length: count }, (_, i) => {
      const at = start + i * STRUCT;
      return [this.#view.getBigInt64(at, true), this.#view.getBigInt64(at + LONG, true)];
    });
  }

  #follow(at: number): number {
    return at + this.#view.getUint32(at, true);
  }

  /** Returns the position of a field; 0 if the table lacks it. */
  #field(table: number, field: number): number {
    const vtable = table - this.#view.getInt32(table, true);
    const at = 4 + 2 * field;
    const offset = at < this.#view.getUint16(vtable, true) ? this.#view.getUint16(vtable + at, true) : 0;
    if (offset === 0) return 0;
    this.#view.getUint8(table + offset);
    return table + offset;
  }
}
