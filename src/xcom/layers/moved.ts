/** Reads XComs at two base paths, while `migrate` takes them from one to the other. */
import { invalid, isStorageError } from "../../errors.js";
import type { Abortable } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { pathBelow, restBelow } from "../keys/base.js";
import type { Owner } from "../keys/layout.js";
import type { LoadOptions } from "../options.js";
import type { LocatableBackend } from "./located.js";
import type { RoutedBackend } from "./route.js";

export interface MovedOptions {
  /** The backend of the new base path, which also stores every new value. */
  backend: LocatableBackend;
  /** The backend of the base path that XComs move away from. */
  from: LocatableBackend;
}

/**
 * Returns a backend that reads the rows of two base paths: while `migrate` runs, and afterwards for as long as a
 * reference to the old path may turn up, in a restored backup for example.
 *
 * A reference below the old path is read there first, and at the new path if the object is gone: the copy may be older
 * than an object that was written again. `purge` deletes what the row refers to; copies that stay are for `sweep`.
 *
 * @example
 * const at = (path: string) => new XComObjectStorageBackend({ storage, path });
 * const backend = withMoved({ backend: at("gs://lake@new/xcom"), from: at("s3://lake@old/xcom") });
 */
export function withMoved(options: MovedOptions): RoutedBackend {
  return new Moved(options);
}

class Moved implements RoutedBackend {
  readonly #backend: LocatableBackend;
  readonly #from: LocatableBackend;

  constructor({ backend, from }: MovedOptions) {
    for (const [name, one] of Object.entries({ backend, from }))
      if (typeof one?.refersTo !== "function" || !("path" in one))
        throw invalid(`withMoved: ${name} must be a backend with one base path, or a layer around one`);
    if (from.path.isRelativeTo(backend.path) || backend.path.isRelativeTo(from.path))
      throw invalid(`withMoved: ${from.path} and ${backend.path} are not apart`);
    this.#backend = backend;
    this.#from = from;
  }

  storeValue(owner: Owner, key: string, value: unknown, options: Abortable = {}): Promise<unknown> {
    return this.#backend.storeValue(owner, key, value, options);
  }

  async loadValue(stored: unknown, options: LoadOptions = {}): Promise<unknown> {
    if (!this.#isOld(stored, options)) return this.#backend.loadValue(stored, options);
    try {
      const value = await this.#from.loadValue(stored, options);
      // `onMissing: "reference"` returns the reference of an object that is gone.
      if (value !== stored) return value;
    } catch (error) {
      if (!isStorageError(error, "NotFound")) throw error;
    }
    return this.#backend.loadValue(movedText(stored, this.#from.path, this.#backend.path), options);
  }

  purge(stored: unknown, options: LoadOptions = {}): Promise<boolean> {
    return this.#of(stored, options).purge(stored, options);
  }

  pathsOf(stored: unknown, options: LoadOptions = {}): StoragePath[] {
    return this.#of(stored, options).pathsOf(stored, options);
  }

  refersTo(stored: unknown, options: LoadOptions = {}): boolean {
    return this.#of(stored, options).refersTo(stored, options);
  }

  #of(stored: unknown, options: LoadOptions): LocatableBackend {
    return this.#isOld(stored, options) ? this.#from : this.#backend;
  }

  #isOld(stored: unknown, options: LoadOptions): stored is string {
    return (
      typeof stored === "string" &&
      restBelow(this.#from.path, stored) !== undefined &&
      this.#from.refersTo(stored, options)
    );
  }
}

function movedText(stored: string, from: StoragePath, to: StoragePath): string {
  return String(pathBelow(to, restBelow(from, stored)!));
}
