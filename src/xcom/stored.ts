/** XComs as storage alone tells them: the paths of their objects hold ids, key and codec. */
import { codecs } from "../codecs/index.js";
import type { Abortable, Storage } from "../fs/index.js";
import { StoragePath } from "../path.js";
import { printedBase } from "./keys/base.js";
import { type LayoutName, parseObjectKey, parseObjectName } from "./keys/layout.js";
import { classIn, MARK } from "./layers/retention-rules.js";

/** What the path of an object says, in one of Airflow's layouts. */
export interface StoredLocation {
  /** The reference, as a row holds it. */
  path: StoragePath;
  /** What is left of the path without what follows; the folder of a retention class is part of it. */
  base: StoragePath;
  dagId: string;
  runId: string;
  taskId: string;
  /** Undefined in the `uuid` layout, which does not tell it. Keys that were too long show as their SHA-256. */
  key: string | undefined;
  layout: LayoutName;
  /** `ti-<uuid>` of a task instance, `write-<uuid>` of a writer that had none, or the `<uuid>` of the object. */
  instance: string;
  /** Undefined for bytes as they are. */
  codec: string | undefined;
}

/** An XCom found in storage. */
export interface StoredXCom extends StoredLocation {
  /** Bytes, as stored. */
  size: number | undefined;
  modified: Date | undefined;
}

/** XComs that agree in all that is given. */
export interface StoredFilter {
  dagId?: string | undefined;
  runId?: string | undefined;
  taskId?: string | undefined;
  key?: string | undefined;
}

/**
 * The XComs whose objects are below `path`, in the order of their paths, with no database: `path` is the base path, or
 * below it that of a Dag, a run or a task. With `base`, ids that hold a slash are told apart.
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

/** The ids that are given from the first on are part of every path, so that less is listed: in the base and each class. */
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
 * The place of an XCom below `base`, or, where it is not below it, below whatever precedes the last ids: one segment
 * each for Dag, run and task. Undefined when the path has none of the layouts.
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

function withoutClass(below: string): string {
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

/** A name with a percent sign that nobody could have written stays as it is. */
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
