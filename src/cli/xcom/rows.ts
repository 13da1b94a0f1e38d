/** XComs in the rows of Airflow's metadata database. */
import { deserialize, serialize } from "node:v8";
import { failure, invalid } from "../../errors.js";
import type { Storage } from "../../fs/index.js";
import { providerOf, StoragePath } from "../../path.js";
import { databaseError } from "../../sql.js";
import {
  airflowReferences,
  airflowRewriter,
  airflowRows,
  LineSorter,
  mysqlQuery,
  mysqlState,
  placeOf,
  type Query,
  type ReferenceSource,
  RunFolder,
  restRows,
  type StoredFilter,
  sqliteQuery,
  listStoredXComs as stored,
  type XComRow,
  type XComRowReader,
} from "../../xcom/index.js";
import type { Session } from "../command.js";

/** Airflow's own variable for its database; not a command-line option, as it contains the password. */
const VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN";

export interface OpenedRows {
  rows: XComRowReader;
  close(): Promise<void>;
}

/** Opens the rows of the database at `address`, else of the one in the environment. Never writes them. */
export async function openRows(session: Session, address: string | true): Promise<OpenedRows> {
  const { query, close } = await openQuery(session, address);
  return { rows: airflowRows(query), close };
}

/** Opens all references of a database, those of earlier attempts and archives included. */
export async function openReferences(session: Session, address: string | true): Promise<OpenedSource> {
  const { query, close } = await openQuery(session, address);
  return { source: airflowReferences(query), close };
}

/** Opens the references of a database so that they can be changed. */
export async function openRewriter(session: Session, address: string | true): Promise<OpenedSource> {
  const { query, close, isPostgres } = await openQuery(session, address);
  if (isPostgres) return { source: airflowRewriter(query), close };
  await close();
  throw failure("Unsupported", "rows of SQLite and MySQL are not changed, only those of Postgres; or use --rest");
}

export interface OpenedSource {
  source: ReferenceSource;
  close(): Promise<void>;
}

/** Not a command-line option, which other users can see. */
const TOKEN = "AIRFLOW_API_TOKEN";

/** Opens the rows of Airflow's REST API. */
export async function openRest({ env }: Session, endpoint: string) {
  const token = env[TOKEN];
  if (!token) throw invalid(`set ${TOKEN} to a token of Airflow's REST API`);
  const rows = await restRows({ endpoint, token });
  return { rows, close: async () => rows.close() };
}

interface OpenedQuery {
  query: Query;
  isPostgres: boolean;
  close(): Promise<void>;
}

async function openQuery({ env, io }: Session, address: string | true): Promise<OpenedQuery> {
  const given = address === true ? env[VARIABLE] : address;
  if (!given) throw invalid(`name a database, or set ${VARIABLE} to it`);
  refuseStorage(given);
  // SQLAlchemy names its driver in the scheme: postgresql+psycopg2.
  const [, scheme, rest] = /^([a-z]+)(?:\+\w+)?:\/\/(.*)$/s.exec(given) ?? [];
  if (scheme === "postgresql" || scheme === "postgres") return postgresQuery(`postgresql://${rest}`);
  if (scheme === undefined || scheme === "sqlite") return sqliteFile(io.cwd, rest?.replace(/^\//, "") ?? given);
  if (scheme === "mysql" || scheme === "mariadb") return openMySql(`mysql://${rest}`);
  throw failure("Unsupported", `databases of the kind ${scheme} cannot be read, only Postgres, MySQL and SQLite`);
}

/** Opens a source in the tables of another runtime, in the Postgres at `address` or in `DATABASE_URL`. */
export async function openPostgres(
  { env }: Session,
  address: string | true,
  sourceOf: (query: Query) => ReferenceSource,
): Promise<OpenedSource> {
  const given = address === true ? env.DATABASE_URL : address;
  if (!given) throw invalid("name a database, or set DATABASE_URL to it");
  refuseStorage(given);
  if (!/^postgres(ql)?:\/\//.test(given)) throw failure("Unsupported", "only databases of Postgres can be read");
  const { query, close } = await postgresQuery(given);
  return { source: sourceOf(query), close };
}

/** An option whose address may be left out takes a path behind it for one. */
function refuseStorage(address: string): void {
  if (providerOf(address.slice(0, Math.max(0, address.indexOf("://")))) !== undefined)
    throw invalid(`${address} was taken for the address of a database: put the path before the option`);
}

/** Connects to Postgres. */
export async function postgresQuery(connectionString: string): Promise<OpenedQuery> {
  const { default: pg } = await import("pg").catch((cause: unknown) => {
    throw failure("Unsupported", "Postgres needs the package pg: npm install pg", { cause });
  });
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 10_000 });
  // A connection that the server ends between two statements fails the next one, by its own reason.
  let lost: Error | undefined;
  client.on("error", (error) => {
    lost ??= error;
  });
  await client.connect().catch((error: Error & { code?: string }) => rethrowConnectError(error, error.code));
  const query: Query = (text, values) => (lost ? Promise.reject(lost) : client.query(text, values));
  return { query, isPostgres: true, close: () => client.end() };
}

/** Throws for a connection that failed; with an SQLSTATE, the database has answered and refuses. */
function rethrowConnectError({ message }: Error, code: string | undefined): never {
  const isAnswer = /^[0-9A-Z]{5}$/.test(code ?? "");
  throw databaseError({ code, message }, isAnswer ? "the database says" : "the database does not answer");
}

/** Connects to MySQL. */
async function openMySql(address: string): Promise<OpenedQuery> {
  const { hostname, port, username, password, pathname, searchParams } = mysqlAddress(address);
  const { default: mysql } = await import("mysql2/promise").catch((cause: unknown) => {
    throw failure("Unsupported", "MySQL needs the package mysql2: npm install mysql2", { cause });
  });
  const connection = await mysql
    .createConnection({
      host: hostname,
      port: Number(port || 3306),
      user: decodeURIComponent(username),
      password: decodeURIComponent(password),
      database: decodeURIComponent(pathname.slice(1)),
      charset: "utf8mb4",
      connectTimeout: 10_000,
      ...(searchParams.has("ssl") ? { ssl: {} } : {}),
    })
    .catch((error: Error & { errno?: number; sqlState?: string }) => rethrowConnectError(error, mysqlState(error)));
  // A connection that the server ends between two statements fails the next one.
  connection.on("error", () => {});
  return { query: mysqlQuery(connection), isPostgres: false, close: async () => connection.destroy() };
}

/** The only parameters are `charset`, which is always UTF-8, and `ssl=true`. */
function mysqlAddress(address: string): URL {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || url.pathname.length < 2)
    throw invalid("an address of MySQL names its database: mysql://user@host/database");
  for (const [name, value] of url.searchParams)
    if (name !== "charset" && !(name === "ssl" && value === "true"))
      throw invalid(`the address has the parameter ${JSON.stringify(name)}; only charset and ssl=true are known`);
  return url;
}

