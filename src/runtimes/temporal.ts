/**
 * A driver for Temporal's External Storage on any store, which reads what the official drivers of Temporal's SDKs have
 * stored, and the reverse.
 *
 * @packageDocumentation
 */
import { ageMs, byteLimit, DigestObjects, digestOf, liesBelow, REMEMBER_MS, toPath } from "../claims/index.js";
import { invalid, isStorageError, type OptionNames } from "../errors.js";
import type { Storage } from "../fs/index.js";
import type { StoragePath } from "../path.js";
import { decodePayload, encodePayload, type Payload } from "./temporal-payload.js";
import { checkPlaced, objectOf, type Place, placesOf, type TemporalPlaces } from "./temporal-places.js";

export type { FoundReference, ReferenceSource } from "../references.js";
export type { Payload } from "./temporal-payload.js";
export type { TemporalPlaces } from "./temporal-places.js";
export { type TemporalReferencesOptions, type TemporalService, temporalReferences } from "./temporal-references.js";

/** The workflow or activity that a payload belongs to, as the SDK states it. */
export interface StorageTarget {
  readonly kind: "workflow" | "activity";
  readonly namespace: string;
  readonly id?: string;
  readonly runId?: string;
  readonly type?: string;
}
export interface StoreContext {
  abortSignal?: AbortSignal;
  target?: StorageTarget;
}
export interface StorageClaim {
  readonly claimData: Record<string, string>;
}

/** `StorageDriver` of `@temporalio/common`. */
export interface TemporalStorageDriver {
  readonly name: string;
  readonly type: string;
  store(context: StoreContext, payloads: Payload[]): Promise<StorageClaim[]>;
  retrieve(context: { abortSignal?: AbortSignal }, claims: StorageClaim[]): Promise<Payload[]>;
}

export interface TemporalDriverOptions extends TemporalPlaces {
  storage: Storage;
  /** The name by which claims find their driver. @default that of the official drivers on S3 and GCS, else `stowage` */
  name?: string | undefined;
  /** What the worker reports as the kind of the driver. @default as `name` */
  type?: string | undefined;
  /** Bytes of the largest payload. @default 50 MiB */
  maxPayloadSize?: number | undefined;
  /**
   * The age from which on an object that is stored again is written again: milliseconds, or text such as `7d`. Needed
   * wherever a lifecycle rule deletes by age, since a running workflow refers to objects of any age. @default never
   */
  refreshAfter?: number | string | undefined;
  /** Returns the place of a payload, one of `url` and `also` or below them; undefined for `url`. */
  route?: ((context: StoreContext, payload: Payload) => StoragePath | string | undefined) | undefined;
  /** Whether a missing object can appear later, as after a replication. @default "retry" */
  onMissing?: "retry" | "fail" | undefined;
}

const OPTIONS: OptionNames<TemporalDriverOptions> = {
  storage: true,
  url: true,
  bucket: true,
  name: true,
  type: true,
  maxPayloadSize: true,
  refreshAfter: true,
  route: true,
  also: true,
  onMissing: true,
};

const MAX_PAYLOAD = 50 * 2 ** 20;

/** The names of the official drivers, by scheme: claims of one SDK find their driver in another by its name. */
const NAMES: Readonly<Record<string, string>> = { s3: "aws.s3driver", s3a: "aws.s3driver", gs: "gcp.gcsdriver" };

/**
 * Returns a driver for `ExternalStorage` of Temporal's TypeScript SDK, 1.21 or later. Objects hold the protobuf bytes of
 * a payload, under the keys of Temporal's own drivers; claims have the fields of all of them, so that the drivers of
 * other languages read them. Storing a payload is one request.
 *
 * Failures reach Temporal as ApplicationFailures of a type such as `stowage.NotFound`: not retryable where trying again
 * cannot help (`Corrupt`, `TooLarge`, `InvalidArgument`, `PermissionDenied`, `Unsupported`), retryable otherwise.
 *
 * @example
 * const driver = temporalDriver({ storage: openStorage(), url: "s3://lake@payloads" });
 * const dataConverter = { externalStorage: new ExternalStorage({ drivers: [driver] }) };
 */
export function temporalDriver(options: TemporalDriverOptions): TemporalStorageDriver {
  checkPlaced("temporalDriver", options, OPTIONS);
  return new Driver(options);
}

class Driver implements TemporalStorageDriver {
  readonly name: string;
  readonly type: string;
  readonly #objects: DigestObjects;
  readonly #place: Place;
  readonly #places: readonly Place[];
  readonly #route: TemporalDriverOptions["route"];
  readonly #onMissing: "retry" | "fail";

