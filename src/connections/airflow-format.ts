/** Splits a URL exactly as Python's `urllib.parse.urlsplit` does, which defines Airflow's URIs. */

import { isIP } from "node:net";
import { invalid } from "../errors.js";
import {
  type Connection,
  type ConnectionInput,
  connectionFrom,
  connectionOf,
  type Fields,
  normalType,
  Secret,
  suggestField,
} from "./connection.js";

/** Empty parts are `""`; undefined means that the part and its separator are absent. */
interface SplitUrl {
  scheme: string;
  netloc: string;
  path: string;
  query: string;
  username: string | undefined;
  password: string | undefined;
  /** Lower-cased up to the first `%`, still percent-encoded. */
  hostname: string;
  /** Unparsed; `portOf` reads it. */
  port: string | undefined;
}

const SCHEME = /^([a-z][a-z0-9+.-]*):/i;

/** Throws InvalidArgument where Python raises ValueError: brackets without an IPv6 address, unsafe characters. */
function urlsplit(text: string): SplitUrl {
  const [scheme, afterScheme] = splitScheme(text.replace(/^[\0- ]+/, "").replace(/[\t\r\n]/g, ""));
  const [netloc, tail] = splitNetloc(afterScheme);
  checkBrackets(netloc);
  checkCompatibility(netloc);
  const [beforeFragment] = cut(tail, "#");
  const [path, query = ""] = cut(beforeFragment, "?");
  return { scheme, netloc, path, query, ...userOf(netloc), ...hostOf(netloc) };
}

/** Splits at the first separator; the second part is undefined without one. */
export function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Splits at the last separator; the first part is undefined without one. */
function cutLast(text: string, separator: string): [string | undefined, string] {
  const at = text.lastIndexOf(separator);
  return at < 0 ? [undefined, text] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Decodes percent escapes as UTF-8, once; invalid escapes stay, invalid UTF-8 becomes U+FFFD. */
function unquote(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => Buffer.from(run.replaceAll("%", ""), "hex").toString("utf8"));
}

function splitScheme(text: string): [string, string] {
  const scheme = SCHEME.exec(text)?.[1];
  return scheme === undefined ? ["", text] : [scheme.toLowerCase(), text.slice(scheme.length + 1)];
}

