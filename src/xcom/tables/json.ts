/** How cells stand in JSON: as plain JSON, with dates as text and with Python's tokens for NaN and the infinities. */

import type { Encoding, Form, Lowered } from "../json/encoding.js";
import { jsonText } from "../json/write.js";
import { jsonEncoding } from "../serde.js";
import { dateText, momentText } from "./cells.js";
import { typeOf } from "./schema.js";

const CELL_JSON: Encoding = {
  ...jsonEncoding,
  nonFinite: true,
  lower(value: object, form: Form): Lowered {
    const type = typeOf(value);
    if (type === "timestamp" || type === "datetime") return { value: momentText(value, type), form };
    if (type === "date") return { value: dateText(value), form };
    return jsonEncoding.lower(value, form);
  },
};

/** The JSON text of a cell or a row. */
export function jsonOf(value: unknown): string {
  return jsonText(value, "object", CELL_JSON);
}
