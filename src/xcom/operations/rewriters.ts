/** References that can be replaced where they are, by compare-and-set. */
import { failure } from "../../errors.js";
import type { Abortable } from "../../fs/index.js";
import type { FoundReference, ReferenceSource } from "../../references.js";
import { ask, type Query } from "../../sql.js";
import type { XComRow, XComRows } from "../rows/rows.js";
import { blockRanges, inPostgres, isJsonTable, POSTGRES_TYPE, postgresTables } from "./airflow-references.js";
import { describeRow } from "./references.js";
import { JSON_VALUES, parsedValue, TEXT, textsInValue } from "./row-texts.js";

/** A source whose references can be replaced. */
export interface ReferenceRewriter extends ReferenceSource {
  /**
   * Replaces each reference whose row is still the one that was read; one that was written since, even with the same
   * text, stays. Returns the number of replaced rows.
   */
  replace(changes: readonly ReferenceChange[], options?: Abortable): Promise<number>;
}

export interface ReferenceChange {
  /** As this source yielded it. */
  found: FoundReference;
  text: string;
}

export function isRewriter(source: ReferenceSource): source is ReferenceRewriter {
  return typeof (source as Partial<ReferenceRewriter>).replace === "function";
}

interface FoundRow extends FoundReference {
  row: XComRow;
}

/** The rows of a store that can be written, such as `sqlRows`. `replace` throws Unsupported for rows without versions. */
export function rowRewriter(rows: XComRows, name = "rows"): ReferenceRewriter {
  return {
    name,
    async *references(options = {}): AsyncGenerator<FoundRow> {
      for await (const row of rows.list({}, options))
        for (const found of textsInValue(row.value, describeRow(row))) yield { ...found, row };
    },
    async replace(changes, { signal } = {}) {
      let replaced = 0;
      for (const { found, text } of changes) {
        const { row } = found as FoundRow;
        // A listing may leave the version out.
        if (row.version === undefined)
          throw failure(
            "Unsupported",
            `${name} have no versions, so that a change between read and write would be lost`,
          );
        if (await rows.set(row, text, { ifVersion: row.version, signal })) replaced += 1;
      }
      return replaced;
    },
  };
}

/** A row of a Postgres table: its place, the transaction that wrote it, and its JSON text. */
interface FoundTuple extends FoundReference {
  table: string;
  at: string;
  version: string;
  json: string;
}

/**
 * All references in the metadata database of Airflow 3.0 to 3.4 on Postgres, which `replace` can change: of every attempt
 * of a task, and of the archive tables of `airflow db clean`. Those inside values, pickles and columns of bytes come too,
 * and cannot be changed (`isInside`). The login needs SELECT and UPDATE on these tables.
 *
 * A row is replaced only if the same transaction wrote it that had written it when it was read (`xmin`), at the same
 * place (`ctid`) and with the same text. Rows that others write while the tables are read may be left out.
 */
export function airflowRewriter(query: Query): ReferenceRewriter {
  return {
    name: "Airflow's database",
    async *references({ signal } = {}): AsyncGenerator<FoundReference> {
      for (const table of await postgresTables(query, signal))
        if (await isJsonTable(query, table, signal)) yield* tuplesOf(query, table, signal);
        else for await (const found of inPostgres(query, table, signal)) yield { ...found, isInside: true };
    },
    async replace(changes, { signal } = {}) {
      let replaced = 0;
      for (const [table, own] of byTable(changes)) replaced += await replaceIn(query, table, own, signal);
      return replaced;
    },
  };
}

async function* tuplesOf(
  query: Query,
  table: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<FoundReference | FoundTuple> {
  const columns = `ctid::text AS at, xmin::text AS version, ${TEXT} AS json`;
  for await (const range of blockRanges(query, table, signal)) {
    const select = `SELECT ${columns} FROM "${table}" WHERE ${JSON_VALUES.where} AND ${range}`;
    const rows = await ask<{ at: string; version: string; json: string }>(query, select, [], signal);
    for (const row of rows)
      for (const found of textsInValue(parsedValue(row.json, table), table))
        yield found.isInside ? found : ({ ...row, ...found, table } satisfies FoundTuple);
  }
}

function byTable(changes: readonly ReferenceChange[]): Map<string, ReferenceChange[]> {
  const tables = new Map<string, ReferenceChange[]>();
  for (const change of changes) {
    const { table } = change.found as FoundTuple;
    tables.set(table, [...(tables.get(table) ?? []), change]);
  }
  return tables;
}

async function replaceIn(
  query: Query,
  table: string,
  changes: readonly ReferenceChange[],
  signal: AbortSignal | undefined,
): Promise<number> {
  const tuples = changes.map(({ found }) => found as FoundTuple);
  const values = [
    tuples.map(({ at }) => at),
    tuples.map(({ version }) => version),
    tuples.map(({ json }) => json),
    changes.map(({ text }) => JSON.stringify(text)),
  ];
  const update = `UPDATE "${table}" AS x SET value = CAST(c.new AS ${await typeOf(query, table, signal)})
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS c(at, version, old, new)
    WHERE x.ctid = c.at::tid AND x.xmin::text = c.version AND CAST(x.value AS TEXT) = c.old RETURNING 1 AS one`;
  return (await ask(query, update, values, signal)).length;
}

/** The type of the column: `jsonb`, in old tables `json`. */
async function typeOf(query: Query, table: string, signal: AbortSignal | undefined): Promise<string> {
  const [found] = await ask<{ type: string }>(query, POSTGRES_TYPE, [`"${table}"`], signal);
  if (found?.type === "json" || found?.type === "jsonb") return found.type;
  throw failure("Unsupported", `the column value of ${table} is ${found?.type}, not json or jsonb`);
}
