/** Reads connections from a file, as Airflow's LocalFilesystemBackend does. */
import { readFile } from "node:fs/promises";
import { extname } from "node:path";
import { failure, invalid } from "../errors.js";
import { cut, fieldsFromRecord, fieldsFromUri, parsePythonJson, unknownName } from "./airflow-format.js";
import type { Connection } from "./connection.js";
import { connectionOf, type Fields } from "./connection.js";
import { type ConnectionSource, displayId, withErrorContext } from "./sources.js";

type Entries = Readonly<Record<string, unknown>>;

/**
 * Returns the connections of a `.json`, `.yaml`, `.yml` or `.env` file: a connection URI, a record, or a list of one of
 * them under each id. The first look-up reads the file and keeps its content. YAML needs the optional package `yaml`. A
 * missing or malformed file throws InvalidArgument with its path; the message contains nothing else of the file.
 */
export function connectionsFromFile(path: string): ConnectionSource {
  let entries: Promise<Entries> | undefined;
  const load = () => {
    entries ??= loaded(path).catch((error: unknown) => {
      entries = undefined;
      throw error;
    });
    return entries;
  };
  return {
    name: `the file ${path}`,
    ids: async () => Object.keys(await load()),
    get: async (id) => {
      const all = await load();
      if (!Object.hasOwn(all, id)) return undefined;
      return withErrorContext(`the file ${path} under ${displayId(id)}`, () => connectionOfEntry(id, all[id]));
    },
  };
}

async function loaded(path: string): Promise<Entries> {
  const parse = PARSERS.get(extname(path).toLowerCase());
  if (!parse) throw invalid(`${path} is no connections file: it must end in .env .json .yaml or .yml`);
  const text = await read(path);
  return parse(text, path);
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    throw invalid(`the connections file ${path} cannot be read; check the path, or write one with stowage init`, {
      cause,
    });
  }
}

type Parse = (text: string, path: string) => Entries | Promise<Entries>;
const PARSERS: ReadonlyMap<string, Parse> = new Map<string, Parse>([
  [".json", (text, path) => object(path, () => parsePythonJson(text))],
  [".yaml", yamlEntries],
  [".yml", yamlEntries],
  [".env", envEntries],
]);

/** Parsers' own errors quote the text, so we neither repeat them nor keep them as cause. */
function object(path: string, parse: () => unknown): Entries {
  let value: unknown;
  try {
    value = parse();
  } catch {
    throw invalid(`the connections file ${path} cannot be parsed`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw invalid(`the connections file ${path} must hold one object, with an id for each connection`);
  }
  return value as Entries;
}

async function yamlEntries(text: string, path: string): Promise<Entries> {
  const yaml = await yamlPackage(path);
  // YAML 1.1, as in Airflow's parser: `yes` and `on` are booleans.
  return object(path, () => yaml.parse(text, { version: "1.1", prettyErrors: false, logLevel: "error" }));
}

async function yamlPackage(path: string): Promise<typeof import("yaml")> {
  try {
    return await import("yaml");
  } catch (cause) {
    throw failure("Unsupported", `${path} needs the package "yaml": npm install yaml`, { cause });
  }
}

/** Parses lines `ID=URI` literally: no quotes, no `export`, no trimming. */
function envEntries(text: string, path: string): Entries {
  const entries = new Map<string, string>();
  for (const [index, line] of text.split(/\r\n|\r|\n/).entries()) {
    if (line === "" || /^\s*#/.test(line)) continue;
    const [id, uri] = cut(line, "=");
    if (!id || !uri) throw invalid(`${path}:${index + 1} is not of the form ID=URI`);
    if (entries.has(id)) throw invalid(`${path}:${index + 1} defines a connection again`);
    entries.set(id, uri);
  }
  return Object.fromEntries(entries);
}

function connectionOfEntry(id: string, entry: unknown): Connection {
  const single = Array.isArray(entry) ? only(entry) : entry;
  if (typeof single === "string") return connectionOf(id, fieldsFromText(single));
  if (typeof single !== "object" || single === null) {
    throw invalid("a connection is a URI or an object");
  }
  return connectionOfRecord(id, { ...single });
}

/** Airflow reads text in files as a URI only; JSON as text would silently produce garbage. */
function fieldsFromText(text: string): Fields {
  if (!text.trimStart().startsWith("{")) return fieldsFromUri(text);
  throw invalid("JSON as text is not read from files; write a URI, or the object itself");
}

function only(entries: unknown[]): unknown {
  if (entries.length === 1) return entries[0];
  throw invalid(`one connection is expected for an id, not ${entries.length}`);
}

function connectionOfRecord(id: string, record: Record<string, unknown>): Connection {
  const { conn_id, uri, team_name, extra_dejson, ...rest } = record;
  if (conn_id !== undefined && conn_id !== id) throw invalid("conn_id names another connection");
  if (team_name !== undefined && team_name !== null) throw failure("Unsupported", "team_name is not supported");
  if (uri !== undefined) return connectionOf(id, fieldsFromUriOnly(uri, { ...rest, ...dejson(extra_dejson) }));
  if (extra_dejson !== undefined && rest.extra !== undefined) {
    throw invalid("extra and extra_dejson exclude each other");
  }
  return connectionOf(id, fieldsFromRecord({ ...rest, ...dejson(extra_dejson) }));
}

function dejson(extra: unknown): Record<string, unknown> {
  return extra === undefined ? {} : { extra };
}

function fieldsFromUriOnly(uri: unknown, others: Record<string, unknown>): Fields {
  const [other] = Object.keys(others);
  if (other !== undefined) throw unknownName(other);
  if (typeof uri !== "string") throw invalid("uri is not text");
  return fieldsFromText(uri);
}
