/** What a value may hold and what stands for it in JSON. */
import { CLASS } from "../../brand.js";

/**
 * Where a value stands. Airflow writes the same value differently in an object, in the metadata row, and inside an
 * envelope of an object.
 */
export type Form = "object" | "nested" | "row";

/** A JSON object given by its entries; the keys need no check. */
export class Fields {
  constructor(readonly entries: readonly (readonly [string, unknown])[]) {}

  /** By which another copy of this library knows it. */
  get [CLASS](): "Fields" {
    return "Fields";
  }
}

/** What stands for a value, and the form of what is inside it. */
export interface Lowered {
  value: unknown;
  form: Form;
}

export interface Encoding {
  /** Whether NaN and the infinities are written, as Python's tokens. */
  readonly nonFinite: boolean;
  /** What stands for an object that is neither a plain object nor an array. InvalidArgument when nothing does. */
  lower(value: object, form: Form): Lowered;
  /** Why a plain object with these keys cannot be written, undefined when it can. */
  refusal(value: object): string | undefined;
  /** What a JSON object stands for, its values being done already. */
  revive(object: Record<string, unknown>): unknown;
  /** Whether `key` of a JSON object that is being read opens data whose floats must stay floats. */
  opensExact(object: Record<string, unknown>, key: string): boolean;
  /** Whether this text can hold anything to revive. */
  mayRevive(text: string): boolean;
}

/** `object[key] = value` for any key: `__proto__` is data like any other. */
export function setOwn(object: Record<string, unknown>, key: string, value: unknown): void {
  if (key !== "__proto__") object[key] = value;
  else Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

/** Whether it is an object of the kind that `{}` makes, of this realm or another. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

// Where a walk through a value is: one frame for each array, object or long string that it is inside of.

interface Progress {
  /** The element that comes next, and how many there are. */
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
  /** Whether an entry was written, so that the next needs a comma. */
  begun: boolean;
  form: Form;
}
export interface Long extends Progress {
  kind: "long";
  text: string;
}
export type Frame = List | Dict | Long;

/** What ends the text of each. */
export const CLOSING = { list: "]", dict: "}", long: '"' };

// How numbers are written so that Python and JavaScript read the same value.

/**
 * A number that Python is to see as a float although it is whole: `new Float(1)` is written `1.0`, the number 1 is
 * written `1`. Readers hand out plain numbers, except inside an {@link Envelope} of an unknown class.
 */
export class Float {
  constructor(readonly value: number) {}

  /** By which another copy of this library knows it. */
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

/** Whether the number stands for a Python int: whole, exact (at most 2^53 - 1) and not -0. Any other is a float. */
export function isInt(value: number): boolean {
  return Number.isSafeInteger(value) && !Object.is(value, -0);
}

/** `repr` of a Python float: `1.0`, `-0.0`, `1e-07`, `1e+16`, `NaN`, `Infinity`. */
export function pythonFloat(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return "-0.0";
  const [mantissa, exponent] = value.toExponential().split("e") as [string, string];
  // The bounds of Python's float_repr_style "short": fixed notation from 1e-4 up to, not including, 1e16.
  const power = Number(exponent);
  if (power < -4 || power >= 16) return `${mantissa}e${exponent[0]}${exponent.slice(1).padStart(2, "0")}`;
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

// When the built-in parser will do.

/** Sixteen digits and no fraction. In a string it is a false alarm. */
const LONG_INT = /(?<![0-9.])[0-9]{16,}(?![0-9.eE])/;

/** Whether JSON.parse gives the value of this text: integers that a number may not hold, and envelopes, need more. */
export function isSimple(text: string, encoding: Encoding): boolean {
  return !LONG_INT.test(text) && !encoding.mayRevive(text);
}

/** What the engine makes of it; undefined when it is not JSON, which our own parser says better, or is Python's kind. */
export function builtIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

// JSON strings as Python's `json.dumps` writes them: ASCII only, everything outside space to tilde escaped.

/** What needs no escape in Python: space to tilde, without the quote and the backslash. */
const BARE = /^[ !#-[\]-~]*$/;

const LONG_ESCAPE = 6;
const SHORT_ESCAPE = 2;

/** The string with its quotes, in ASCII. */
export function pythonString(text: string): string {
  // JSON.stringify has already escaped the quote, the backslash, C0 and lone surrogates, as Python does.
  return JSON.stringify(text).replace(
    /[\x7f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Bytes of {@link pythonString} without its quotes. */
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

/** Where `text` can be cut at or before `end` without parting a surrogate pair. */
export function safeCut(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const before = text.charCodeAt(end - 1);
  return before >= 0xd800 && before <= 0xdbff ? end - 1 : end;
}
