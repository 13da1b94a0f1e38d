/** Sources of connections. */
import { failure, isStorageError } from "../errors.js";
import { extraFromText, parseConnection, toConnection } from "./airflow-format.js";
import { type Connection, type ConnectionInput, connectionOf, normalType } from "./connection.js";

/** A source of connections by id. Returns undefined for an unknown id and fails otherwise. */
export interface ConnectionSource {
  /** Its name in messages. Contains no secret. */
  readonly name: string;
  get(id: string): Promise<Connection | undefined>;
  /** The ids that it has, if it can say them: a message suggests one in the place of an unknown id. */
  ids?(): Promise<readonly string[]>;
}

export type Env = Readonly<Record<string, string | undefined>>;

/** The accepted forms of a connection: a record, or one of Airflow's text forms. */
export type ConnectionLike = Connection | ConnectionInput | string;

/**
 * Returns the environment variable for connection `id`: `AIRFLOW_CONN_` and the id in upper case, otherwise unchanged.
 */
export function connectionVariable(id: string): string {
  return `AIRFLOW_CONN_${id.toUpperCase()}`;
}

/**
 * Returns the connections of the environment, under Airflow's names; an empty variable counts as absent. An unreadable
 * variable throws InvalidArgument with its name, where Airflow reports "not defined".
 */
export function connectionsFromEnv(env: Env): ConnectionSource {
  return {
    name: "environment variables AIRFLOW_CONN_*",
    get: async (id) => {
      const variable = connectionVariable(id);
      const text = env[variable];
      return text ? withErrorContext(variable, () => parseConnection(text, id)) : undefined;
    },
  };
}

/** Returns the connections of a plain record by id. An unreadable one throws InvalidArgument with its id. */
export function connectionsFromRecord(
  record: Readonly<Record<string, ConnectionLike>>,
  name = "the connections option",
): ConnectionSource {
  return {
    name,
    ids: async () => Object.keys(record),
    get: async (id) => {
      const found = Object.hasOwn(record, id) ? record[id] : undefined;
      return found === undefined
        ? undefined
        : withErrorContext(`${name} under ${displayId(id)}`, () => toConnection(id, found));
    },
  };
}

/** Returns the connections that a function finds; null and undefined mean an unknown id. */
export function connectionsFromFunction(
  find: (id: string) => Promise<ConnectionLike | null | undefined>,
  name = "the connections function",
): ConnectionSource {
  return {
    name,
    get: async (id) => {
      const found = await lookUp(name, id, () => find(id));
      return found === undefined || found === null
        ? undefined
        : withErrorContext(`${name} under ${displayId(id)}`, () => toConnection(id, found));
    },
  };
}

/**
 * Combines sources: the first in the given order that knows the id wins, and a failing source ends the search, so that
 * a broken entry never lets another credential take its place.
 */
export function chainConnections(...sources: readonly ConnectionSource[]): ConnectionSource {
  return {
    name: sources.map((source) => source.name).join(", then "),
    get: async (id) => {
      for (const source of sources) {
        const found = await source.get(id);
        if (found) return found;
      }
      return undefined;
    },
  };
}

/** Caches every connection that the source finds; concurrent calls share one look-up, failures are not cached. */
export function rememberConnections(source: ConnectionSource): ConnectionSource {
  const known = new Map<string, Promise<Connection | undefined>>();
  const look = (id: string) => {
    const pending = Promise.resolve().then(() => source.get(id));
    const forget = () => known.delete(id);
    known.set(id, pending);
    pending.then((found) => found ?? forget(), forget);
    return pending;
  };
  return { name: source.name, get: (id) => known.get(id) ?? look(id) };
}

/** Returns an id as messages show it: only characters that Airflow allows in ids. */
export function displayId(id: string): string {
  return /^[\w#!()\-.:/\\]{1,250}$/.test(id) ? JSON.stringify(id) : "(not a valid connection id)";
}

/** Runs `read` and adds the connection's location to its error. */
export function withErrorContext<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isStorageError(error)) throw error;
    throw failure(error.code, `${where}: ${error.detail}`);
  }
}

/** Runs `ask`; a foreign error is wrapped in one that names the failing source. */
async function lookUp<T>(name: string, id: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (isStorageError(error)) throw error;
    throw failure("Unavailable", `${name} failed for connection ${displayId(id)}`, { cause: error });
  }
}

// Connections from a workflow engine's task client.

/** A connection as a task client returns it: secrets in clear, `extra` as JSON text. */
export interface TaskConnection {
  id?: string | null | undefined;
  type?: string | null | undefined;
  host?: string | null | undefined;
  schema?: string | null | undefined;
  login?: string | null | undefined;
  password?: string | null | undefined;
  port?: number | null | undefined;
  extra?: string | Record<string, unknown> | null | undefined;
  description?: string | null | undefined;
}

/** The part of Airflow's TypeScript task client that finds connections. */
export interface TaskClient {
  getConnection(id: string): Promise<TaskConnection | null | undefined>;
}

/** Returns the connections of the task client's server. Throws Unavailable if the server cannot be reached. */
export function connectionsFromTaskClient(client: TaskClient, name = "the task client"): ConnectionSource {
  return {
    name,
    get: async (id) => {
      const found = await lookUp(name, id, () => client.getConnection(id));
      return found ? connectionOfTask(id, found) : undefined;
    },
  };
}

function connectionOfTask(id: string, found: TaskConnection): Connection {
  const { type, extra, ...rest } = found;
  const fields = Object.entries(rest).filter(([, value]) => value !== null && value !== undefined);
  return connectionOf(id, {
    ...(Object.fromEntries(fields) as Omit<ConnectionInput, "type" | "extra">),
    type: normalType(type ?? ""),
    extra: typeof extra === "string" ? extraFromText(extra) : (extra ?? undefined),
  });
}
