/** The implementation of one table format. */
import type { ByteStream } from "../../streams.js";
import type { Plan } from "./batches.js";
import type { RowBatch, SchemaColumns } from "./schema.js";

export type TableFormat = "csv" | "jsonl" | "parquet" | "arrow";

export interface EncodeContext {
  signal: AbortSignal | undefined;
}
export interface DecodeContext {
  schema: SchemaColumns | undefined;
  signal: AbortSignal | undefined;
}

export interface Format {
  /** The version of the output; a higher one marks files that older readers do not understand. */
  readonly version: number;
  /** Whether each row can have its own columns, and cells can be arrays and objects. */
  readonly free: boolean;
  /** Whether cells can be bytes. */
  readonly binary: boolean;
  encode(plan: Plan, context: EncodeContext): ByteStream;
  /** Decodes a file. Throws Corrupt, with the position, if it is invalid or incomplete. */
  decode(body: ByteStream, context: DecodeContext): AsyncIterable<RowBatch>;
}
