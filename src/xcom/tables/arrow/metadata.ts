/**
 * Whether the metadata of an Arrow message, a FlatBuffer, stays within its bytes. The library believes every length in
 * it and makes objects for as long as one says. Tables and their fields are numbered as in Arrow's Message.fbs and
 * Schema.fbs.
 */
import { failure } from "../../../errors.js";

/** How deep fields are nested, and how many tables a message has, at most. */
const MAX_DEPTH = 64;
const MAX_TABLES = 100_000;

const SCHEMA = 1;
const DICTIONARY = 2;
const BATCH = 3;

/** Bytes of an element. */
const OFFSET = 4;
const LONG = 8;
const STRUCT = 16;

/** Bytes of the body that follows. Throws when the metadata points out of itself. */
export function bodyLength(metadata: Uint8Array): number {
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

/** The first column has as many rows as the batch, and every buffer lies in the body. */
function checkBatch(walk: Walk, batch: number, body: bigint): void {
  const [rows] = walk.pairs(batch, 1);
  if (rows && rows[0] !== walk.long(batch, 0)) throw new RangeError("a batch has not as many rows as its columns");
  for (const [offset, length] of walk.pairs(batch, 2)) {
    if (offset < 0n || length < 0n || offset + length > body) throw new RangeError("a buffer lies outside of the body");
  }
  walk.vector(batch, 4, LONG);
}

/** Steps through a FlatBuffer; a DataView throws a RangeError for what lies outside. */
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

  long(table: number, field: number): bigint {
    const at = this.#field(table, field);
    return at === 0 ? 0n : this.#view.getBigInt64(at, true);
  }

  /** The table that a field points at. */
  target(table: number, field: number): number {
    const at = this.#field(table, field);
    if (at === 0) throw new RangeError("a part of a message is missing");
    return this.#follow(at);
  }

  /** The elements of a vector of tables. */
  tables(table: number, field: number): number[] {
    const { start, count } = this.vector(table, field, OFFSET);
    this.#tables += count;
    if (this.#tables > MAX_TABLES) throw failure("TooLarge", `arrow: a schema has more than ${MAX_TABLES} fields`);
    return Array.from({ length: count }, (_, i) => this.#follow(start + i * OFFSET));
  }

  /** Where the elements of a vector or string begin, and how many there are. */
  vector(table: number, field: number, size: number): { start: number; count: number } {
    const at = this.#field(table, field);
    if (at === 0) return { start: 0, count: 0 };
    const vector = this.#follow(at);
    const count = this.#view.getUint32(vector, true);
    if (vector + 4 + count * size > this.#view.byteLength) throw new RangeError("a list is longer than its message");
    return { start: vector + 4, count };
  }

  /** The elements of a vector of structs that are two numbers. */
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

  /** Where a field is; 0 when the table has not got it. */
  #field(table: number, field: number): number {
    const vtable = table - this.#view.getInt32(table, true);
    const at = 4 + 2 * field;
    const offset = at < this.#view.getUint16(vtable, true) ? this.#view.getUint16(vtable + at, true) : 0;
    if (offset === 0) return 0;
    this.#view.getUint8(table + offset);
    return table + offset;
  }
}
