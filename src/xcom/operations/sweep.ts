/** Finds and removes the objects that nothing refers to. */
import { OBJECTS_IN_PARALLEL } from "../../concurrency.js";
import { checkOptions, failure, invalid, type OptionNames } from "../../errors.js";
import { type Abortable, checkCount, type Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { ObjectLayout, ReferenceSource } from "../../references.js";
import type { ReadAliases } from "../features.js";
import { asPath, prefixOf } from "../keys/base.js";
import { airflowLayout, keyBelow, keyOfCopies } from "./airflow-layout.js";
import { type Candidate, candidateIn, collectCandidates, type SweepShard } from "./candidates.js";
import { compare } from "./compare.js";
import { checkNames } from "./path-names.js";
import type { Watched } from "./progress.js";
import { checkFilesApart } from "./real-paths.js";
import { addKeys, collectReferences } from "./reference-keys.js";
import { type Batches, LineSorter, RunFolder } from "./sorted-lines.js";
import { removeOrphans, type SweptObject } from "./sweep-removal.js";
import { emptyReport, type SweepReport } from "./sweep-report.js";
import { checkApart } from "./sweep-undo.js";

export interface SweepOptions extends Abortable, Watched {
  storage: Storage;
  /** Where objects are looked for: the base path, or a folder below `base`. Never a whole bucket. */
  path: StoragePath | string;
  /** The base path, if `path` is a Dag, a run or a task below it. @default path */
  base?: StoragePath | string | undefined;
  /** All that refers to objects below `path`. One that fails, or has no reference at all, ends it. */
  sources: readonly ReferenceSource[];
  /** Which names below `path` are objects that may be swept; all others stay. @default those of XComs */
  layout?: ObjectLayout | undefined;
  /** Deletes what nothing refers to. @default false, which only reports it */
  delete?: boolean | undefined;
  /** Instead of `delete`: moves it below this path, where it keeps its place. {@link undoSweep} moves it back. */
  trash?: StoragePath | string | undefined;
  /**
   * Milliseconds for which an object needs no reference: longer than any task takes from its object to its row. An hour
   * is added for clocks that differ. At least one hour. @default 24 hours
   */
  graceMs?: number | undefined;
  /** Allows a shorter grace, and adds no hour to it. @default false */
  force?: boolean | undefined;
  /** The share of considered objects above which nothing is deleted: references may be missing. @default 0.5 */
  maxShare?: number | undefined;
  /** Only a part of the objects, so that several sweeps share the work. */
  shard?: SweepShard | undefined;
  /** Other paths by which rows name these objects: the primary's, if `path` is a replica; one that was renamed. */
  as?: readonly (StoragePath | string)[] | undefined;
  /** The `readAliases` of the backend that reads the rows. */
  aliases?: ReadAliases | undefined;
  /** Objects deleted in parallel. @default 32 */
  concurrency?: number | undefined;
  /** Called with each object that nothing refers to and its outcome, in any order. */
  onOrphan?: ((object: SweptObject) => void | Promise<void>) | undefined;
  /** Called with the numbers so far before what ends a removal early, such as an abort, is thrown. */
  onStopped?: ((report: SweepReport) => void) | undefined;
}

const OPTIONS: OptionNames<SweepOptions> = {
  storage: true,
  path: true,
  base: true,
  sources: true,
  layout: true,
  delete: true,
  trash: true,
  graceMs: true,
  force: true,
  maxShare: true,
  shard: true,
  as: true,
  aliases: true,
  concurrency: true,
  onOrphan: true,
  onStopped: true,
  onProgress: true,
  signal: true,
};

export const HOUR_MS = 3_600_000;
export const GRACE_MS = 24 * HOUR_MS;
const MAX_SHARE = 0.5;

/** Checked options. */
interface Sweep extends Omit<SweepOptions, "path" | "base" | "layout" | "trash" | "shard" | "graceMs" | "signal"> {
  path: StoragePath;
  base: StoragePath;
  layout: ObjectLayout;
  trash: StoragePath | undefined;
  shard: SweepShard;
  graceMs: number;
  maxShare: number;
  concurrency: number;
  signal: AbortSignal | undefined;
}

/**
 * Finds the objects below a path that no source refers to, and with `delete` or `trash` removes them.
 *
 * Lists all objects first, then reads all references, and deletes last: only objects older than the grace, and only as
 * they were listed. Memory does not grow with the number of objects or references; both are sorted in files in the
 * folder for temporary files, with about 150 bytes for each. Throws, and has deleted nothing, if a source fails or has
 * no reference although something was listed, or if more than `maxShare` of the objects would go.
 *
 * @example
 * const sources = [airflowReferences(query)];
 * const { orphaned, bytes } = await sweep({ storage, path: "s3://lake@bucket/xcom", sources });
 */
export async function sweep(options: SweepOptions): Promise<SweepReport> {
  const checked = checkSweep(options);
  const { path, trash, signal } = checked;
  if (trash) await checkFilesApart(path, trash, "path and trash of sweep");
  const report = emptyReport();
  const folder = new RunFolder();
  try {
    const candidates = new LineSorter(folder);
    await collectCandidates(checked, candidates, report);
    const [references, elsewhere] = [new LineSorter(folder), new LineSorter(folder)];
    const mayBeEmpty = report.listed + report.failed === 0;
    const scope = { ...checked, op: "sweep", mayBeEmpty, onElsewhere: elsewhereIn(checked, elsewhere) };
    for (const source of checked.sources) await collectReferences(source, scope, references, report);
    const orphans = new LineSorter(folder);
    await compare(candidates.batches(), references.batches(), orphans, {
      report,
      elsewhere: elsewhere.batches(),
      onProgress: checked.onProgress,
      signal,
    });
    const isRemoval = checked.delete === true || checked.trash !== undefined;
    if (isRemoval) {
      checkCopies(report, checked);
      checkShare(report, checked);
    }
    await removeOrphans(orphansIn(orphans.batches()), checked, report).catch((error: unknown) => {
      if (isRemoval) checked.onStopped?.(report);
      throw error;
    });
  } finally {
    await folder.remove();
  }
  return report;
}

function checkSweep(options: SweepOptions): Sweep {
  checkOptions("sweep", options, OPTIONS);
  const { graceMs = GRACE_MS, force = false, maxShare = MAX_SHARE, concurrency = OBJECTS_IN_PARALLEL } = options;
  const { sources, layout = airflowLayout, shard = { index: 1, of: 1 }, signal } = options;
  const path = asPath(options.path);
  const base = options.base === undefined ? path : asPath(options.base);
  const trash = options.trash === undefined ? undefined : asPath(options.trash);
  if (path.key === "") throw invalid(`path of sweep is the whole bucket ${path}; name the base path below it`);
  if (!path.isRelativeTo(base)) throw invalid(`path of sweep, ${path}, is not below base, ${base}`);
  if (!Array.isArray(sources) || sources.length === 0)
    throw invalid("sources of sweep is empty: every object would be an orphan");
  checkFlags(options);
  checkNames("sweep", options);
  if (trash) checkApart(path, trash);
  checkGrace(graceMs, force);
  checkLayout(layout, graceMs, options.delete === true || trash !== undefined);
  if (!(maxShare > 0 && maxShare <= 1))
    throw invalid(`maxShare of sweep must be above 0 and at most 1, not ${maxShare}`);
  checkShard(shard);
  checkCount("concurrency of sweep", concurrency, 1);
  const margin = force ? 0 : HOUR_MS;
  return { ...options, path, base, layout, trash, shard, maxShare, concurrency, graceMs: graceMs + margin, signal };
}

function checkFlags(options: SweepOptions): void {
  for (const name of ["delete", "force"] as const)
    if (options[name] !== undefined && typeof options[name] !== "boolean")
      throw invalid(`${name} of sweep must be true or false`);
  if (options.delete && options.trash !== undefined)
    throw invalid("delete and trash of sweep contradict each other; give one of them");
}

function checkGrace(graceMs: number, force: boolean): void {
  if (!Number.isFinite(graceMs) || graceMs < 0) throw invalid(`graceMs of sweep must be 0 or more, not ${graceMs}`);
  if (graceMs < HOUR_MS && !force)
    throw invalid(
      "graceMs of sweep is below one hour: a value whose row is not yet written could be deleted; set force to allow this",
    );
}

export function checkLayout(layout: ObjectLayout, graceMs: number, isRemoval: boolean): void {
  const { name, parse, minGraceMs = 0 } = layout ?? {};
  if (typeof parse !== "function") throw invalid("layout must have a method parse, as claimsLayout() has");
  if (!isRemoval || graceMs >= minGraceMs) return;
  const fix = Number.isFinite(minGraceMs)
    ? `at least ${minGraceMs}`
    : "known: say what refreshAfter their writers have";
  throw invalid(
    `objects of the layout ${name} can get a reference long after they were written: graceMs must be ${fix}`,
  );
}

function checkShard({ index, of }: SweepShard): void {
  if (Number.isSafeInteger(of) && of >= 1 && Number.isSafeInteger(index) && index >= 1 && index <= of) return;
  throw invalid(`shard of sweep is { index, of } with 1 <= index <= of, not { index: ${index}, of: ${of} }`);
}

async function* orphansIn(batches: Batches): AsyncGenerator<Candidate, void, undefined> {
  for await (const lines of batches) for (const line of lines) yield candidateIn(line);
}

/**
 * Returns what takes the references elsewhere. Only with other names of the path: the copies of a replica have them, and
 * the old objects of a migration, whose keys rows name at the new base, do not.
 */
function elsewhereIn({ path, base, layout, shard, as = [] }: Sweep, sorter: LineSorter) {
  if (as.length === 0 || layout !== airflowLayout) return undefined;
  const start = keyBelow(base, prefixOf(path));
  return async ({ key }: StoragePath) => {
    const copy = keyOfCopies(key);
    if (copy.startsWith(start)) await addKeys([copy.slice(start.length)], shard, sorter);
  };
}

function checkCopies({ namedElsewhere }: SweepReport, { path }: Sweep): void {
  if (namedElsewhere === 0) return;
  const found = `rows name ${namedElsewhere} of the objects without a reference by the same key at another base`;
  const fix = 'if these are copies of a primary that is being migrated, name that base by "as" too';
  throw failure("PreconditionFailed", `${found}; nothing was deleted; ${fix}`).at("sweep", String(path));
}

function checkShare({ considered, orphaned, references, elsewhere }: SweepReport, { path, maxShare }: Sweep): void {
  if (orphaned <= maxShare * considered) return;
  const found = `${orphaned} of ${considered} objects have no reference, more than the share of ${maxShare}`;
  const fix = `${references} references name objects here, ${elsewhere} elsewhere: if rows name this path otherwise`;
  throw failure("PreconditionFailed", `${found}; nothing was deleted; ${fix}, see "as", else raise maxShare`).at(
    "sweep",
    String(path),
  );
}
