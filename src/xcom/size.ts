/** How large a value is, which routes and retention classes go by. */
import { isStorageError } from "../errors.js";
import { measure } from "./json/write.js";
import { airflowEncoding, objectForm } from "./serde.js";

/** Bytes of the value as Python's JSON; undefined for one that only a serializer can store. */
export async function jsonSize(value: unknown, signal: AbortSignal | undefined): Promise<number | undefined> {
  try {
    return (await measure(value, objectForm(value), airflowEncoding, signal)).length;
  } catch (error) {
    if (isStorageError(error, "InvalidArgument")) return undefined;
    throw error;
  }
}
