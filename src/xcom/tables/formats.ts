/** The file formats of tables by their names. */
import { readArrow } from "./arrow/read.js";
import { writeArrow } from "./arrow/write.js";
import { readCsv } from "./csv/read.js";
import { writeCsv } from "./csv/write.js";
import type { Format, TableFormat } from "./format.js";
import { readJsonl, writeJsonl } from "./jsonl.js";
import { readParquet } from "./parquet/read.js";
import { writeParquet } from "./parquet/write.js";

export const FORMATS: Readonly<Record<TableFormat, Format>> = {
  csv: { version: 1, free: false, binary: false, encode: writeCsv, decode: readCsv },
  jsonl: { version: 1, free: true, binary: false, encode: writeJsonl, decode: readJsonl },
  parquet: { version: 1, free: false, binary: true, encode: writeParquet, decode: readParquet },
  arrow: { version: 1, free: false, binary: true, encode: writeArrow, decode: readArrow },
};
