import { pause } from "../concurrency.js";
import { BatchError, checkOptions, type EntryFailure, failure, isStorageError } from "../errors.js";
import { providerOf, type StoragePath } from "../path.js";
import { refuse, withOperation } from "./errors.js";
import { pathsOf } from "./layers/located.js";
import type { LoadOptions, XComBackend } from "./options.js";
import { logicalDateText, type RunFinder } from "./rows/airflow-database.js";
import {
  agreesWith,
  keyOfRow,
  type RowCondition,
  type RowFilter,
  type RowKey,
  type RowOptions,
  unchangedSince,
  type XComRow,
  type XComRows,
} from "./rows/rows.js";

export interface XComOptions {
  rows: XComRows;
  backend: XComBackend;
  /** Finds runs by their logical date, for `clear`: `airflowRuns(query)`, or the `findRun` of `restRows`. */
  runs?: RunFinder | undefined;
}

/** A row with its value in place of the reference. */
export interface XComEntry extends RowKey {
  mapIndex: number;
  value: unknown;
}

interface Loading {
  at: RowKey;
  entry: Promise<XComEntry>;
}

/** Failures of `getMany` that are kept. */
const MAX_FAILURES = 1000;

function batchReadError(failures: readonly EntryFailure[], completed: number): BatchError {
  return new BatchError({
    op: "getMany",
    path: "",
    what: "not read",
    failures: failures.slice(0, MAX_FAILURES),
    failureCount: failures.length,
    completed,
    retryable: failures.every(({ error }) => isStorageError(error) && error.retryable),
  });
}

function placeOf({ dagId, runId, taskId, mapIndex = -1, key }: RowKey): string {
  return `xcom:///${[dagId, runId, taskId, mapIndex, key].join("/")}`;
}

/** Maximum objects that `getMany` fetches concurrently. */
const AHEAD = 8;

/** XComs on rows: each value is in its row, or in an object that the row refers to. */
export class XCom {
  readonly #rows: XComRows;
  readonly #backend: XComBackend;
  readonly #runs: RunFinder | undefined;

  constructor(options: XComOptions) {
    checkOptions("XCom", options, { rows: true, backend: true, runs: true });
    const { rows, backend, runs } = options;
    this.#rows = rows;
    this.#backend = backend;
    this.#runs = runs;
  }

  /**
   * Stores a value. Once the new row is written, deletes the object of the value that this call replaced, so that of
   * several concurrent writers one wins and the objects of all others are deleted.
   *
   * Throws PreconditionFailed if other writers are faster fifty times in a row.
   */
  async set(at: RowKey, value: unknown, options: RowOptions = {}): Promise<void> {
    const stored = await this.#backend.storeValue(at, at.key, value, options);
    const old = await this.#replace(at, stored, options);
    if (old) await this.#purgeUnlessShared(at, old.value, stored, options);
  }

