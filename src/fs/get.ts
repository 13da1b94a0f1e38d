/** The result of `get`: metadata and bytes of one request. */
import { failure, invalid } from "../errors.js";
import { type ByteStream, collect, Delivery, decodeUtf8, toReadableStream } from "../streams.js";
import type { ObjectInfo } from "./driver/driver.js";

/** A schema of any library that implements Standard Schema: https://standardschema.dev */
export interface StandardSchema<T> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<T> | Promise<SchemaResult<T>>;
    readonly types?: { readonly input: unknown; readonly output: T } | undefined;
  };
}
type SchemaResult<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly SchemaIssue[] };
interface SchemaIssue {
  readonly message: string;
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined;
}

export interface JsonOptions<T> {
  /** Checks the value, and can change it. A value that does not fit is `Corrupt`. */
  schema?: StandardSchema<T> | undefined;
}

/** The open body of a response, and what the reader does with it. */
export interface OpenBody {
  source: ByteStream;
  decode: (bytes: ByteStream) => ByteStream;
  /** Bytes of the decoded data, if known. */
  size: number | undefined;
  /** Converts a failure of the read for the caller. */
  toError: (error: unknown) => unknown;
}

/**
 * An open object: its metadata and its bytes, all of one version. The bytes can be read once, by one of the methods or
 * with `for await`; a dropped connection is resumed. An object that is not read must be closed: with `await using`, or
 * with `cancel()`.
 */
export class GetResult implements AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly info: ObjectInfo;
  readonly #source: ByteStream;
  #body: OpenBody | undefined;

  /** @internal Use `storage.get`. */
  constructor(info: ObjectInfo, body: OpenBody) {
    this.info = info;
    this.#source = body.source;
    this.#body = body;
  }

  /** Returns all bytes as one array. */
  async bytes(): Promise<Uint8Array> {
    const { size } = this.#body ?? {};
    return collect(this.#take(), size === undefined ? {} : { size });
  }

  /** Returns the bytes as text. Throws `Corrupt` if they are not UTF-8. */
  async text(): Promise<string> {
    const { toError } = this.#body ?? {};
    const data = await this.bytes();
    return withConvertedErrors(() => decodeUtf8(data), toError);
  }

  /** Returns the JSON value. Throws `Corrupt` if the bytes are no JSON, or if the value does not fit the schema. */
  async json<T = unknown>(options: JsonOptions<T> = {}): Promise<T> {
    const { schema } = options ?? {};
    const { toError } = this.#body ?? {};
    const text = await this.text();
    const value = await withConvertedErrors(() => parseJson(text), toError);
    return schema === undefined ? (value as T) : withConvertedErrors(() => checked(value, schema), toError);
  }

  /** Returns a web stream of the bytes. */
  stream(): ReadableStream<Uint8Array> {
    return toReadableStream(this.#take());
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.#take()[Symbol.asyncIterator]();
  }

  /** Closes the object without reading it. Does nothing if it was read. */
  async cancel(): Promise<void> {
    if (this.#body) await this.close();
  }

  /** @internal Closes the object, also one that a reader has taken and does not read to its end. */
  async close(): Promise<void> {
    this.#body = undefined;
    await this.#source[Symbol.asyncIterator]().return?.();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cancel();
  }

  #take(): ByteStream {
    const body = this.#body;
    if (!body) throw invalid("the object was already read or cancelled; get it again");
    this.#body = undefined;
    return { [Symbol.asyncIterator]: () => new DecodedDelivery(body) };
  }
}

/** The decoded bytes; a failure of theirs is converted for the caller. */
class DecodedDelivery extends Delivery {
  readonly #toError: OpenBody["toError"];

  constructor({ source, decode, toError }: OpenBody) {
    super(decode(source), async () => source[Symbol.asyncIterator]().return?.());
    this.#toError = toError;
  }

  override async next(): Promise<IteratorResult<Uint8Array>> {
    try {
      return await super.next();
    } catch (error) {
      throw this.#toError(error);
    }
  }
}

async function withConvertedErrors<T>(
  work: () => T | Promise<T>,
  toError: OpenBody["toError"] | undefined,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toError ? toError(error) : error;
  }
}

/** The message of the parser would show a part of the data. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text.startsWith("\ufeff") ? text.slice(1) : text);
  } catch {
    throw failure("Corrupt", "the object is not JSON");
  }
}

const MAX_ISSUES = 5;

async function checked<T>(value: unknown, schema: StandardSchema<T>): Promise<T> {
  const result = await schema["~standard"].validate(value);
  if (!result.issues) return result.value;
  const issues = result.issues.slice(0, MAX_ISSUES).map(({ message, path = [] }) => {
    const place = path.map((step) => String(typeof step === "object" ? step.key : step)).join(".");
    return place === "" ? message : `${place}: ${message}`;
  });
  const more = result.issues.length > MAX_ISSUES ? `, and ${result.issues.length - MAX_ISSUES} more` : "";
  throw failure("Corrupt", `the value does not fit the schema (${issues.join("; ")}${more})`);
}
