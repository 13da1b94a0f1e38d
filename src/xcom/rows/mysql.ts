/** Airflow's metadata database on MySQL. */
import type { Query } from "../../sql.js";

/** A connection or a pool of `mysql2/promise`. */
export interface MySqlClient {
  execute(text: string, values: (string | number | null)[]): Promise<[rows: unknown, fields: unknown]>;
}

/** A {@link Query} on MySQL. `airflowRows`, `airflowRuns` and `airflowReferences` take it; nothing else does. */
export interface MySqlQuery extends Query {
  readonly dialect: "mysql";
}

/**
 * Returns the `query` of a client of MySQL, for the functions that read Airflow's database.
 *
 * The login needs SELECT on the whole database: MySQL does not show a login the tables that it may not read.
 *
 * @example
 * import { createPool } from "mysql2/promise";
 * const source = airflowReferences(mysqlQuery(createPool("mysql://reader@host/airflow")));
 */
export function mysqlQuery(client: MySqlClient): MySqlQuery {
  const query = async (text: string, values: unknown[]) => {
    const statement = inMySql(text, values);
    const [rows] = await client.execute(statement.text, statement.values).catch(rethrowWithState);
    return { rows: Array.isArray(rows) ? (rows as unknown[]) : [] };
  };
  return Object.assign(query, { dialect: "mysql" as const });
}

export function isMySql(query: Query): query is MySqlQuery {
  return (query as Partial<MySqlQuery>).dialect === "mysql";
}

/** Literals, quoted names, parameters, and the type of texts: what MySQL spells otherwise. */
const SPELLED = /'(?:[^']|'')*'|"([^"]*)"|\$(\d+)|\bAS TEXT\)/g;

/** Spells a statement of this package as MySQL does: `?` for `$1`, backticks for quotes, CHAR for TEXT. */
function inMySql(text: string, values: readonly unknown[]) {
  const given: (string | number | null)[] = [];
  const spelled = text.replace(SPELLED, (found: string, name?: string, parameter?: string) => {
    if (name !== undefined) return `\`${name.replaceAll("`", "``")}\``;
    if (parameter !== undefined) {
      given.push(values[Number(parameter) - 1] as string | number | null);
      return "?";
    }
    return found.startsWith("'") ? found : "AS CHAR)";
  });
  return { text: spelled, values: given };
}

/** Errors of a table or a database to which the login has no access; their SQLSTATE is that of a syntax error. */
const DENIED = [1044, 1142, 1143, 1227];

/** The driver has MySQL's name of an error where others have the SQLSTATE. */
function rethrowWithState(cause: unknown): never {
  const { message, sqlState, errno } = cause as { message?: string; sqlState?: string; errno?: number };
  const code = DENIED.includes(errno ?? 0) ? "42501" : sqlState;
  throw Object.assign(new Error(message, { cause }), { code });
}
