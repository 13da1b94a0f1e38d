/** Determines a Storage's connection sources and their order. */
import { invalid, suggestion } from "../errors.js";
import { parsePythonJson } from "./airflow-format.js";
import type { Connection } from "./connection.js";
import { connectionsFromFile } from "./secrets-file.js";
import {
  type ConnectionLike,
  type ConnectionSource,
  chainConnections,
  connectionsFromEnv,
  connectionsFromFunction,
  connectionsFromRecord,
  connectionVariable,
  displayId,
  type Env,
  rememberConnections,
} from "./sources.js";

/** The option `connections` of `openStorage`: a record by id, a function, or a source such as `connectionsFromFile`. */
export type ConnectionsOption =
  | Readonly<Record<string, ConnectionLike>>
  | ((id: string) => Promise<ConnectionLike | null | undefined>)
  | ConnectionSource;

/**
 * Combines all sources, in this order: the option, the environment's secrets file (`STOWAGE_CONNECTIONS_FILE`, else the
 * file of Airflow's LocalFilesystemBackend), the variables `AIRFLOW_CONN_*`. Found connections are kept. An id that no
 * source knows throws InvalidArgument, which lists the sources searched.
 */
export function resolveConnections(option: ConnectionsOption | undefined, env: Env): ConnectionSource {
  const sources = [...optionSources(option), ...fileSources(env), connectionsFromEnv(env)];
  const { name, get } = chainConnections(...sources);
  const find = async (id: string) => (await get(id)) ?? throwUnknownConnection(id, name, await idsOf(sources));
  return rememberConnections({ name, get: find });
}

/** Returns the ids that these sources say they have, as far as messages show them. */
export async function idsOf(sources: readonly ConnectionSource[]): Promise<string[]> {
  const ids = await Promise.all(sources.map((source) => source.ids?.() ?? []));
  return [...new Set(ids.flat())].filter((id) => displayId(id) === JSON.stringify(id));
}

function throwUnknownConnection(id: string, where: string, known: readonly string[]): Connection {
  const fix = `set ${/^[\w-]+$/.test(id) ? connectionVariable(id) : "AIRFLOW_CONN_…"} or pass it in \`connections\``;
  const meant = suggestion(id, known);
  throw invalid(`no connection ${displayId(id)} in: ${where}${meant ? `${meant} Else ` : "; "}${fix}`);
}

function optionSources(option: ConnectionsOption | undefined): ConnectionSource[] {
  if (option === undefined) return [];
  if (typeof option === "function") return [connectionsFromFunction(option)];
  if (typeof option !== "object" || option === null || Array.isArray(option))
    throw invalid("connections must be a record by id, a function, or a source such as connectionsFromFile(path)");
  return [isSource(option) ? option : connectionsFromRecord(option)];
}

function isSource(option: object): option is ConnectionSource {
  return "get" in option && typeof option.get === "function";
}

function fileSources(env: Env): ConnectionSource[] {
  const path = connectionsFileOf(env);
  return path === undefined ? [] : [connectionsFromFile(path)];
}

const LOCAL_BACKEND = /(^|\.)LocalFilesystemBackend$/;

/**
 * Returns the path of the environment's secrets file, if any: `STOWAGE_CONNECTIONS_FILE`, else `connections_file_path`
 * of Airflow's LocalFilesystemBackend, whose worker settings come before the common ones.
 */
export function connectionsFileOf(env: Env): string | undefined {
  return (
    env.STOWAGE_CONNECTIONS_FILE ||
    backendFile(env, "AIRFLOW__WORKERS__SECRETS_BACKEND") ||
    backendFile(env, "AIRFLOW__SECRETS__BACKEND") ||
    undefined
  );
}

function backendFile(env: Env, variable: string): string | undefined {
  if (!LOCAL_BACKEND.test(env[variable]?.trim() ?? "")) return undefined;
  const path = kwargsOf(env[`${variable}_KWARGS`], `${variable}_KWARGS`).connections_file_path;
  if (path === undefined || path === null || typeof path === "string") return path ?? undefined;
  throw invalid(`${variable}_KWARGS: connections_file_path is not text`);
}

function kwargsOf(text: string | undefined, variable: string): Record<string, unknown> {
  if (!text?.trim()) return {};
  try {
    return Object(parsePythonJson(text)) as Record<string, unknown>;
  } catch {
    throw invalid(`${variable} is not valid JSON`);
  }
}
