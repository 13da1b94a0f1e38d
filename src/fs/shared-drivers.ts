/** A view of the drivers of a Storage, which keeps them. */
import type { StoragePath } from "../path.js";
import type { Driver, OpenDriver } from "./driver/driver.js";
import type { PathLike } from "./options.js";
import type { BucketLocation, DriverRegistry, StorageContext } from "./registry.js";

export class SharedDrivers implements DriverRegistry {
  readonly #whole: DriverRegistry;

  constructor(whole: DriverRegistry) {
    this.#whole = whole;
  }

  get context(): StorageContext {
    return this.#whole.context;
  }

  get below(): string {
    return this.#whole.below ?? "";
  }

  path(path: PathLike): StoragePath {
    return this.#whole.path(path);
  }

  driver(path: BucketLocation): Promise<Driver> {
    return this.#whole.driver(path);
  }

  opener(scheme: string): OpenDriver {
    return this.#whole.opener(scheme);
  }

  /** Does nothing: the drivers belong to the whole Storage. */
  async close(): Promise<void> {}
}
