/** The optional packages for Parquet. */
import { failure } from "../../../errors.js";

export async function loadReader() {
  try {
    return await import("hyparquet");
  } catch (cause) {
    throw missing("read", "hyparquet", cause);
  }
}

/** How the reader reads the header of a page. */
export async function loadHeaders() {
  try {
    return await import("hyparquet/src/column.js");
  } catch (cause) {
    throw missing("read", "hyparquet", cause);
  }
}

export async function loadWriter() {
  try {
    return await import("hyparquet-writer");
  } catch (cause) {
    throw missing("written", "hyparquet-writer", cause);
  }
}

function missing(what: string, name: string, cause: unknown) {
  return failure("Unsupported", `Parquet is ${what} by the package ${name}: npm install ${name}`, { cause });
}
