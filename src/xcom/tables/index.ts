/**
 * Tables as files that pandas reads and writes: csv, jsonl, parquet and arrow.
 *
 * @packageDocumentation
 */
export type { Serializer } from "../serializer.js";
export type { ArrowTable } from "./arrow/write.js";
export type { Rows } from "./batches.js";
export type { TableFormat } from "./format.js";
export type { ColumnType, Row, TableSchema } from "./schema.js";
export {
  dataFrameRows,
  decodeRows,
  encodeRows,
  type RowsOptions,
  type Table,
  type TablesOptions,
  tables,
} from "./table.js";
