/** The values that can be stored, and their JSON form. */
import { CLASS } from "../../brand.js";
import { invalid } from "../../errors.js";

/**
 * The context of a value. Airflow writes the same value differently in an object, in the metadata row, and inside an
 * envelope of an object.
 */
export type Form = "object" | "nested" | "row";

/** A JSON object as a list of entries; its keys need no check. */
export class Fields {
  constructor(readonly entries: readonly (readonly [string, unknown])[]) {}

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Fields" {
    return "Fields";
  }
}

/** The replacement of a value, and the form of its content. */
export interface Lowered {
  value: unknown;
  form: Form;
}

export interface Encoding {
  /** Whether NaN and the infinities are written, as Python's tokens. */
  readonly nonFinite: boolean;
  /**
   * Returns the replacement of an object that is neither a plain object nor an array. Throws InvalidArgument if there
   * is none. `zones` belongs to the walk: the time zones that are known to exist.
   */
  lower(value: object, form: Form, zones: Set<unknown>): Lowered;
  /** Returns why an object or Map with these keys cannot be written; undefined if it can. */
  refusal(has: (key: string) => boolean): string | undefined;
  /** Returns what a JSON object stands for, after its values have been converted. */
  revive(object: Record<string, unknown>): unknown;
  /** Whether `key` of a JSON object being read opens data whose floats must stay floats. */
  opensExact(object: Record<string, unknown>, key: string): boolean;
  /** Whether this text may contain anything to revive. */
  mayRevive(text: string): boolean;
}

/** Sets `object[key] = value` for any key: `__proto__` is data like any other. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Whether an object is plain, as `{}` is, in this realm or another. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

// The position of a walk through a value: one frame for each enclosing array, object or long string.

interface Progress {
  /** The next element, and the number of elements. */
  at: number;
  readonly length: number;
}
export interface List extends Progress {
  kind: "list";
  source: object;
  items: readonly unknown[];
  form: Form;
}
export interface Dict extends Progress {
  kind: "dict";
  source: object;
  keys: readonly string[];
  valueAt: (index: number) => unknown;
  /** Whether an entry was written, so that the next one needs a comma. */
  begun: boolean;
  form: Form;
}
export interface Long extends Progress {
  kind: "long";
  text: string;
}
export type Frame = List | Dict | Long;

/** The closing text of each. */
export const CLOSING = { list: "]", dict: "}", long: '"' };

// Numbers written so that Python and JavaScript read the same value.

/**
 * A whole number that Python should read as a float: `new Float(1)` is written `1.0`, the number 1 is written `1`.
 * Readers return plain numbers, except inside an {@link Envelope} of an unknown class.
 */
export class Float {
  constructor(readonly value: number) {
    if (typeof value !== "number") throw invalid("a Float is made of a number");
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Float" {
    return "Float";
  }

  valueOf(): number {
    return this.value;
  }

  toJSON(): number {
    return this.value;
  }
}

/** Python reads and writes no integer of more digits, unless it is told to. */
export const MAX_DIGITS = 4300;

/** Whether the number represents a Python int: whole, exact (at most 2^53 - 1) and not -0. Any other is a float. */
export function isInt(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

/** Returns `repr` of a Python float: `1.0`, `-0.0`, `1e-07`, `1e+16`, `NaN`, `Infinity`. */
export function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  // The bounds of Python's float_repr_style "short": fixed notation from 1e-4 up to, not including, 1e16.
  const power = Number(exponent);
  if (power < -4 || power >= 16) return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

/** Bytes of a text that is written or parsed in one go: some milliseconds. */
export const WHOLE = 512 * 1024;

// Text that the built-in parser can read.

/** Sixteen digits and no fraction. A match inside a string is a false alarm. */
const LONG_INT = /(?<![0-9.])[0-9]{16,}(?![0-9.eE])/;

const MAX_EXACT = 2 ** 53 - 1;

/**
 * Parses with the built-in parser. Returns undefined where ours is needed: for Python's tokens, invalid JSON, which ours
 * reports better, nesting of more than `levels`, and integers that a number does not hold.
 */
export function builtIn(text: string, levels: number): unknown {
  try {
    const value: unknown = JSON.parse(text);
    // Large floats have an exponent.
    const fits = isExact(value, levels, MAX_EXACT) || (!LONG_INT.test(text) && isExact(value, levels, 1e308));
    return fits ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether no number is beyond `most`. Takes a fraction of the time of a look at each character of the text. */
function isExact(value: unknown, levels: number, most: number): boolean {
  if (typeof value === "number") return value <= most && value >= -most;
  return typeof value !== "object" || value === null || (levels > 0 && isExactInside(value, levels - 1, most));
}

function isExactInside(value: object, levels: number, most: number): boolean {
  if (Array.isArray(value)) {
    for (let at = 0; at < value.length; at++) if (!isExact(value[at], levels, most)) return false;
  } else {
    for (const key in value) if (!isExact((value as never)[key], levels, most)) return false;
  }
  return true;
}

// JSON strings as Python's `json.dumps` writes them: ASCII only, everything outside space to tilde escaped.

/** Characters that Python does not escape: space to tilde, without the quote and the backslash. */
const BARE = /^[ !#-[\]-~]*$/;

const LONG_ESCAPE = 6;
const SHORT_ESCAPE = 2;

/** Returns the string with its quotes, in ASCII. */
export function pythonString(text: string): string {
  // JSON.stringify has already escaped the quote, the backslash, C0 and lone surrogates, as Python does.
  return JSON.stringify(text).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Returns the bytes of {@link pythonString} without its quotes. */
export function pythonLength(text: string): number {
  if (BARE.test(text)) return text.length;
  let length = 0;
  for (let i = 0; i < text.length; i++) length += unitLength(text.charCodeAt(i));
  return length;
}

function unitLength(unit: number): number {
  if (unit >= 0x20 && unit <= 0x7e) return unit === 0x22 || unit === 0x5c ? SHORT_ESCAPE : 1;
  // \b \t \n \f \r, and not \v
  return unit >= 0x08 && unit <= 0x0d && unit !== 0x0b ? SHORT_ESCAPE : LONG_ESCAPE;
}

/** Returns the last position at or before `end` that does not split a surrogate pair of `text`. */
export function safeCut(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const before = text.charCodeAt(end - 1);
  return before >= 0xd800 && before <= 0xdbff ? end - 1 : end;
}