function splitNetloc(text: string): [string, string] {
  if (!text.startsWith("//")) return ["", text];
  const end = text.slice(2).search(/[/?#]/);
  return end < 0 ? [text.slice(2), ""] : [text.slice(2, end + 2), text.slice(end + 2)];
}

function checkBrackets(netloc: string): void {
  if (!netloc.includes("[") && !netloc.includes("]")) return;
  const inside = cut(cut(netloc, "[")[1] ?? "", "]")[0];
  const paired = netloc.includes("[") && netloc.includes("]");
  const future = /^v[a-f0-9]+\../i.test(inside);
  if (!paired || !(future || isIP(inside) === 6)) throw invalid("the host is not an IPv6 address");
}

/** Rejects characters in the authority that would later normalise to a separator. */
function checkCompatibility(netloc: string): void {
  const plain = netloc.replace(/[@:#?]/g, "");
  const folded = plain.normalize("NFKC");
  if (folded !== plain && /[/?#@:]/.test(folded)) throw invalid("the host has unsafe characters");
}

function userOf(netloc: string): Pick<SplitUrl, "username" | "password"> {
  const [user] = cutLast(netloc, "@");
  if (user === undefined) return { username: undefined, password: undefined };
  const [username, password] = cut(user, ":");
  return { username, password };
}

function hostOf(netloc: string): Pick<SplitUrl, "hostname" | "port"> {
  const [, host] = cutLast(netloc, "@");
  const bracketed = cut(host, "[")[1];
  const [name, rest] = bracketed === undefined ? cut(host, ":") : cut(bracketed, "]");
  const port = bracketed === undefined ? rest : cut(rest ?? "", ":")[1];
  const [address, zone] = cut(name, "%");
  return { hostname: address.toLowerCase() + (zone === undefined ? "" : `%${zone}`), port };
}

/** Returns the port as a number; undefined for `""`. Throws InvalidArgument unless it is 0 to 65535. */
function portOf(text: string | undefined): number | undefined {
  if (!text) return undefined;
  if (!/^[0-9]+$/.test(text) || Number(text) > 65535) {
    throw invalid("the port is not a number up to 65535; is a / : or @ in the password not encoded?");
  }
  return Number(text);
}

// The text of a connection's `extra`, read as Python's `json` reads it.

const NOT_NUMBERS = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
]);
const MARK = "\u0000number:";

/** Parses JSON, including Python's NaN and infinities. Throws a SyntaxError that quotes the text: never pass it on. */
export function parsePythonJson(text: string): unknown {
  const marked = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*(?:"|$)|-?\b(?:NaN|Infinity)\b/gs, (token) =>
    NOT_NUMBERS.has(token) ? JSON.stringify(MARK + token) : token,
  );
  if (marked === text) return JSON.parse(text);
  return JSON.parse(marked, (name, value: unknown) => {
    if (name.startsWith(MARK)) throw new SyntaxError("a number as a name");
    return typeof value === "string" && value.startsWith(MARK) ? NOT_NUMBERS.get(value.slice(MARK.length)) : value;
  });
}

/**
 * Returns `extra` as fields. Text that is not a JSON object has no fields: it is kept whole, as a secret, in the single
 * field `__extra__`, which is how Airflow's URIs spell a whole extra, and no driver accepts it.
 */
export function extraFromText(text: string): object {
  if (text.trim() === "") return {};
  const value = jsonOrUndefined(text);
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  return { __extra__: new Secret(text) };
}

function jsonOrUndefined(text: string): unknown {
  try {
    return parsePythonJson(text);
  } catch {
    return undefined;
  }
}

// Airflow's connection as JSON text: `{"conn_type": …, "host": …, "extra": {…}}`.

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

/** Returns the fields of a connection in JSON, as Airflow reads it; secrets are not sealed yet. */
function fieldsFromJson(text: string): Fields {
  const record = objectOf(text);
  if (Object.keys(record).join() === "uri" && typeof record.uri === "string") return fieldsFromUri(record.uri);
  return fieldsFromRecord(record);
}

/**
 * Returns the fields of a record under Airflow's names (`conn_type`, …). Throws InvalidArgument for an unknown name.
 */
export function fieldsFromRecord(record: Record<string, unknown>): Fields {
  for (const name of Object.keys(record)) if (!NAMES.has(name)) throw unknownName(name);
  return {
    type: typeOf(record.conn_type),
    host: textOf("host", record.host),
    login: textOf("login", record.login),
    password: passwordOf(record.password),
    schema: textOf("schema", record.schema),
    port: portOfJson(record.port),
    extra: extraOfJson(record.extra),
    description: textOf("description", record.description),
  };
}

/**
 * Returns why a record was refused; a name that is not a plain word may be a part of a secret, so the message omits it.
 */
export function unknownName(name: string): Error {
  const shown = /^\w{1,40}$/.test(name) ? `: ${name}${suggestField(name)}` : "";
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

/** Numbers become text; Airflow keeps them as numbers, which no provider accepts. */
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

/** Follows Python's `int()`: fractions are cut, true is 1; values that are false in Python mean no port. */
function portOfJson(value: unknown): number | undefined {
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

function extraOfJson(value: unknown): object | undefined {
  if (!value) return undefined;
  if (typeof value === "string") return extraFromText(value);
  return Array.isArray(value) || typeof value !== "object" ? extraFromText(JSON.stringify(value)) : value;
}

/**
 * The characters that Python's `str.strip()` removes: white space and four control characters, but no byte order mark.
 */
const PYTHON_SPACE = /[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/**
 * Parses a connection in one of Airflow's two text forms: JSON if it starts with `{`, else a URI. Follows Airflow's
 * task SDK, so a URI's query values stay text; `__extra__` holds a whole JSON extra.
 *
 * @param id the text's connection id; `""` without one
 * @throws StorageError InvalidArgument if the text is neither. The message never repeats the text.
 */
export function parseConnection(text: string, id = ""): Connection {
  if (typeof text !== "string") throw invalid("the connection is not text");
  const stripped = strip(text);
  if (stripped === "") throw invalid("the connection is empty");
  return connectionOf(id, stripped.startsWith("{") ? fieldsFromJson(stripped) : fieldsFromUri(stripped));
}

/** Returns the connection `id` from a record or from one of Airflow's text forms. */
export function toConnection(id: string, input: Connection | ConnectionInput | string): Connection {
  return typeof input === "string" ? parseConnection(input, id) : connectionFrom(id, input);
}

function strip(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && PYTHON_SPACE.test(text[start]!)) start += 1;
  while (end > start && PYTHON_SPACE.test(text[end - 1]!)) end -= 1;
  return text.slice(start, end);
}

// Airflow's connection URI: `type://login:password@host:port/schema?extra=…`.

const EXTRA = "__extra__";

/** Returns the fields of a connection URI, as Airflow reads it; a secret in it is not sealed yet. */
export function fieldsFromUri(text: string): Fields {
  const { type, nested, rest } = splitType(text);
  const parts = urlsplit(rest);
  return {
    type: normalType(type),
    host: hostOfUri(parts, nested),
    login: decoded(parts.username),
    password: decoded(parts.password),
    schema: unquote(parts.path.replace(/^./su, "")),
    port: portOf(parts.port),
    extra: extraOfQuery(parts.query),
  };
}

/** A second `://` is the protocol of the host: `http://https://example.com`. */
function splitType(text: string): { type: string; nested: boolean; rest: string } {
  const count = text.split("://").length - 1;
  const type = urlsplit(text).scheme;
  const nested = count === 2;
  const rest = text.replaceAll(`${type}://`, nested ? "" : "//");
  if (count > 2 || (nested && /[@:]/.test(cut(rest, "://")[0]))) {
    throw invalid("a connection URI has :// once; encode it (%3A%2F%2F) in hosts and query values");
  }
  return { type, nested, rest };
}

function hostOfUri(parts: SplitUrl, nested: boolean): string {
  const decodedName = unquote(parts.hostname);
  const name = decodedName.includes("/") ? rawHost(parts.netloc) : decodedName;
  return nested && parts.scheme && name ? `${parts.scheme}://${name}` : name;
}

/** A host with an encoded `/` keeps its case. */
function rawHost(netloc: string): string {
  return unquote(cut(cutLast(netloc, "@")[1], ":")[0]);
}

function decoded(text: string | undefined): string | undefined {
  return text === undefined ? undefined : unquote(text);
}

function extraOfQuery(query: string): object | undefined {
  const pairs = query
    .split("&")
    .filter(Boolean)
    .map((pair) => cut(pair.replaceAll("+", " "), "="))
    .map(([name, value = ""]) => [unquote(name), unquote(value)] as const);
  const whole = pairs.findLast(([name]) => name === EXTRA);
  return whole ? extraFromText(whole[1]) : Object.fromEntries(pairs);
}
