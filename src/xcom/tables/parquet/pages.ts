/** What the headers of pages promise, checked before the library makes arrays of it. */
import type { ColumnMetaData, FileMetaData, PageHeader } from "hyparquet";
import { failure } from "../../../errors.js";
import { MAX_PAGE } from "../limits.js";
import { corrupt } from "./corrupt.js";
import { loadHeaders } from "./library.js";

type ReadHeader = Awaited<ReturnType<typeof loadHeaders>>["parquetHeader"];

/** Corrupt, with its byte, when the pages of a column are not as long or as many as the footer says. */
export async function checkPages(data: Uint8Array, { row_groups }: FileMetaData): Promise<void> {
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