  constructor(options: TemporalDriverOptions) {
    const { storage, maxPayloadSize = MAX_PAYLOAD, refreshAfter, route, onMissing = "retry" } = options;
    const places = placesOf(options);
    this.#place = places[0];
    this.#places = places;
    this.name = options.name ?? NAMES[this.#place.path.scheme] ?? "stowage";
    this.type = options.type ?? this.name;
    this.#objects = new DigestObjects(storage, byteLimit("maxPayloadSize", maxPayloadSize), ageMs(refreshAfter));
    if (onMissing !== "retry" && onMissing !== "fail") throw invalid(`onMissing must be "retry" or "fail"`);
    this.#route = route;
    this.#onMissing = onMissing;
  }

  store(context: StoreContext, payloads: Payload[]): Promise<StorageClaim[]> {
    return this.#all(context.abortSignal, payloads, (payload, signal) => this.#store(context, payload, signal));
  }

  retrieve({ abortSignal }: { abortSignal?: AbortSignal }, claims: StorageClaim[]): Promise<Payload[]> {
    return this.#all(abortSignal, claims, (claim, signal) => this.#retrieve(claim, signal));
  }

  /** Works on all at once; the first failure stops the others. */
  async #all<T, R>(
    signal: AbortSignal | undefined,
    items: readonly T[],
    work: (item: T, signal: AbortSignal) => Promise<R>,
  ): Promise<R[]> {
    const stop = new AbortController();
    const both = signal ? AbortSignal.any([signal, stop.signal]) : stop.signal;
    const running = items.map((item) => work(item, both));
    try {
      return await Promise.all(running);
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(running);
      if (signal?.aborted) throw error;
      throw await asFailure(error, this.#onMissing);
    }
  }

  async #store(context: StoreContext, payload: Payload, signal: AbortSignal): Promise<StorageClaim> {
    const { bucket, path } = this.#placeFor(context, payload);
    const bytes = encodePayload(payload);
    this.#objects.checkSize(bytes.byteLength, String(path));
    const sha256 = await digestOf(bytes, signal);
    const object = path.join(`v0${segments(context.target)}/d/sha256/${sha256}`);
    await this.#objects.store(object, bytes, { rememberMs: REMEMBER_MS, signal });
    return { claimData: { bucket, ...keys(path.scheme, object.key), ...digests(sha256) } };
  }

  async #retrieve({ claimData = {} }: StorageClaim, signal: AbortSignal): Promise<Payload> {
    const { path, sha256 } = objectOf(claimData, this.#places);
    return decodePayload(await this.#objects.read(path, { sha256, size: undefined }, signal));
  }

  #placeFor(context: StoreContext, payload: Payload): Place {
    const url = this.#route?.(context, payload);
    if (url === undefined) return this.#place;
    const path = toPath(url);
    const place = this.#places.find((one) => path.equals(one.path) || liesBelow(path, one.path));
    if (place) return { bucket: place.bucket, path };
    throw invalid(`route has chosen ${path}, where no claim would be read: it must be url, in also, or below them`);
  }
}

/** GCS drivers have other names for the key, which differ between languages. */
function keys(scheme: string, key: string): Record<string, string> {
  return scheme === "gs" ? { object: key, object_name: key } : { key };
}

/** The official TypeScript drivers read the camel-cased names, those of the other languages the others. */
function digests(sha256: string): Record<string, string> {
  return { hash_algorithm: "sha256", hash_value: sha256, hashAlgorithm: "sha256", hashValue: sha256 };
}

const KINDS = { workflow: ["wt", "wi"], activity: ["at", "ai"] } as const;

/** Returns the part of the key that states the owner, as the official drivers write it. */
function segments(target: StorageTarget | undefined): string {
  if (!target) return "";
  const [type, id] = KINDS[target.kind];
  const pairs = [
    ["ns", target.namespace],
    [type, target.type],
    [id, target.id],
    ["ri", target.runId],
  ] as const;
  return pairs.map(([name, value]) => `/${name}/${segment(value)}`).join("");
}

/** Dots are encoded where some provider would change the name. */
function segment(value: string | undefined): string {
  if (value === undefined || value === "") return "null";
  if (!value.isWellFormed()) throw invalid("an id of the workflow has a lone surrogate");
  return encodeURIComponent(value)
    .replaceAll("~", "%7E")
    .replace(/\.+$/, (dots) => "%2E".repeat(dots.length));
}

/** Failures that no retry mends. */
const FINAL: ReadonlySet<string> = new Set([
  "Corrupt",
  "TooLarge",
  "InvalidArgument",
  "PermissionDenied",
  "Unsupported",
]);

/** Returns an error as Temporal's own, so that its retry policies apply. */
async function asFailure(error: unknown, onMissing: "retry" | "fail"): Promise<unknown> {
  if (!isStorageError(error)) return error;
  const nonRetryable = FINAL.has(error.code) || (error.code === "NotFound" && onMissing === "fail");
  try {
    const { ApplicationFailure } = await import("@temporalio/common");
    return ApplicationFailure.create({ message: error.message, type: `stowage.${error.code}`, nonRetryable });
  } catch {
    // Outside of a project of Temporal.
    return error;
  }
}
