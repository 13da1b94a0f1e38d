/** Where a listing of XComs comes from. */
import { failure } from "../../errors.js";
import type { Storage } from "../../fs/storage.js";
import type { StoragePath } from "../../path.js";
import { type StoredFilter, storedXComs as stored } from "../../xcom/stored.js";

export type XComFilter = StoredFilter;

/** One XCom, as far as its source tells: storage knows no map index, a metadata database no size. */
export interface FoundXCom {
  dagId: string;
  runId: string;
  taskId: string;
  key: string | undefined;
  mapIndex?: number;
  /** Where the object is; undefined when the value is in the row. */
  path?: StoragePath;
  /** What the row holds. */
  stored?: unknown;
  size?: number | undefined;
  modified?: Date | undefined;
  codec?: string | undefined;
}

/** Anything that can list XComs: the layout of a storage here, the rows of a metadata database elsewhere. */
export interface XComSource {
  list(filter: XComFilter, signal: AbortSignal): AsyncIterable<FoundXCom>;
}

/** The XComs whose objects are below `at`, told by their paths alone. `base` is where the ids begin, where it is known. */
export function storedXComs(storage: Storage, at: StoragePath, base: StoragePath | undefined): XComSource {
  return {
    async *list(filter, signal) {
      for await (const found of stored({ storage, path: at, base }, filter, { signal })) {
        const { dagId, runId, taskId, key, codec, path, size, modified } = found;
        yield { dagId, runId, taskId, key, path, size, modified, codec };
      }
    },
  };
}

/** NotFound, saying where nothing was found, after a listing that brought nothing. */
export function nothingFound(at: StoragePath): never {
  throw failure("NotFound", "there are no XComs below it that match").at("xcom ls", String(at));
}

/** NotFound after a listing of a database that brought nothing. */
export function noRows(): never {
  throw failure("NotFound", "the database has no XComs that match").at("xcom", "");
}

/** A value for a listing: integers beyond 2^53 - 1, which `JSON.stringify` refuses, are rounded. */
export function roundedIntegers(value: unknown): unknown {
  if (value === undefined) return undefined;
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner)));
}
