import { setTimeout } from "node:timers/promises";
import { failure, isStorageError, type StorageError } from "./errors.js";
import type { Bytes } from "./fs/driver.js";
import type { Storage } from "./fs/storage.js";
import { openStorage } from "./open.js";
import { StoragePath } from "./path.js";
import { checkCompression, type Env, settingsFromEnv, suffixOf, type XComCompression } from "./xcom/config.js";
import { type LayoutName, newPlace, type Owner } from "./xcom/coordinate.js";
import type { Encoding } from "./xcom/json/encoding.js";
import { readJson, reviveTree } from "./xcom/json/read.js";
import { jsonBytes, jsonText, type Measured, measure } from "./xcom/json/write.js";
import { airflowTakesForReference, pathBelow, printedBase, readReference, roomBelow } from "./xcom/reference.js";
import { airflowEncoding, jsonEncoding, objectForm } from "./xcom/serde.js";

export interface XComObjectStorageBackendOptions {
  storage: Storage;
  /** Where objects go: `s3://my_conn@my_bucket/xcom`. */
  path: StoragePath | string;
  /** Values of at least this many bytes of Python's JSON are stored as objects; 0 is all, -1 none. @default -1 */
  threshold?: number | undefined;
  /** @default null */
  compression?: XComCompression | null | undefined;
  /** Where new objects go; both layouts are read. @default "ti", as Airflow 3.4 writes */
  layout?: LayoutName | undefined;
  /** Decoded bytes of an object after which loading fails with TooLarge. @default 512 MiB */
  maxDecodedBytes?: number | undefined;
  /** What a reference to an object that is missing, or that is not JSON, gives: an error, or itself as in Airflow. @default "error" */
  onMissing?: "error" | "reference" | undefined;
  /** `airflow`: Python's types are kept by Airflow's envelopes. `json`: JSON as it is. @default "airflow" */
  encoding?: "airflow" | "json" | undefined;
}

/** What {@link XComObjectStorageBackend.fromEnv} takes besides the settings of the environment. */
export type FromEnvOptions = Partial<Omit<XComObjectStorageBackendOptions, "path" | "threshold" | "compression">>;

/** The three methods of a backend; layers around one have the same. */
export interface XComBackend {
  storeValue(
    owner: Owner,
    key: string,
    value: unknown,
    options?: { signal?: AbortSignal | undefined },
  ): Promise<unknown>;
  loadValue(stored: unknown, options?: LoadOptions): Promise<unknown>;
  purge(stored: unknown, options?: LoadOptions): Promise<boolean>;
}

export interface LoadOptions {
  /** Whose the row is: then a reference to an object of another task is PermissionDenied. */
  owner?: Owner | undefined;
  signal?: AbortSignal | undefined;
}

const MAX_DECODED_BYTES = 512 * 1024 * 1024;
/** Python's length up to which the text of a value is made in one go: some milliseconds. */
const WHOLE = 512 * 1024;
/** Milliseconds after which a compressed object that was missing is looked for once more. */
const FRESH_MISS = 600;

/**
 * Airflow's object storage backend for XComs: large values become objects, the metadata row keeps a reference.
 *
 * Stock Airflow reads what this stores, and the reverse. Every refusal of a setting, an id or a value comes before
 * the first request.
 */
export class XComObjectStorageBackend implements XComBackend {
  readonly #storage: Storage;
  readonly #base: StoragePath;
  readonly #threshold: number;
  readonly #compression: XComCompression | null;
  readonly #layout: LayoutName;
  readonly #maxDecodedBytes: number;
  readonly #onMissing: "error" | "reference";
  readonly #encoding: Encoding;

  constructor(options: XComObjectStorageBackendOptions) {
    const { threshold = -1, compression = null, layout = "ti", onMissing = "error", encoding = "airflow" } = options;
    const { maxDecodedBytes = MAX_DECODED_BYTES } = options;
    this.#storage = options.storage ?? refuse("storage is missing; give the one that openStorage() returns");
    this.#base = checkBase(options.path);
    this.#threshold = Number.isInteger(threshold)
      ? threshold
      : refuse("threshold must be a whole number of bytes, or -1");
    this.#compression = compression === null ? null : checkCompression(compression);
    this.#layout = oneOf("layout", layout, ["ti", "uuid"]);
    this.#maxDecodedBytes =
      Number.isSafeInteger(maxDecodedBytes) && maxDecodedBytes > 0
        ? maxDecodedBytes
        : refuse("maxDecodedBytes must be an integer above 0");
    this.#onMissing = oneOf("onMissing", onMissing, ["error", "reference"]);
    this.#encoding = oneOf("encoding", encoding, ["airflow", "json"]) === "json" ? jsonEncoding : airflowEncoding;
  }

  /**
   * The backend that Airflow's own settings describe: `AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH`, `_THRESHOLD` and
   * `_COMPRESSION`. Without `storage` it opens one with the connections of `env`.
   */
  static fromEnv(env: Env = process.env, options: FromEnvOptions = {}): XComObjectStorageBackend {
    const settings = settingsFromEnv(env);
    return new XComObjectStorageBackend({ ...options, ...settings, storage: options.storage ?? openStorage({ env }) });
  }

