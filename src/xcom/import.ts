/** Restores rows from storage. */
import { failure } from "../errors.js";
import type { Storage } from "../fs/index.js";
import type { StoragePath } from "../path.js";
import { airflowEncoding } from "./encoding/airflow.js";
import { decodeText, readJson } from "./encoding/json-read.js";
import { errorAt, withOperation } from "./errors.js";
import { asPath } from "./keys/base.js";
import { type RowKey, type RowOptions, unchangedSince, type XComRow, type XComRows } from "./rows/rows.js";
import type { StoredXCom } from "./stored.js";
import type { XCom } from "./xcom.js";

export interface ImportOptions extends RowOptions {
  /** The key of objects whose path does not contain it; without it they are skipped. */
  key?: string | undefined;
  /** Whether an existing row gets the new value. @default false */
  replace?: boolean | undefined;
}

/** The result of an import. */
export interface ImportReport {
  rows: number;
  /** Skipped references or files of an export, each with the reason. */
  skipped: { from: string; why: string }[];
  /** Objects that could not be read or set; they do not stop the import. */
  failed: { from: string; error: unknown }[];
}

/**
 * Restores rows with references to objects, as {@link listStoredXComs} finds them. If a path cannot tell apart the
 * attempts, map indexes or retention classes of a task's objects under one key, the newest of the whole listing gets
 * the row, with map index -1. Memory holds the keys of the rows that were set.
 */
export async function importReferences(
  rows: XComRows,
  found: AsyncIterable<StoredXCom>,
  { key, replace = false, signal }: ImportOptions = {},
): Promise<ImportReport> {
  const done: ImportReport = { rows: 0, skipped: [], failed: [] };
  const newest = new NewestRows(rows, { replace, signal }, done);
  for await (const group of byTask(found)) {
    for (const [name, [first, ...older]] of byKey(group, key, done)) {
      for (const { path } of older) newest.skip(String(path), OLDER);
      const { dagId, runId, taskId, modified, path } = first;
      const reference = String(path);
      await newest.offer({ dagId, runId, taskId, key: name }, modified?.getTime(), reference, async (row) => {
        const options = { signal, ...unchangedSince(row) };
        return (await rows.set({ dagId, runId, taskId, key: name }, reference, options)) !== false;
      });
    }
  }
  return done;
}

const OLDER = "there is a newer object of the same task and key";
const THERE = "there is a row";
const CHANGED = "another writer has set the row meanwhile";

const UNDATED = "the index has another file of the same task and key, and does not say which is newer";

/** Gives each row to its newest candidate, in whatever order the candidates arrive. */
class NewestRows {
  /** The rows that this import has set: their content and its age. */
  readonly #set = new Map<string, { from: string; time: number | undefined }>();

  constructor(
    readonly rows: Pick<XComRows, "get">,
    readonly options: { replace: boolean; signal: AbortSignal | undefined },
    readonly done: ImportReport,
  ) {}

  /**
   * Runs `set` if the row is free, may be replaced, or holds something older from this import. `set` gets the row that
   * it may replace, and returns `false` if the row is another one by then.
   */
  async offer(
    at: RowKey,
    time: number | undefined,
    from: string,
    set: (row: XComRow | undefined) => Promise<boolean>,
  ): Promise<void> {
    const { replace, signal } = this.options;
    const id = JSON.stringify([at.dagId, at.runId, at.taskId, at.mapIndex ?? -1, at.key]);
    const mine = this.#set.get(id);
    try {
      if (mine && !isNewer(time, mine.time)) return this.skip(from, time === undefined ? UNDATED : OLDER);
      const row = await this.rows.get(at, { signal });
      if (!mine && !replace && row) return this.skip(from, THERE);
      if (!(await set(row))) return this.skip(from, CHANGED);
    } catch (error) {
      signal?.throwIfAborted();
      this.done.failed.push({ from, error });
      return;
    }
    this.#set.set(id, { from, time });
    if (mine) this.skip(mine.from, OLDER);
    else this.done.rows++;
  }

  skip(from: string, why: string): void {
    this.done.skipped.push({ from, why });
  }
}

function isNewer(time: number | undefined, than: number | undefined): boolean {
  return time !== undefined && (than === undefined || time > than);
}

/** A listing returns the objects of a task together, so only these are held in memory. */
async function* byTask(found: AsyncIterable<StoredXCom>): AsyncGenerator<StoredXCom[]> {
  let group: StoredXCom[] = [];
  for await (const one of found) {
    const [first] = group;
    const same = first?.dagId === one.dagId && first.runId === one.runId && first.taskId === one.taskId;
    if (first && !same) {
      yield group;
      group = [];
    }
    group.push(one);
  }
  if (group.length > 0) yield group;
}

/** Groups the objects by key, newest first. */
function byKey(group: readonly StoredXCom[], otherwise: string | undefined, done: ImportReport) {
  const keys = new Map<string, [StoredXCom, ...StoredXCom[]]>();
  const newestFirst = group.toSorted((a, b) => (b.modified?.getTime() ?? 0) - (a.modified?.getTime() ?? 0));
  for (const one of newestFirst) {
    const key = one.key ?? otherwise;
    if (key === undefined)
      done.skipped.push({ from: String(one.path), why: "its path does not contain the key; name one" });
    else if (keys.has(key)) keys.get(key)!.push(one);
    else keys.set(key, [one]);
  }
  return keys;
}

