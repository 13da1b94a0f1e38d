/** What the options of all providers ask of a connection's own fields. */
import { invalid, type StorageError } from "../../errors.js";
import type { Connection } from "../connection.js";
import { quoted } from "../source.js";

/** The error that says what is wrong with a connection. */
export function refused(connection: Connection, why: string): StorageError {
  return invalid(`connection ${quoted(connection.id)}: ${why}`);
}

/** The connection types of each cloud. */
export const AMAZON = /^(aws|s3|emr|redshift)$/;
export const GOOGLE = /^(google|gcp|gcs)/;
export const MICROSOFT = /^(wasb|adls|azure)/;

/**
 * Refuses a connection that is another cloud's, and one whose text was taken apart at the wrong place because a
 * separator in its password was not encoded. Other types are accepted, as in Airflow.
 */
export function checkKind(connection: Connection, own: RegExp): void {
  const { type, schema = "" } = connection;
  if ([AMAZON, GOOGLE, MICROSOFT].some((cloud) => cloud !== own && cloud.test(type))) {
    throw refused(connection, "its type belongs to another provider than the path's scheme");
  }
  if (/[@:]|\/\//.test(schema)) {
    throw refused(connection, "it cannot be taken apart; encode / : @ in the password, and write - for _ in the type");
  }
}

/** Refuses an address where Airflow ignores it: what looks like an endpoint must not be left out in silence. */
export function checkNoAddress(connection: Connection, instead: string): void {
  const { host = "", port } = connection;
  if (port !== undefined || /[:/]/.test(host))
    throw refused(connection, `write the address in ${instead}, not in host and port`);
}
