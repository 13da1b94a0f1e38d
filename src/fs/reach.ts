/** From a path to the driver of its bucket. One driver per scheme family, connection and bucket, opened when first needed. */
import type { ConnectionSource } from "../connections/index.js";
import { failure } from "../errors.js";
import type { StoragePath } from "../path.js";
import type { Driver, OpenDriver, Shared } from "./driver.js";

/** Finds, often by a lazy import, what opens the buckets of a scheme. Aliases of one provider share one function. */
export type FindDriver = () => Promise<OpenDriver>;

export class Reach {
  readonly #schemes: ReadonlyMap<string, FindDriver>;
  readonly #connections: ConnectionSource;
  readonly #shared: Shared;
  readonly #open = new Map<FindDriver, Map<string, Promise<Driver>>>();
  #closed = false;

  constructor(schemes: ReadonlyMap<string, FindDriver>, connections: ConnectionSource, shared: Shared) {
    this.#schemes = schemes;
    this.#connections = connections;
    this.#shared = shared;
  }

  /** The driver of the bucket of `path`. A failed opening is not remembered. */
  driver(path: StoragePath): Promise<Driver> {
    if (this.#closed) throw failure("InvalidArgument", "the storage is closed");
    const find = this.#find(path.scheme);
    const buckets = this.#buckets(find);
    const name = `${path.connectionId ?? ""}@${path.bucket}`;
    const known = buckets.get(name);
    if (known) return known;
    const opened = this.#connect(find, path);
    buckets.set(name, opened);
    opened.catch(() => buckets.delete(name));
    return opened;
  }

  /** Whether one driver can copy between the two: same provider, same connection. */
  together(a: StoragePath, b: StoragePath): boolean {
    return a.connectionId === b.connectionId && this.#find(a.scheme) === this.#find(b.scheme);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const drivers = [...this.#open.values()].flatMap((buckets) => [...buckets.values()]);
    this.#open.clear();
    await Promise.all(drivers.map(async (opened) => (await opened.catch(() => undefined))?.close()));
  }

  #find(scheme: string): FindDriver {
    const find = this.#schemes.get(scheme);
    if (find) return find;
    throw failure("InvalidArgument", `no driver for ${scheme}://, there are ${[...this.#schemes.keys()].join(", ")}`);
  }

  #buckets(find: FindDriver): Map<string, Promise<Driver>> {
    const buckets = this.#open.get(find) ?? new Map<string, Promise<Driver>>();
    this.#open.set(find, buckets);
    return buckets;
  }

  async #connect(find: FindDriver, { bucket, connectionId }: StoragePath): Promise<Driver> {
    const connection = connectionId === undefined ? undefined : await this.#connections.get(connectionId);
    const open = await find();
    return open(bucket, connection, this.#shared);
  }
}
