/** What layers require of the backend they wrap. */
import { CLASS } from "../../brand.js";
import type { Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { LoadOptions, XComBackend } from "../options.js";

/** A backend with all its objects below one base path. */
export interface LocatableBackend extends XComBackend {
  readonly storage: Storage;
  /** The base path, as references print it. */
  readonly path: StoragePath;
  /** Returns every object that `purge` of this row deletes; none if the row holds a value. Makes no request. */
  pathsOf(stored: unknown, options?: LoadOptions): StoragePath[];
  /** Returns whether `loadValue` of this row reads an object, including an alias's. Makes no request. */
  refersTo(stored: unknown, options?: LoadOptions): boolean;
}

/** `XComObjectStorageBackend`, the base of all layers, without a wrapper. */
export interface ObjectStorageBackend extends LocatableBackend {
  readonly [CLASS]: "XComObjectStorageBackend";
  /** Whether values can share a name, so that a later one overwrites an earlier one. */
  readonly overwrites: boolean;
}

/** Returns the objects of a row; undefined if the backend cannot list them. */
export function pathsOf(
  backend: XComBackend,
  stored: unknown,
  options: LoadOptions,
): readonly StoragePath[] | undefined {
  const { pathsOf: tell } = backend as Partial<LocatableBackend>;
  return typeof tell === "function" ? tell.call(backend, stored, options) : undefined;
}
