/** Where a listing of XComs comes from. */
import { failure } from "../../errors.js";
import type { Storage } from "../../fs/storage.js";
import type { StoragePath } from "../../path.js";
import { placeOf } from "./place.js";

/** XComs that agree in all that is given. */
export interface XComFilter {
  dagId?: string | undefined;
  runId?: string | undefined;
  taskId?: string | undefined;
  key?: string | undefined;
}

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
      const below = base && at.equals(base) ? narrowed(base, filter) : at;
      for await (const { path, size, modified } of storage.list(below, { recursive: true, signal })) {
        const place = placeOf(path, base);
        if (!place || !agrees(place, filter)) continue;
        const { dagId, runId, taskId, key, codec } = place;
        yield { dagId, runId, taskId, key, path, size, modified, codec };
      }
    },
  };
}

/** The ids that are given from the first on are part of every path, so that less is listed. */
function narrowed(base: StoragePath, { dagId, runId, taskId }: XComFilter): StoragePath {
  const ids = [dagId, runId, taskId];
  const missing = ids.indexOf(undefined);
  return base.join(...ids.slice(0, missing < 0 ? ids.length : missing).filter((id) => id !== undefined));
}

function agrees(found: FoundXCom, filter: XComFilter): boolean {
  const fields = ["dagId", "runId", "taskId", "key"] as const;
  return fields.every((field) => filter[field] === undefined || filter[field] === found[field]);
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
