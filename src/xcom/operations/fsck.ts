/** Compares references with the objects that they lead to. */
import { createHash } from "node:crypto";
import { checkOptions, failure, invalid, isStorageError, type OptionNames } from "../../errors.js";
import type { Abortable, Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { airflowEncoding } from "../encoding/airflow.js";
import { readJson } from "../encoding/json-read.js";
import { asPath } from "../keys/base.js";
import { parseObjectName } from "../keys/layout.js";
import type { StoredLocation } from "../stored.js";
import type { Watched } from "./progress.js";
import { type FoundReference, type ReferenceSource, referredObject } from "./references.js";

export interface FsckOptions extends Abortable, Watched {
  storage: Storage;
  /** Where references are. A source that fails ends the check. */
  sources: readonly ReferenceSource[];
  /** Only references below this path; others count as `elsewhere`. @default all */
  path?: StoragePath | string | undefined;
  /** Also reads every object: decodes it, parses JSON, and compares a digest in its name. @default false */
  deep?: boolean | undefined;
  /** References checked in parallel. @default 16 */
  concurrency?: number | undefined;
  /** Called with each problem as it is found, in any order. */
  onProblem?: ((problem: FsckProblem) => void | Promise<void>) | undefined;
}

export interface FsckProblem {
  /** The reference. */
  reference: string;
  /** Where it was found. */
  where: string;
  /** `missing`: there is no object. `damaged`: it cannot be decoded. `unchecked`: the store refused to answer. */
  problem: "missing" | "damaged" | "unchecked";
  detail: string;
}

export interface FsckReport {
  /** References whose object was looked at. */
  checked: number;
  /** Bytes of these objects, as stored. */
  bytes: number;
  /** References that are not below `path`. */
  elsewhere: number;
  /** Texts that are no references: values in rows. */
  values: number;
  missing: number;
  damaged: number;
  unchecked: number;
}

const OPTIONS: OptionNames<FsckOptions> = {
  storage: true,
  sources: true,
  path: true,
  deep: true,
  concurrency: true,
  onProblem: true,
  onProgress: true,
  signal: true,
};

const CONCURRENCY = 16;

/**
 * Looks at the object of every reference, and reports those that are missing or damaged. Writes nothing. Memory does not
 * grow with the number of references; one that occurs several times is checked as often.
 *
 * @example
 * const sources = [airflowReferences(query)];
 * const report = await fsck({ storage, sources, deep: true, onProblem: (problem) => console.log(problem) });
 */
export async function fsck(options: FsckOptions): Promise<FsckReport> {
  checkOptions("fsck", options, OPTIONS);
  const { sources, path, concurrency = CONCURRENCY, signal } = options;
  if (sources.length === 0) throw invalid("fsck needs at least one source of references");
  if (!Number.isSafeInteger(concurrency) || concurrency < 1) throw invalid("concurrency must be an integer >= 1");
  const base = path === undefined ? undefined : asPath(path);
  const report: FsckReport = { checked: 0, bytes: 0, elsewhere: 0, values: 0, missing: 0, damaged: 0, unchecked: 0 };
  const running = new Set<Promise<void>>();
  let failed: { error: unknown } | undefined;
  for (const source of sources) {
    for await (const found of source.references({ signal })) {
      const place = referredObject(found.text, base);
      if (!place) report.values += 1;
      else if (base && !place.path.isRelativeTo(base)) report.elsewhere += 1;
      else {
        const work = look(options, found, place, report)
          .catch((error: unknown) => {
            failed ??= { error };
          })
          .finally(() => running.delete(work));
        running.add(work);
        if (running.size >= concurrency) await Promise.race(running);
      }
      if (failed) throw failed.error;
    }
  }
  await Promise.all(running);
  if (failed) throw (failed as { error: unknown }).error;
  return report;
}

async function look(
  { storage, deep = false, onProblem, onProgress, signal }: FsckOptions,
  { text, where }: FoundReference,
  { path }: StoredLocation,
  report: FsckReport,
): Promise<void> {
  try {
    const { size } = await storage.stat(path, { signal });
    report.bytes += size;
    if (deep) await readWhole(storage, path, signal);
  } catch (error) {
    signal?.throwIfAborted();
    if (!isStorageError(error)) throw error;
    const problem = PROBLEMS[error.code] ?? "unchecked";
    report[problem] += 1;
    await onProblem?.({
      reference: text,
      where,
      problem,
      detail: `${error.code}${error.detail ? `: ${error.detail}` : ""}`,
    });
  }
  report.checked += 1;
  onProgress?.({ phase: "check", count: report.checked, bytes: report.bytes });
}

const PROBLEMS: Partial<Record<string, FsckProblem["problem"]>> = { NotFound: "missing", Corrupt: "damaged" };

/** Reads an object to its end. Throws Corrupt if it cannot be decoded, is no JSON, or has another digest. */
async function readWhole(storage: Storage, path: StoragePath, signal: AbortSignal | undefined): Promise<void> {
  const { digest, suffix } = parseObjectName(path.name);
  if (digest !== undefined) {
    const hash = createHash("sha256");
    for await (const chunk of storage.read(path, { signal })) hash.update(chunk);
    if (hash.digest("hex") !== digest) throw failure("Corrupt", "the bytes do not have the digest of the name");
  }
  const decoded = storage.read(path, { compression: "infer", signal });
  if (suffix === "" || suffix === ".json") await readJson(decoded, airflowEncoding, signal);
  else for await (const _ of decoded);
}
