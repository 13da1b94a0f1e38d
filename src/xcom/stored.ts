/** XComs found by storage alone: the paths of their objects contain ids, key and codec. */
import { codecs } from "../codecs/index.js";
import type { Abortable, Storage } from "../fs/index.js";
import { StoragePath } from "../path.js";
import { printedBase } from "./keys/base.js";
import { type LayoutName, parseObjectKey, parseObjectName } from "./keys/layout.js";
import { classIn, MARK } from "./layers/retention-rules.js";

/** The information in an object's path, in one of Airflow's layouts. */
export interface StoredLocation {
  /** The reference, as a row holds it. */
  path: StoragePath;
  /** The part of the path before the ids; includes the folder of a retention class. */
  base: StoragePath;
  dagId: string;
  runId: string;
  taskId: string;
  /** Undefined in the `uuid` layout, which does not contain it. Overlong keys appear as their SHA-256. */
  key: string | undefined;
  layout: LayoutName;
  /** `ti-<uuid>` of a task instance, `write-<uuid>` of a writer without one, or the `<uuid>` of the object. */
  instance: string;
  /** Undefined for uncompressed objects. */
  codec: string | undefined;
}

/** An XCom found in storage. */
export interface StoredXCom extends StoredLocation {
  /** Size in bytes, as stored. */
  size: number | undefined;
  modified: Date | undefined;
}

/** Matches XComs by every given field. */
export interface StoredFilter {
  dagId?: string | undefined;
  runId?: string | undefined;
  taskId?: string | undefined;
  key?: string | undefined;
}

/**
 * Yields the XComs whose objects are below `path`, in path order, without a database: `path` is the base path, or the
 * path of a Dag, a run or a task below it. With `base`, ids that contain a slash are recognised.
 */
export async function* listStoredXComs(
  { storage, path, base }: { storage: Storage; path: StoragePath | string; base?: StoragePath | string | undefined },
  filter: StoredFilter = {},
  { signal }: Abortable = {},
): AsyncGenerator<StoredXCom, void, undefined> {
  const at = printedBase(path);
  const known = base === undefined ? undefined : printedBase(base);
  const whole = known !== undefined && at.equals(known) && filter.dagId !== undefined;
  for await (const root of whole ? narrowed(storage, at, filter, signal) : [at]) {
    for await (const entry of storage.list(root, { recursive: true, signal })) {
      const place = entry.type === "file" ? placeOf(entry.path, known) : undefined;
      if (place && agrees(place, filter)) yield { ...place, size: entry.size, modified: entry.modified };
    }
  }
}

/** The leading ids of the filter are part of every path, which narrows the listing: in the base and in each class. */
async function* narrowed(storage: Storage, base: StoragePath, filter: StoredFilter, signal: AbortSignal | undefined) {
  const ids = [filter.dagId, filter.runId, filter.taskId];
  const missing = ids.indexOf(undefined);
  const below = ids.slice(0, missing < 0 ? ids.length : missing).filter((id) => id !== undefined);
  yield base.join(...below);
  for await (const { path, type } of storage.list(base, { startAfter: base.join(MARK).key, signal })) {
    if (!path.name.startsWith(MARK)) return;
    if (type === "directory" && classIn(path.name) !== undefined) yield path.join(...below);
  }
}

/**
 * Returns the location of an XCom below `base`, or, if it is not below it, below whatever precedes the last ids: one
 * segment each for Dag, run and task. Returns undefined if the path has none of the layouts.
 */
export function placeOf(path: StoragePath, base: StoragePath | undefined): StoredLocation | undefined {
  const known = base && path.isRelativeTo(base) ? withoutClass(path.relativeTo(base)) : undefined;
  const place = parseObjectKey(known ?? path.key);
  if (!place) return undefined;
  const owner = place.owner.split("/");
  const taskId = owner.at(-1)!;
  const runId = owner.at(-2)!;
  const dagId = known === undefined ? owner.at(-3)! : owner.slice(0, -2).join("/");
  const below = [dagId, runId, taskId, place.tail].join("/");
  const { scheme, connectionId, bucket, key } = path;
  const own = StoragePath.of({ scheme, connectionId, bucket, key: key.slice(0, -below.length).replace(/\/$/, "") });
  return { path, base: own, dagId, runId, taskId, layout: place.layout, ...leafOf(place.layout, place.tail) };
}

/** Returns a path below the base without the folder of its retention class. */
export function withoutClass(below: string): string {
  return classIn(below) === undefined ? below : below.slice(below.indexOf("/") + 1);
}

function leafOf(layout: LayoutName, tail: string): Pick<StoredLocation, "key" | "instance" | "codec"> {
  const [first = "", name = first] = tail.split("/");
  const { stem } = parseObjectName(name);
  const codec = codecs.forSuffix(name)?.name;
  return layout === "uuid"
    ? { key: undefined, instance: stem, codec }
    : { key: unquoted(stem), instance: first, codec };
}

/** A name with an invalid percent escape stays unchanged. */
function unquoted(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function agrees(found: StoredLocation, filter: StoredFilter): boolean {
  const fields = ["dagId", "runId", "taskId", "key"] as const;
  return fields.every((field) => filter[field] === undefined || filter[field] === found[field]);
}
