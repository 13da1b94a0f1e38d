import { inspect } from "node:util";
import { CLASS, isInstance } from "../brand.js";
import { invalid } from "../errors.js";
import { Secret } from "./secret.js";

export { Secret } from "./secret.js";

/** A value inside `extra`: JSON, with a {@link Secret} in place of every value whose name marks it as one. */
export type Extra = string | number | boolean | null | Secret | readonly Extra[] | { readonly [name: string]: Extra };

/** A resolved connection. The only place that holds credentials. */
export interface Connection {
  readonly id: string;
  /** Airflow's conn_type: `aws`, `google_cloud_platform`, `wasb`, … */
  readonly type: string;
  readonly host: string | undefined;
  readonly login: string | undefined;
  readonly password: Secret | undefined;
  readonly schema: string | undefined;
  readonly port: number | undefined;
  readonly extra: { readonly [name: string]: Extra };
  readonly description: string | undefined;
}

/** A connection in a program's code; secrets may be plain strings here. */
export interface ConnectionInput {
  type: string;
  host?: string | undefined;
  login?: string | undefined;
  password?: string | Secret | undefined;
  schema?: string | undefined;
  port?: number | undefined;
  extra?: Record<string, unknown> | undefined;
  description?: string | undefined;
}

/** Returns the value with every {@link Secret} in it revealed. For passing it to a provider, not for messages. */
export function reveal(value: Extra | undefined): unknown {
  if (isInstance<Secret>(value, "Secret")) return value.reveal();
  if (Array.isArray(value)) return value.map(reveal);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, reveal(inner)]));
}

const HIDDEN = "[redacted]";

/** The fields of a connection before its secrets are sealed. */
export interface Fields {
  type: string;
  host?: string | undefined;
  login?: string | undefined;
  password?: string | Secret | undefined;
  schema?: string | undefined;
  port?: number | undefined;
  extra?: object | undefined;
  description?: string | undefined;
}

/** A connection that shows no secret in JSON, string or inspection, even if malformed text put one into the host. */
class Sealed implements Connection {
  readonly id: string;
  readonly type: string;
  readonly host: string | undefined;
  readonly login: string | undefined;
  readonly password: Secret | undefined;
  readonly schema: string | undefined;
  readonly port: number | undefined;
  readonly extra: { readonly [name: string]: Extra };
  readonly description: string | undefined;

  constructor(id: string, fields: Fields) {
    const { password } = fields;
    this.id = id;
    this.type = fields.type;
    this.host = fields.host;
    this.login = fields.login;
    this.password = typeof password === "string" ? new Secret(password) : password;
    this.schema = fields.schema;
    this.port = fields.port;
    this.extra = redactFields(fields.extra ?? {});
    this.description = fields.description;
    Object.freeze(this);
  }

  /** Identifies the class to another copy of this library. */
  get [CLASS](): "Connection" {
    return "Connection";
  }

  toString(): string {
    return `connection ${JSON.stringify(this.id)}`;
  }

  toJSON(): Record<string, unknown> {
    const { id, type, host, login, password, schema, port, extra, description } = this;
    const shown = { host: shownHost(host), login, password, schema: shownWord(schema), port, extra: shownExtra(extra) };
    return { id, type: shownWord(type), ...shown, description };
  }

  [inspect.custom](): unknown {
    return this.toJSON();
  }
}

/** Returns a frozen connection of these fields, with every secret in a {@link Secret}. */
export function connectionOf(id: string, fields: Fields): Connection {
  return new Sealed(id, fields);
}

/** Returns Airflow's name of a type: `postgresql` is `postgres`, and `-` is `_`. */
export function normalType(type: string): string {
  return type === "postgresql" ? "postgres" : type.replaceAll("-", "_");
}

function shownWord(text: string | undefined): string | undefined {
  return text === undefined || /^[\w.+-]*$/.test(text) ? text : HIDDEN;
}

function shownHost(host: string | undefined): string | undefined {
  return host === undefined || (/^[\w.:/[\],-]*$/.test(host) && !isSecretValue(host)) ? host : HIDDEN;
}

/** Drops names with an empty value: an unencoded `&` in a secret turns its rest into such names. */
function shownExtra(extra: Connection["extra"]): Connection["extra"] {
  return Object.fromEntries(Object.entries(extra).filter(([, value]) => value !== ""));
}

const TEXTS = ["type", "host", "login", "schema", "description"] as const;
const NAMES: ReadonlySet<string> = new Set([...TEXTS, "password", "port", "extra", "id"]);

/**
 * Returns the connection of a {@link ConnectionInput}; a {@link Connection} is returned unchanged. Throws
 * InvalidArgument for a field of the wrong kind or an unknown name.
 */
export function connectionFrom(id: string, input: Connection | ConnectionInput): Connection {
  if (isInstance<Sealed>(input, "Connection")) return input;
  const where = `connection ${JSON.stringify(id)}`;
  if (typeof input !== "object" || input === null) throw invalid(`${where} is not a record`);
  for (const name of Object.keys(input)) {
    if (!NAMES.has(name))
      throw invalid(`${where} has a field that connections do not have: ${name}${suggestField(name, "type")}`);
  }
  checkFields(where, input);
  return connectionOf(id, { ...input, type: normalType(input.type) });
}

const MEANT: Readonly<Record<string, string>> = { user: "login", username: "login", hostname: "host" };

