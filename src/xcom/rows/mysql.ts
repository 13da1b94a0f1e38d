/** Airflow's metadata database on MySQL. */
import { invalid } from "../../errors.js";
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
 * The login needs SELECT on the whole database: MySQL does not show a login the tables that it may not read. The
 * connections must use `utf8mb4`, as mysql2 does by default. Throws `InvalidArgument` for another character set, in
 * which MySQL would replace characters of ids and references, and for rows as arrays.
 *
 * @example
 * import { createPool } from "mysql2/promise";
 * const source = airflowReferences(mysqlQuery(createPool("mysql://reader@host/airflow")));
 */
export function mysqlQuery(client: MySqlClient): MySqlQuery {
  let checked: Promise<void> | undefined;
  const run = async (text: string, values: readonly unknown[]) => {
    const statement = inMySql(text, values);
    const [rows] = await client.execute(statement.text, statement.values).catch(rethrowWithState);
    return Array.isArray(rows) ? (rows as unknown[]) : [];
  };
  const query = async (text: string, values: unknown[]) => {
    checked ??= run(CHARACTER_SETS, []).then(checkSession);
    await checked.catch((error: unknown) => {
      checked = undefined;
      throw error;
    });
    return { rows: await run(text, values) };
  };
  return Object.assign(query, { dialect: "mysql" as const });
}

/** What the server takes texts for, and what it sends; NULL sends the bytes as they are stored. */
const CHARACTER_SETS = "SELECT @@character_set_client AS sent, @@character_set_results AS received";

function checkSession([row]: unknown[]): void {
  if (Array.isArray(row)) throw invalid("mysqlQuery needs rows as objects: leave out rowsAsArray");
  for (const name of Object.values(row as Record<string, unknown>))
    if (name !== "utf8mb4" && name !== null)
      throw invalid(`the connections to MySQL use the character set ${name}; set charset: "utf8mb4"`);
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

/** Returns the SQLSTATE of an error; the driver's `code` is MySQL's name of it. */
export function mysqlState({ errno, sqlState }: { errno?: number; sqlState?: string }): string | undefined {
  return DENIED.includes(errno ?? 0) ? "42501" : sqlState;
}

function rethrowWithState(cause: unknown): never {
  const error = cause as { message?: string; errno?: number; sqlState?: string };
  throw Object.assign(new Error(error.message, { cause }), { code: mysqlState(error) });
}
