import { Secret } from "./secret.js";

/** A value inside `extra`: JSON, with a {@link Secret} in place of every value whose name says that it is one. */
export type Extra = string | number | boolean | null | Secret | readonly Extra[] | { readonly [name: string]: Extra };

/** What a connection id resolves to. Credentials live here and nowhere else. */
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

/** A connection as a program writes it down; secrets may be plain strings here. */
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

/** The value with every {@link Secret} in it revealed. For the code that hands it to a provider, not for messages. */
export function revealed(value: Extra | undefined): unknown {
  if (value instanceof Secret) return value.reveal();
  if (Array.isArray(value)) return value.map(revealed);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, revealed(inner)]));
}
