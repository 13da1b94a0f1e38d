/** The references that keep objects alive, whatever holds them. */

import { failure } from "../../errors.js";
import type { Abortable } from "../../fs/index.js";
import { StoragePath } from "../../path.js";
import type { RowKey, XComRowReader } from "../rows/rows.js";
import type { Query } from "../rows/sql.js";
import { ask } from "../rows/sql.js";
import { placeOf, type StoredLocation } from "../stored.js";

/** A reference, and where it was found. */
export interface FoundReference {
  /** The text that a row holds: the path of an object. */
  text: string;
  /** The row, or the table, file or line; for reports. */
  where: string;
}

/** Something that holds references: rows, a file, another runtime's tables. */
export interface ReferenceSource {
  /** For reports; without a password. */
  readonly name: string;
  /** Yields every text that may be a reference. Throws if any could be missing. */
  references(options?: Abortable): AsyncIterable<FoundReference>;
}

/** The rows of a reader, such as `airflowRows` or `restRows`: the current attempts of tasks. */
export function rowReferences(rows: XComRowReader, name = "rows"): ReferenceSource {
  return {
    name,
    async *references(options = {}) {
      for await (const { value, ...at } of rows.list({}, options))
        if (typeof value === "string") yield { text: value, where: describe(at) };
    },
  };
}

function describe({ dagId, runId, taskId, mapIndex = -1, key }: RowKey): string {
  return `${dagId} ${runId} ${taskId}${mapIndex < 0 ? "" : `[${mapIndex}]`} ${key}`;
}

/** References one a line, as `stowage xcom ls --refs` prints them. Empty lines are passed over. */
export function lineReferences(lines: Iterable<string> | AsyncIterable<string>, name = "lines"): ReferenceSource {
  return {
    name,
    async *references({ signal } = {}) {
      let number = 0;
      for await (const line of lines) {
        signal?.throwIfAborted();
        number += 1;
        const text = line.trim();
        if (text !== "") yield { text, where: `${name}:${number}` };
      }
    },
  };
}

/** Maximum references of a page in memory. */
const PAGE = 2000;

/**
 * All references in the metadata database of Airflow 3.0 to 3.4, by a `query` as `airflowRows` takes it: of every
 * attempt of a task, and of the archive tables that `airflow db clean` makes. Only texts that begin with a scheme.
 */
export function airflowReferences(query: Query): ReferenceSource {
  return {
    name: "Airflow's database",
    async *references({ signal } = {}) {
      for (const table of await tablesOf(query, signal)) if (isLive(table)) yield* referencesIn(query, table, signal);
      // After the rows: meanwhile, `airflow db clean` may have moved some of them to a new archive.
      for (const table of await tablesOf(query, signal)) if (!isLive(table)) yield* referencesIn(query, table, signal);
    },
  };
}

const TABLES = [
  "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ANY (current_schemas(false))",
  "SELECT name FROM sqlite_master WHERE type = 'table'",
];
const XCOM_TABLE = /^(?:xcom(?:_v\d+)?|_airflow_deleted__xcom\w*)$/;

function isLive(table: string): boolean {
  return table.startsWith("xcom");
}

async function tablesOf(query: Query, signal: AbortSignal | undefined): Promise<string[]> {
  const [postgres, sqlite] = TABLES;
  const rows = await ask<{ name: string }>(query, postgres!, [], signal).catch(() =>
    ask<{ name: string }>(query, sqlite!, [], signal),
  );
  const names = rows.map(({ name }) => String(name)).filter((name) => XCOM_TABLE.test(name));
  return names.sort();
}

/** Each page starts after the last text, so that rows written or deleted meanwhile cause no skipped one. */
async function* referencesIn(
  query: Query,
  table: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<FoundReference> {
  let after = "";
  for (;;) {
    const texts = `SELECT DISTINCT CAST(value AS TEXT) AS reference FROM "${table}"`;
    const where = `reference LIKE '"%://%' AND reference > $1`;
    const rows = await ask<{ reference: string }>(
      query,
      `SELECT reference FROM (${texts}) AS found WHERE ${where} ORDER BY reference LIMIT ${PAGE}`,
      [after],
      signal,
    );
    for (const { reference } of rows) {
      yield { text: textIn(reference, table), where: table };
    }
    if (rows.length < PAGE) return;
    after = rows.at(-1)!.reference;
  }
}

/** Returns the text of a JSON string. A row that cannot be read may hold a reference that nobody would count. */
function textIn(json: string, table: string): string {
  try {
    return String(JSON.parse(json));
  } catch (cause) {
    throw failure("Corrupt", `${table} has a value that is no JSON: ${json.slice(0, 100)}`, { cause });
  }
}

/** Returns the object that a text refers to, if its path has one of Airflow's layouts; undefined for a value. */
export function referredObject(text: string, base: StoragePath | undefined): StoredLocation | undefined {
  if (!/^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text)) return undefined;
  try {
    return placeOf(StoragePath.parse(text), base);
  } catch {
    return undefined;
  }
}
