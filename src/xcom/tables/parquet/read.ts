/** Reads the rows of a Parquet file, one row group at a time. */
import * as zlib from "node:zlib";
import type {
  AsyncBuffer,
  ColumnMetaData,
  CompressionCodec,
  Compressors,
  DecodedArray,
  FileMetaData,
  PageHeader,
  ParquetScan,
} from "hyparquet";
import { Pace } from "../../../codecs/stream.js";
import { failure, isStorageError, type StorageError } from "../../../errors.js";
import { abortable, type ByteStream, collect } from "../../../streams.js";
import type { DecodeContext } from "../format.js";
import {
  BATCH_ROWS,
  MAX_GROUP_CELLS,
  MAX_PAGE,
  type Row,
  type RowBatch,
  reasonOf,
  rowMaker,
  type SchemaColumns,
} from "../schema.js";
import { type CellReader, PARSERS, readersOf } from "./cells.js";
import { loadHeaders, loadReader } from "./write.js";

const MAGIC = 0x31524150;

/** The footer is at the end, so the stored file is held in memory; rows are decoded one group at a time. */
export async function* readParquet(
  body: ByteStream,
  { schema, signal }: DecodeContext,
): AsyncGenerator<RowBatch, void, undefined> {
  const data = await collect(abortable(body, signal));
  const { scan, readers } = await telling("the footer", data.byteLength, () => openFile(data, schema));
  yield* groups(scan, readers, signal);
}

/** Opens the file and checks its footer, without reading any column. */
async function openFile(data: Uint8Array, schema: SchemaColumns | undefined) {
  const { parquetMetadataAsync, parquetScan } = await loadReader();
  checkEnds(data);
  const file = bufferOf(data);
  const metadata = await parquetMetadataAsync(file, { geoparquet: false });
  const readers = readersOf(metadata, schema);
  checkGroups(metadata, readers.length, data.byteLength);
  await checkPages(data, metadata);
  const compressors = decompressors(metadata);
  const options = { file, metadata, compressors, parsers: PARSERS, utf8: false, useOffsetIndex: false };
  return { readers, scan: await parquetScan(options) };
}

async function* groups(scan: ParquetScan, readers: readonly CellReader[], signal: AbortSignal | undefined) {
  const make = rowMaker(readers.map(({ name }) => name));
  const pace = new Pace();
  for (const [group, range] of scan.ranges.entries()) {
    if (range.rowStart === range.rowEnd) continue;
    const columns: DecodedArray[] = [];
    for (const { name } of readers) {
      const where = `row group ${group}, column ${JSON.stringify(name)}`;
      const chunk = placeOf(scan.metadata, group, name);
      columns.push(await telling(where, chunk, () => scan.readColumn({ column: name, ...range })));
      await pace.rest();
      signal?.throwIfAborted();
    }
    checkLengths(columns, range.rowEnd - range.rowStart, group);
    yield* batches(columns, readers, make);
  }
}

async function* batches(columns: DecodedArray[], readers: readonly CellReader[], make: ReturnType<typeof rowMaker>) {
  const count = columns[0]?.length ?? 0;
  const pace = new Pace();
  for (let from = 0; from < count; from += BATCH_ROWS) {
    yield await telling(`row ${from} of a row group and those after it`, 0, () => {
      const rows: Row[] = [];
      for (let at = from; at < Math.min(count, from + BATCH_ROWS); at++) {
        rows.push(make((column) => readers[column]!.read(columns[column]![at])));
      }
      return rows;
    });
    await pace.rest();
  }
}

function bufferOf({ buffer, byteOffset, byteLength }: Uint8Array): AsyncBuffer {
  return {
    byteLength,
    slice: (start, end = byteLength) => buffer.slice(byteOffset + start, byteOffset + end) as ArrayBuffer,
  };
}

function checkEnds(data: Uint8Array): void {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.byteLength < 12 || view.getUint32(0, true) !== MAGIC) throw corrupt("it does not begin as Parquet does", 0);
  const end = data.byteLength - 4;
  if (view.getUint32(end, true) !== MAGIC) throw corrupt("it does not end as Parquet does: it is cut off", end);
  const length = view.getUint32(end - 4, true);
  if (length > end - 8) throw corrupt("the footer is longer than the file", end - 4);
}

/** Checks that the contents declared by the footer fit into the file and into memory, before any allocation. */
function checkGroups({ row_groups, num_rows, schema }: FileMetaData, columns: number, size: number): void {
  let rows = 0n;
  for (const [group, { num_rows: count, columns: chunks }] of row_groups.entries()) {
    rows += count;
    if (count < 0n || count * BigInt(columns) > MAX_GROUP_CELLS) {
      throw failure("TooLarge", `parquet: row group ${group} has more than ${MAX_GROUP_CELLS} cells`);
    }
    // Arrow's writer gives a table without rows one group, whose columns have no pages and no place.
    if (count === 0n) continue;
    for (const { meta_data: meta } of chunks) {
      const at = Number(meta?.dictionary_page_offset ?? meta?.data_page_offset ?? -1);
      const length = Number(meta?.total_compressed_size ?? -1);
      if (at < 4 || length < 0 || at + length > size)
        throw corrupt(`row group ${group} lies outside of the file`, size);
    }
  }
  if (rows !== num_rows) throw corrupt("its row groups have not as many rows as the footer says", size);
  const names = schema.slice(1).filter(({ num_children }) => num_children === undefined);
  // pandas writes an empty DataFrame this way.
  if (names.length === 0 && num_rows > 0n) throw corrupt("it has rows and no column", size);
}

