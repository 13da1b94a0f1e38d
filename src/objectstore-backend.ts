import { CLASS } from "./brand.js";
import { pause } from "./concurrency.js";
import { failure, invalid, isStorageError } from "./errors.js";
import type { Abortable, Objects, Storage } from "./fs/index.js";
import type { StoragePath } from "./path.js";
import type { ByteStream } from "./streams.js";
import { decompressed, digestOf, readChecked } from "./xcom/digest.js";
import { objectForm } from "./xcom/encoding/airflow.js";
import { WHOLE } from "./xcom/encoding/encoding.js";
import { readJson, reviveTree } from "./xcom/encoding/json-read.js";
import { jsonBytes, jsonText, type Measured, measure } from "./xcom/encoding/json-write.js";
import { withOperation } from "./xcom/errors.js";
import type { XComFeatures } from "./xcom/features.js";
import { pathBelow, roomBelow } from "./xcom/keys/base.js";
import { newObjectKey, type Owner, parseObjectName } from "./xcom/keys/layout.js";
import type { LoadOptions, XComBackend } from "./xcom/options.js";
import { checkOptions, type Settings, type XComObjectStorageBackendOptions } from "./xcom/options.js";
import { checkRow, looksLikeReference, readPurged, readReference } from "./xcom/reference.js";
import { JSON_SUFFIX, type Serializer } from "./xcom/serializer.js";
import { isCompressed, suffixOf } from "./xcom/settings.js";

export type { Owner, XComObjectStorageBackendOptions };

/** The options of `XComObjectStorageBackend.fromEnv` besides the settings of the environment. */
export type FromEnvOptions = Partial<Omit<XComObjectStorageBackendOptions, "path" | "threshold" | "compression">>;

/** Milliseconds after which the backend looks once more for a missing compressed object. */
const FRESH_MISS = 600;

/**
 * Airflow's object storage backend for XComs: stores large values as objects and keeps a reference in the metadata row.
 *
 * Interoperates with stock Airflow in both directions. Refuses an invalid setting, id or value before the first
 * request.
 */
export class XComObjectStorageBackend<S extends Objects = Storage> implements XComBackend {
  /** The storage of the objects; the caller that opened it closes it. */
  readonly storage: S;
  /** The base path, as references print it. */
  readonly path: StoragePath;
  readonly #settings: Settings;

  /** `features` implements the options `keyTemplate`, `readAliases`, `serializers`, `allowedTypes` and `digest`. */
  constructor(options: XComObjectStorageBackendOptions<S>, features: XComFeatures = {}) {
    this.#settings = checkOptions(options, features);
    this.storage = options.storage;
    this.path = this.#settings.base;
  }

  /** Whether its key template gives values the same name, so that a later one overwrites an earlier one. */
  get overwrites(): boolean {
    return this.#settings.layout.overwrites ?? false;
  }

  /** Identifies the class to other copies of this library. */
  get [CLASS](): "XComObjectStorageBackend" {
    return "XComObjectStorageBackend";
  }

