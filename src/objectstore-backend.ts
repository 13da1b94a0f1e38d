import { setTimeout } from "node:timers/promises";
import { failure, isStorageError } from "./errors.js";
import type { Bytes } from "./fs/driver.js";
import type { Storage } from "./fs/storage.js";
import { openStorage } from "./open.js";
import type { StoragePath } from "./path.js";
import { type Env, isCompressed, settingsFromEnv, suffixOf } from "./xcom/config.js";
import { newPlace, type Owner } from "./xcom/coordinate.js";
import { readJson, reviveTree } from "./xcom/json/read.js";
import { jsonBytes, jsonText, type Measured, measure } from "./xcom/json/write.js";
import { checkOptions, type Settings, type XComObjectStorageBackendOptions } from "./xcom/options.js";
import { airflowTakesForReference, pathBelow, readReference, roomBelow } from "./xcom/reference.js";
import { objectForm } from "./xcom/serde.js";

export type { Owner, XComObjectStorageBackendOptions };

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
  /** Where the objects are; whoever opened it closes it. */
  readonly storage: Storage;
  /** The base path, as references print it. */
  readonly path: StoragePath;
  readonly #settings: Settings;

  constructor(options: XComObjectStorageBackendOptions) {
    this.#settings = checkOptions(options);
    this.storage = options.storage;
    this.path = this.#settings.path;
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
      const { layout, compression, encoding, threshold } = this.#settings;
      const place = newPlace(layout, owner, key, suffixOf(compression), roomBelow(this.path));
      const measured = await measure(value, threshold < 0 ? "row" : objectForm(value), encoding, signal);
      if (!this.#goesToObject(value, measured)) return this.#row(value, measured);
      const path = pathBelow(this.path, place);
      await this.storage.write(path, this.#body(value, measured, signal), { compression, signal });
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
      const value = reviveTree(stored, this.#settings.encoding);
      const path = readReference(value, this.path, owner);
      return path ? this.#load(path, signal) : value;
    });
  }

  /** Deletes the object that a row refers to, if it does; whether it did. A missing object is a success. */
  purge(stored: unknown, { owner, signal }: LoadOptions = {}): Promise<boolean> {
    return this.#telling("purge", async () => {
      signal?.throwIfAborted();
      const path = readReference(stored, this.path, owner);
      if (path) await this.storage.delete(path, { signal });
      return path !== undefined;
    });
  }

  /** The objects that `purge` of this row deletes: one, or none when the row holds a value. No request is made. */
  pathsOf(stored: unknown, { owner }: LoadOptions = {}): StoragePath[] {
    const path = readReference(stored, this.path, owner);
    return path ? [path] : [];
  }

  #goesToObject(value: unknown, { length, beyondJson }: Measured): boolean {
    const { threshold } = this.#settings;
    if (threshold < 0) return false;
    if (length >= threshold || beyondJson) return true;
    return typeof value === "string" && airflowTakesForReference(value, this.path);
  }

  #row(value: unknown, { plain, beyondJson }: Measured): unknown {
    if (beyondJson) throw failure("InvalidArgument", BEYOND_JSON);
    return plain ? value : JSON.parse(jsonText(value, "row", this.#settings.encoding));
  }

  /** Never more than `loadValue` would take: a value that cannot come back is not stored. */
  #body(value: unknown, { length, plain }: Measured, signal: AbortSignal | undefined): string | Bytes {
    const { encoding, maxDecodedBytes } = this.#settings;
    if (plain && length <= Math.min(WHOLE, maxDecodedBytes)) return JSON.stringify(value);
    return atMost(jsonBytes(value, objectForm(value), encoding, signal), maxDecodedBytes);
  }

  async #load(path: StoragePath, signal: AbortSignal | undefined): Promise<unknown> {
    try {
      return await this.#readFresh(path, signal);
    } catch (error) {
      if (this.#settings.onMissing === "reference" && isUnreadable(error)) return String(path);
      throw error;
    }
  }

  async #readFresh(path: StoragePath, signal: AbortSignal | undefined): Promise<unknown> {
    try {
      return await this.#read(path, signal);
    } catch (error) {
      if (!isStorageError(error, "NotFound") || !isCompressed(path.name)) throw error;
    }
    await setTimeout(FRESH_MISS, undefined, { signal }).catch(() => signal?.throwIfAborted());
    return this.#read(path, signal);
  }

  async #read(path: StoragePath, signal: AbortSignal | undefined): Promise<unknown> {
    const { maxDecodedBytes, encoding } = this.#settings;
    const body = this.storage.read(path, { compression: "infer", maxDecodedBytes, signal });
    try {
      return await readJson(atMost(body, maxDecodedBytes), encoding, signal);
    } catch (error) {
      throw isStorageError(error) ? error.at("loadValue", String(path)) : error;
    }
  }

  async #telling<T>(op: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw isStorageError(error) ? error.at(op, String(this.path)) : error;
    }
  }
}

const BEYOND_JSON =
  "a number of the value (a bigint beyond 2^53 - 1, NaN or an infinity) does not fit into a row; " +
  "give the backend a threshold >= 0, so that it becomes an object, or send a string";

/** Missing, or not JSON: what Airflow answers with the reference. What a codec finds is an error of `read`, and there too. */
function isUnreadable(error: unknown): boolean {
  return isStorageError(error, "NotFound") || (isStorageError(error, "Corrupt") && error.op === "loadValue");
}

async function* atMost(bytes: Bytes, max: number): Bytes {
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.byteLength;
    if (length > max)
      throw failure("TooLarge", `the JSON text has more than the ${max} bytes that maxDecodedBytes allows`);
    yield chunk;
  }
}
