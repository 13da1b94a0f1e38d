/** Which connection a path uses, and which source knows it. */
import {
  type Connection,
  connectionsFileOf,
  connectionsFromEnv,
  connectionsFromFile,
  connectionVariable,
} from "../../connections/index.js";
import { providerOf, type StoragePath } from "../../path.js";
import type { Session } from "../session.js";
import { broken, type Finding, failed, ok } from "./finding.js";

export interface Found {
  finding: Finding;
  connection: Connection | undefined;
}

/** The connection that the path names, and where it stands. Without a name there is none to find. */
export async function findConnection(session: Session, { scheme, connectionId: id }: StoragePath): Promise<Found> {
  const { env, signal } = session;
  const check = "connection";
  if (id === undefined) {
    const local = ["file", "memory"].includes(providerOf(scheme) ?? "");
    const detail = `none is ${local ? "needed" : "named: the provider's own environment is used"}`;
    return { connection: undefined, finding: ok(check, detail) };
  }
  try {
    for (const { where, source } of sourcesOf(env, id)) {
      const connection = await source.get(id);
      const detail = `${id}, of type ${connection?.type}, found in ${where}`;
      if (connection) return { connection, finding: ok(check, detail) };
    }
  } catch (error) {
    return { connection: undefined, finding: broken(check, error, signal, "correct it where the message says") };
  }
  return { connection: undefined, finding: unknown(env, id) };
}

function sourcesOf(env: Session["env"], id: string) {
  const file = connectionsFileOf(env);
  const variable = { where: `the variable ${connectionVariable(id)}`, source: connectionsFromEnv(env) };
  if (file === undefined) return [variable];
  return [{ where: `the file ${file}`, source: connectionsFromFile(file) }, variable];
}

function unknown(env: Session["env"], id: string): Finding {
  const places = sourcesOf(env, id).map(({ where }) => where);
  const mend = `set ${connectionVariable(id)} to its URI or JSON, or give --connections FILE`;
  return failed("connection", `no connection ${JSON.stringify(id)} in ${places.join(", nor in ")}`, mend);
}
