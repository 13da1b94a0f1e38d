/** Compares the objects of a report with all references. */
import { isStorageError } from "../../errors.js";
import type { Abortable, Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { pathBelow, prefixOf } from "../keys/base.js";
import { parseObjectKey } from "../keys/layout.js";
import { withoutClass } from "../stored.js";
import { isSweptXCom, keyBelow } from "./airflow-layout.js";
import { tellSome, type Watched } from "./progress.js";
import { flat, type ReferenceCounts } from "./reference-keys.js";
import { addTo, emptySum, type ReportObject, type ReportReferences } from "./report-data.js";
import type { Expiries } from "./report-expiry.js";
import type { CountedObject } from "./report-numbers.js";
import { Largest, TOP } from "./report-totals.js";
import type { Batches } from "./sorted-lines.js";

/** Objects that are looked up at once, because a reference names them and the listing did not have them. */
const LOOKUPS = 16;

export interface Comparison extends Abortable, Watched {
  storage: Storage;
  path: StoragePath;
  base: StoragePath;
  graceMs: number;
  now: number;
  expiries: Expiries;
}

// Lines begin with the key and NUL, so that their order is that of the keys.

export function lineOfObject({ below, size, modified }: CountedObject): string {
  return `${below}\0${size}\0${modified ?? ""}`;
}

function objectIn(line: string): CountedObject {
  const [below = "", size, time = ""] = line.split("\0");
  return { below, size: Number(size), modified: time === "" ? undefined : Number(time) };
}

/** Goes through objects and keys of references, both sorted. */
export async function compareReferences(
  objects: Batches,
  keys: Batches,
  counts: ReferenceCounts,
  comparison: Comparison,
): Promise<ReportReferences> {
  const found = new Findings(counts, comparison);
  const lines = flat(objects);
  const names = flat(keys);
  let line = await lines.next();
  let key = await names.next();
  while (line !== undefined || key !== undefined) {
    comparison.signal?.throwIfAborted();
    const object = line === undefined ? undefined : objectIn(line);
    const isObject = object !== undefined && (key === undefined || object.below <= key);
    const isKey = key !== undefined && (object === undefined || key <= object.below);
    if (isObject) found.object(object, isKey);
    else await found.unlisted(key!);
    if (isObject) line = lines.at() ?? (await lines.next());
    if (isKey) key = names.at() ?? (await names.next());
  }
  return found.result();
}

class Findings {
  readonly #comparison: Comparison;
  readonly #counts: ReferenceCounts;
  readonly #compared = { count: 0, bytes: 0 };
  readonly #referenced = emptySum();
  readonly #orphaned = emptySum();
  readonly #young = emptySum();
  readonly #orphans = new Largest<ReportObject>(({ size }) => size);
  #missing = 0;
  #unchecked = 0;
  readonly #missingPaths: string[] = [];
  #unlisted: StoragePath[] = [];

  constructor(counts: ReferenceCounts, comparison: Comparison) {
    this.#counts = counts;
    this.#comparison = comparison;
  }

  object({ below, size, modified }: CountedObject, isReferenced: boolean): void {
    const { path, base, graceMs, now, expiries, onProgress } = this.#comparison;
    this.#compared.count += 1;
    this.#compared.bytes += size;
    tellSome({ onProgress }, { ...this.#compared, phase: "compare" });
    if (isReferenced) {
      addTo(this.#referenced, size);
      if (modified !== undefined) expiries.addReferenced(prefixOf(path) + below, size, modified);
    } else if (!isSweptXCom(keyBelow(base, prefixOf(path) + below))) return;
    else if (modified === undefined || now - modified < graceMs) addTo(this.#young, size);
    else {
      addTo(this.#orphaned, size);
      this.#orphans.add({
        path: String(pathBelow(path, below)),
        size,
        modified: new Date(modified).toISOString(),
      });
    }
  }

  /** A key without a listed object: it may have been written since, or be no key of an object. */
  async unlisted(below: string): Promise<void> {
    const { path, base } = this.#comparison;
    const whole = prefixOf(path) + below;
    if (!parseObjectKey(withoutClass(whole.slice(prefixOf(base).length)))) return;
    this.#unlisted.push(pathBelow(path, below));
    if (this.#unlisted.length >= LOOKUPS) await this.#lookUp();
  }

  async result(): Promise<ReportReferences> {
    await this.#lookUp();
    return {
      ...this.#counts,
      referenced: this.#referenced,
      orphaned: this.#orphaned,
      young: this.#young,
      largestOrphans: this.#orphans.list(),
      missing: this.#missing,
      unchecked: this.#unchecked,
      missingPaths: this.#missingPaths,
    };
  }

  async #lookUp(): Promise<void> {
    const { storage, signal } = this.#comparison;
    const paths = this.#unlisted.splice(0);
    const sizes = await Promise.all(paths.map((path) => sizeOf(storage, path, signal)));
    sizes.forEach((size, i) => {
      if (size === "unchecked") this.#unchecked += 1;
      else if (size !== undefined) addTo(this.#referenced, size);
      else {
        this.#missing += 1;
        if (this.#missingPaths.length < TOP) this.#missingPaths.push(String(paths[i]));
      }
    });
  }
}

/** Undefined for an object that is not there; `unchecked` if the store refused to answer. */
async function sizeOf(storage: Storage, path: StoragePath, signal: AbortSignal | undefined) {
  try {
    return (await storage.stat(path, { signal })).size;
  } catch (error) {
    if (isStorageError(error, "NotFound")) return undefined;
    signal?.throwIfAborted();
    if (!isStorageError(error)) throw error;
    return "unchecked";
  }
}
