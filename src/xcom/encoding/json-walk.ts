/** Walks through a value and passes its JSON to a {@link Sink}, in steps that the caller may spread over time. */
import { isInstance } from "../../brand.js";
import { invalid, isStorageError, type StorageError } from "../../errors.js";
import {
  CLOSING,
  type Dict,
  type Encoding,
  type Fields,
  type Float,
  type Form,
  type Frame,
  isInt,
  isPlain,
  type List,
  type Long,
  pythonFloat,
  safeCut,
} from "./encoding.js";
import { checkDigits } from "./types.js";

/** Maximum nesting of JSON that is read. */
export const MAX_DEPTH = 1000;
/**
 * Maximum nesting of a value that is written. Airflow 3.3 reads 498 lists on an empty stack, and a task's is not empty;
 * beyond Python's recursion limit the task gets the reference in place of the value.
 */
export const MAX_WRITTEN_DEPTH = 400;
const TOO_DEEP = `the value is nested more than ${MAX_WRITTEN_DEPTH} deep, or contains itself`;

/** Maximum steps of a place in a message. */
const MAX_STEPS = 50;

/** Strings above this many UTF-16 units come in pieces. */
const PIECE = 64 * 1024;

/** Receives the JSON text. */
export interface Sink {
  /** Separators between elements, and between a key and its value. */
  readonly comma: string;
  readonly colon: string;
  /** ASCII that needs no escape. */
  raw(text: string): void;
  /** A string, or a piece of one, without its quotes. */
  text(text: string): void;
  /** A number that is neither an int nor a {@link Float}. */
  float(value: number): void;
}

export class Walker {
  /** Whether `JSON.stringify` of the value gives the same text: nothing was replaced. */
  plain = true;
  /** Whether the value contains a number that JavaScript's JSON cannot express: a larger bigint, NaN, an infinity. */
  beyondJson = false;
  readonly #frames: Frame[] = [];
  readonly #zones = new Set<unknown>();
  /** Work done in this run: 1 is about a short value. */
  #spent = 0;
  readonly #sink: Sink;
  readonly #encoding: Encoding;

  constructor(value: unknown, form: Form, sink: Sink, encoding: Encoding) {
    this.#sink = sink;
    this.#encoding = encoding;
    this.#value(value, form);
  }

  /** Does the work of about `steps` short values; returns whether all is done. */
  run(steps: number): boolean {
    for (this.#spent = 0; this.#spent < steps; this.#spent++) {
      const frame = this.#frames.at(-1);
      if (!frame) return true;
      this.#step(frame);
    }
    return this.#frames.length === 0;
  }

