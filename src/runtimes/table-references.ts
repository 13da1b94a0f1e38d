/** References in the Postgres tables of a runtime, whose columns differ from release to release. */
import { REFERENCE_MARK, referencesIn } from "../claims/index.js";
import { failure, invalid } from "../errors.js";
import type { FoundReference, ReferenceSource } from "../references.js";
import { ask, hiddenRows, pagesByKey, primaryKey, type Query } from "../sql.js";

export interface TableReferencesOptions {
  /** The schema of the runtime's tables. */
  schema?: string | undefined;
}

interface Tables {
  /** For reports. */
  name: string;
  schema: string;
  /** Tables that must be there: without them it is another database. */
  needed: readonly string[];
  /** Which tables of the schema are the runtime's. */
  isOurs: (table: string) => boolean;
  /** Tables to which rows of the others are copied; read last, in this order. */
  last: readonly string[];
}

/**
 * Every text, JSON and binary column of the tables is read, whatever it is for. Throws NotFound without the runtime's
 * tables, PermissionDenied for a table that the login may not read, and Corrupt for a reference that cannot be read.
 */
export function tableReferences(query: Query, tables: Tables): ReferenceSource {
  const { name, schema, last } = tables;
  if (typeof query !== "function") throw invalid(`${name} needs a query: (text, values) => pool.query(text, values)`);
  if (typeof schema !== "string" || schema === "") throw invalid("schema must be the name of a schema");
  return {
    name,
    async *references({ signal } = {}) {
      const columns = await columnsOf(query, tables, signal);
      const order = (table: string) => last.indexOf(table);
      for (const table of [...columns.keys()].sort((a, b) => order(a) - order(b) || (a < b ? -1 : 1)))
        yield* referencesOf(query, { schema, table, columns: columns.get(table)! }, signal);
    },
  };
}

/** A column that may hold a reference. */
interface Column {
  name: string;
  type: string;
}

/** Of the catalog, which also has what this login may not read: a reference there would be overlooked. */
const COLUMNS = `SELECT c.relname AS table, a.attname AS column, t.typname AS type,
    row_security_active(c.oid) AS hidden
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') AND NOT c.relispartition
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname = $1
  JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
  WHERE a.attnum > 0 AND NOT a.attisdropped
    AND t.typname IN ('text', 'varchar', 'bpchar', 'json', 'jsonb', 'bytea', '_text', '_varchar', '_json', '_jsonb')`;

async function columnsOf(
  query: Query,
  { name, schema, needed, isOurs }: Tables,
  signal: AbortSignal | undefined,
): Promise<Map<string, Column[]>> {
  const rows = await ask<{ table: string; column: string; type: string; hidden: boolean }>(
    query,
    COLUMNS,
    [schema],
    signal,
  );
  const found = new Map<string, Column[]>();
  for (const { table, column, type, hidden } of rows) {
    if (typeof table !== "string" || typeof column !== "string" || typeof type !== "string")
      throw failure("Corrupt", "the query does not return rows by the names of their columns");
    if (!isOurs(table)) continue;
    if (hidden) throw hiddenRows(table);
    const columns = found.get(table) ?? [];
    columns.push({ name: column, type });
    found.set(table, columns);
  }
  const missing = needed.find((table) => !found.has(table));
  if (missing === undefined) return found;
  throw failure("NotFound", `the schema ${schema} has no table ${missing}: it is not ${name}`);
}

interface Table {
  schema: string;
  table: string;
  columns: readonly Column[];
}

/** Bytes come as hex, texts as they are. */
function* textsOf(row: Record<string, unknown>, { table, columns }: Table): Generator<string> {
  for (const [i, { name, type }] of columns.entries()) {
    const value = row[`column_${i}`];
    if (value === null || value === undefined) continue;
    if (typeof value !== "string") throw failure("Corrupt", `${table}.${name} is no text`);
    yield type === "bytea" ? Buffer.from(value, "hex").toString("utf8") : value;
  }
}

async function* referencesOf(
  query: Query,
  at: Table,
  signal: AbortSignal | undefined,
): AsyncGenerator<FoundReference, void, undefined> {
  const { schema, table, columns } = at;
  const from = `${quoted(schema)}.${quoted(table)}`;
  const conditions = columns.map(({ name, type }) => holdsReference(quoted(name), type));
  const select = columns.map(({ name, type }, i) => {
    const text = type === "bytea" ? `encode(${quoted(name)}, 'hex')` : `CAST(${quoted(name)} AS TEXT)`;
    return `CASE WHEN ${conditions[i]} THEN ${text} END AS column_${i}`;
  });
  const read = { columns: select.join(", "), from, where: `(${conditions.join(" OR ")})` };
  const key = await primaryKey(query, from, signal);
  // One statement sees one state of a table without a key, where pages could miss a row that moves.
  const pages =
    key.length > 0
      ? pagesByKey<Record<string, unknown>>(query, { ...read, key }, signal)
      : [
          await ask<Record<string, unknown>>(
            query,
            `SELECT ${read.columns} FROM ${from} WHERE ${read.where}`,
            [],
            signal,
          ),
        ];
  for await (const page of pages)
    for (const row of page) for (const text of textsOf(row, at)) yield* referencesIn(text, table);
}

function holdsReference(column: string, type: string): string {
  if (type === "bytea") return `position('\\x${Buffer.from(REFERENCE_MARK).toString("hex")}'::bytea IN ${column}) > 0`;
  return `position('${REFERENCE_MARK}' IN CAST(${column} AS TEXT)) > 0`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
