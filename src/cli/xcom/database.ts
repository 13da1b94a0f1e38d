/** XComs in the rows of Airflow's metadata database. */
import { failure, invalid } from "../../errors.js";
import { StoragePath } from "../../path.js";
import type { XComRow, XComRowReader } from "../../xcom/rows.js";
import { airflowRows, sqliteQuery } from "../../xcom/rows-metadata.js";
import type { Query } from "../../xcom/sql.js";
import { placeOf } from "../../xcom/stored.js";
import type { Session } from "../session.js";
import type { FoundXCom, XComSource } from "./source.js";

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
