/** What layers require of the backend they wrap. */
import { CLASS } from "../../brand.js";
import type { Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { pathBelow } from "../keys/base.js";
import type { LoadOptions, XComBackend } from "../options.js";
import { keyInside } from "../reference.js";

/** A backend with all its objects below one base path. */
export interface LocatableBackend extends XComBackend {
  readonly storage: Storage;
  /** The base path, as references print it. */
  readonly path: StoragePath;
  /** Returns every object that `purge` of this row deletes; none if the row holds a value. Makes no request. */
  pathsOf(stored: unknown, options?: LoadOptions): StoragePath[];
  /** Returns whether `loadValue` of this row reads an object, including an alias's. Makes no request. */
  refersTo(stored: unknown, options?: LoadOptions): boolean;
  /** Returns the object that `loadValue` of this row reads, also one of an alias; undefined for a value. */
  objectOf(stored: unknown, options?: LoadOptions): StoragePath | undefined;
  /**
   * Returns the texts by which rows of this backend may refer to an object, if it has several bases. Some may be
   * references to nothing.
   */
  referencesTo?(path: StoragePath): string[];
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

/** What is asked of a backend that may be the caller's own. */
export type Asked = XComBackend & Partial<LocatableBackend>;

/**
 * Returns the target of a row that is an alias: a text other than its object's path. Undefined for any other row. The
 * owner is not compared: who knows the layout at the target does that.
 */
export function aliasTarget(backend: Asked, stored: unknown): StoragePath | undefined {
  const path = typeof stored === "string" ? backend.objectOf?.(stored) : undefined;
  return path && String(path) !== stored ? path : undefined;
}

/** Returns the texts by which rows of a backend may refer to an object; some may be references to nothing. */
export function referencesTo(backend: Asked, path: StoragePath): string[] {
  if (backend.referencesTo) return backend.referencesTo(path);
  return backend.path ? referencesBelow(backend.path, [backend.path], path) : [];
}

/** Returns the reference, below `to`, of an object that lies at the same place below one of the bases; else none. */
export function referencesBelow(to: StoragePath, bases: readonly StoragePath[], path: StoragePath): string[] {
  return bases.flatMap((base) => {
    const below = keyInside(path, base);
    return below ? [String(pathBelow(to, below))] : [];
  });
}

/**
 * Returns the text by which a layer itself refers to a row's object, if the row is an alias that `inner` knows: the
 * copies and the owner of the object are then those of the layer. Returns any other row as it is.
 */
export function unaliased(
  layer: Asked & Pick<LocatableBackend, "refersTo">,
  inner: LocatableBackend,
  stored: unknown,
): unknown {
  const target = aliasTarget(inner, stored);
  return (target && referencesTo(layer, target).find((text) => layer.refersTo(text))) ?? stored;
}