/** Returns what to write in the place of an unknown field, as `; …`. `type` is the name of the type in this form. */
export function suggestField(name: string, type = "conn_type"): string {
  const known = /^(conn(ection)?_?)?type$/i.test(name) ? type : MEANT[name.toLowerCase()];
  return `; ${known ? `write ${known}` : "a provider's own fields go into extra"}`;
}

function checkFields(where: string, input: Connection | ConnectionInput): void {
  const { password, port, extra } = input;
  const wrong = (name: string, kind: string) => invalid(`${where}: ${name} must be ${kind}`);
  if (input.type === undefined) throw invalid(`${where}: type is missing: aws, google_cloud_platform or wasb`);
  if (typeof input.type !== "string") throw wrong("type", "text");
  for (const name of TEXTS) {
    if (input[name] !== undefined && typeof input[name] !== "string") throw wrong(name, "text");
  }
  if (password !== undefined && typeof password !== "string" && !isInstance<Secret>(password, "Secret")) {
    throw wrong("password", "text or a Secret");
  }
  if (port !== undefined && !Number.isInteger(port)) throw wrong("port", "an integer");
  if (extra !== undefined && (typeof extra !== "object" || extra === null || Array.isArray(extra))) {
    throw wrong("extra", "an object");
  }
}

// Recognises secrets inside a connection's `extra` by name or value.

/** Maximum nesting of an `extra`. Airflow's own records need three levels. */
const MAX_DEPTH = 64;

/** Last words that make a name secret: alone, or as the end of a compound (`apikey`, `mytoken`). */
const SECRET_WORD =
  /^(pass|pwd|passcode|key|keyfile|pem|sas|sig|signature|dsn|jwt|bearer|auth|authorization|cookie|credentials?|(saml)?assertion|connectionstring|connstr)$/;
const SECRET_END = /(password|passwd|passphrase|secret|token|(api|access|account|private|shared|signing|master)key)s?$/;

/** Last words that make a name secret only in combination. */
const SECRET_WORDS = /(^|_)(connection_string|conn_str(ing)?|token_code|service_account_(json|info|dict|data))$/;

/** Last words, without their digits, that describe only the format of a secret: `private_key_base64`, `sas_url`. */
const FORM = /_(dict|json|data|contents?|value|text|info|base|b|url|uri|raw|plain)$/;

/** Names of a location, not of a secret: the address of a token service is not a token. */
const LOCATOR = /(^|_)(token|secret|key|credential|jwt|auth|authorization)s?_(url|uri)$/;

/**
 * Returns whether a field of this name holds a secret. The name is split into words (`secretAccessKey`, `x-api-key` and
 * `extra__aws__aws_secret_access_key` alike), and its end decides: `private_key` and `private_key_base64` are secret;
 * `key_path`, `key_secret_name`, `aws_access_key_id`, `token_uri` and `private_key_id` are not.
 */
export function isSecretName(name: string): boolean {
  const words = name
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/(?<![_0-9])[_0-9]+$/, "");
  if (LOCATOR.test(words)) return false;
  return [words, words.replace(FORM, "")].some(
    (form) =>
      SECRET_WORDS.test(form) || SECRET_END.test(form) || SECRET_WORD.test(form.slice(form.lastIndexOf("_") + 1)),
  );
}

const SECRET_VALUES = [
  /:\/\/[^/?#\s:@]*:[^/?#\s]*@/, // a password inside an address
  /[?&](sig|signature|x-amz-signature|x-goog-signature|access_token)=/i, // a signed address
  /(^|[?&;])(sig|accountkey|sharedaccesssignature)=/i, // a SAS, or an Azure connection string
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  /^\s*[[{]/, // JSON as text may contain secrets
];

/** Returns whether the text is a secret regardless of its name: a signed address, a private key, JSON as text, … */
function isSecretValue(text: string): boolean {
  return SECRET_VALUES.some((pattern) => pattern.test(text));
}

/**
 * Returns JSON as an {@link Extra}: every secret becomes a {@link Secret}, including everything below a secret name.
 */
export function redactValue(value: unknown, secret = false, depth = 0): Extra {
  if (depth > MAX_DEPTH) throw invalid(`a connection's extra is nested deeper than ${MAX_DEPTH}`);
  if (value === null || value === undefined) return null;
  if (isInstance<Secret>(value, "Secret") || typeof value === "boolean") return value;
  if (typeof value === "string") return sealedText(value, secret);
  if (typeof value === "number") return secret ? new Secret(String(value)) : value;
  if (Array.isArray(value)) return value.map((inner) => redactValue(inner, secret, depth + 1));
  if (isPlain(value)) return redactFields(value, secret, depth);
  throw invalid("a connection's extra holds a value that is not JSON");
}

function isPlain(value: unknown): value is object {
  if (typeof value !== "object" || value === null) return false;
  const parent: unknown = Object.getPrototypeOf(value);
  return parent === null || parent === Object.prototype;
}

function sealedText(text: string, secret: boolean): Extra {
  return text !== "" && (secret || isSecretValue(text)) ? new Secret(text) : text;
}

/** Returns the fields of an object, each sealed by its own name unless all of them are secret. */
function redactFields(fields: object, secret = false, depth = 0): { readonly [name: string]: Extra } {
  return Object.fromEntries(
    Object.entries(fields)
      .filter(([, inner]) => inner !== undefined)
      .map(([name, inner]) => [name, redactValue(inner, secret || isSecretName(name), depth + 1)]),
  );
}
