import { invalid } from "../errors.js";
import type { Connection, ConnectionInput } from "./connection.js";
import { fieldsFromJson } from "./json.js";
import { connectionFrom, connectionOf } from "./record.js";
import { fieldsFromUri } from "./uri.js";

/** What Python's `str.strip()` takes off: white space and four control characters, but no byte order mark. */
const PYTHON_SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/**
 * The connection that a text in one of Airflow's two forms describes: JSON when it starts with `{`, else a URI.
 * Read as Airflow's task SDK reads it, so a URI's query values stay text; `__extra__` holds a whole JSON extra.
 *
 * @param id the connection id that the text belongs to; `""` when it has none
 * @throws StorageError InvalidArgument when the text is neither. The message never repeats the text.
 */
export function parseConnection(text: string, id = ""): Connection {
  if (typeof text !== "string") throw invalid("the connection is not text");
  const stripped = strip(text);
  if (stripped === "") throw invalid("the connection is empty");
  return connectionOf(id, stripped.startsWith("{") ? fieldsFromJson(stripped) : fieldsFromUri(stripped));
}

/** The connection `id` that a program wrote down, as a record or in one of Airflow's text forms. */
export function toConnection(id: string, input: Connection | ConnectionInput | string): Connection {
  return typeof input === "string" ? parseConnection(input, id) : connectionFrom(id, input);
}

function strip(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && PYTHON_SPACE.test(text[start]!)) start += 1;
  while (end > start && PYTHON_SPACE.test(text[end - 1]!)) end -= 1;
  return text.slice(start, end);
}