function placeOf({ row_groups }: FileMetaData, group: number, name: string): number {
  const chunk = row_groups[group]?.columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name);
  const meta = chunk?.meta_data;
  return Number(meta?.dictionary_page_offset ?? meta?.data_page_offset ?? 0);
}

function checkLengths(columns: readonly DecodedArray[], rows: number, group: number): void {
  if (columns.some(({ length }) => length !== rows)) throw corrupt(`row group ${group} has not ${rows} rows`, 0);
}

async function telling<T>(what: string, at: number, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isStorageError(cause)) throw cause;
    throw failure("Corrupt", `parquet: ${what} cannot be read, at byte ${at}: ${reasonOf(cause)}`, { cause });
  }
}

// Decompresses Parquet's pages with Node's codecs; the reader has its own Snappy.

type Inflate = (data: Uint8Array, options: { maxOutputLength: number }) => Uint8Array;

/** Available from Node 22.15 on. */
const zstd = (zlib as { zstdDecompressSync?: Inflate }).zstdDecompressSync;

const KNOWN: Compressors = {
  GZIP: limited(zlib.gunzipSync),
  BROTLI: limited(zlib.brotliDecompressSync),
  ...(zstd && { ZSTD: limited(zstd) }),
};

/** Throws Unsupported, with what to do, if the file has pages that cannot be read here. */
function decompressors({ row_groups }: FileMetaData): Compressors {
  for (const { columns } of row_groups) {
    for (const { meta_data } of columns) if (meta_data) check(meta_data.codec);
  }
  return KNOWN;
}

function check(codec: CompressionCodec): void {
  if (codec === "UNCOMPRESSED" || codec === "SNAPPY" || KNOWN[codec]) return;
  const known = ["snappy", ...Object.keys(KNOWN).map((name) => name.toLowerCase())].join(", ");
  const zstdHint = codec === "ZSTD" ? " (zstd needs Node 22.15)" : "";
  throw failure("Unsupported", `parquet: pages compressed by ${codec}${zstdHint}; write it with one of ${known}`);
}

/** Limits a page to the size in its header. */
function limited(inflate: Inflate): (data: Uint8Array, length: number) => Uint8Array {
  return (data, length) => inflate(data, { maxOutputLength: Math.max(length, 1) });
}

// Errors for data that is not Parquet.

function corrupt(what: string, at: number, cause?: unknown): StorageError {
  return failure("Corrupt", `parquet: ${what}, at byte ${at}`, cause === undefined ? {} : { cause });
}

// Checks page headers before the library allocates arrays from them.

type ReadHeader = Awaited<ReturnType<typeof loadHeaders>>["parquetHeader"];

/** Throws Corrupt, with the byte offset, if a column's pages differ in length or number from the footer. */
async function checkPages(data: Uint8Array, { row_groups }: FileMetaData): Promise<void> {
  const { parquetHeader } = await loadHeaders();
  for (const { columns } of row_groups) {
    for (const { meta_data } of columns) if (meta_data) checkChunk(data, meta_data, parquetHeader);
  }
}

function checkChunk(data: Uint8Array, meta: ColumnMetaData, read: ReadHeader): void {
  const start = Number(meta.dictionary_page_offset ?? meta.data_page_offset);
  const end = start + Number(meta.total_compressed_size);
  const view = new DataView(data.buffer, data.byteOffset + start, end - start);
  const reader = { view, offset: 0 };
  let values = 0;
  while (reader.offset < view.byteLength) {
    const at = start + reader.offset;
    const header = headerAt(reader, read, at);
    checkSizes(header, view.byteLength - reader.offset, Number(meta.num_values), at);
    values += valuesOf(header);
    reader.offset += header.compressed_page_size;
  }
  if (values !== Number(meta.num_values)) throw corrupt("a column has not as many cells as the footer says", start);
}

function headerAt(reader: Parameters<ReadHeader>[0], read: ReadHeader, at: number): PageHeader {
  try {
    return read(reader);
  } catch (cause) {
    throw corrupt("a page has no readable header", at, cause);
  }
}

function checkSizes(header: PageHeader, left: number, values: number, at: number): void {
  const { compressed_page_size: stored, uncompressed_page_size: size } = header;
  if (!(stored >= 0 && stored <= left)) throw corrupt("a page is longer than its column", at);
  if (!(size >= 0)) throw corrupt("a page has no length", at);
  if (size > MAX_PAGE) throw failure("TooLarge", `parquet: a page of more than ${MAX_PAGE} bytes, at byte ${at}`);
  const { dictionary_page_header: dictionary, data_page_header_v2: second } = header;
  const entries = dictionary?.num_values ?? 0;
  if (!(entries >= 0 && entries <= Math.max(values, size))) throw corrupt("a dictionary is too long", at);
  const nulls = second?.num_nulls ?? 0;
  if (!(nulls >= 0 && nulls <= valuesOf(header))) throw corrupt("a page has more nulls than cells", at);
}

function valuesOf({ data_page_header: first, data_page_header_v2: second }: PageHeader): number {
  const count = first?.num_values ?? second?.num_values ?? 0;
  return count >= 0 ? count : Number.NaN;
}