async function sqliteFile(cwd: string, file: string): Promise<OpenedQuery> {
  const { resolve } = await import("node:path");
  const query = sqliteQuery(resolve(cwd, file));
  return { query, isPostgres: false, close: async () => query.close() };
}

/**
 * Returns the rows as a source of XComs, by Dag, run, task, map index and key: a reference's path, below `base` or
 * elsewhere, identifies it. A database lists them by its own keys; they are sorted here, in bounded memory.
 */
export function rowXComs(rows: XComRowReader, base: StoragePath | undefined): XComSource {
  return {
    async *list(filter, signal) {
      const folder = new RunFolder();
      const sorter = new LineSorter(folder);
      try {
        for await (const row of rows.list(filter, { signal })) {
          const full = sorter.add(lineOf(row));
          if (full) await full;
        }
        for await (const lines of sorter.batches()) for (const line of lines) yield foundIn(rowIn(line), base);
      } finally {
        await folder.remove();
      }
    },
  };
}

/** Ids first, which decide the order; then the row, whose value may have big integers. */
function lineOf(row: XComRow): string {
  const { dagId, runId, taskId, mapIndex = -1, key } = row;
  const ids = [dagId, runId, taskId, String(mapIndex + 1).padStart(10, "0"), key];
  return `${ids.map((id) => JSON.stringify(id)).join("\0")}\0${serialize(row).toString("base64")}`;
}

function rowIn(line: string): XComRow {
  return deserialize(Buffer.from(line.slice(line.lastIndexOf("\0") + 1), "base64"));
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

// The sources of an XCom listing.

export type XComFilter = StoredFilter;

/** One XCom, as far as its source knows it: storage knows no map index, a metadata database no size. */
export interface FoundXCom {
  dagId: string;
  runId: string;
  taskId: string;
  key: string | undefined;
  mapIndex?: number;
  /** The object's location; undefined if the value is in the row. */
  path?: StoragePath;
  /** The row's content. */
  stored?: unknown;
  size?: number | undefined;
  modified?: Date | undefined;
  codec?: string | undefined;
}

/** A source of XCom listings: a storage layout here, the rows of a metadata database elsewhere. */
export interface XComSource {
  list(filter: XComFilter, signal: AbortSignal): AsyncIterable<FoundXCom>;
}

/**
 * Returns the XComs with objects below `path`, identified by their paths alone. `base` is where the ids begin, if known.
 */
export function listStoredXComs(storage: Storage, path: StoragePath, base: StoragePath | undefined): XComSource {
  return {
    async *list(filter, signal) {
      for await (const found of stored({ storage, path, base }, filter, { signal })) {
        const { dagId, runId, taskId, key, codec, path, size, modified } = found;
        yield { dagId, runId, taskId, key, path, size, modified, codec };
      }
    },
  };
}

/** Throws NotFound after an empty listing, naming the location. */
export function nothingFound(path: StoragePath): never {
  throw failure("NotFound", "there are no XComs below it that match").at("xcom ls", String(path));
}

/** Throws NotFound after an empty database listing. */
export function noRows(): never {
  throw failure("NotFound", "the database has no XComs that match").at("xcom", "");
}

/** Returns a value for a listing: integers beyond 2^53 - 1, which `JSON.stringify` refuses, are rounded. */
export function roundedIntegers(value: unknown): unknown {
  if (value === undefined) return undefined;
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner)));
}
