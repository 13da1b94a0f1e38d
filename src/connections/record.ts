import { inspect } from "node:util";
import { invalid } from "../errors.js";
import type { Connection, ConnectionInput, Extra } from "./connection.js";
import { isSecretValue, sealedFields } from "./sealing.js";
import { Secret } from "./secret.js";

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

/** A connection that shows no secret in JSON, string or inspection, also where a wrong text put one into the host. */
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
    this.extra = sealedFields(fields.extra ?? {});
    this.description = fields.description;
    Object.freeze(this);
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

/** A connection of these fields, frozen, with every secret in a {@link Secret}. */
export function connectionOf(id: string, fields: Fields): Connection {
  return new Sealed(id, fields);
}

/** Airflow's name of a type: `postgresql` is `postgres`, and `-` is `_`. */
export function normalType(type: string): string {
  return type === "postgresql" ? "postgres" : type.replaceAll("-", "_");
}

function shownWord(text: string | undefined): string | undefined {
  return text === undefined || /^[\w.+-]*$/.test(text) ? text : HIDDEN;
}

function shownHost(host: string | undefined): string | undefined {
  return host === undefined || (/^[\w.:/[\],-]*$/.test(host) && !isSecretValue(host)) ? host : HIDDEN;
}

/** Without names that have an empty value: an unencoded `&` in a secret makes such names out of its rest. */
function shownExtra(extra: Connection["extra"]): Connection["extra"] {
  return Object.fromEntries(Object.entries(extra).filter(([, value]) => value !== ""));
}

const TEXTS = ["type", "host", "login", "schema", "description"] as const;
const NAMES: ReadonlySet<string> = new Set([...TEXTS, "password", "port", "extra", "id"]);

/**
 * The connection that a program wrote down: a {@link ConnectionInput}, or a {@link Connection} as it is.
 * A field of the wrong kind or an unknown name fails with InvalidArgument.
 */
export function connectionFrom(id: string, input: Connection | ConnectionInput): Connection {
  if (input instanceof Sealed) return input;
  const where = `connection ${JSON.stringify(id)}`;
  if (typeof input !== "object" || input === null) throw invalid(`${where} is not a record`);
  for (const name of Object.keys(input)) {
    if (!NAMES.has(name)) throw invalid(`${where} has a field that connections do not have: ${name}`);
  }
  checkFields(where, input);
  return connectionOf(id, { ...input, type: normalType(input.type) });
}

function checkFields(where: string, input: Connection | ConnectionInput): void {
  const { password, port, extra } = input;
  const wrong = (name: string, kind: string) => invalid(`${where}: ${name} must be ${kind}`);
  if (typeof input.type !== "string") throw wrong("type", "text");
  for (const name of TEXTS) {
    if (input[name] !== undefined && typeof input[name] !== "string") throw wrong(name, "text");
  }
  if (password !== undefined && typeof password !== "string" && !(password instanceof Secret)) {
    throw wrong("password", "text or a Secret");
  }
  if (port !== undefined && !Number.isInteger(port)) throw wrong("port", "an integer");
  if (extra !== undefined && (typeof extra !== "object" || extra === null || Array.isArray(extra))) {
    throw wrong("extra", "an object");
  }
}
