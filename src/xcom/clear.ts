/** What a task instance has left, deleted: each row, then every object that it refers to. */
import { failure, isStorageError } from "../errors.js";
import { pause } from "../fs/pause.js";
import type { LoadOptions, XComBackend } from "../objectstore-backend.js";
import { refuse } from "./failures.js";
import { pathsOf } from "./placed.js";
import {
  agreesWith,
  keyOfRow,
  type RowFilter,
  type RowKey,
  type RowOptions,
  type XComRow,
  type XComRows,
} from "./rows.js";
import { logicalDateText, type RunFinder } from "./runs.js";

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
export interface Cleared {
  /** How many rows and objects are gone. */
  rows: number;
  objects: number;
  /** The rows that are gone, each with its objects that are. */
  deleted: { at: RowKey; objects: string[] }[];
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
export async function filterOf(target: ClearTarget, { runs }: Pick<Places, "runs">, options: RowOptions) {
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
export const MAX_CONFLICTS = 50;
const MAX_CONFLICT_DELAY_MS = 100;

/** Waits before the next look, at random and longer each time, so that many writers do not meet again. */
export function pauseAfterConflict(attempt: number, signal: AbortSignal | undefined): Promise<void> {
  return pause(Math.random() * Math.min(2 ** attempt, MAX_CONFLICT_DELAY_MS), signal);
}

/** Clears the rows that agree with the filter. What fails is reported and does not stop the rest. */
export async function clearRows(places: Places, filter: RowFilter, options: ClearOptions): Promise<Cleared> {
  if (options.dryRun && !pathsOf(places.backend, null, {}))
    throw failure("Unsupported", "the backend cannot tell what it would delete: it has no method pathsOf");
  // Listed before anything is deleted, since a listing may leave rows out when others go. Keys only: values are large.
  const doomed: RowKey[] = [];
  for await (const row of places.rows.list(filter, options)) doomed.push(checkedKey(row, filter));
  const cleared: Cleared = { rows: 0, objects: 0, deleted: [], kept: [], left: [] };
  for (const at of doomed) await clearRow(places, at, options, cleared);
  return cleared;
}

/** A row store is a foreign system: what it lists beside the filter must not be deleted. */
function checkedKey(row: XComRow, filter: RowFilter): RowKey {
  if (agreesWith(row, filter)) return keyOfRow(row);
  throw failure("Corrupt", `the rows list ${JSON.stringify(keyOfRow(row))}, which is not what was asked for`);
}

/** Deletes a row as it is at this moment. What it held; undefined when there was none. */
export async function deleteRow(rows: XComRows, at: RowKey, { signal }: RowOptions): Promise<XComRow | undefined> {
  for (let attempt = 0; attempt < MAX_CONFLICTS; attempt++) {
    const row = await rows.get(at, { signal });
    if (!row) return undefined;
    if (await rows.delete(at, { signal, ifVersion: row.version })) return row;
    await pauseAfterConflict(attempt, signal);
  }
  throw failure("PreconditionFailed", `other writers changed the row ${MAX_CONFLICTS} times; it stands`);
}

async function clearRow(places: Places, at: RowKey, { dryRun = false, signal }: ClearOptions, cleared: Cleared) {
  let row: XComRow | undefined;
  const stays = (objects: readonly string[], standing: boolean, error: unknown) => {
    signal?.throwIfAborted();
    const reference = typeof row?.value === "string" ? row.value : undefined;
    cleared.left.push({ at, row: standing, objects: [...objects], reference, error });
  };
  try {
    row = await (dryRun ? places.rows.get(at, { signal }) : deleteRow(places.rows, at, { signal }));
  } catch (error) {
    row ??= await places.rows.get(at, { signal }).catch(() => undefined);
    return stays([], true, error);
  }
  if (!row) return;
  cleared.rows++;
  const { gone, left, error } = await purged(places.backend, row.value, { owner: at, signal }, dryRun);
  cleared.objects += gone.length;
  cleared.deleted.push({ at, objects: gone });
  if (error) stays(left, false, error.reason);
  else if (gone.length === 0 && looksLikeReference(row.value))
    cleared.kept.push({ at, reference: row.value, reason: NOT_OURS });
}

const NOT_OURS = "the backend does not delete what this text refers to, if it refers to an object";

/** Text that begins as a URL does; the rows of another base, of a retired route or of an alias are of this kind. */
function looksLikeReference(value: unknown): value is string {
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

/** Purges what a row held; a backend that says that it refers to objects and then deletes none has failed. */
export async function purgeObjects(backend: XComBackend, stored: unknown, options: LoadOptions): Promise<boolean> {
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
