/** Airflow's connection URI: `type://login:password@host:port/schema?extra=…`. */
import { invalid } from "../errors.js";
import { extraFromText } from "./extra.js";
import { type Fields, normalType } from "./record.js";
import { cut, cutLast, portOf, type SplitUrl, unquote, urlsplit } from "./urlsplit.js";

const EXTRA = "__extra__";

/** The fields of a connection URI, as Airflow reads it; a secret in it is not sealed yet. */
export function fieldsFromUri(text: string): Fields {
  const { type, nested, rest } = splitType(text);
  const parts = urlsplit(rest);
  return {
    type: normalType(type),
    host: hostOf(parts, nested),
    login: decoded(parts.username),
    password: decoded(parts.password),
    schema: unquote(parts.path.replace(/^./su, "")),
    port: portOf(parts.port),
    extra: extraOf(parts.query),
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

function hostOf(parts: SplitUrl, nested: boolean): string {
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

function extraOf(query: string): object | undefined {
  const pairs = query
    .split("&")
    .filter(Boolean)
    .map((pair) => cut(pair.replaceAll("+", " "), "="))
    .map(([name, value = ""]) => [unquote(name), unquote(value)] as const);
  const whole = pairs.findLast(([name]) => name === EXTRA);
  return whole ? extraFromText(whole[1]) : Object.fromEntries(pairs);
}
