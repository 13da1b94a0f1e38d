/** Airflow's value encoding, and plain JSON. */
import { isInstance } from "../../brand.js";
import type { Encoding, Form, Lowered } from "./encoding.js";
import { keepsFloats, revive } from "./from-airflow.js";
import { lower, other, reserved } from "./to-airflow.js";
import type { Tuple } from "./types.js";

export * from "./types.js";

/** Keys that make an object an envelope; `\u005f` is an escaped underscore. */
const RESERVED_TEXT = /__classname__|__type|\\u005f/i;

/**
 * Values as Airflow's `serde` writes and reads them: tuples, sets, datetimes and so on keep their type on both sides.
 */
export const airflowEncoding: Encoding = {
  nonFinite: true,
  lower,
  refusal: reserved,
  revive,
  opensExact: (object, key) => key === "__data__" && keepsFloats(object.__classname__),
  mayRevive: (text) => RESERVED_TEXT.test(text),
};

/** Plain JSON: reads what the text says, writes the result of `toJSON`. */
export const jsonEncoding: Encoding = {
  nonFinite: false,
  lower: jsonLower,
  refusal: () => undefined,
  revive: (object) => object,
  opensExact: () => false,
  mayRevive: () => false,
};

function jsonLower(value: object, form: Form): Lowered {
  return Array.isArray(value) ? { value, form } : other(value, form, jsonEncoding.refusal);
}

/** Returns the form of a value in an object: Python encodes a tuple at the top completely, further down not at all. */
export function objectForm(value: unknown): Form {
  return isInstance<Tuple>(value, "Tuple") ? "nested" : "object";
}
