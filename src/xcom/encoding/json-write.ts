/** Writes a value as JSON text and measures the text that Python would write. */
import { Pace } from "../../codecs/stream.js";
import type { ByteStream } from "../../streams.js";
import type { Encoding, Form } from "./encoding.js";
import { pythonFloat, pythonLength, pythonString } from "./encoding.js";
import { type Sink, Walker } from "./json-walk.js";

/** UTF-16 units of a chunk. */
const CHUNK = 64 * 1024;
/** Values between two clock checks: less than a millisecond. */
const STEPS = 2000;

/** The size and properties of a value's JSON text. */
export interface Measured {
  /** Bytes of `json.dumps(value)`. */
  length: number;
  /** Whether `JSON.stringify(value)` is the text to store. */
  plain: boolean;
  /** Whether the value contains a number that a row, which passes through other JSON writers, would change or lose. */
  beyondJson: boolean;
  /** Writes the text faster than `jsonBytes`, if the value allows it. */
  bytes?: () => ByteStream;
}

/**
 * Checks and measures the whole value. Throws InvalidArgument, naming the place, for a value that cannot be written.
 */
export async function measure(
  value: unknown,
  form: Form,
  encoding: Encoding,
  signal?: AbortSignal | undefined,
): Promise<Measured> {
  const sink = new PythonCount();
  const walker = new Walker(value, form, sink, encoding);
  const pace = new Pace();
  while (!walker.run(STEPS)) await turn(pace, signal);
  return { length: sink.length, plain: walker.plain, beyondJson: walker.beyondJson };
}

/** Yields the text to store as UTF-8, without ever holding all of it. */
export async function* jsonBytes(
  value: unknown,
  form: Form,
  encoding: Encoding,
  signal?: AbortSignal | undefined,
): ByteStream {
  const sink = new Compact();
  const walker = new Walker(value, form, sink, encoding);
  const pace = new Pace();
  for (let done = false; !done; ) {
    done = walker.run(STEPS);
    if (sink.out.length >= CHUNK || done) yield Buffer.from(sink.take(), "utf8");
    await turn(pace, signal);
  }
}

/** Returns the complete text to store. */
export function jsonText(value: unknown, form: Form, encoding: Encoding): string {
  return textOf(value, form, encoding, new Compact());
}

/** Returns the text that Python's `json.dumps` writes for the value. */
export function pythonText(value: unknown, form: Form, encoding: Encoding): string {
  return textOf(value, form, encoding, new PythonText());
}

function textOf(value: unknown, form: Form, encoding: Encoding, sink: Compact): string {
  new Walker(value, form, sink, encoding).run(Number.POSITIVE_INFINITY);
  return sink.take();
}

async function turn(pace: Pace, signal: AbortSignal | undefined): Promise<void> {
  await pace.rest();
  signal?.throwIfAborted();
}

class Compact implements Sink {
  readonly comma: string = ",";
  readonly colon: string = ":";
  out = "";

  raw(text: string): void {
    this.out += text;
  }

  text(text: string): void {
    this.out += JSON.stringify(text).slice(1, -1);
  }

  float(value: number): void {
    this.out += String(value);
  }

  take(): string {
    const text = this.out;
    this.out = "";
    return text;
  }
}

class PythonText extends Compact {
  override readonly comma = ", ";
  override readonly colon = ": ";

  override text(text: string): void {
    this.out += pythonString(text).slice(1, -1);
  }

  override float(value: number): void {
    this.out += pythonFloat(value);
  }
}

class PythonCount implements Sink {
  readonly comma = ", ";
  readonly colon = ": ";
  length = 0;

  raw(text: string): void {
    this.length += text.length;
  }

  text(text: string): void {
    this.length += pythonLength(text);
  }

  float(value: number): void {
    this.length += pythonFloat(value).length;
  }
}
