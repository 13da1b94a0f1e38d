/** Where a storage account is. */
import type { Connection } from "../connection.js";
import { Secret } from "../secret.js";
import { endpointOf } from "./endpoint.js";
import type { FieldReader } from "./fields.js";
import { refused } from "./record.js";

export interface Address {
  readonly endpoint: string | undefined;
  /** The SAS that the address carried. */
  readonly sas: Secret | undefined;
}

type Wrong = (why: string) => Error;

/** The account's name as it is, if it may stand in an address and in a signature. */
export function checkedAccount(account: string, wrong: Wrong): string {
  if (/^[\w-]{1,63}$/.test(account)) return account;
  throw wrong("is not the name of a storage account");
}

/** The public cloud's address of an account. */
export function blobEndpoint(account: string): string {
  return `https://${account}.blob.core.windows.net`;
}

/** The address in `account_host`, else in the connection's host: a URL, a host name, or only an account's name. */
export function addressIn(connection: Connection, extra: FieldReader): Address | undefined {
  const host = extra.text("account_host");
  if (host !== undefined) return addressOf(host, (why) => extra.wrong("account_host", why));
  return connection.host ? addressOf(connection.host, (why) => refused(connection, `host ${why}`)) : undefined;
}

function addressOf(text: string, wrong: Wrong): Address {
  const [place = "", query] = text.split(/\?(.*)/s);
  const sas = query && /(^|&)sig=/.test(query) ? new Secret(query) : undefined;
  if (query && !sas) throw wrong("must not carry a query other than a SAS");
  const named = /^[a-z0-9]+$/i.test(place) ? `${place}.blob.core.windows.net` : place;
  const endpoint = endpointOf(named.includes("://") ? named : `https://${named}`, wrong);
  return { endpoint: endpoint.replace(/^(https?:\/\/[^./]+)\.dfs\./, "$1.blob."), sas };
}

/** A SAS, with or without `?`, or a whole SAS URL, of which only the account's address is taken. */
export function splitSas(text: string | undefined, wrong: Wrong): { endpoint?: string; token: Secret } | undefined {
  if (text === undefined) return undefined;
  if (!/^https?:\/\//i.test(text)) return { token: new Secret(text.replace(/^\?/, "")) };
  const { endpoint, sas } = addressOf(text, wrong);
  if (!sas || !endpoint) throw wrong("is an address without a SAS");
  return { endpoint: serviceOf(endpoint), token: sas };
}

/** Without the container and blob that a SAS URL may name; the first segment may be the account. */
function serviceOf(endpoint: string): string {
  const { origin, hostname, pathname } = new URL(endpoint);
  return labelOf(hostname) ? origin : origin + pathname.split("/").slice(0, 2).join("/");
}

/** The account that the address names: the first label of an Azure host, else (emulators) the first segment of the path. */
export function accountOf(endpoint: string | undefined): string | undefined {
  if (endpoint === undefined) return undefined;
  const { hostname, pathname } = new URL(endpoint);
  return labelOf(hostname) ?? (pathname.split("/")[1] || undefined);
}

function labelOf(host: string): string | undefined {
  return /^([^.]+)\.(blob|privatelink|z\d+)\./.exec(host)?.[1];
}
