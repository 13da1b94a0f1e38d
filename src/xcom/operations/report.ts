/** Where the bytes of XComs are: by Dag, run, task, codec and class, by age and size, and with or without a row. */
import { checkOptions, invalid, isBatchError, type OptionNames } from "../../errors.js";
import type { Abortable, ListEntry, Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { ReferenceSource } from "../../references.js";
import { withOperation } from "../errors.js";
import type { ReadAliases } from "../features.js";
import { asPath, prefixOf } from "../keys/base.js";
import { tellSome, type Watched } from "./progress.js";
import { collectReferences } from "./reference-keys.js";
import type { ReportReferences, StorageReport } from "./report-data.js";
import { Expiries } from "./report-expiry.js";
import { ReportNumbers } from "./report-numbers.js";
import { compareReferences, lineOfObject } from "./report-references.js";
import { LineSorter, RunFolder } from "./sorted-lines.js";

export interface ReportOptions extends Abortable, Watched {
  storage: Storage;
  /** The base path, or a folder below `base`. */
  path: StoragePath | string;
  /** The base path, if `path` is a Dag, a run or a task below it. @default path */
  base?: StoragePath | string | undefined;
  /** All that refers to objects below `path`: orphans and missing objects are found too. @default none */
  sources?: readonly ReferenceSource[] | undefined;
  /** Milliseconds for which an object without a reference is no orphan. @default 24 hours */
  graceMs?: number | undefined;
  /** Other paths by which rows name these objects, as for `sweep`. */
  as?: readonly (StoragePath | string)[] | undefined;
  /** The `readAliases` of the backend that reads the rows. */
  aliases?: ReadAliases | undefined;
  /** Lifetime in whole days of retention classes: what they delete next is counted. */
  days?: Readonly<Record<string, number>> | undefined;
  /** The bucket's lifecycle policy, parsed, as its provider prints it: what it deletes next is counted. */
  policy?: unknown;
}

const OPTIONS: OptionNames<ReportOptions> = {
  storage: true,
  path: true,
  base: true,
  sources: true,
  graceMs: true,
  as: true,
  aliases: true,
  days: true,
  policy: true,
  onProgress: true,
  signal: true,
};

const GRACE_MS = 24 * 3_600_000;

/** Checked options. */
interface Checked extends Omit<ReportOptions, "path" | "base" | "sources" | "graceMs" | "signal"> {
  path: StoragePath;
  base: StoragePath;
  sources: readonly ReferenceSource[];
  graceMs: number;
  signal: AbortSignal | undefined;
}

/**
 * Counts the objects below a path in every way that helps to find what takes the space, and with `sources` also those
 * without a row and rows without an object. Writes nothing to the store.
 *
 * Lists all objects first, then reads all references. Sums are exact, lists have their 100 largest entries. Memory does
 * not grow with the number of objects, names or references: what does not fit is sorted in the folder for temporary
 * files. Throws if a source fails, or has no reference at all although something is there. {@link reportHtml} makes a
 * page of the result.
 *
 * @example
 * const { total, dags } = await report({ storage, path: "s3://lake@bucket/xcom" });
 * console.log(total.bytes, dags.groups[0]?.name);
 */
export async function report(options: ReportOptions): Promise<StorageReport> {
  const checked = checkReport(options);
  return withOperation("report", checked.path, () => countEverything(checked));
}

function checkReport(options: ReportOptions): Checked {
  checkOptions("report", options, OPTIONS);
  const { sources = [], graceMs = GRACE_MS, as = [], signal } = options;
  const path = asPath(options.path);
  const base = options.base === undefined ? path : asPath(options.base);
  if (!path.isRelativeTo(base)) throw invalid(`path of report, ${path}, is not below base, ${base}`);
  if (!Array.isArray(sources)) throw invalid("sources of report must be a list");
  if (!Array.isArray(as)) throw invalid("as of report must be a list of paths");
  if (!Number.isFinite(graceMs) || graceMs < 0) throw invalid(`graceMs of report must be 0 or more, not ${graceMs}`);
  return { ...options, path, base, sources, graceMs, signal };
}

async function countEverything(checked: Checked): Promise<StorageReport> {
  const { path, base, sources, days, policy } = checked;
  const now = Date.now();
  const expiries = new Expiries(base, { days, policy }, sources.length > 0, now);
  const folder = new RunFolder();
  try {
    const numbers = new ReportNumbers(base, folder, expiries, now);
    const objects = new LineSorter(folder);
    const { failed, count } = await countObjects(checked, numbers, objects);
    const more = { expiries, now, mayBeEmpty: failed + count === 0 };
    const references = sources.length > 0 ? await compared(checked, objects, folder, more) : undefined;
    const createdAt = new Date(now).toISOString();
    return { path: String(path), createdAt, failed, ...(await numbers.result()), references };
  } finally {
    await folder.remove();
  }
}

/** Counts everything below the path. Returns the number of objects, and how many folders could not be listed. */
async function countObjects(checked: Checked, numbers: ReportNumbers, objects: LineSorter) {
  const { storage, path, sources, signal } = checked;
  const isCompared = sources.length > 0;
  let [count, bytes] = [0, 0];
  try {
    for await (const entry of storage.list(path, { recursive: true, ordered: false, signal })) {
      if (entry.type !== "file") continue;
      const isKnown = await numbers.add(entry);
      count += 1;
      bytes += entry.size ?? 0;
      tellSome(checked, { phase: "list", count, bytes });
      const full = isKnown && isCompared ? objects.add(lineOf(entry, path)) : undefined;
      if (full) await full;
    }
    return { count, failed: 0 };
  } catch (error) {
    if (!isBatchError(error)) throw error;
    return { count, failed: error.failureCount };
  } finally {
    checked.onProgress?.({ phase: "list", count, bytes });
  }
}

function lineOf({ path, size = 0, modified }: ListEntry, top: StoragePath): string {
  return lineOfObject({ below: path.key.slice(prefixOf(top).length), size, modified: modified?.getTime() });
}

async function compared(
  checked: Checked,
  objects: LineSorter,
  folder: RunFolder,
  more: { expiries: Expiries; now: number; mayBeEmpty: boolean },
): Promise<ReportReferences> {
  const keys = new LineSorter(folder);
  const counts = { references: 0, elsewhere: 0, values: 0 };
  const scope = { ...checked, op: "report", shard: { index: 1, of: 1 }, mayBeEmpty: more.mayBeEmpty };
  for (const source of checked.sources) await collectReferences(source, scope, keys, counts);
  return compareReferences(objects.batches(), keys.batches(), counts, { ...checked, ...more });
}
