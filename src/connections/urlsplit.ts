/** A URL taken apart exactly as Python's `urllib.parse.urlsplit` does, which Airflow's URIs are defined by. */
import { isIP } from "node:net";
import { invalid } from "../errors.js";

/** Empty parts are `""`; undefined means that the part and its separator are absent. */
export interface SplitUrl {
  scheme: string;
  netloc: string;
  path: string;
  query: string;
  username: string | undefined;
  password: string | undefined;
  /** Lower-cased up to the first `%`, still percent-encoded. */
  hostname: string;
  /** As it stands; `portOf` reads it. */
  port: string | undefined;
}

const SCHEME = /^([a-z][a-z0-9+.-]*):/i;

/** Fails with InvalidArgument where Python raises ValueError: brackets that are no IPv6 address, unsafe characters. */
export function urlsplit(text: string): SplitUrl {
  const [scheme, afterScheme] = splitScheme(text.replace(/^[\0- ]+/, "").replace(/[\t\r\n]/g, ""));
  const [netloc, tail] = splitNetloc(afterScheme);
  checkBrackets(netloc);
  checkCompatibility(netloc);
  const [beforeFragment] = cut(tail, "#");
  const [path, query = ""] = cut(beforeFragment, "?");
  return { scheme, netloc, path, query, ...userOf(netloc), ...hostOf(netloc) };
}

/** Both sides of the first separator; the second is undefined without one. */
export function cut(text: string, separator: string): [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Both sides of the last separator; the first is undefined without one. */
export function cutLast(text: string, separator: string): [string | undefined, string] {
  const at = text.lastIndexOf(separator);
  return at < 0 ? [undefined, text] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** Percent escapes as UTF-8, once; what is no escape stays, what is no UTF-8 becomes U+FFFD. */
export function unquote(text: string): string {
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

/** Characters that would turn into a separator later must not hide in the authority. */
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

/** The port as a number; `""` is none. One that is not 0 to 65535 fails with InvalidArgument. */
export function portOf(text: string | undefined): number | undefined {
  if (!text) return undefined;
  if (!/^[0-9]+$/.test(text) || Number(text) > 65535) {
    throw invalid("the port is not a number up to 65535; is a / : or @ in the password not encoded?");
  }
  return Number(text);
}
