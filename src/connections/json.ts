/** Airflow's connection as JSON text: `{"conn_type": …, "host": …, "extra": {…}}`. */
import { invalid } from "../errors.js";
import { extraFromText, parsePythonJson } from "./extra.js";
import { type Fields, normalType } from "./record.js";
import { fieldsFromUri } from "./uri.js";

const NAMES: ReadonlySet<string> = new Set([
  "conn_type",
  "description",
  "host",
  "login",
  "password",
  "schema",
  "port",
  "extra",
]);

/** The fields of a connection in JSON, as Airflow reads it; secrets are not sealed yet. */
export function fieldsFromJson(text: string): Fields {
  const record = objectOf(text);
  if (Object.keys(record).join() === "uri" && typeof record.uri === "string") return fieldsFromUri(record.uri);
  return fieldsFromRecord(record);
}

/** The fields of a record under Airflow's names (`conn_type`, …). An unknown name fails with InvalidArgument. */
export function fieldsFromRecord(record: Record<string, unknown>): Fields {
  for (const name of Object.keys(record)) if (!NAMES.has(name)) throw unknownName(name);
  return {
    type: typeOf(record.conn_type),
    host: textOf("host", record.host),
    login: textOf("login", record.login),
    password: passwordOf(record.password),
    schema: textOf("schema", record.schema),
    port: portOf(record.port),
    extra: extraOf(record.extra),
    description: textOf("description", record.description),
  };
}

/** Why a record was refused; a name that is no plain word may be a part of a secret and is not repeated. */
export function unknownName(name: string): Error {
  const shown = /^\w{1,40}$/.test(name) ? `: ${name}` : "";
  return invalid(`the connection has a field that connections do not have${shown}`);
}

function objectOf(text: string): Record<string, unknown> {
  try {
    return parsePythonJson(text) as Record<string, unknown>;
  } catch {
    // The cause would quote the text.
    throw invalid("the connection is not valid JSON");
  }
}

function typeOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw invalid("the connection's conn_type is not text");
  return normalType(value);
}

/** Numbers become text; Airflow keeps them as numbers, which no provider takes. */
function textOf(name: string, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value === "string" || Number.isSafeInteger(value)) return String(value);
  throw invalid(`the connection's ${name} is not text`);
}

/** Only text: YAML reads the unquoted 0123 as 83. */
function passwordOf(value: unknown): string | undefined {
  if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
  throw invalid("the connection's password is not text; put it in quotes");
}

/** As Python's `int()`: fractions are cut, true is 1; what counts as false in Python is no port. */
function portOf(value: unknown): number | undefined {
  if (!value) return undefined;
  if (value === true) return 1;
  const port =
    typeof value === "string" ? integerOf(value) : typeof value === "number" ? Math.trunc(value) : Number.NaN;
  if (!Number.isSafeInteger(port)) throw invalid("the connection's port is not a number");
  return port;
}

function integerOf(text: string): number {
  const digits = text.trim();
  return /^[+-]?\d+(_\d+)*$/.test(digits) ? Number(digits.replaceAll("_", "")) : Number.NaN;
}

function extraOf(value: unknown): object | undefined {
  if (!value) return undefined;
  if (typeof value === "string") return extraFromText(value);
  return Array.isArray(value) || typeof value !== "object" ? extraFromText(JSON.stringify(value)) : value;
}