/** The file of an export that maps each file to its XCom. */
export const INDEX = "index.jsonl";

/** Maximum characters of an index line; a typical one has some hundreds. A longer one is TooLarge. */
const MAX_LINE = 1024 * 1024;

/** Exists beside an export until the export is complete. */
export const UNFINISHED = "index.jsonl.unfinished";

/** A line of the `index.jsonl` that `stowage xcom export` writes. */
interface Line {
  file: string;
  dagId: string;
  runId: string;
  taskId: string;
  mapIndex: number | undefined;
  key: string | undefined;
  /** The object's storage time, in milliseconds since 1970. */
  time: number | undefined;
}

/**
 * Sets the values that `stowage xcom export` has written below `path`: small ones in their rows, large ones as new
 * objects of `xcom`'s backend. The index is streamed: entries before a damaged line are set. Of several files of one
 * row, the one stored last wins.
 */
export async function importExported(
  xcom: XCom,
  { storage, path }: { storage: Storage; path: StoragePath | string },
  { key, replace = false, signal }: ImportOptions = {},
): Promise<ImportReport> {
  const folder = asPath(path);
  const done: ImportReport = { rows: 0, skipped: [], failed: [] };
  const newest = new NewestRows({ get: (at) => xcom.row(at, { signal }) }, { replace, signal }, done);
  const lines = linesOf(storage, folder.join(INDEX), signal);
  for await (const { file, key: own = key, dagId, runId, taskId, mapIndex, time } of lines) {
    const why = own === undefined ? "the index does not tell the key; name one" : reasonToRefuse(file);
    if (why) newest.skip(file, why);
    else {
      const at = { dagId, runId, taskId, mapIndex, key: own! };
      await newest.offer(at, time, file, async (row) => {
        const value = await valueIn(storage, folder.join(file), signal);
        return xcom.setIfUnchanged(at, value, row, { signal });
      });
    }
  }
  return done;
}

function reasonToRefuse(file: string): string | undefined {
  if (file.split("/").some((segment) => segment === "" || segment === "." || segment === ".."))
    return "its path leads out of the folder";
  return file.endsWith(".json") ? undefined : "it is no JSON; store it with its serializer";
}

/** Yields the lines as they arrive; memory holds one line and one chunk at most. */
async function* linesOf(storage: Storage, path: StoragePath, signal: AbortSignal | undefined): AsyncGenerator<Line> {
  const lines = new Lines(INDEX, MAX_LINE);
  try {
    for await (const text of decodeText(storage.read(path, { signal }))) {
      lines.push(text);
      for (let line = lines.next(); line !== undefined; line = lines.next())
        if (line !== "") yield parseIndexLine(line);
    }
    if (lines.rest !== "") yield parseIndexLine(lines.rest);
  } catch (error) {
    throw errorAt("import", path, error);
  }
}

function parseIndexLine(text: string): Line {
  let line: unknown;
  try {
    line = JSON.parse(text);
  } catch (cause) {
    throw failure("Corrupt", "a line of the index is not JSON", { cause });
  }
  const fields: Record<string, unknown> = typeof line === "object" && line !== null ? { ...line } : {};
  const { file, dagId, runId, taskId, mapIndex, key, modified } = fields;
  const time = typeof modified === "string" ? Date.parse(modified) : Number.NaN;
  return {
    file: textField("file", file),
    dagId: textField("dagId", dagId),
    runId: textField("runId", runId),
    taskId: textField("taskId", taskId),
    key: key === undefined || key === null ? undefined : textField("key", key),
    mapIndex:
      mapIndex === undefined || Number.isSafeInteger(mapIndex)
        ? (mapIndex as number | undefined)
        : badField("mapIndex"),
    time: Number.isNaN(time) ? undefined : time,
  };
}

function textField(name: string, value: unknown): string {
  return typeof value === "string" ? value : badField(name);
}

function badField(name: string): never {
  throw failure("Corrupt", `the field ${name} of a line of the index is missing or of another type`);
}

function valueIn(storage: Storage, path: StoragePath, signal: AbortSignal | undefined): Promise<unknown> {
  return withOperation("import", path, () => readJson(storage.read(path, { signal }), airflowEncoding, signal));
}

// Text in lines.

/** Splits text that arrives in pieces into lines. Throws TooLarge if an unfinished line exceeds `max` characters. */
export class Lines {
  #text = "";
  #start = 0;
  #seen = 0;
  /** The number of the last line returned. */
  at = 0;

  /** `name` is for messages. */
  constructor(
    readonly name: string,
    readonly max: number,
  ) {}

  push(text: string): void {
    this.#text = this.rest + text;
    this.#seen -= this.#start;
    this.#start = 0;
  }

  /** Returns the next line without its LF; undefined until more is pushed. */
  next(): string | undefined {
    const end = this.#text.indexOf("\n", this.#seen);
    if (end < 0) return this.#wait();
    const line = this.#text.slice(this.#start, end);
    this.#start = end + 1;
    this.#seen = end + 1;
    this.at++;
    return line;
  }

  /** Returns the text after the last LF. */
  get rest(): string {
    return this.#text.slice(this.#start);
  }

  #wait(): undefined {
    this.#seen = this.#text.length;
    if (this.#text.length - this.#start <= this.max) return;
    throw failure("TooLarge", `${this.name}: line ${this.at + 1} has more than ${this.max} characters`);
  }
}