  /**
   * Stores a value and returns the content of the metadata row: the value in JSON, or a reference to its object.
   *
   * Values from the threshold on become objects. With a threshold >= 0, so do values that a row cannot carry: a string
   * that Airflow would take for a reference, an integer beyond 2^53 - 1, NaN, an infinity. The object is complete when
   * the promise resolves.
   */
  storeValue(owner: Owner, key: string, value: unknown, { signal }: Abortable = {}): Promise<unknown> {
    return withOperation("storeValue", this.path, async () => {
      signal?.throwIfAborted();
      const serializer = this.#settings.serializers.forValue(value);
      const place = this.#places(owner, key, serializer);
      const below = place();
      const measured = serializer ? undefined : await this.#measured(value, signal);
      if (measured && !this.#goesToObject(value, measured)) return this.#row(value, measured);
      const body = () =>
        measured ? this.#body(value, measured, signal) : this.#limited(serializer!.encode(value, { signal }));
      return String(await this.#write(below, place, body, signal));
    });
  }

  /**
   * Returns the value of a row. A plain value costs no request, a reference costs one.
   *
   * Throws NotFound or Corrupt if the object is missing or damaged, and never returns the reference. Looks once more
   * for a missing compressed object after a short pause: some writers finish it after they have stored the row.
   */
  loadValue(stored: unknown, { owner, signal }: LoadOptions = {}): Promise<unknown> {
    return withOperation("loadValue", this.path, async () => {
      signal?.throwIfAborted();
      checkRow(stored);
      const value = reviveTree(stored, this.#settings.encoding);
      const path = readReference(value, this.#settings, owner);
      return path ? this.#load(path, signal) : value;
    });
  }

  /** Deletes the object that a row refers to and returns whether it refers to one. A missing object is a success. */
  purge(stored: unknown, { owner, signal }: LoadOptions = {}): Promise<boolean> {
    return withOperation("purge", this.path, async () => {
      signal?.throwIfAborted();
      const path = readPurged(stored, this.#settings, owner);
      if (path) await this.storage.delete(path, { signal });
      return path !== undefined;
    });
  }

  /** Returns the objects that `purge` of this row deletes: one, or none if the row holds a value. Sends no request. */
  pathsOf(stored: unknown, { owner }: LoadOptions = {}): StoragePath[] {
    const path = readPurged(stored, this.#settings, owner);
    return path ? [path] : [];
  }

  /** Returns whether `loadValue` of this row reads an object, including one of an alias. Sends no request. */
  refersTo(stored: unknown, options?: LoadOptions): boolean {
    return this.objectOf(stored, options) !== undefined;
  }

  /** Returns the object that `loadValue` of this row reads, also one of an alias; undefined for a value. */
  objectOf(stored: unknown, { owner }: LoadOptions = {}): StoragePath | undefined {
    return readReference(stored, this.#settings, owner);
  }

  /**
   * Returns a generator of new places for one value. Refuses unusable ids and keys even if the value stays in its row.
   */
  #places(owner: Owner, key: string, serializer: Serializer | undefined): (digest?: string) => string {
    const { layout, compression, digest } = this.#settings;
    // Every value with a digest has a name of its own, not the task instance's.
    const by = digest ? { ...owner, tiId: undefined } : owner;
    const ending = { suffix: serializer?.suffix ?? JSON_SUFFIX, codec: suffixOf(compression) };
    return (sha256) => newObjectKey(layout, by, key, { ...ending, digest: sha256 }, roomBelow(this.path));
  }

  async #measured(value: unknown, signal: AbortSignal | undefined): Promise<Measured> {
    const { threshold, encoding, json } = this.#settings;
    return (
      (await json?.plan(value, encoding, signal, threshold)) ??
      measure(value, threshold < 0 ? "row" : objectForm(value), encoding, signal)
    );
  }

  async #write(
    below: string,
    place: (digest: string) => string,
    body: () => string | ByteStream,
    signal: AbortSignal | undefined,
  ): Promise<StoragePath> {
    const { compression, digest } = this.#settings;
    if (!digest) {
      const path = pathBelow(this.path, below);
      await this.storage.write(path, body(), { compression, signal });
      return path;
    }
    const stored = await digest(this.storage.codecs, body, compression, signal);
    const path = pathBelow(this.path, place(stored.digest));
    await this.storage.write(path, stored.body, { signal });
    return path;
  }

  #goesToObject(value: unknown, { length, beyondJson }: Measured): boolean {
    const { threshold } = this.#settings;
    if (threshold < 0) return false;
    if (length >= threshold || beyondJson) return true;
    return typeof value === "string" && looksLikeReference(value, this.#settings);
  }

  #row(value: unknown, { plain, beyondJson }: Measured): unknown {
    if (beyondJson) throw invalid(BEYOND_JSON);
    if (typeof value === "string") this.#settings.readAlias?.checkText(value);
    return plain ? value : JSON.parse(jsonText(value, "row", this.#settings.encoding));
  }

  #body(value: unknown, { length, plain, bytes }: Measured, signal: AbortSignal | undefined): string | ByteStream {
    const { encoding, maxDecodedBytes } = this.#settings;
    if (plain && length <= Math.min(WHOLE, maxDecodedBytes)) return builtInText(value);
    return this.#limited(bytes?.() ?? jsonBytes(value, objectForm(value), encoding, signal));
  }

  /** Fails above the limit of `loadValue`: a value that cannot be loaded is not stored. */
  #limited(bytes: ByteStream): ByteStream {
    return atMost(bytes, this.#settings.maxDecodedBytes);
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
    await pause(FRESH_MISS, signal);
    return this.#read(path, signal);
  }

  async #read(path: StoragePath, signal: AbortSignal | undefined): Promise<unknown> {
    const { maxDecodedBytes } = this.#settings;
    const serializer = this.#settings.serializers.forSuffix(parseObjectName(path.name).suffix);
    const decode = (bytes: ByteStream) => this.#decode(this.#limited(bytes), serializer, signal);
    const digest = digestOf(path);
    return withOperation("loadValue", path, async () => {
      if (digest === undefined)
        return decode(this.storage.read(path, { compression: "infer", maxDecodedBytes, signal }));
      const stored = this.storage.read(path, { signal });
      return readChecked(String(path), stored, digest, (bytes) =>
        decode(decompressed(this.storage.codecs, path, bytes, maxDecodedBytes, signal)),
      );
    });
  }

  #decode(body: ByteStream, serializer: Serializer | undefined, signal: AbortSignal | undefined): Promise<unknown> {
    if (serializer) return serializer.decode(body, { signal });
    return readJson(body, this.#settings.encoding, signal, this.#settings.json);
  }
}

/** A getter may return something else than when the value was measured, such as a bigint. */
function builtInText(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (cause) {
    throw invalid("the value changes while it is read", { cause });
  }
}

const BEYOND_JSON =
  "a row cannot hold a bigint beyond 2^53 - 1, NaN or an infinity; set a threshold >= 0, or send text";

/**
 * Returns whether the object is missing or not JSON: the cases in which Airflow returns the reference. Codec errors are
 * errors of `read`, in Airflow too.
 */
function isUnreadable(error: unknown): boolean {
  return isStorageError(error, "NotFound") || (isStorageError(error, "Corrupt") && error.op === "loadValue");
}

async function* atMost(bytes: ByteStream, max: number): ByteStream {
  let length = 0;
  for await (const chunk of bytes) {
    length += chunk.byteLength;
    if (length > max) throw failure("TooLarge", `the value has more than the ${max} bytes that maxDecodedBytes allows`);
    yield chunk;
  }
}
