/** Moves the XComs that rows refer to from one base path to another. */
import { forEachConcurrent } from "../../concurrency.js";
import { checkOptions, type EntryFailure, failure, invalid, type OptionNames } from "../../errors.js";
import { type Abortable, checkCount, type Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { FoundReference, ReferenceSource } from "../../references.js";
import type { ReadAliases } from "../features.js";
import { pathBelow, printedBase, roomBelow } from "../keys/base.js";
import { checkCompression, type XComCompression } from "../settings.js";
import { airflowLayout } from "./airflow-layout.js";
import { type Absence, type Copied, copyObject, isRecoded, recodedName } from "./migrate-copy.js";
import { checkNamesApart, MigratedNames } from "./migrate-names.js";
import { checkNames } from "./path-names.js";
import type { Watched } from "./progress.js";
import { checkFilesApart } from "./real-paths.js";
import { layoutPath } from "./references.js";
import { isRewriter, type ReferenceChange } from "./rewriters.js";
import { RunFolder } from "./sorted-lines.js";
import { keepFailure } from "./sweep-report.js";

export interface MigrateOptions extends Abortable, Watched {
  storage: Storage;
  /** The base path that rows name now. */
  from: StoragePath | string;
  /** The new base path. Every key below it is the one that was below `from`, but for `compression`. */
  to: StoragePath | string;
  /** Rows to change: `airflowRewriter`, `rowRewriter`. Of any other source only the objects are copied. */
  sources: readonly ReferenceSource[];
  /** Other paths by which rows name the objects at `from`, such as that of another connection: they move too. */
  as?: readonly (StoragePath | string)[] | undefined;
  /** The `readAliases` of the backend that reads the rows. Theirs that lead below `from` move too. */
  aliases?: ReadAliases | undefined;
  /**
   * Recodes objects that have another codec; null: to none. Their names get its suffix, so that {@link withMoved} finds
   * them only by their new references. @default undefined: bytes as they are
   */
  compression?: XComCompression | null | undefined;
  /** Only counts. @default false */
  dryRun?: boolean | undefined;
  /** Objects copied in parallel. @default 16 */
  concurrency?: number | undefined;
  /** Called with each reference whose object is at the new place, and whether its row is among those to change. */
  onMigrated?: ((moved: MigratedReference) => void | Promise<void>) | undefined;
  /**
   * Called with the numbers so far before a failed source or an abort is thrown. Rows of the batch at hand, at most 256
   * references, may be changed and not be counted.
   */
  onStopped?: ((report: MigrateReport) => void) | undefined;
}

export interface MigratedReference {
  from: string;
  to: string;
  where: string;
  /** Whether the object was copied now; `false` if it was there. */
  copied: boolean;
}

export interface MigrateReport {
  /**
   * Texts that are references to an object below `from`. After a whole run over rows the next has those alone that are
   * `missing` or `failed`.
   */
  references: number;
  /**
   * Texts that name an object below `from` and stay: by another connection, scheme or path than `from` and `as`, or
   * inside other text or a value.
   */
  otherNames: number;
  /** Texts that name an object elsewhere, those at `to` included. */
  elsewhere: number;
  /** Texts that name none. */
  values: number;
  /** Objects copied, and their bytes. */
  copied: number;
  bytes: number;
  /** References whose object already was at `to` with the same bytes. */
  present: number;
  /** Rows that now name `to`. */
  rewritten: number;
  /** Rows that were written since they were read: they stay as they are, and another run takes them. */
  changed: number;
  /** References whose object is at neither place. Their rows stay: another run does not help. */
  missing: number;
  /**
   * References whose object is at `to` alone, without a digest in its name, so that nothing tells whether it is the same.
   * Their rows stay.
   */
  unproven: number;
  /** References whose object could not be copied, or is at `to` with other bytes. Their rows stay. */
  failed: number;
  /** The first 1,000 failures. */
  failures: EntryFailure[];
}

const OPTIONS: OptionNames<MigrateOptions> = {
  storage: true,
  from: true,
  to: true,
  sources: true,
  as: true,
  aliases: true,
  compression: true,
  dryRun: true,
  concurrency: true,
  onMigrated: true,
  onStopped: true,
  onProgress: true,
  signal: true,
};

const CONCURRENCY = 16;
/** References in memory, whose rows are changed together. */
const BATCH = 256;

interface Migration extends Watched {
  storage: Storage;
  from: StoragePath;
  to: StoragePath;
  names: MigratedNames;
  compression: XComCompression | null | undefined;
  /** For temporary files. */
  folder: RunFolder;
  dryRun: boolean;
  concurrency: number;
  onMigrated: MigrateOptions["onMigrated"];
  signal: AbortSignal | undefined;
  report: MigrateReport;
}

/**
 * Copies every object below `from` that a source refers to, byte for byte, to the same key below `to`, and then changes
 * the row. Nothing is deleted: use `sweep` for the objects that no row names any more. Meanwhile, and as long as
 * references to `from` may turn up, readers use `withMoved`.
 *
 * A row is changed only after the copy was compared with its source, by size and MD5, or SHA-256 where a provider
 * states no MD5, and only if it was not written since it was read. Where the source is gone, only a digest in its name
 * proves an object at `to`. An object at `to` with other bytes is never replaced: its row stays and counts as failed. A
 * run that was cut off is repeated as it was: complete copies are compared and not sent again. Throws if a source fails
 * or has no reference at all.
 *
 * @example
 * const from = "s3://lake@old/xcom";
 * const report = await migrate({ storage, from, to: "gs://lake@new/xcom", sources: [airflowRewriter(query)] });
 */
export async function migrate(options: MigrateOptions): Promise<MigrateReport> {
  const migration = checkMigrate(options);
  await checkFilesApart(migration.from, migration.to, "from and to of migrate");
  try {
    for (const source of options.sources) await migrateSource(source, migration);
  } catch (error) {
    options.onStopped?.(migration.report);
    throw error;
  } finally {
    await migration.folder.remove();
  }
  return migration.report;
}

function checkMigrate(options: MigrateOptions): Migration {
  checkOptions("migrate", options, OPTIONS);
  const { storage, sources, dryRun = false, concurrency = CONCURRENCY, onMigrated, onProgress, signal } = options;
  const [from, to] = [printedBase(options.from), printedBase(options.to)];
  const compression = options.compression ? checkCompression(options.compression) : options.compression;
  if (!Array.isArray(sources) || sources.length === 0) throw invalid("sources of migrate is empty");
  if (typeof dryRun !== "boolean") throw invalid("dryRun of migrate must be true or false");
  checkCount("concurrency of migrate", concurrency, 1);
  for (const [name, path] of Object.entries({ from, to }))
    if (path.key === "") throw invalid(`${name} of migrate is the whole bucket ${path}; name the base path below it`);
  if (from.isRelativeTo(to) || to.isRelativeTo(from))
    throw invalid(`from and to of migrate, ${from} and ${to}, overlap`);
  const { as = [], aliases = {} } = options;
  checkNames("migrate", options);
  checkNamesApart(to, as);
  const none = { references: 0, otherNames: 0, elsewhere: 0, values: 0, copied: 0, bytes: 0, present: 0 };
  const report = { ...none, rewritten: 0, changed: 0, missing: 0, unproven: 0, failed: 0, failures: [] };
  const [names, folder] = [new MigratedNames(from, to, as, aliases), new RunFolder()];
  const given = { storage, from, to, names, compression, folder, dryRun, concurrency };
  return { ...given, onMigrated, onProgress, signal, report };
}

async function migrateSource(source: ReferenceSource, migration: Migration): Promise<void> {
  const { report, signal, names } = migration;
  const seen = () => report.references + report.otherNames + report.elsewhere;
  const before = seen();
  let batch: MovingReference[] = [];
  for await (const found of source.references({ signal })) {
    signal?.throwIfAborted();
    const below = names.below(found);
    if (below !== undefined) {
      report.references += 1;
      batch.push({ found, below });
    } else if (names.isOther(found)) report.otherNames += 1;
    else if (!found.isInside && layoutPath(found.text, airflowLayout)) report.elsewhere += 1;
    else report.values += 1;
    if (batch.length < BATCH) continue;
    await migrateBatch(source, batch, migration);
    batch = [];
  }
  await migrateBatch(source, batch, migration);
  if (seen() > before) return;
  throw failure("NotFound", `${source.name} has no reference at all`).at("migrate", String(migration.from));
}

/** A reference, and the key of its object below `from`. */
interface MovingReference {
  found: FoundReference;
  below: string;
}

/** Copies the objects of a batch, each once, and then changes the rows of those that are complete. */
async function migrateBatch(
  source: ReferenceSource,
  batch: readonly MovingReference[],
  migration: Migration,
): Promise<void> {
  const { report, concurrency, dryRun, signal } = migration;
  const changes: ReferenceChange[] = [];
  let count = report.references - batch.length;
  await forEachConcurrent(byKey(batch), { concurrency }, async ([below, found]) => {
    const text = await migrateObject(below, found, migration);
    if (text !== undefined) changes.push(...found.map((one) => ({ found: one, text })));
    count += found.length;
    migration.onProgress?.({ phase: "migrate", count, bytes: report.bytes });
  });
  if (dryRun || !isRewriter(source) || changes.length === 0) return;
  const rewritten = await source.replace(changes, { signal });
  report.rewritten += rewritten;
  report.changed += changes.length - rewritten;
}

function byKey(batch: readonly MovingReference[]): Map<string, FoundReference[]> {
  const groups = new Map<string, FoundReference[]>();
  for (const { found, below } of batch) {
    const group = groups.get(below);
    if (group) group.push(found);
    else groups.set(below, [found]);
  }
  return groups;
}

/** Returns the new reference once its object is complete at the new place; undefined if it is not. */
async function migrateObject(
  below: string,
  found: readonly FoundReference[],
  migration: Migration,
): Promise<string | undefined> {
  const { from, to, report, signal, onMigrated } = migration;
  const [source, target] = [pathBelow(from, below), pathBelow(to, below)];
  let done: Copied | Absence;
  try {
    checkLength(source, below, migration);
    done = await copyObject(source, target, migration);
  } catch (error) {
    signal?.throwIfAborted();
    report.failed += found.length;
    keepFailure(report.failures, { path: String(source), error });
    return undefined;
  }
  if (typeof done === "string") {
    report[done] += found.length;
    return undefined;
  }
  const { copied, size } = done;
  if (copied) {
    report.copied += 1;
    report.bytes += size;
  } else report.present += found.length;
  for (const { text, where } of found) await onMigrated?.({ from: text, to: String(done.target), where, copied });
  return String(done.target);
}

/** Bytes of a character, by which a shortened path may be below its limit. */
const CHARACTER_BYTES = 4;

/** Ids of a path that is too long are shortened by what base and name leave, so that with others they would differ. */
function checkLength(source: StoragePath, below: string, { from, to, compression }: Migration): void {
  const [room, newRoom] = [roomBelow(from), roomBelow(to)];
  const isRenamed = isRecoded(source, { compression });
  if (room === newRoom && !isRenamed) return;
  const { name } = source;
  const more = isRenamed ? Math.max(0, recodedName(name, compression ?? null, undefined).length - name.length) : 0;
  if (Buffer.byteLength(below) + more <= Math.min(room, newRoom) - CHARACTER_BYTES) return;
  const fix = isRenamed ? "leave out --compression, or shorten the base" : "use a base of equal length";
  throw invalid(`the path is so long that its ids are shortened by the length of the base; ${fix}`);
}
