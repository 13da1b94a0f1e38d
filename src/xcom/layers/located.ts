/** What layers need of the backend that they are around. */
import { CLASS } from "../../brand.js";
import type { Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { LoadOptions, XComBackend } from "../options.js";

/** A backend whose objects are all below one base path. */
export interface LocatableBackend extends XComBackend {
  readonly storage: Storage;
  /** The base path, as references print it. */
  readonly path: StoragePath;
  /** Every object that `purge` of this row deletes; none when the row holds a value. No request is made. */
  pathsOf(stored: unknown, options?: LoadOptions): StoragePath[];
  /** Whether `loadValue` of this row reads an object, one of an alias included. No request is made. */
  refersTo(stored: unknown, options?: LoadOptions): boolean;
}

/** `XComObjectStorageBackend`, which the layers stand on, and nothing around it. */
export interface ObjectStorageBackend extends LocatableBackend {
  readonly [CLASS]: "XComObjectStorageBackend";
}

/** The objects of a row, undefined with a backend that cannot tell them. */
export function pathsOf(
  backend: XComBackend,
  stored: unknown,
  options: LoadOptions,
): readonly StoragePath[] | undefined {
  const { pathsOf: tell } = backend as Partial<LocatableBackend>;
  return typeof tell === "function" ? tell.call(backend, stored, options) : undefined;
}