  /** @internal Sets the value if the row is still `old`, or if there is still none; returns whether it did. */
  async setIfUnchanged(at: RowKey, value: unknown, old: XComRow | undefined, options: RowOptions): Promise<boolean> {
    const stored = await this.#backend.storeValue(at, at.key, value, options);
    const isSet = (await this.#setRow(at, stored, { ...options, ...unchangedSince(old) })) !== false;
    if (isSet && old) await this.#purgeUnlessShared(at, old.value, stored, options);
    if (!isSet) await this.#purgeUnlessShared(at, stored, (await this.row(at, options))?.value, options);
    return isSet;
  }

  /** @internal */
  row(at: RowKey, options: RowOptions): Promise<XComRow | undefined> {
    return this.#rows.get(at, options);
  }

  /** Returns the value; undefined if there is no row. */
  async get(at: RowKey, options: RowOptions = {}): Promise<unknown> {
    const row = await this.#rows.get(at, options);
    return row && this.#backend.loadValue(row.value, { ...options, owner: at });
  }

  /** Returns whether there is a row. */
  async has(at: RowKey, options: RowOptions = {}): Promise<boolean> {
    return (await this.#rows.get(at, options)) !== undefined;
  }

  /**
   * Yields the values of all matching rows, in the order of the rows; fetches some of them ahead. Goes on after a row
   * whose value cannot be read, and throws BatchError with every such row at the end.
   */
  async *getMany(filter: RowFilter, options: RowOptions = {}): AsyncGenerator<XComEntry, void, undefined> {
    const loading: Loading[] = [];
    const failures: EntryFailure[] = [];
    let completed = 0;
    const settled = async ({ at, entry }: Loading): Promise<XComEntry[]> => {
      try {
        const found = [await entry];
        completed++;
        return found;
      } catch (error) {
        if (options.signal?.aborted || !isStorageError(error)) throw error;
        failures.push({ path: placeOf(at), error });
        return [];
      }
    };
    for await (const row of this.#rows.list(filter, options)) {
      loading.push({ at: row, entry: this.#entry(row, options) });
      if (loading.length === AHEAD) yield* await settled(loading.shift()!);
    }
    for (const one of loading) yield* await settled(one);
    if (failures.length > 0) throw batchReadError(failures, completed);
  }

  /**
   * Deletes the row, then its object; returns whether there was a row. An error after the row is deleted names the
   * object.
   */
  async delete(at: RowKey, options: RowOptions = {}): Promise<boolean> {
    const { row, error } = await deleteRow(this.#rows, at, options);
    if (error) throw error.reason;
    if (!row) return false;
    await purgeObjects(this.#backend, row.value, { ...options, owner: at });
    return true;
  }

  /**
   * Deletes every row of a task instance, each before its objects on all replicas. Failures are reported and do not
   * stop the rest. Throws InvalidArgument unless the target identifies exactly one run; NotFound if no run has the
   * date.
   */
  async clear(target: ClearTarget, options: ClearOptions = {}): Promise<ClearReport> {
    const places = { rows: this.#rows, backend: this.#backend, runs: this.#runs };
    return withOperation("clear", "", async () => clearRows(places, await filterOf(target, places, options), options));
  }

  /** Puts `stored` into the row and returns the row that it replaced. */
  async #replace(at: RowKey, stored: unknown, options: RowOptions): Promise<XComRow | undefined> {
    for (let attempt = 0; attempt < MAX_CONFLICTS; attempt++) {
      const old = await this.#rows.get(at, options);
      if ((await this.#setRow(at, stored, { ...options, ...unchangedSince(old) })) !== false) return old;
      await pauseAfterConflict(attempt, options.signal);
    }
    // The row has never held this reference, unless it is a name that every value of this task instance overwrites.
    await this.#purgeUnlessShared(at, stored, (await this.#rows.get(at, options))?.value, options);
    throw failure("PreconditionFailed", `other writers were faster ${MAX_CONFLICTS} times`).at("set", "");
  }

  /** Deletes the objects of a value that no row holds any more. */
  async #purgeUnlessShared(at: RowKey, stored: unknown, standing: unknown, options: RowOptions): Promise<void> {
    if (!sharesObject(this.#backend, standing, stored, at))
      await purgeObjects(this.#backend, stored, { ...options, owner: at });
  }

  /** A write whose response was lost has succeeded if the row holds the reference, which no other writer has. */
  async #setRow(at: RowKey, stored: unknown, options: RowCondition): Promise<boolean | undefined> {
    try {
      return await this.#rows.set(at, stored, options);
    } catch (error) {
      const isReference = (pathsOf(this.#backend, stored, { owner: at }) ?? []).length > 0;
      if (!isReference || options.signal?.aborted) throw error;
      const { row } = await tryGet(this.#rows, at, options.signal);
      if (row?.value !== stored) throw error;
      return true;
    }
  }

  #entry(row: XComRow, options: RowOptions): Promise<XComEntry> {
    const entry = this.#load(row, options);
    // It may fail before its turn comes; the await then reports the failure.
    entry.catch(() => {});
    return entry;
  }

  async #load({ value: stored, ...at }: XComRow, options: RowOptions): Promise<XComEntry> {
    return { ...at, value: await this.#backend.loadValue(stored, { ...options, owner: at }) };
  }
}

// Clears a task instance: deletes each row, then every object that it refers to.

/**
 * All XComs of a task instance; without `mapIndex`, of all its map indexes. Identifies the run by its id or its date.
 */
export type ClearTarget = {
  dagId: string;
  taskId: string;
  mapIndex?: number | undefined;
} & (
  | { runId: string; logicalDate?: undefined }
  /** Text needs its UTC offset. */
  | { runId?: undefined; logicalDate: Date | string }
);

export interface ClearOptions extends RowOptions {
  /** Deletes nothing and reports what would be deleted. @default false */
  dryRun?: boolean | undefined;
}

/** The result of `clear`; with `dryRun`, the result it would have. */
export interface ClearReport {
  /** The number of deleted rows and objects. */
  rows: number;
  objects: number;
  /** The deleted rows, each with its deleted objects. */
  deleted: { at: RowKey; objects: string[] }[];
  /** Listed rows that another process has deleted since; it also purges their objects. */
  gone: RowKey[];
  /** Deleted rows that may have referred to an object that this backend does not delete. */
  kept: {
    at: RowKey;
    /** The row's content. */
    reference: string;
    reason: string;
  }[];
  /** Rows or objects that still exist, with the reason. */
  left: {
    at: RowKey;
    /** Whether the row still exists. In that case its objects are untouched. */
    row: boolean;
    /** The objects that still exist. */
    objects: string[];
    /** The row's content, if it is text. */
    reference: string | undefined;
    error: unknown;
  }[];
}

/** The filter of all rows of a task instance, or of one of its map indexes. */
type TaskFilter = Required<Pick<RowFilter, "mapIndex">> & Pick<RowKey, "dagId" | "runId" | "taskId">;

interface Places {
  rows: XComRows;
  backend: XComBackend;
  runs: RunFinder | undefined;
}

const TARGET: readonly string[] = ["dagId", "taskId", "mapIndex", "runId", "logicalDate"];

/** Returns the filter for a target's rows. */
async function filterOf(target: ClearTarget, { runs }: Pick<Places, "runs">, options: RowOptions) {
  const { dagId, taskId, mapIndex, runId, logicalDate } = target;
  // An unknown filter field would narrow nothing, and `clear` would delete rows it should have kept.
  for (const name of Object.keys(target)) if (!TARGET.includes(name)) refuse(unknownName("target field", name, TARGET));
  for (const name of Object.keys(options))
    if (!OPTIONS.includes(name)) refuse(unknownName("option of clear", name, OPTIONS));
  for (const [name, id] of Object.entries({ dagId, taskId })) checkId(name, id);
  if (mapIndex !== undefined && !Number.isInteger(mapIndex)) refuse("mapIndex must be a whole number, -1 or more");
  if ((runId === undefined) === (logicalDate === undefined)) refuse("give exactly one of runId and logicalDate");
  if (logicalDate === undefined) checkId("runId", runId);
  const run = logicalDate === undefined ? runId : await runAt(dagId, logicalDate, runs, options);
  return { dagId, taskId, runId: run, mapIndex } satisfies TaskFilter;
}

const OPTIONS: readonly string[] = ["dryRun", "signal"];

function unknownName(what: string, name: string, known: readonly string[]): string {
  return `unknown ${what} "${name}" (expected one of ${known.join(", ")})`;
}

/** A filter without an id would match every task's rows. */
function checkId(name: string, id: unknown): void {
  if (typeof id !== "string") refuse(`${name} must be the text of an id, not ${id === null ? "null" : typeof id}`);
  if (id === "") refuse(`${name} must be the text of an id, not empty`);
}

async function runAt(dagId: string, date: Date | string, runs: RunFinder | undefined, options: RowOptions) {
  const text = logicalDateText(date);
  if (!runs) refuse("these rows know no dates; give XCom `runs`, such as airflowRuns(query), or name the runId");
  const run = await runs(dagId, text, options);
  if (run === undefined) throw failure("NotFound", `no run of ${dagId} has the logical date ${text}`);
  return run;
}

/** Maximum re-reads of a row that others write meanwhile. */
const MAX_CONFLICTS = 50;
const MAX_CONFLICT_DELAY_MS = 100;

/** Waits at random and longer each time, so that concurrent writers do not collide again. */
function pauseAfterConflict(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  return pause(Math.random() * Math.min(2 ** attempt, MAX_CONFLICT_DELAY_MS), signal);
}

/** Clears the rows that match the filter. Failures are reported and do not stop the rest. */
async function clearRows(places: Places, filter: TaskFilter, options: ClearOptions): Promise<ClearReport> {
  if (options.dryRun && !pathsOf(places.backend, null, {}))
    throw failure("Unsupported", "the backend cannot tell what it would delete: it has no method pathsOf");
  // Lists all rows before the first delete, since a listing may skip rows when others disappear. Keys only: values are
  // large.
  const targets: RowKey[] = [];
  const keyOf = keysOf(filter);
  for await (const row of places.rows.list(filter, options)) targets.push(keyOf(row));
  const cleared: ClearReport = { rows: 0, objects: 0, deleted: [], gone: [], kept: [], left: [] };
  for (const at of targets) await clearRow(places, at, options, cleared);
  return cleared;
}

/** Different keys of a task instance whose text its rows share. */
const SHARED_KEYS = 1000;

/**
 * Returns what reads the key of a listed row. A row store is a foreign system: rows it lists outside the filter must not
 * be deleted. Each of its rows has texts of its own, so the report of many rows takes the ids from the filter.
 */
function keysOf(filter: TaskFilter): (row: XComRow) => RowKey {
  const { dagId, runId, taskId } = filter;
  const keys = new Map<string, string>();
  return (row) => {
    const { mapIndex, key: own } = row;
    if (!agreesWith(row, filter)) {
      const other = JSON.stringify(keyOfRow(row));
      throw failure("Corrupt", `the row store returned ${other}, which is outside of the filter`);
    }
    const key = keys.get(own) ?? own;
    if (keys.size < SHARED_KEYS) keys.set(key, key);
    return { dagId, runId, taskId, mapIndex, key };
  };
}

interface DeletedRow {
  /** The deleted row; undefined if there was none. With an error the row may still exist. */
  row: XComRow | undefined;
  error?: { reason: unknown };
}

/** Deletes a row in its current state. A row that is gone although its delete failed counts as deleted. */
async function deleteRow(rows: XComRows, at: RowKey, { signal }: RowOptions): Promise<DeletedRow> {
  let row: XComRow | undefined;
  try {
    for (let attempt = 0; attempt < MAX_CONFLICTS; attempt++) {
      row = await rows.get(at, { signal });
      if (!row || (await rows.delete(at, { signal, ifVersion: row.version }))) return { row };
      await pauseAfterConflict(attempt, signal);
    }
    throw failure("PreconditionFailed", `the row was not deleted in ${MAX_CONFLICTS} attempts; it stands`);
  } catch (reason) {
    const gone = row && !signal?.aborted && (await isGone(rows, at));
    return gone ? { row } : { row, error: { reason } };
  }
}

async function tryGet(rows: XComRows, at: RowKey, signal: AbortSignal | undefined): Promise<DeletedRow> {
  return rows.get(at, { signal }).then(
    (row) => ({ row }),
    (reason: unknown) => ({ row: undefined, error: { reason } }),
  );
}

async function isGone(rows: XComRows, at: RowKey): Promise<boolean> {
  const { row, error } = await tryGet(rows, at, undefined);
  return !row && !error;
}

async function clearRow(places: Places, at: RowKey, { dryRun = false, signal }: ClearOptions, cleared: ClearReport) {
  const { row, error: stuck } = await (dryRun
    ? tryGet(places.rows, at, signal)
    : deleteRow(places.rows, at, { signal }));
  const stays = (objects: readonly string[], standing: boolean, error: unknown) => {
    signal?.throwIfAborted();
    const reference = typeof row?.value === "string" ? row.value : undefined;
    cleared.left.push({ at, row: standing, objects: [...objects], reference, error });
  };
  if (stuck) return stays([], true, stuck.reason);
  if (!row) return cleared.gone.push(at);
  cleared.rows++;
  const { gone, left, error } = await purgeStored(places.backend, row.value, { owner: at, signal }, dryRun);
  cleared.objects += gone.length;
  cleared.deleted.push({ at, objects: gone });
  if (error) stays(left, false, error.reason);
  else if (gone.length === 0 && mayBeReference(row.value))
    cleared.kept.push({ at, reference: row.value, reason: NOT_OURS });
}

const NOT_OURS = "the backend does not delete what this text refers to, if it refers to an object";

/** Whether a value is text that starts like a URL, as references of another base, a retired route or an alias do. */
function mayBeReference(value: unknown): value is string {
  return typeof value === "string" && /^[a-z][a-z0-9+._-]*:\/\/[^\s]+$/i.test(value) && !/^https?:/i.test(value);
}

interface Purged {
  gone: string[];
  left: string[];
  error?: { reason: unknown };
}

async function purgeStored(backend: XComBackend, stored: unknown, options: LoadOptions, dry: boolean): Promise<Purged> {
  let paths: string[] = [];
  try {
    const known = pathsOf(backend, stored, options)?.map((path) => textOf(path, stored));
    paths = known ?? [];
    if (dry) return { gone: paths, left: [] };
    const found = await purgeObjects(backend, stored, options);
    return { gone: known ?? (found ? [String(stored)] : []), left: [] };
  } catch (reason) {
    const left = pathsIn(reason, paths);
    return { gone: paths.filter((path) => !left.includes(path)), left, error: { reason } };
  }
}

/** Returns a path as text: that of the row if it is the same, so that a report of many rows holds it once. */
function textOf(path: StoragePath, stored: unknown): string {
  const text = String(path);
  return text === stored ? stored : text;
}

/**
 * Whether two rows refer to the same object, however they spell it: another connection or scheme does not make another
 * object. An object that was overwritten under its name must not be purged.
 */
function sharesObject(backend: XComBackend, one: unknown, other: unknown, owner: RowKey): boolean {
  if (one === other) return true;
  const objects = (stored: unknown) => (pathsOf(backend, stored, { owner }) ?? []).map(identityOf);
  const others = objects(other);
  return objects(one).some((object) => others.includes(object));
}

function identityOf({ scheme, bucket, key }: StoragePath): string {
  return JSON.stringify([providerOf(scheme) ?? scheme, bucket, key]);
}

/** Purges a row's objects; a backend that recognises a reference but deletes nothing has failed. */
async function purgeObjects(backend: XComBackend, stored: unknown, options: LoadOptions): Promise<boolean> {
  const paths = pathsOf(backend, stored, options) ?? [];
  const found = await backend.purge(stored, options);
  if (found || paths.length === 0) return found;
  const detail = "the backend did not delete the object although the row referred to it";
  throw failure("Unsupported", detail).at("purge", String(paths[0]));
}

/** Returns the objects that a failure concerns: all, unless it names some. */
function pathsIn(error: unknown, all: readonly string[]): string[] {
  const cause = isStorageError(error) ? error.cause : undefined;
  if (!(cause instanceof AggregateError)) return [...all];
  const named = cause.errors.flatMap((each) => (isStorageError(each) ? [each.path] : []));
  const found = all.filter((path) => named.includes(path));
  return found.length > 0 ? found : [...all];
}
