/** What the tests of tables share. */
import { DateTime, PlainDate } from "../../src/xcom/encoding/types.js";
import type { Row, TableFormat, TableSchema } from "../../src/xcom/tables/index.js";

export const FORMATS = ["csv", "jsonl", "parquet", "arrow"] as const satisfies TableFormat[];

/** A column of every type but integers and JSON. */
export const COLUMNS = {
  name: "string",
  score: "float",
  ok: "boolean",
  day: "date",
  at: "timestamp",
  local: "datetime",
} as const satisfies TableSchema;

/** Cells of these columns but `local`: quotes, a line end and other scripts, a fraction, microseconds. */
export const CELLS = {
  name: 'Zoë "the\r\nfirst", 雪 🚀',
  score: 0.1,
  ok: true,
  day: new PlainDate("2026-01-02"),
  at: new DateTime(1767323045.123456, "UTC"),
} satisfies Row;
