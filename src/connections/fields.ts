/** Reads a connection's `extra` field by field, so that no field is silently ignored. */
import { isInstance } from "../brand.js";
import { type ErrorCode, failure, invalid, type StorageError, suggestion } from "../errors.js";
import { parsePythonJson } from "./airflow-format.js";
import { type Connection, type Extra, reveal, Secret } from "./connection.js";
import { displayId } from "./sources.js";

type Fields = Connection["extra"];

/**
 * Reads the fields of one object. Null and `""` count as absent; text that contains a number, a boolean or JSON is
 * converted.
 */
export class FieldReader {
  readonly #owner: string;
  readonly #fields: Fields;
  readonly #path: string;
  readonly #prefixes: readonly string[];
  readonly #seen = new Set<string>();

  /** @param types the types in the prefixes of older records, as in `extra__wasb__`. A name without takes precedence. */
  constructor(owner: string, fields: Fields, path = "", types: readonly string[] = []) {
    this.#owner = owner;
    this.#fields = fields;
    this.#path = path;
    this.#prefixes = ["", ...types.map((type) => `extra__${type}__`)];
  }

  static of({ id, extra }: Connection, types?: readonly string[]): FieldReader {
    return new FieldReader(`connection ${displayId(id)}`, extra, "", types);
  }

  /** Returns the error for an invalid field. */
  wrong(name: string, why: string, code: ErrorCode = "InvalidArgument"): StorageError {
    return failure(code, `${this.#owner}: ${this.#path}${name} ${why}`);
  }

  /** Refuses a field that the provider's own client knows, with the reason. */
  unsupported(name: string, why: string): void {
    const value = this.#take(name);
    if (value !== undefined && value !== false && value !== "false") throw this.wrong(name, why, "Unsupported");
  }

  /** Marks fields that have no meaning for storage. */
  ignore(names: Iterable<string>): void {
    for (const name of names) this.#take(name);
  }

  text(name: string): string | undefined {
    const value = this.#take(name);
    const shown = isInstance<Secret>(value, "Secret") ? value.reveal() : value;
    if (shown === undefined) return shown;
    if (typeof shown === "string") return withoutLineEnd(shown) || undefined;
    if (typeof shown === "number") return String(shown);
    throw this.wrong(name, "must be text");
  }

