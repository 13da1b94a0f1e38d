/** What bounds memory and refuses what no table has. */

/** Rows that are encoded or decoded at a time; a Parquet file that is written has row groups of this many. */
export const BATCH_ROWS = 16_384;
/** Characters and bytes of the cells after which a batch that comes from a stream is closed before it is full. */
export const BATCH_SIZE = 16 * 1024 * 1024;
/** Characters of one record of csv or one line of jsonl, above which it is TooLarge. */
export const MAX_RECORD = 16 * 1024 * 1024;
/** Columns of a table, above which it is TooLarge. */
export const MAX_COLUMNS = 10_000;
/** Cells of one Parquet row group or one Arrow batch, which are decoded together; above it is TooLarge. */
export const MAX_GROUP_CELLS = 100_000_000;
/** Characters of text that are gathered before they are handed on as a chunk. */
export const CHUNK = 64 * 1024;
/** Bytes of a decompressed page of a Parquet file; above it is TooLarge. Writers make pages of about 1 MiB. */
export const MAX_PAGE = 512 * 1024 * 1024;
/** Bytes of the metadata of one Arrow message; above it the stream is Corrupt. 10,000 columns take some 2 MiB. */
export const MAX_METADATA = 64 * 1024 * 1024;