  #step(frame: Frame): void {
    if (frame.at === frame.length) this.#close(frame);
    else if (frame.kind === "list") this.#element(frame);
    else if (frame.kind === "dict") this.#entry(frame);
    else this.#piece(frame);
  }

  #element(frame: List): void {
    const { items, at } = frame;
    if (at > 0) this.#sink.raw(this.#sink.comma);
    frame.at++;
    this.#value(items[at], frame.form);
  }

  #entry(frame: Dict): void {
    const { keys, at } = frame;
    const value = frame.valueAt(at);
    frame.at++;
    if (value === undefined) {
      // JSON has no undefined: such a property is left out, as by JSON.stringify.
      this.plain = false;
      return;
    }
    if (frame.begun) this.#sink.raw(this.#sink.comma);
    frame.begun = true;
    this.#key(keys[at]!);
    this.#value(value, frame.form);
  }

  #key(key: string): void {
    this.#sink.raw('"');
    this.#text(key);
    this.#sink.raw('"');
    this.#sink.raw(this.#sink.colon);
  }

  #piece(frame: Long): void {
    const end = safeCut(frame.text, frame.at + PIECE);
    this.#text(frame.text.slice(frame.at, end));
    frame.at = end;
  }

  #text(text: string): void {
    this.#sink.text(text);
    this.#spent += text.length / 64;
  }

  #close({ kind }: Frame): void {
    this.#sink.raw(CLOSING[kind]);
    this.#frames.pop();
  }

  #value(value: unknown, form: Form): void {
    if (typeof value === "string") this.#string(value);
    else if (typeof value === "number") this.#number(value);
    else if (value === null || typeof value === "boolean") this.#sink.raw(String(value));
    else if (typeof value === "object") this.#object(value, form);
    else if (typeof value === "bigint") this.#bigint(value);
    else throw this.#refuse(`${value === undefined ? "undefined" : `a ${typeof value}`} is not JSON`);
  }

  #string(text: string): void {
    this.#sink.raw('"');
    if (text.length > PIECE) {
      this.#open({ kind: "long", text, at: 0, length: text.length });
    } else {
      this.#text(text);
      this.#sink.raw('"');
    }
  }

  #number(value: number): void {
    if (isInt(value)) this.#sink.raw(String(value));
    else if (Number.isFinite(value) && !Number.isInteger(value)) this.#sink.float(value);
    else {
      this.plain = false;
      this.#float(value);
    }
  }

  #nonFinite(value: number): void {
    if (!this.#encoding.nonFinite) throw this.#refuse(`${value} is not JSON; send null or a string`);
    this.beyondJson = true;
  }

  #bigint(value: bigint): void {
    this.plain = false;
    if (!Number.isSafeInteger(Number(value))) this.beyondJson = true;
    const digits = String(value);
    this.#placed(() => checkDigits(digits));
    this.#sink.raw(digits);
  }

  #object(value: object, form: Form): void {
    const isArray = Array.isArray(value);
    if (isArray && Object.getPrototypeOf(value) === Array.prototype) this.#list(value, value, form);
    else if (!isArray && isPlain(value)) this.#dict(value, form);
    else {
      this.plain = false;
      if (isInstance<Float>(value, "Float")) this.#float(value.value);
      else if (isInstance<Fields>(value, "Fields")) this.#fields(value, value.entries, form);
      else this.#lowered(value, form);
    }
  }

  #lowered(source: object, form: Form): void {
    const { value, form: inside } = this.#placed(() => this.#encoding.lower(source, form, this.#zones));
    if (isInstance<Fields>(value, "Fields")) this.#fields(source, value.entries, inside);
    else if (Array.isArray(value)) this.#list(source, value, inside);
    else if (value === source) throw this.#refuse("its toJSON gives itself");
    else this.#value(value, inside);
  }

  #float(value: number): void {
    if (!Number.isFinite(value)) this.#nonFinite(value);
    this.#sink.raw(pythonFloat(value));
  }

  /** Adds the place to the errors of what it calls. */
  #placed<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      // Built-in methods refuse a Proxy of their object; a Temporal.Duration of months has no length.
      if (error instanceof TypeError || error instanceof RangeError)
        throw this.#refuse(`it cannot be read (${error.message})`);
      throw isStorageError(error) ? this.#refuse(error.detail) : error;
    }
  }

  #list(source: object, items: readonly unknown[], form: Form): void {
    this.#sink.raw("[");
    this.#open({ kind: "list", source, items, at: 0, length: items.length, form });
  }

  #dict(value: object, form: Form): void {
    const refusal = this.#encoding.refusal((key) => Object.hasOwn(value, key));
    if (refusal) throw this.#refuse(refusal);
    const keys = Object.keys(value);
    this.#entries(value, keys, (index) => (value as Record<string, unknown>)[keys[index]!], form);
  }

  #fields(source: object, entries: Fields["entries"], form: Form): void {
    const keys = entries.map(([key]) => key);
    this.#entries(source, keys, (index) => entries[index]![1], form);
  }

  #entries(source: object, keys: readonly string[], valueAt: (index: number) => unknown, form: Form): void {
    this.#sink.raw("{");
    this.#open({ kind: "dict", source, keys, valueAt, at: 0, length: keys.length, begun: false, form });
  }

  #open(frame: Frame): void {
    if (this.#frames.length >= MAX_WRITTEN_DEPTH) throw this.#refuse(TOO_DEEP);
    this.#frames.push(frame);
  }

  #refuse(detail: string): StorageError {
    return invalid(`${this.#where()}: ${detail}`);
  }

  /** Returns the current position of the walk: `value.items[3].name`. */
  #where(): string {
    const steps = this.#frames.slice(0, MAX_STEPS).map((frame) => {
      if (frame.kind === "list") return `[${frame.at - 1}]`;
      if (frame.kind === "long") return "";
      const key = frame.keys[frame.at - 1] ?? "";
      return /^[A-Za-z_]\w{0,99}$/.test(key) ? `.${key}` : `[${JSON.stringify(key.slice(0, 100))}]`;
    });
    return `value${steps.join("")}${this.#frames.length > MAX_STEPS ? "…" : ""}`;
  }
}
