/** Listings: of entries one by one, and of pages. */
import { checkOptions, invalid } from "../errors.js";
import { pathWithKey, type StoragePath } from "../path.js";
import { Batch } from "./batch.js";
import type { DriverListEntry } from "./driver/driver.js";
import { Operation } from "./operation.js";
import { checkCount, LIST, type ListEntry, type ListOptions, type PathLike } from "./options.js";
import { listParallel } from "./parallel-list.js";
import type { DriverRegistry } from "./registry.js";

/** Entries of a page, unless the caller sets another number; those of a provider's own page. */
const PAGE = 1000;

/** A part of a listing. */
export interface ListPage {
  entries: readonly ListEntry[];
  /** What `startAfter` takes to go on after this page, also in another process; undefined if nothing follows. */
  next: string | undefined;
}

export interface PageOptions {
  /** Entries of a page. @default 1000 */
  size?: number | undefined;
}

/** The entries of a listing, each as soon as it is known; or its pages. Can be iterated once. */
export interface ListResult extends AsyncGenerator<ListEntry, void, undefined> {
  /**
   * Yields the entries in pages of one size, but the last. `next` of a page goes on after it, also after one that
   * `limit` ends.
   *
   * @example
   * const listing = storage.list("s3://bucket/logs", { limit: 50 });
   * for await (const { entries, next } of listing.byPage()) console.log(entries.length, next);
   */
  byPage(options?: PageOptions): AsyncGenerator<ListPage, void, undefined>;
}

/** Lists one directory, or everything below it. Sends no request before the first entry or page is asked for. */
export function list(registry: DriverRegistry, path: PathLike, options: ListOptions): ListResult {
  return Object.assign(entriesOf(registry, path, options), {
    byPage: (paging: PageOptions = {}) => pagesOf(registry, path, options, paging),
  });
}

async function* entriesOf(
  registry: DriverRegistry,
  path: PathLike,
  options: ListOptions,
): AsyncGenerator<ListEntry, void, undefined> {
  for await (const { base, items } of found(registry, path, options)) for (const one of items) yield entry(base, one);
}

async function* pagesOf(
  registry: DriverRegistry,
  path: PathLike,
  options: ListOptions,
  paging: PageOptions,
): AsyncGenerator<ListPage, void, undefined> {
  const { size = PAGE } = paging ?? {};
  let entries: ListEntry[] = [];
  for await (const page of found(registry, path, options, paging)) {
    for (const one of page.items) {
      if (entries.length === size) {
        yield pageBefore(entries);
        entries = [];
      }
      entries.push(entry(page.base, one));
    }
    if (page.more) return yield pageBefore(entries);
  }
  if (entries.length > 0) yield { entries, next: undefined };
}

/** Returns a page that others follow. */
function pageBefore(entries: ListEntry[]): ListPage {
  return { entries, next: keyOf(entries.at(-1)!) };
}

/**
 * Yields the entries up to the limit, as pages of the driver below the path `base`, and whether others follow them if
 * pages are asked for. A page is to be used before the next one is asked for.
 */
async function* found(
  registry: DriverRegistry,
  path: PathLike,
  options: ListOptions,
  paging?: PageOptions,
): AsyncGenerator<{ base: StoragePath; items: DriverListEntry[]; more: boolean }, void, undefined> {
  const call = new Operation("list", "list", options);
  try {
    checkOptions("list", options, LIST);
    if (paging !== undefined) checkOptions("byPage", paging, { size: true });
    checkCount("size", paging?.size, 1);
    const { recursive = false, startAfter, versions = false, ordered = true, followLinks, limit, signal } = options;
    checkCount("limit", limit, 1);
    if (versions && paging !== undefined)
      throw invalid("byPage goes on after a key, and would pass over other versions of it; list versions in one go");
    if (!ordered && paging !== undefined) throw invalid("byPage goes on after a key, which needs the order of keys");
    const { path: base, key, driver } = await call.bucket(registry, path);
    const prefix = key === "" ? "" : `${key}/`;
    const batch = new Batch();
    const listing = {
      delimiter: recursive ? undefined : "/",
      startAfter: startKey(startAfter),
      versions,
      followLinks,
      others: true,
      // One is the marker of the directory itself, and one shows whether others follow.
      atMost: limit === undefined ? undefined : limit + 2,
      unlisted: (key: string, error: unknown) => batch.fail(call.failure(key, error)),
      signal,
    } as const;
    const listed = listParallel(driver, prefix, listing, { ordered });
    let left = limit ?? Number.POSITIVE_INFINITY;
    for await (const page of listed) {
      batch.done(page.length);
      // The marker object that some tools create for a directory is not its own child.
      const items = page.filter((item) => item.key !== prefix);
      const more = items.length > left;
      if (more) items.length = left;
      left -= items.length;
      yield { base, items, more };
      items.length = 0;
      if (more || (left === 0 && paging === undefined)) break;
    }
    batch.check("list", call.at, "not listed");
  } catch (error) {
    throw call.toStorageError(error);
  }
}

type ObjectItem = DriverListEntry & { detail?: undefined };

/** Returns a driver's entry with its path in the bucket of `base`. */
export function entry(base: StoragePath, item: DriverListEntry): ListEntry {
  const { key, type, detail = "no regular file" } = item;
  if (type === "directory" && key.endsWith("/")) return { path: pathWithKey(base, key.slice(0, -1)), key, type };
  const path = pathWithKey(base, key);
  // Only other kinds have a detail; to copy the fields without it takes twice as long.
  if (type === "file") return { path, ...(item as ObjectItem), type };
  return type === "other" ? { path, key, type, detail } : { path, key: `${key}/`, type };
}

/** Returns the key after which a listing starts. */
function startKey(startAfter: ListOptions["startAfter"]): string | undefined {
  if (startAfter === undefined || typeof startAfter === "string") return startAfter;
  if (typeof startAfter?.path?.key !== "string")
    throw invalid("startAfter of list must be a key or an entry of a listing");
  return keyOf(startAfter);
}

/** Returns an entry's key, also of one that a caller has put together; a directory's ends with a slash. */
function keyOf({ path, type }: Pick<ListEntry, "path" | "type">): string {
  return type === "directory" ? `${path.key}/` : path.key;
}
