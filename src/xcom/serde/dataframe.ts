/** A pandas DataFrame, which travels as a Parquet file in hexadecimal. */
import { failure } from "../../errors.js";

export type DataFrameClass = "pandas.core.frame.DataFrame" | "pandas.DataFrame";

/** A pandas DataFrame by its Parquet file. */
export class DataFrame {
  readonly #hex: string;
  /** Its name in pandas 2, or in pandas 3. */
  readonly classname: DataFrameClass;

  /** `parquet` is the file, or its hexadecimal digits. */
  constructor(parquet: Uint8Array | string, classname: DataFrameClass = "pandas.core.frame.DataFrame") {
    this.#hex = typeof parquet === "string" ? parquet : Buffer.from(parquet).toString("hex").toUpperCase();
    this.classname = classname;
  }

  /** The Parquet file. */
  get parquet(): Uint8Array {
    return Buffer.from(this.#hex, "hex");
  }

  get hex(): string {
    return this.#hex;
  }

  /** The rows, one object each. Needs the package `hyparquet`: Unsupported without it. */
  async rows(): Promise<Record<string, unknown>[]> {
    const { parquetReadObjects } = await hyparquet();
    const { buffer, byteOffset, byteLength } = this.parquet;
    return parquetReadObjects({ file: buffer.slice(byteOffset, byteOffset + byteLength) as ArrayBuffer });
  }
}

async function hyparquet() {
  try {
    return await import("hyparquet");
  } catch (cause) {
    throw failure("Unsupported", "the rows of a DataFrame need the package hyparquet", {
      cause,
    });
  }
}
