/** What one file format adds to tables. */
import type { ByteStream } from "../../streams.js";
import type { Plan } from "./batches.js";
import type { Batch, TableSchema } from "./schema.js";

export type TableFormat = "csv" | "jsonl" | "parquet" | "arrow";

export interface EncodeContext {
  signal: AbortSignal | undefined;
}
export interface DecodeContext {
  schema: TableSchema | undefined;
  signal: AbortSignal | undefined;
}

export interface Format {
  /** The version of what it writes; a higher one is a file that older readers do not understand. */
  readonly version: number;
  /** Whether each row can have columns of its own, and cells can be arrays and objects. */
  readonly free: boolean;
  /** Whether cells can be bytes. */
  readonly binary: boolean;
  encode(plan: Plan, context: EncodeContext): ByteStream;
  /** Corrupt, with the place, for what is not such a file or not all of it. */
  decode(body: ByteStream, context: DecodeContext): AsyncIterable<Batch>;
}