  /**
   * Stores a value and returns what the metadata row is to hold: the value in JSON, or a reference to its object.
   *
   * It becomes an object from the threshold on; with a threshold >= 0 also when a row cannot carry it: a string that
   * Airflow would take for a reference, an integer beyond 2^53 - 1, NaN, an infinity. The object is complete when the
   * promise resolves.
   */
  storeValue(
    owner: Owner,
    key: string,
    value: unknown,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<unknown> {
    return this.#telling("storeValue", async () => {
      signal?.throwIfAborted();
      const place = newPlace(this.#layout, owner, key, suffixOf(this.#compression), roomBelow(this.#base));
      const measured = await measure(value, objectForm(value), this.#encoding, signal);
      if (!this.#goesToObject(value, measured)) return this.#row(value, measured);
      const path = pathBelow(this.#base, place);
      await this.#storage.write(path, this.#body(value, measured, signal), { compression: this.#compression, signal });
      return String(path);
    });
  }

  /**
   * The value of a row. What is no reference costs no request, a reference one.
   *
   * NotFound and Corrupt, never the reference, for an object that is missing or damaged. A compressed object that is
   * missing is looked for once more after a short while: some writers finish it after they have stored the row.
   */
  loadValue(stored: unknown, { owner, signal }: LoadOptions = {}): Promise<unknown> {
    return this.#telling("loadValue", async () => {
      signal?.throwIfAborted();
      const value = reviveTree(stored, this.#encoding);
      const path = readReference(value, this.#base, owner);
      return path ? this.#load(path, signal) : value;
    });
  }

  /** Deletes the object that a row refers to, if it does; whether it did. A missing object is a success. */
  purge(stored: unknown, { owner, signal }: LoadOptions = {}): Promise<boolean> {
    return this.#telling("purge", async () => {
      signal?.throwIfAborted();
      const path = readReference(stored, this.#base, owner);
      if (path) await this.#storage.delete(path, { signal });
      return path !== undefined;
    });
  }

  #goesToObject(value: unknown, { length, beyondJson }: Measured): boolean {
    if (this.#threshold < 0) return false;
    if (length >= this.#threshold || beyondJson) return true;
    return typeof value === "string" && airflowTakesForReference(value, this.#base);
  }

  #row(value: unknown, { plain, beyondJson }: Measured): unknown {
    if (beyondJson) throw failure("InvalidArgument", BEYOND_JSON);
    return plain ? value : JSON.parse(jsonText(value, "row", this.#encoding));
  }

  #body(value: unknown, { length, plain }: Measured, signal: AbortSignal | undefined): string | Bytes {
    if (plain && length <= WHOLE) return JSON.stringify(value);
    return jsonBytes(value, objectForm(value), this.#encoding, signal);
  }

  async #load(path: StoragePath, signal: AbortSignal | undefined): Promise<unknown> {
    try {
      return await this.#read(path, signal);
    } catch (error) {
      if (!isStorageError(error, "NotFound") || path.suffix === ".json" || !path.name.includes("."))
        return this.#missed(path, error);
    }
    await setTimeout(FRESH_MISS, undefined, { signal }).catch(() => signal?.throwIfAborted());
    return this.#read(path, signal).catch((error: unknown) => this.#missed(path, error));
  }

  async #read(path: StoragePath, signal: AbortSignal | undefined): Promise<unknown> {
    const maxDecodedBytes = this.#maxDecodedBytes;
    const body = this.#storage.read(path, { compression: "infer", maxDecodedBytes, signal });
    try {
      return await readJson(atMost(body, maxDecodedBytes), this.#encoding, signal);
    } catch (error) {
      throw isStorageError(error) ? error.at("loadValue", String(path)) : error;
    }
  }

  #missed(path: StoragePath, error: unknown): unknown {
    const unreadable =
      isStorageError(error, "NotFound") || (isStorageError(error, "Corrupt") && error.op === "loadValue");
    if (this.#onMissing === "reference" && unreadable) return String(path);
    throw error;
  }

  async #telling<T>(op: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw isStorageError(error) ? error.at(op, String(this.#base)) : error;
    }
  }
}

const BEYOND_JSON =
  "a number of the value (a bigint beyond 2^53 - 1, NaN or an infinity) does not fit into a row; " +
  "give the backend a threshold >= 0, so that it becomes an object, or send a string";

async function* atMost(bytes: Bytes, max: number): Bytes {
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.byteLength;
    if (length > max) throw failure("TooLarge", `the object has more than ${max} bytes, which maxDecodedBytes allows`);
    yield chunk;
  }
}

function checkBase(path: StoragePath | string): StoragePath {
  if (path === undefined || path === "") refuse("path is missing; give one such as s3://my_conn@my_bucket/xcom");
  const base = printedBase(typeof path === "string" ? StoragePath.parse(path) : path);
  if (base.key.endsWith("/")) refuse("path must not end in a slash; leave it out");
  if (base.key.split("/").some((segment) => segment === "." || segment === "..")) {
    refuse('path has a segment "." or ".."; write out where it leads');
  }
  return base;
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  return allowed.includes(value)
    ? value
    : refuse(`${name} must be ${allowed.join(" or ")}, not ${JSON.stringify(value)}`);
}

function refuse(detail: string): never {
  throw failure("InvalidArgument", detail) satisfies StorageError;
}
