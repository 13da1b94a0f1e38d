/** Where connections come from. */
import { failure, isStorageError } from "../errors.js";
import { extraFromText, parseConnection, toConnection } from "./airflow-format.js";
import { type Connection, type ConnectionInput, connectionOf, normalType } from "./connection.js";

/** One place that knows connections by id. It says undefined for an id that it does not know, and fails otherwise. */
export interface ConnectionSource {
  /** What messages call it. Holds no secret. */
  readonly name: string;
  get(id: string): Promise<Connection | undefined>;
}

export type Env = Readonly<Record<string, string | undefined>>;

/** What a program may hand over as a connection: a record, or one of Airflow's text forms. */
export type ConnectionLike = Connection | ConnectionInput | string;

/** The environment variable that holds connection `id`: `AIRFLOW_CONN_` and the id in upper case, nothing else changed. */
export function connectionVariable(id: string): string {
  return `AIRFLOW_CONN_${id.toUpperCase()}`;
}

/**
 * The connections of the environment, under Airflow's names; an empty variable is an absent one.
 * A variable that cannot be read fails with InvalidArgument and its name, where Airflow says "not defined".
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

/** The connections of a plain record by id. One that cannot be read fails with InvalidArgument and its id. */
export function connectionsFromRecord(
  record: Readonly<Record<string, ConnectionLike>>,
  name = "the connections option",
): ConnectionSource {
  return {
    name,
    get: async (id) => {
      const found = Object.hasOwn(record, id) ? record[id] : undefined;
      return found === undefined
        ? undefined
        : withErrorContext(`${name} under ${displayId(id)}`, () => toConnection(id, found));
    },
  };
}

/** The connections that a function finds; null and undefined say that it knows none of this id. */
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
 * The sources as one: each is asked in the order given, the first that knows the id wins, and one that fails ends
 * the search, so that a broken entry never lets another credential slip in.
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

/** The source with every connection that it found kept; calls at the same time share one look-up, failures are not kept. */
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

/** An id as messages show it; only what Airflow allows in ids is repeated. */
export function displayId(id: string): string {
  return /^[\w#!()\-.:/\\]{1,250}$/.test(id) ? JSON.stringify(id) : "(not a valid connection id)";
}

/** Runs `read` and says in its error where the connection stands. */
export function withErrorContext<T>(where: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!isStorageError(error)) throw error;
    throw failure(error.code, `${where}: ${error.detail}`);
  }
}

/** Runs `ask`; an error that is not ours says which source could not be asked. */
async function lookUp<T>(name: string, id: string, ask: () => Promise<T>): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    if (isStorageError(error)) throw error;
    throw failure("Unavailable", `${name} failed for connection ${displayId(id)}`, { cause: error });
  }
}

// Connections that a workflow engine's task client resolves.

/** A connection as a task client answers it: secrets in clear, `extra` as JSON text. */
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

/** The connections that the task client's server knows. A server that cannot be asked fails with Unavailable. */
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
