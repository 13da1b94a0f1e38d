/** XComs in the rows of Airflow's metadata database. */
import { failure, invalid } from "../../errors.js";
import type { Storage } from "../../fs/index.js";
import { StoragePath } from "../../path.js";
import {
  airflowRows,
  placeOf,
  type Query,
  type StoredFilter,
  sqliteQuery,
  listStoredXComs as stored,
  type XComRow,
  type XComRowReader,
} from "../../xcom/index.js";
import type { Session } from "../command.js";

/** Where Airflow itself is told where its database is; not on a command line, as its password is part of it. */
const VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN";

export interface OpenedRows {
  rows: XComRowReader;
  close(): Promise<void>;
}

/** The rows of the database at `address`, else of the one that the environment names. They are never written. */
export async function openRows({ env, io }: Session, address: string | true): Promise<OpenedRows> {
  const given = address === true ? env[VARIABLE] : address;
  if (!given) throw invalid(`name a database, or set ${VARIABLE} to it`);
  // SQLAlchemy names its driver in the scheme: postgresql+psycopg2.
  const [, scheme, rest] = /^([a-z]+)(?:\+\w+)?:\/\/(.*)$/s.exec(given) ?? [];
  if (scheme === "postgresql" || scheme === "postgres") return postgresRows(`postgresql://${rest}`);
  if (scheme === undefined || scheme === "sqlite") return sqliteRows(io.cwd, rest?.replace(/^\//, "") ?? given);
  throw failure("Unsupported", `databases of the kind ${scheme} cannot be read, only Postgres and SQLite`);
}

async function postgresRows(connectionString: string): Promise<OpenedRows> {
  const { query, close } = await postgresQuery(connectionString);
  return { rows: airflowRows(query), close };
}

/** A connection to a Postgres. */
export async function postgresQuery(connectionString: string): Promise<{ query: Query; close(): Promise<void> }> {
  const { default: pg } = await import("pg").catch((cause: unknown) => {
    throw failure("Unsupported", "Postgres needs the package pg: npm install pg", { cause });
  });
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 });
  await client.connect().catch((error: Error) => {
    throw failure("Unavailable", `the database does not answer: ${error.message}`);
  });
  return { query: (text, values) => client.query(text, values), close: () => client.end() };
}

async function sqliteRows(cwd: string, file: string): Promise<OpenedRows> {
  const { resolve } = await import("node:path");
  const query = sqliteQuery(resolve(cwd, file));
  return { rows: airflowRows(query), close: async () => query.close() };
}

/** The rows as a source of XComs: what is a reference is told by its path, below `base` or below any other. */
export function rowXComs(rows: XComRowReader, base: StoragePath | undefined): XComSource {
  return {
    async *list(filter, signal) {
      for await (const row of rows.list(filter, { signal })) yield foundIn(row, base);
    },
  };
}

function foundIn({ value: stored, ...at }: XComRow, base: StoragePath | undefined): FoundXCom {
  const place = typeof stored === "string" ? referred(stored, base) : undefined;
  return place ? { ...at, stored, path: place.path, codec: place.codec } : { ...at, stored };
}

function referred(text: string, base: StoragePath | undefined) {
  try {
    return placeOf(StoragePath.parse(text), base);
  } catch {
    return undefined;
  }
}

// Where a listing of XComs comes from.

export type XComFilter = StoredFilter;

/** One XCom, as far as its source tells: storage knows no map index, a metadata database no size. */
export interface FoundXCom {
  dagId: string;
  runId: string;
  taskId: string;
  key: string | undefined;
  mapIndex?: number;
  /** Where the object is; undefined when the value is in the row. */
  path?: StoragePath;
  /** What the row holds. */
  stored?: unknown;
  size?: number | undefined;
  modified?: Date | undefined;
  codec?: string | undefined;
}

/** Anything that can list XComs: the layout of a storage here, the rows of a metadata database elsewhere. */
export interface XComSource {
  list(filter: XComFilter, signal: AbortSignal): AsyncIterable<FoundXCom>;
}

/** The XComs whose objects are below `at`, told by their paths alone. `base` is where the ids begin, where it is known. */
export function listStoredXComs(storage: Storage, at: StoragePath, base: StoragePath | undefined): XComSource {
  return {
    async *list(filter, signal) {
      for await (const found of stored({ storage, path: at, base }, filter, { signal })) {
        const { dagId, runId, taskId, key, codec, path, size, modified } = found;
        yield { dagId, runId, taskId, key, path, size, modified, codec };
      }
    },
  };
}

/** NotFound, saying where nothing was found, after a listing that brought nothing. */
export function nothingFound(at: StoragePath): never {
  throw failure("NotFound", "there are no XComs below it that match").at("xcom ls", String(at));
}

/** NotFound after a listing of a database that brought nothing. */
export function noRows(): never {
  throw failure("NotFound", "the database has no XComs that match").at("xcom", "");
}

/** A value for a listing: integers beyond 2^53 - 1, which `JSON.stringify` refuses, are rounded. */
export function roundedIntegers(value: unknown): unknown {
  if (value === undefined) return undefined;
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner)));
}
