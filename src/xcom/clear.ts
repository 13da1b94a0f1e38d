/** What a task instance has left, deleted: each row, then every object that it refers to. */
import { failure, isStorageError } from "../errors.js";
import type { LoadOptions, XComBackend } from "../objectstore-backend.js";
import { refuse } from "./failures.js";
import { pathsOf } from "./placed.js";
import type { RowFilter, RowKey, RowOptions, XComRow, XComRows } from "./rows.js";
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

/** The rows that a target means. */
export async function filterOf(target: ClearTarget, { runs }: Pick<Places, "runs">, options: RowOptions) {
  const { dagId, taskId, mapIndex, runId, logicalDate } = target;
  for (const [name, id] of Object.entries({ dagId, taskId })) checkId(name, id);
  if (mapIndex !== undefined && !Number.isInteger(mapIndex)) refuse("mapIndex must be a whole number, -1 or more");
  if ((runId === undefined) === (logicalDate === undefined)) refuse("give exactly one of runId and logicalDate");
  if (logicalDate === undefined) checkId("runId", runId);
  const run = logicalDate === undefined ? runId : await runAt(dagId, logicalDate, runs, options);
  return { dagId, taskId, runId: run, mapIndex } satisfies RowFilter;
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

/** Clears the rows that agree with the filter. What fails is reported and does not stop the rest. */
export async function clearRows(places: Places, filter: RowFilter, options: ClearOptions): Promise<Cleared> {
  if (options.dryRun && !pathsOf(places.backend, null, {}))
    throw failure("Unsupported", "the backend cannot tell what it would delete: it has no method pathsOf");
  // Listed before anything is deleted: a listing may leave rows out when others go.
  const doomed: XComRow[] = [];
  for await (const row of places.rows.list(filter, options)) doomed.push(row);
  const cleared: Cleared = { rows: 0, objects: 0, deleted: [], left: [] };
  for (const row of doomed) await clearRow(places, row, options, cleared);
  return cleared;
}

async function clearRow(places: Places, row: XComRow, { dryRun, signal }: ClearOptions, cleared: Cleared) {
  const { value, ...at } = row;
  const reference = typeof value === "string" ? value : undefined;
  const stays = (objects: readonly string[], standing: boolean, error: unknown) => {
    signal?.throwIfAborted();
    cleared.left.push({ at, row: standing, objects: [...objects], reference, error });
  };
  try {
    if (dryRun || (await places.rows.delete(at, { signal }))) cleared.rows++;
  } catch (error) {
    return stays([], true, error);
  }
  const { gone, left, error } = await purged(places.backend, value, { owner: at, signal }, dryRun === true);
  cleared.objects += gone.length;
  cleared.deleted.push({ at, objects: gone });
  if (error) stays(left, false, error.reason);
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
    const found = await backend.purge(stored, options);
    return { gone: told ?? (found ? [String(stored)] : []), left: [] };
  } catch (reason) {
    const left = pathsIn(reason, paths);
    return { gone: paths.filter((path) => !left.includes(path)), left, error: { reason } };
  }
}

/** Which of several objects a failure is about: all, unless it names some. */
function pathsIn(error: unknown, all: readonly string[]): string[] {
  const cause = isStorageError(error) ? error.cause : undefined;
  if (!(cause instanceof AggregateError)) return [...all];
  const named = cause.errors.flatMap((each) => (isStorageError(each) ? [each.path] : []));
  const found = all.filter((path) => named.includes(path));
  return found.length > 0 ? found : [...all];
}
