/** Reads XComs at two base paths, while `migrate` takes them from one to the other. */
import { checkOptions, invalid, isStorageError } from "../../errors.js";
import type { Abortable } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { pathBelow, restBelow } from "../keys/base.js";
import type { Owner } from "../keys/layout.js";
import type { LoadOptions } from "../options.js";
import { type LocatableBackend, referencesTo, unaliased } from "./located.js";
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
  checkOptions("withMoved", options, { backend: true, from: true });
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
    for (const [one, other] of [
      [backend, from],
      [from, backend],
    ] as const)
      if (referencesTo(one, other.path.join("object")).length > 0)
        throw invalid(
          `withMoved: ${other.path} is also a base of the side at ${one.path}; leave it out there, or read the old rows by readAliases instead`,
        );
    this.#backend = backend;
    this.#from = from;
  }

  async storeValue(owner: Owner, key: string, value: unknown, options: Abortable = {}): Promise<unknown> {
    const stored = await this.#backend.storeValue(owner, key, value, options);
    if (stored === value && this.#isOld(stored, {}))
      throw invalid(
        `withMoved: the text looks like a reference below ${this.#from.path} and would be read as one; send it in an array or an object, or give the new backend threshold 0`,
      );
    return stored;
  }

  async loadValue(stored: unknown, options: LoadOptions = {}): Promise<unknown> {
    const { backend, text } = this.#find(stored, options);
    if (backend !== this.#from || !this.#isOld(text, options)) return backend.loadValue(text, options);
    const moved = movedText(text, this.#from.path, this.#backend.path);
    try {
      const value = await backend.loadValue(text, options);
      // `onMissing: "reference"` returns the reference of an object that is gone.
      if (value !== text || !this.#reads(moved, options)) return value;
    } catch (error) {
      if (!isStorageError(error, "NotFound") || !this.#reads(moved, options)) throw error;
    }
    return this.#backend.loadValue(moved, options);
  }

  async purge(stored: unknown, options: LoadOptions = {}): Promise<boolean> {
    const { backend, text } = this.#findPurged(stored, options);
    return backend.purge(text, options);
  }

  pathsOf(stored: unknown, options: LoadOptions = {}): StoragePath[] {
    const { backend, text } = this.#findPurged(stored, options);
    return backend.pathsOf(text, options);
  }

  refersTo(stored: unknown, options: LoadOptions = {}): boolean {
    return this.objectOf(stored, options) !== undefined;
  }

  objectOf(stored: unknown, options: LoadOptions = {}): StoragePath | undefined {
    const { backend, text } = this.#find(stored, options);
    return backend.objectOf(text, options);
  }

  referencesTo(path: StoragePath): string[] {
    return [this.#from, this.#backend].flatMap((backend) => referencesTo(backend, path));
  }

  /** Finds the backend that reads a row; an alias that leads below either base is the reference there. */
  #find(stored: unknown, options: LoadOptions): LocatedRow {
    if (this.#isOld(stored, options)) return { backend: this.#from, text: stored };
    if (typeof stored !== "string" || restBelow(this.#backend.path, stored) !== undefined)
      return { backend: this.#backend, text: stored };
    const reader = [this.#backend, this.#from].find((one) => one.refersTo(stored));
    const text = reader && unaliased(this, reader, stored);
    if (text !== stored && reader) return { ...this.#find(text, options), reader };
    return { backend: reader ?? this.#backend, text: stored };
  }

  /** Returns whether the new side has the layout of a reference; a move from retention classes may leave them. */
  #reads(moved: string, options: LoadOptions): boolean {
    try {
      return this.#backend.refersTo(moved, options);
    } catch {
      return false;
    }
  }

  #findPurged(stored: unknown, options: LoadOptions): LocatedRow {
    const found = this.#find(stored, options);
    const { reader } = found;
    return reader && reader.pathsOf(stored).length === 0 ? { backend: reader, text: stored } : found;
  }

  #isOld(stored: unknown, options: LoadOptions): stored is string {
    return (
      typeof stored === "string" &&
      restBelow(this.#from.path, stored) !== undefined &&
      this.#from.refersTo(stored, options)
    );
  }
}

interface LocatedRow {
  backend: LocatableBackend;
  text: unknown;
  /** The backend whose alias the row is. */
  reader?: LocatableBackend | undefined;
}

function movedText(stored: string, from: StoragePath, to: StoragePath): string {
  return String(pathBelow(to, restBelow(from, stored)!));
}