  secret(name: string): Secret | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : new Secret(text);
  }

  flag(name: string): boolean | undefined {
    const value = this.#take(name);
    if (value === undefined || typeof value === "boolean") return value;
    const text = String(value).toLowerCase();
    if (text === "true" || text === "false") return text === "true";
    throw this.wrong(name, "must be true or false");
  }

  flagOrText(name: string): boolean | string | undefined {
    const value = this.#take(name);
    if (typeof value === "boolean") return value;
    const text = this.text(name);
    return text && /^(true|false)$/i.test(text) ? text.toLowerCase() === "true" : text;
  }

  /** Returns a number that is at least `least`. */
  number(name: string, least = 0): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const value = Number(text);
    if (text.trim() !== "" && Number.isFinite(value) && value >= least) return value;
    throw this.wrong(name, `must be a number from ${least}`);
  }

  integer(name: string, least = 0): number | undefined {
    const value = this.number(name, least);
    if (value === undefined || Number.isSafeInteger(value)) return value;
    throw this.wrong(name, "must be an integer");
  }

  oneOf<T extends string>(name: string, values: readonly T[]): T | undefined {
    const text = this.text(name);
    const found = values.find((value) => value === text?.toLowerCase());
    if (text === undefined || found !== undefined) return found;
    throw this.wrong(name, `must be one of ${values.join(", ")}${suggestion(text, values)}`);
  }

  /** Returns a list of texts: a JSON list, or text with commas. */
  list(name: string): readonly string[] | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const items: unknown[] = typeof value === "string" ? value.split(",") : Array.isArray(value) ? value : [value];
    if (!items.every((item) => typeof item === "string")) throw this.wrong(name, "must be a list of texts");
    return items.map((item) => item.trim()).filter(Boolean);
  }

  /** Returns a reader for the object in the field, or for an empty one; messages prefix its names with this field's. */
  object(name: string): FieldReader {
    const value = this.#take(name) ?? {};
    const fields =
      isInstance<Secret>(value, "Secret") || typeof value === "string"
        ? this.#parsed(name, String(reveal(value)))
        : value;
    if (!isFields(fields)) throw this.wrong(name, "must be an object");
    return new FieldReader(this.#owner, fields, `${this.#path}${name}.`);
  }

  /** Returns the value of the field, revealed. */
  raw(name: string): unknown {
    return reveal(this.#take(name));
  }

  /** Returns the value of the field as JSON, revealed; text is parsed. */
  json(name: string): unknown {
    const value = this.raw(name);
    return typeof value === "string" ? this.#parsed(name, value) : value;
  }

  has(name: string): boolean {
    return this.#take(name) !== undefined;
  }

  /** Fails for the first field that no caller has read. */
  done(): void {
    for (const [name, value] of Object.entries(this.#fields)) {
      if (!this.#seen.has(name) && value !== null) throw this.#unknown(name, value);
    }
  }

  /** A name may be a part of a secret whose `&` was not encoded; such a name has no value, and messages omit it. */
  #unknown(name: string, value: Extra): StorageError {
    if (name === "__extra__") return invalid(`${this.#owner}: extra is not a JSON object`);
    if (value !== "" && /^[\w.-]{1,80}$/.test(name)) {
      const near = nearestField(name, this.#seen);
      return this.wrong(name, `is not a field that this driver knows; ${near ? `write ${near}` : "remove it"}`);
    }
    return invalid(`${this.#owner}: extra has a field that no driver knows; is an & not encoded?`);
  }

  #take(name: string): Exclude<Extra, null | ""> | undefined {
    const names = this.#prefixes.map((prefix) => prefix + name);
    for (const one of names) this.#seen.add(one);
    const found = names.find((one) => Object.hasOwn(this.#fields, one));
    const value = found && this.#fields[found];
    return value === null || value === "" ? undefined : value;
  }

  #parsed(name: string, text: string): unknown {
    try {
      return parsePythonJson(text);
    } catch {
      throw this.wrong(name, "is not valid JSON");
    }
  }
}

/** Returns the text without the line break that files of mounted secrets end with. */
export function withoutLineEnd(text: string): string {
  return text.replace(/[\r\n]+$/, "");
}

/**
 * Returns the known field that was probably meant: `region` is `region_name`, `accessKeyId` is `aws_access_key_id`. All
 * letters of one name are in the other in the same order; the shortest such name is the nearest.
 */
function nearestField(name: string, known: Iterable<string>): string | undefined {
  const letters = (text: string) => text.toLowerCase().replace(/[^a-z0-9]/g, "");
  const wanted = letters(name.replace(/^extra__.*__/, ""));
  const near = [...known].filter((one) => {
    const [inner, outer] = [wanted, letters(one)].sort((a, b) => a.length - b.length) as [string, string];
    let at = 0;
    for (const letter of outer) if (letter === inner[at]) at += 1;
    return at === inner.length && (outer.includes(inner) ? at > 2 : at > 5);
  });
  return near.find((one) => one === `${name}_name`) ?? near.sort((a, b) => a.length - b.length)[0];
}

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isInstance<Secret>(value, "Secret");
}

// Endpoints of storage services.

/**
 * Returns the endpoint in the field `name`, without a trailing slash. It is http or https, with an optional port and
 * path; a user, a query or a fragment throws InvalidArgument.
 */
export function endpointIn(fields: FieldReader, name: string): string | undefined {
  const text = fields.text(name);
  return text === undefined ? undefined : endpointOf(text, (why) => fields.wrong(name, why));
}

/** Returns the endpoint in `text`; `wrong` creates the error from the reason. */
export function endpointOf(text: string, wrong: (why: string) => Error): string {
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  if (!parsed || !/^https?:\/\/[^/?#]/i.test(text))
    throw wrong("must be an address that starts with https:// or http://");
  if (parsed.username || parsed.password) throw wrong("must not carry a user or password");
  if (/[?#]/.test(text)) throw wrong("must not carry a query or a fragment");
  return `${parsed.origin}${parsed.pathname}`.replace(/(?<!\/)\/+$/, "");
}

/** Returns whether the host of `endpoint` is `domain` or a subdomain. */
export function isBelow(endpoint: string, domain: string): boolean {
  const host = new URL(endpoint).hostname;
  return host === domain || host.endsWith(`.${domain}`);
}

// Checks of a connection's own fields, shared by all providers.

/** Returns the error for an invalid connection. */
export function connectionError(connection: Connection, why: string): StorageError {
  return invalid(`connection ${displayId(connection.id)}: ${why}`);
}

/** The connection types of each cloud. */
export const AMAZON = /^(aws|s3|emr|redshift)$/;
export const GOOGLE = /^(google|gcp|gcs)/;
export const MICROSOFT = /^(wasb|adls|azure)/;

/**
 * Refuses another cloud's connection, and one that was parsed wrongly because a separator in its password was not
 * encoded. Other types are accepted, as in Airflow.
 */
export function checkKind(connection: Connection, own: RegExp): void {
  const { type, schema = "" } = connection;
  if ([AMAZON, GOOGLE, MICROSOFT].some((cloud) => cloud !== own && cloud.test(type))) {
    throw connectionError(
      connection,
      "its type belongs to another provider than the path's scheme; change the scheme or the connection id",
    );
  }
  if (/[@:]|\/\//.test(schema)) {
    throw connectionError(
      connection,
      "it cannot be taken apart; encode / : @ in the password, and write - for _ in the type",
    );
  }
  if (!own.test(type) && saysNothing(connection)) {
    throw connectionError(
      connection,
      "it has neither a provider's type nor credentials; write it as a URI, which starts with type://, or as JSON",
    );
  }
}

/** `AKIA…:secret` parses as a connection of the type `akia…`, which would use the environment's credentials. */
function saysNothing({ host, login, password, extra }: Connection): boolean {
  return !host && !login && password === undefined && Object.keys(extra).length === 0;
}

/** Refuses an address where Airflow ignores it: an apparent endpoint must not be silently dropped. */
export function checkNoAddress(connection: Connection, instead: string): void {
  const { host = "", port } = connection;
  if (port !== undefined || /[:/]/.test(host))
    throw connectionError(connection, `write the address in ${instead}, not in host and port`);
}
