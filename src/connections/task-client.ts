/** Connections that a workflow engine's task client resolves. */
import type { Connection, ConnectionInput } from "./connection.js";
import { extraFromText } from "./extra.js";
import { connectionOf, normalType } from "./record.js";
import { asked, type ConnectionSource } from "./source.js";

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
      const found = await asked(name, id, () => client.getConnection(id));
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
