/**
 * Resolves a path to the driver of its bucket. Opens one driver per scheme family, connection and bucket, on demand.
 */

import { isInstance } from "../brand.js";
import type { Codecs } from "../codecs/codec.js";
import type { Connection, ConnectionSource } from "../connections/index.js";
import { invalid } from "../errors.js";
import { StoragePath } from "../path.js";
import type { Driver, DriverContext, ObjectDriver, OpenDriver } from "./driver/driver.js";
import type { PathLike } from "./options.js";

/** The part of a path that names a bucket, or without a bucket the account. */
export type BucketLocation = Pick<StoragePath, "scheme" | "connectionId" | "bucket">;

/** The drivers of a Storage, and what its verbs take for paths. */
export interface DriverRegistry<D extends ObjectDriver = Driver> {
  readonly context: StorageContext;
  /** The key below which all paths lie, if they are relative to one. */
  readonly below?: string;
  /** Returns what a caller gave as a path. */
  path(path: PathLike): StoragePath;
  /** Returns the driver of the bucket of `path`. */
  driver(path: BucketLocation): Promise<D>;
  /** Returns the function that opens drivers of this scheme; aliases of one provider share it. */
  opener(scheme: string): OpenDriver<D>;
  close(): Promise<void>;
}

export class BucketDrivers<D extends ObjectDriver = Driver> implements DriverRegistry<D> {
  readonly context: StorageContext;
  readonly #schemes: ReadonlyMap<string, OpenDriver<D>>;
  readonly #connections: ConnectionSource;
  readonly #shared: DriverContext;
  readonly #open = new Map<OpenDriver<D>, Map<string, Promise<D>>>();
  #closed = false;

  /** `schemes`: aliases of one provider share one function. */
  constructor(
    schemes: ReadonlyMap<string, OpenDriver<D>>,
    connections: ConnectionSource,
    shared: DriverContext,
    context: StorageContext,
  ) {
    this.#schemes = schemes;
    this.#connections = connections;
    this.#shared = shared;
    this.context = context;
  }

  path(path: PathLike): StoragePath {
    return isInstance<StoragePath>(path, "StoragePath") ? path : StoragePath.parse(path);
  }

  /** Returns the driver of the bucket of `path`. Does not cache a failure. */
  driver(path: BucketLocation): Promise<D> {
    if (this.#closed) throw invalid("the storage is closed");
    const open = this.opener(path.scheme);
    const buckets = this.#buckets(open);
    const name = `${path.connectionId ?? ""}@${path.bucket}`;
    const known = buckets.get(name);
    if (known) return known;
    const opened = this.#connect(open, path);
    buckets.set(name, opened);
    opened.catch(() => buckets.delete(name));
    return opened;
  }

  opener(scheme: string): OpenDriver<D> {
    const open = this.#schemes.get(scheme);
    if (open) return open;
    throw invalid(`no driver registered for scheme "${scheme}" (registered: ${[...this.#schemes.keys()].join(", ")})`);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const drivers = [...this.#open.values()].flatMap((buckets) => [...buckets.values()]);
    this.#open.clear();
    await Promise.all(drivers.map(async (opened) => (await opened.catch(() => undefined))?.close()));
  }

  #buckets(open: OpenDriver<D>): Map<string, Promise<D>> {
    const buckets = this.#open.get(open) ?? new Map<string, Promise<D>>();
    this.#open.set(open, buckets);
    return buckets;
  }

  async #connect(open: OpenDriver<D>, { bucket, connectionId }: BucketLocation): Promise<D> {
    const asked = connectionId !== undefined && !open.ownCredentials;
    return open(bucket, asked ? await this.#connection(connectionId) : undefined, this.#shared);
  }

  async #connection(id: string): Promise<Connection> {
    const { name } = this.#connections;
    const found = await this.#connections.get(id);
    if (!found) throw invalid(`no connection of this id in: ${name}`);
    return found;
  }
}

/** The settings of a Storage besides its drivers and connections. */
export interface StorageContext {
  readonly codecs: Codecs;
  /** Returns the content type of a name's suffix. */
  readonly contentTypeOf: (name: string) => string | undefined;
  /** Generators that were written: each can be read once. */
  readonly written: WeakSet<object>;
}
