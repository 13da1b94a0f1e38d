/** Lists and exports XComs from their source. */
import { failure, invalid, isStorageError } from "../../errors.js";
import type { StoragePath } from "../../path.js";
import { INDEX, parseObjectName, UNFINISHED } from "../../xcom/index.js";
import type { Session } from "../command.js";
import { bytes, jsonLine, moment, printable, put, styled } from "../format.js";
import { pluralize } from "../options.js";
import {
  type FoundXCom,
  listStoredXComs,
  noRows,
  nothingFound,
  openRows,
  roundedIntegers,
  rowXComs,
  type XComFilter,
  type XComSource,
} from "./rows.js";
import { configuredBase, pathOrBase, typedOrBase } from "./values.js";

export interface FilterOptions {
  dag?: string;
  run?: string;
  task?: string;
  key?: string;
}

export interface ListOptions extends FilterOptions {
  refs?: boolean;
  /** `true`: the database in the environment. */
  database?: string | true;
}

export async function list(session: Session, text: string | undefined, options: ListOptions): Promise<void> {
  session.endsWithReader();
  const { database } = options;
  if (database === undefined) {
    const { at, source } = sourceOf(session, text);
    if (!(await printList(session, source, options))) nothingFound(at);
    return;
  }
  const { rows, close } = await openRows(session, database);
  try {
    const source = rowXComs(rows, typedOrBase(session, text));
    if (!(await printList(session, source, options))) noRows();
  } finally {
    await close();
  }
}

/** Prints the list; returns whether there was any XCom. */
async function printList(session: Session, source: XComSource, options: ListOptions): Promise<boolean> {
  let previous: FoundXCom | undefined;
  for await (const found of source.list(filterOf(options), session.signal)) {
    if (options.refs && !found.path) continue;
    await printFound(session, found, previous, options.refs === true);
    previous = found;
  }
  return previous !== undefined;
}

export interface ExportOptions extends FilterOptions {
  to: string;
}

/**
 * Writes each value as a JSON file below `to`, and an `index.jsonl` that describes the files. An unreadable value does
 * not stop the rest; it is reported, and the command fails at the end.
 */
export async function exportXComs(session: Session, text: string | undefined, options: ExportOptions): Promise<void> {
  const { at, source } = sourceOf(session, text);
  const target = session.path(options.to);
  const { storage, signal } = session;
  if (await storage.exists(target.join(INDEX), { signal }))
    throw invalid(`${target} has an export already; name another folder with --to`);
  const marker = target.join(UNFINISHED);
  let [count, failed] = [0, 0];
  async function* lines(): AsyncGenerator<string> {
    for await (const found of source.list(filterOf(options), signal)) {
      count += 1;
      if (count === 1) await storage.write(marker, "", { signal });
      const file = await copied(session, found, target).catch(async (error: unknown) => {
        signal.throwIfAborted();
        failed += 1;
        await put(session.io.stderr, printable(`stowage: ${error instanceof Error ? error.message : error}`) + "\n");
        return undefined;
      });
      if (file === undefined) continue;
      const line = { ...asJson(found), file };
      if (session.json) await jsonLine(session.io.stdout, line);
      yield `${JSON.stringify(line)}\n`;
    }
    if (count === 0) nothingFound(at);
  }
  await storage.write(target.join(INDEX), lines(), { ifAbsent: true, signal });
  await storage.delete(marker, { signal });
  if (!session.json) await session.say({}, printable(`exported ${pluralize(count - failed, "XCom")} to ${target}`));
  if (failed > 0) session.exitCode = 1;
}

/**
 * Returns the file's path relative to the target: as below the base, without the codec's suffix; a file without a
 * suffix is JSON. An existing file belongs to another XCom, in another codec or retention class: the next free number
 * goes before `.json`.
 */
async function copied({ storage, signal }: Session, found: FoundXCom, target: StoragePath): Promise<string> {
  const { path, dagId, runId, taskId, codec } = found;
  if (!path) throw failure("Unsupported", "only XComs in storage can be exported");
  const tail = path.key.slice(path.key.lastIndexOf(`/${taskId}/`) + taskId.length + 2);
  const plain = codec ? tail.slice(0, tail.lastIndexOf(".")) : tail;
  const named = parseObjectName(path.name).suffix === "" ? `${plain}.json` : plain;
  for (let number = 1; ; number++) {
    const file = [dagId, runId, taskId, number === 1 ? named : numbered(named, number)].join("/");
    try {
      const body = storage.read(path, { compression: "infer", signal });
      await storage.write(target.join(file), body, { ifAbsent: true, signal });
      return file;
    } catch (error) {
      if (!isStorageError(error, "AlreadyExists")) throw error;
    }
  }
}

function numbered(name: string, number: number): string {
  const dot = name.lastIndexOf(".");
  return `${name.slice(0, dot)}.${number}${name.slice(dot)}`;
}

function sourceOf(session: Session, text: string | undefined): { at: StoragePath; source: XComSource } {
  const base = configuredBase(session.env);
  const at = pathOrBase(session, text);
  return { at, source: listStoredXComs(session.storage, at, base) };
}

export function filterOf({ dag, run, task, key }: FilterOptions): XComFilter {
  return { dagId: dag, runId: run, taskId: task, key };
}

async function printFound(session: Session, found: FoundXCom, previous: FoundXCom | undefined, refs: boolean) {
  const { stdout } = session.io;
  if (session.json) return jsonLine(stdout, asJson(found));
  if (refs) return put(stdout, `${found.path}\n`);
  const { dagId, runId } = found;
  if (previous?.dagId !== dagId || previous.runId !== runId) {
    const title = styled(stdout, "bold", printable(`${dagId}  ${runId}`));
    await put(stdout, `${previous ? "\n" : ""}${title}\n`);
  }
  await put(stdout, `${rowOf(session, found)}\n`);
}

function rowOf(
  { io: { stdout } }: Session,
  { taskId, key, mapIndex, size, modified, codec, stored, path }: FoundXCom,
): string {
  const name = mapIndex === undefined || mapIndex < 0 ? taskId : `${taskId}[${mapIndex}]`;
  const where = stored === undefined ? [] : [path ? "object" : "row   "];
  const first = size === undefined ? where : [bytes(size).padStart(8)];
  const columns = [
    ...first,
    (codec ?? "").padEnd(4),
    ...(modified ? [styled(stdout, "dim", moment(modified))] : []),
    printable(`${name}  ${key ?? "-"}`),
  ];
  return `  ${columns.join("  ")}`;
}

function asJson({ path, size, stored, ...rest }: FoundXCom): object {
  return { ...rest, reference: path, storedBytes: size, value: path ? undefined : roundedIntegers(stored) };
}
