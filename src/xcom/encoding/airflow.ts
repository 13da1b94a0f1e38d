/** Airflow's value encoding, and plain JSON. */
import { isInstance } from "../../brand.js";
import { invalid } from "../../errors.js";
import { type Encoding, Fields, type Form, type Lowered } from "./encoding.js";
import { keepsFloats, revive } from "./from-airflow.js";
import { lower } from "./to-airflow.js";
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
  refusal: (value) => {
    const reserved = ["__classname__", "__id__"].find((key) => Object.hasOwn(value, key));
    if (reserved) return `the key ${reserved} is Airflow's own; use Envelope for an object of a Python class`;
    const legacy = Object.hasOwn(value, "__type") && Object.hasOwn(value, "__var");
    return legacy ? "the keys __type and __var together are Airflow's own" : undefined;
  },
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
  if (Array.isArray(value)) return { value, form };
  if (value instanceof Map && [...value.keys()].every((key) => typeof key === "string")) {
    return { value: new Fields([...value]), form };
  }
  const bytes = ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
  if (!bytes && "toJSON" in value && typeof value.toJSON === "function") return { value: value.toJSON(), form };
  throw invalid(`an object of class ${value.constructor?.name ?? "unknown"} is not JSON`);
}

/** Returns the form of a value in an object: Python encodes a tuple at the top completely, further down not at all. */
export function objectForm(value: unknown): Form {
  return isInstance<Tuple>(value, "Tuple") ? "nested" : "object";
}
