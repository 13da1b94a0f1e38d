/** Rows made again from what is in storage. */
import { failure } from "../errors.js";
import type { Storage } from "../fs/storage.js";
import type { StoragePath } from "../path.js";
import { asPath } from "./base.js";
import { telling, told } from "./failures.js";
import { decodeText } from "./json/decode.js";
import { readJson } from "./json/read.js";
import { Lines } from "./lines.js";
import type { RowKey, RowOptions, XComRows } from "./rows.js";
import { airflowEncoding } from "./serde.js";
import type { StoredXCom } from "./stored.js";
import type { XCom } from "./xcom.js";

export interface ImportOptions extends RowOptions {
  /** The key of objects whose path does not tell it; without one they are passed over. */
  key?: string | undefined;
  /** Whether a row that is there gets the new value. @default false */
  replace?: boolean | undefined;
}

/** What an import did. */
export interface Imported {
  rows: number;
  /** What was passed over, and why: a reference, or a file of an export. */
  skipped: { from: string; why: string }[];
}

/**
 * Makes rows with the references of objects, as {@link storedXComs} finds them. Of several objects of a task under one
 * key, attempts or map indexes that a path cannot tell apart, the newest gets the row, with map index -1.
 */
export async function importReferences(
  rows: XComRows,
  found: AsyncIterable<StoredXCom>,
  { key, replace = false, signal }: ImportOptions = {},
): Promise<Imported> {
  const done: Imported = { rows: 0, skipped: [] };
  for await (const group of byTask(found)) {
    for (const [name, [newest, ...older]] of byKey(group, key, done)) {
      const at = { dagId: newest.dagId, runId: newest.runId, taskId: newest.taskId, key: name };
      skip(done, older, "there is a newer object of the same task and key");
      if (!replace && (await rows.get(at, { signal }))) skip(done, [newest], THERE);
      else {
        await rows.set(at, String(newest.path), { signal });
        done.rows++;
      }
    }
  }
  return done;
}

const THERE = "there is a row";

/** A listing has the objects of a task one after the other, so that no more than these are held. */
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

/** The objects of each key, the newest first. */
function byKey(group: readonly StoredXCom[], otherwise: string | undefined, done: Imported) {
  const keys = new Map<string, [StoredXCom, ...StoredXCom[]]>();
  const newestFirst = group.toSorted((a, b) => (b.modified?.getTime() ?? 0) - (a.modified?.getTime() ?? 0));
  for (const one of newestFirst) {
    const key = one.key ?? otherwise;
    if (key === undefined) skip(done, [one], "its path does not tell the key; name one");
    else if (keys.has(key)) keys.get(key)!.push(one);
    else keys.set(key, [one]);
  }
  return keys;
}

function skip(done: Imported, all: readonly StoredXCom[], why: string): void {
  for (const { path } of all) done.skipped.push({ from: String(path), why });
}

/** Says of each file of an export which XCom it was. */
export const INDEX = "index.jsonl";

/** Characters of a line of the index; one has some hundreds. Above it is TooLarge. */
const MAX_LINE = 1024 * 1024;

/** A line of the `index.jsonl` that `stowage xcom export` writes. */
interface Line extends Partial<RowKey> {
  file: string;
}

/**
 * Sets the values that `stowage xcom export` has written below `path`: small ones in their rows, large ones as new
 * objects of the backend of `xcom`. The index is read as it comes: what it names before a damaged line is set.
 */
export async function importExported(
  xcom: XCom,
  { storage, path }: { storage: Storage; path: StoragePath | string },
  { key, replace = false, signal }: ImportOptions = {},
): Promise<Imported> {
  const folder = asPath(path);
  const done: Imported = { rows: 0, skipped: [] };
  const lines = linesOf(storage, folder.join(INDEX), signal);
  for await (const { file, key: own = key, dagId, runId, taskId, mapIndex } of lines) {
    const why = own === undefined ? "the index does not tell the key; name one" : whyNot(file);
    const at = { dagId: dagId ?? "", runId: runId ?? "", taskId: taskId ?? "", mapIndex, key: own ?? "" };
    if (why) done.skipped.push({ from: file, why });
    else if (!replace && (await xcom.has(at, { signal }))) done.skipped.push({ from: file, why: THERE });
    else {
      await xcom.set(at, await valueIn(storage, folder.join(file), signal), { signal });
      done.rows++;
    }
  }
  return done;
}

function whyNot(file: string): string | undefined {
  if (file.split("/").some((segment) => segment === "" || segment === "." || segment === ".."))
    return "its path leads out of the folder";
  return file.endsWith(".json") ? undefined : "it is no JSON; store it with its serializer";
}

/** The lines as they come: no more than one of them is held, and what is read at a time. */
async function* linesOf(storage: Storage, at: StoragePath, signal: AbortSignal | undefined): AsyncGenerator<Line> {
  const lines = new Lines(INDEX, MAX_LINE);
  try {
    for await (const text of decodeText(storage.read(at, { signal }))) {
      lines.push(text);
      for (let line = lines.next(); line !== undefined; line = lines.next()) if (line !== "") yield parsed(line);
    }
    if (lines.rest !== "") yield parsed(lines.rest);
  } catch (error) {
    throw told("import", at, error);
  }
}

function parsed(line: string): Line {
  try {
    return JSON.parse(line) as Line;
  } catch (cause) {
    throw failure("Corrupt", "a line of the index is not JSON", { cause });
  }
}

function valueIn(storage: Storage, at: StoragePath, signal: AbortSignal | undefined): Promise<unknown> {
  return telling("import", at, () => readJson(storage.read(at, { signal }), airflowEncoding, signal));
}
