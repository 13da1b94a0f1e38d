import { pause } from "../concurrency.js";
import { failure, isStorageError } from "../errors.js";
import { providerOf, type StoragePath } from "../path.js";
import { refuse, withOperation } from "./errors.js";
import { pathsOf } from "./layers/located.js";
import type { LoadOptions, XComBackend } from "./options.js";
import { logicalDateText, type RunFinder } from "./rows/airflow-database.js";
import {
  agreesWith,
  keyOfRow,
  type RowFilter,
  type RowKey,
  type RowOptions,
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

/** Objects that `getMany` fetches at the same time. */
const AHEAD = 8;

/** XComs on rows: each value in its row, or in an object that the row refers to. */
export class XCom {
  readonly #rows: XComRows;
  readonly #backend: XComBackend;
  readonly #runs: RunFinder | undefined;

  constructor({ rows, backend, runs }: XComOptions) {
    this.#rows = rows;
    this.#backend = backend;
    this.#runs = runs;
  }

  /**
   * Stores a value. The object of the value that this very call replaced is deleted after the new row stands, so that
   * of several writers at once one wins and the objects of all others go.
   *
   * PreconditionFailed when other writers are faster fifty times in a row.
   */
  async set(at: RowKey, value: unknown, options: RowOptions = {}): Promise<void> {
    const stored = await this.#backend.storeValue(at, at.key, value, options);
    const old = await this.#replace(at, stored, options);
    if (old && !sharesObject(this.#backend, old.value, stored, at))
      await purgeObjects(this.#backend, old.value, { ...options, owner: at });
  }

  /** The value; undefined when there is no row. */
  async get(at: RowKey, options: RowOptions = {}): Promise<unknown> {
    const row = await this.#rows.get(at, options);
    return row && this.#backend.loadValue(row.value, { ...options, owner: at });
  }

  /** Whether there is a row. */
  async has(at: RowKey, options: RowOptions = {}): Promise<boolean> {
    return (await this.#rows.get(at, options)) !== undefined;
  }

  /** The values of all rows that agree with the filter, in the order of the rows, some of them fetched ahead. */
  async *getMany(filter: RowFilter, options: RowOptions = {}): AsyncGenerator<XComEntry, void, undefined> {
    const loading: Promise<XComEntry>[] = [];
    for await (const row of this.#rows.list(filter, options)) {
      loading.push(this.#entry(row, options));
      if (loading.length === AHEAD) yield loading.shift()!;
    }
    yield* loading;
  }

  /** Deletes the row, then its object; whether there was a row. An error after the row is gone names the object. */
  async delete(at: RowKey, options: RowOptions = {}): Promise<boolean> {
    const { row, error } = await deleteRow(this.#rows, at, options);
    if (error) throw error.reason;
    if (!row) return false;
    await purgeObjects(this.#backend, row.value, { ...options, owner: at });
    return true;
  }

  /**
   * Deletes every row of a task instance, each before its objects on all replicas. What fails is reported and does not
   * stop the rest. InvalidArgument for a target that is not exactly one run's; NotFound when no run has the date.
   */
  async clear(target: ClearTarget, options: ClearOptions = {}): Promise<ClearReport> {
    const places = { rows: this.#rows, backend: this.#backend, runs: this.#runs };
    return withOperation("clear", "", async () => clearRows(places, await filterOf(target, places, options), options));
  }

  /** Puts `stored` into the row; the row that it replaced. */
  async #replace(at: RowKey, stored: unknown, options: RowOptions): Promise<XComRow | undefined> {
    for (let attempt = 0; attempt < MAX_CONFLICTS; attempt++) {
      const old = await this.#rows.get(at, options);
      const condition = old ? { ifVersion: old.version } : { ifAbsent: true };
      if ((await this.#rows.set(at, stored, { ...options, ...condition })) !== false) return old;
      await pauseAfterConflict(attempt, options.signal);
    }
    // The row has never held it, unless it is a name that every value of this task instance overwrites.
    const { value: standing } = (await this.#rows.get(at, options)) ?? {};
    if (!sharesObject(this.#backend, standing, stored, at))
      await purgeObjects(this.#backend, stored, { ...options, owner: at });
    throw failure("PreconditionFailed", `other writers were faster ${MAX_CONFLICTS} times`).at("set", "");
  }

  #entry(row: XComRow, options: RowOptions): Promise<XComEntry> {
    const entry = this.#load(row, options);
    // It may fail before its turn comes; then it is told when it is asked for.
    entry.catch(() => {});
    return entry;
  }

  async #load({ value: stored, ...at }: XComRow, options: RowOptions): Promise<XComEntry> {
    return { ...at, value: await this.#backend.loadValue(stored, { ...options, owner: at }) };
  }
}

// What a task instance has left, deleted: each row, then every object that it refers to.

/** All XComs of a task instance; without `mapIndex` of all its map indexes. The run is named by its id or by its date. */
export type ClearTarget = {
  dagId: string;
  taskId: string;
  mapIndex?: number | undefined;
} & (
  | { runId: string; logicalDate?: undefined }
  /** Text has its offset from UTC. */
  | { runId?: undefined; logicalDate: Date | string }
);

export interface ClearOptions extends RowOptions {
  /** Deletes nothing and reports what would be deleted. @default false */
  dryRun?: boolean | undefined;
}

/** What `clear` did, or with `dryRun` would do. */
export interface ClearReport {
  /** How many rows and objects are gone. */
  rows: number;
  objects: number;
  /** The rows that are gone, each with its objects that are. */
  deleted: { at: RowKey; objects: string[] }[];
  /** Rows that were listed and that somebody else has deleted since; their objects are theirs to purge. */
  gone: RowKey[];
  /** Rows that are gone although they may have referred to an object that this backend does not delete. */
  kept: {
    at: RowKey;
    /** What the row held. */
    reference: string;
    reason: string;
  }[];
  /** What is still there and why. */
  left: {
    at: RowKey;
    /** Whether the row is. Its objects are not touched then. */
    row: boolean;
    /** The objects that are. */
    objects: string[];
    /** What the row holds or held, where that is text. */
    reference: string | undefined;
    error: unknown;
  }[];
}

interface Places {
  rows: XComRows;
  backend: XComBackend;
  runs: RunFinder | undefined;
}

const TARGET: readonly string[] = ["dagId", "taskId", "mapIndex", "runId", "logicalDate"];

/** The rows that a target means. */
async function filterOf(target: ClearTarget, { runs }: Pick<Places, "runs">, options: RowOptions) {
  const { dagId, taskId, mapIndex, runId, logicalDate } = target;
  // One that is not known narrows nothing, and what it should have kept would be deleted.
  for (const name of Object.keys(target)) if (!TARGET.includes(name)) refuse(unknownName("target field", name, TARGET));
  for (const name of Object.keys(options))
    if (!OPTIONS.includes(name)) refuse(unknownName("option of clear", name, OPTIONS));
  for (const [name, id] of Object.entries({ dagId, taskId })) checkId(name, id);
  if (mapIndex !== undefined && !Number.isInteger(mapIndex)) refuse("mapIndex must be a whole number, -1 or more");
  if ((runId === undefined) === (logicalDate === undefined)) refuse("give exactly one of runId and logicalDate");
  if (logicalDate === undefined) checkId("runId", runId);
  const run = logicalDate === undefined ? runId : await runAt(dagId, logicalDate, runs, options);
  return { dagId, taskId, runId: run, mapIndex } satisfies RowFilter;
}

const OPTIONS: readonly string[] = ["dryRun", "signal"];

function unknownName(what: string, name: string, known: readonly string[]): string {
  return `unknown ${what} "${name}" (expected one of ${known.join(", ")})`;
}

/** A filter without an id would be one for the rows of all. */
function checkId(name: string, id: unknown): void {
  if (typeof id !== "string" || id === "") refuse(`${name} must be the text of an id`);
}

async function runAt(dagId: string, date: Date | string, runs: RunFinder | undefined, options: RowOptions) {
  const text = logicalDateText(date);
  if (!runs) refuse("these rows know no dates; give XCom `runs`, such as airflowRuns(query), or name the runId");
  const run = await runs(dagId, text, options);
  if (run === undefined) throw failure("NotFound", `no run of ${dagId} has the logical date ${text}`);
  return run;
}

/** How often a row is looked at again when others write it meanwhile. */
const MAX_CONFLICTS = 50;
const MAX_CONFLICT_DELAY_MS = 100;

/** Waits before the next look, at random and longer each time, so that many writers do not meet again. */
function pauseAfterConflict(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  return pause(Math.random() * Math.min(2 ** attempt, MAX_CONFLICT_DELAY_MS), signal);
}

/** Clears the rows that agree with the filter. What fails is reported and does not stop the rest. */
async function clearRows(places: Places, filter: RowFilter, options: ClearOptions): Promise<ClearReport> {
  if (options.dryRun && !pathsOf(places.backend, null, {}))
    throw failure("Unsupported", "the backend cannot tell what it would delete: it has no method pathsOf");
  // Listed before anything is deleted, since a listing may leave rows out when others go. Keys only: values are large.
  const doomed: RowKey[] = [];
  for await (const row of places.rows.list(filter, options)) doomed.push(checkedKey(row, filter));
  const cleared: ClearReport = { rows: 0, objects: 0, deleted: [], gone: [], kept: [], left: [] };
  for (const at of doomed) await clearRow(places, at, options, cleared);
  return cleared;
}

/** A row store is a foreign system: what it lists beside the filter must not be deleted. */
function checkedKey(row: XComRow, filter: RowFilter): RowKey {
  if (agreesWith(row, filter)) return keyOfRow(row);
  throw failure("Corrupt", `the rows list ${JSON.stringify(keyOfRow(row))}, which is not what was asked for`);
}

interface DeletedRow {
  /** What was there; undefined when there was nothing. With an error it may still be. */
  row: XComRow | undefined;
  error?: { reason: unknown };
}

/** Deletes a row as it is at this moment. One that is gone although its delete failed counts as deleted. */
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

async function look(rows: XComRows, at: RowKey, signal: AbortSignal | undefined): Promise<DeletedRow> {
  return rows.get(at, { signal }).then(
    (row) => ({ row }),
    (reason: unknown) => ({ row: undefined, error: { reason } }),
  );
}

async function isGone(rows: XComRows, at: RowKey): Promise<boolean> {
  return rows.get(at).then(
    (row) => row === undefined,
    () => false,
  );
}

async function clearRow(places: Places, at: RowKey, { dryRun = false, signal }: ClearOptions, cleared: ClearReport) {
  const { row, error: stuck } = await (dryRun ? look(places.rows, at, signal) : deleteRow(places.rows, at, { signal }));
  const stays = (objects: readonly string[], standing: boolean, error: unknown) => {
    signal?.throwIfAborted();
    const reference = typeof row?.value === "string" ? row.value : undefined;
    cleared.left.push({ at, row: standing, objects: [...objects], reference, error });
  };
  if (stuck) return stays([], true, stuck.reason);
  if (!row) return cleared.gone.push(at);
  cleared.rows++;
  const { gone, left, error } = await purged(places.backend, row.value, { owner: at, signal }, dryRun);
  cleared.objects += gone.length;
  cleared.deleted.push({ at, objects: gone });
  if (error) stays(left, false, error.reason);
  else if (gone.length === 0 && mayBeReference(row.value))
    cleared.kept.push({ at, reference: row.value, reason: NOT_OURS });
}

const NOT_OURS = "the backend does not delete what this text refers to, if it refers to an object";

/** Text that begins as a URL does; the rows of another base, of a retired route or of an alias are of this kind. */
function mayBeReference(value: unknown): value is string {
  return typeof value === "string" && /^[a-z][a-z0-9+._-]*:\/\/[^\s]+$/i.test(value) && !/^https?:/i.test(value);
}

interface Purged {
  gone: string[];
  left: string[];
  error?: { reason: unknown };
}

async function purged(backend: XComBackend, stored: unknown, options: LoadOptions, dry: boolean): Promise<Purged> {
  let paths: string[] = [];
  try {
    const told = pathsOf(backend, stored, options)?.map(String);
    paths = told ?? [];
    if (dry) return { gone: paths, left: [] };
    const found = await purgeObjects(backend, stored, options);
    return { gone: told ?? (found ? [String(stored)] : []), left: [] };
  } catch (reason) {
    const left = pathsIn(reason, paths);
    return { gone: paths.filter((path) => !left.includes(path)), left, error: { reason } };
  }
}

/**
 * Whether two rows lead to one object, however they spell it: another connection or scheme is no other object. What was
 * overwritten under its name must not be purged.
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

/** Purges what a row held; a backend that says that it refers to objects and then deletes none has failed. */
async function purgeObjects(backend: XComBackend, stored: unknown, options: LoadOptions): Promise<boolean> {
  const paths = pathsOf(backend, stored, options) ?? [];
  const found = await backend.purge(stored, options);
  if (found || paths.length === 0) return found;
  const detail = "the backend did not delete the object although the row referred to it";
  throw failure("Unsupported", detail).at("purge", String(paths[0]));
}

/** Which of several objects a failure is about: all, unless it names some. */
function pathsIn(error: unknown, all: readonly string[]): string[] {
  const cause = isStorageError(error) ? error.cause : undefined;
  if (!(cause instanceof AggregateError)) return [...all];
  const named = cause.errors.flatMap((each) => (isStorageError(each) ? [each.path] : []));
  const found = all.filter((path) => named.includes(path));
  return found.length > 0 ? found : [...all];
}
