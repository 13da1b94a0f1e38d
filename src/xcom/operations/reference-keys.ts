/** The keys below a path that sources of references name, sorted. */
import { failure } from "../../errors.js";
import type { StoragePath } from "../../path.js";
import type { ObjectLayout, ReferenceSource } from "../../references.js";
import type { ReadAliases } from "../features.js";
import { airflowLayout } from "./airflow-layout.js";
import { isInShard, type SweepShard } from "./candidates.js";
import { PathNames } from "./path-names.js";
import { tellSome, type Watched } from "./progress.js";
import { layoutPath } from "./references.js";
import type { Batches, LineSorter } from "./sorted-lines.js";

/** What references are collected for. */
export interface ReferenceScope extends Watched {
  /** For the error of a source without any reference. */
  op: string;
  path: StoragePath;
  layout?: ObjectLayout | undefined;
  shard: SweepShard;
  /** Whether a source may have no reference: nothing was listed that could be taken for an orphan. @default false */
  mayBeEmpty?: boolean | undefined;
  as?: readonly (StoragePath | string)[] | undefined;
  aliases?: ReadAliases | undefined;
  /** Called with the path of each reference that leads elsewhere. */
  onElsewhere?: ((path: StoragePath) => Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
}

export interface ReferenceCounts {
  references: number;
  elsewhere: number;
  values: number;
}

/** Adds the keys that a source names to the sorter. Throws if it names no object at all, here or elsewhere, and may not. */
export async function collectReferences(
  source: ReferenceSource,
  scope: ReferenceScope,
  sorter: LineSorter,
  counts: ReferenceCounts,
): Promise<void> {
  const { op, path, layout = airflowLayout, shard, mayBeEmpty, as = [], aliases = {}, onProgress, signal } = scope;
  const names = new PathNames(path, as, aliases);
  const before = counts.references + counts.elsewhere;
  const progress = () => {
    const count = counts.references + counts.elsewhere + counts.values;
    return { phase: "references", count, bytes: 0 } as const;
  };
  for await (const { text, isInside } of source.references({ signal })) {
    signal?.throwIfAborted();
    const keys = names.below(text);
    if (keys.length > 0) counts.references += 1;
    else {
      const other = isInside ? undefined : layoutPath(text, layout);
      counts[other ? "elsewhere" : "values"] += 1;
      if (other) await scope.onElsewhere?.(other);
    }
    tellSome({ onProgress }, progress());
    await addKeys(keys, shard, sorter);
  }
  onProgress?.(progress());
  if (counts.references + counts.elsewhere > before || mayBeEmpty) return;
  throw failure("NotFound", `${source.name} has no reference at all; nothing was done`).at(op, String(path));
}

/** Adds the keys that a text names, those of the shard. */
export async function addKeys(keys: readonly string[], shard: SweepShard, sorter: LineSorter): Promise<void> {
  for (const key of keys) {
    // Keys of the layouts have no line feed, and a key of any other form can be left out.
    if (!isInShard(key, shard) || /[\0\n]/.test(key) || !key.isWellFormed()) continue;
    const full = sorter.add(key);
    if (full) await full;
  }
}

/** The lines of batches one by one: `at` of the batch at hand, `next` also of another. Undefined after the last. */
export function flat(batches: Batches) {
  const iterator = batches[Symbol.asyncIterator]();
  let lines: readonly string[] = [];
  let index = 0;
  const at = () => lines[index++];
  return {
    at,
    async next(): Promise<string | undefined> {
      const { value, done } = await iterator.next();
      lines = done ? [] : value;
      index = 0;
      return at();
    },
  };
}
