/** Reads Azure Blob settings from a `wasb` or `adls` connection and the environment. No files, requests or packages. */

import { cut } from "../../../connections/airflow-format.js";
import { type Connection, Secret } from "../../../connections/connection.js";
import {
  checkKind,
  connectionError,
  endpointOf,
  FieldReader,
  isBelow,
  MICROSOFT,
  withoutLineEnd,
} from "../../../connections/fields.js";
import type { Env } from "../../../connections/sources.js";
import { invalid } from "../../../errors.js";

export interface AzureOptions {
  /** The storage account, also used in signatures; `""` with a SAS for a domain that names no account. */
  readonly account: string;
  /** The blob service's URL, without a trailing slash: `https://account.blob.core.windows.net`. */
  readonly endpoint: string;
  readonly credentials: AzureCredentials;
  /** The encryption scope of new objects; undefined for the container's. */
  readonly encryptionScope: string | undefined;
}

/**
 * Returns the options of the Azure driver. Without a connection: the variables `AZURE_STORAGE_*`, with
 * DefaultAzureCredential if they name no credentials. Throws InvalidArgument for an invalid field, Unsupported for one
 * that cannot be honoured; both name the field.
 */
export function azureOptions(connection: Connection | undefined, env: Env): AzureOptions {
  return connection ? optionsOf(connection, env) : optionsOfEnv(env);
}

/** The types in the prefixes of older fields; connections moved from one type to another and kept them. */
const OLDER_TYPES = ["wasb", "adls", "azure_data_lake"];

/** A connection string takes precedence over every other field, as in Airflow. */
function optionsOf(connection: Connection, env: Env): AzureOptions {
  checkKind(connection, MICROSOFT);
  if (connection.port !== undefined)
    throw connectionError(connection, "write the port into host, as https://host:port");
  const extra = FieldReader.of(connection, [connection.type, ...OLDER_TYPES]);
  const encryptionScope = extra.text("encryption_scope");
  const text = extra.secret("connection_string");
  if (text) return { ...parseConnectionString(text, (why) => extra.wrong("connection_string", why)), encryptionScope };
  const options = separateFields(connection, extra, env, encryptionScope);
  extra.done();
  return options;
}

function separateFields(
  connection: Connection,
  extra: FieldReader,
  env: Env,
  encryptionScope: string | undefined,
): AzureOptions {
  const sas = splitSas(extra.text("sas_token"), (why) => extra.wrong("sas_token", why));
  const address = addressIn(connection, extra) ?? { endpoint: sas?.endpoint, sas: undefined };
  const tenant = tenantIn(extra);
  const named = extra.text("account_name") ?? accountOf(address.endpoint);
  const found = named ?? (tenant ? undefined : connection.login || undefined) ?? env.AZURE_STORAGE_ACCOUNT_NAME;
  const token = sas?.token ?? address.sas;
  if (!found && !(token && address.endpoint))
    throw connectionError(connection, "it names no storage account; write account_name into extra");
  const account = found ? checkedAccount(found, (why) => connectionError(connection, `its account ${why}`)) : "";
  const endpoint = address.endpoint ?? blobEndpoint(account);
  checkService(endpoint, account, (why) => connectionError(connection, `its address ${why}`));
  const credentials = azureCredentials({ connection, extra, env, tenant, sas: token, endpoint });
  return { account, endpoint, credentials, encryptionScope };
}

/** Older Data Lake connections use `tenant`. */
function tenantIn(extra: FieldReader): string | undefined {
  const [own, older] = [extra.text("tenant_id"), extra.text("tenant")];
  return own ?? older;
}

function optionsOfEnv(env: Env): AzureOptions {
  const variable = "AZURE_STORAGE_CONNECTION_STRING";
  const wrong = (why: string) => invalid(`environment: ${variable} ${why}`);
  const text = env[variable];
  if (text) return { ...parseConnectionString(new Secret(text), wrong), encryptionScope: undefined };
  const found = env.AZURE_STORAGE_ACCOUNT_NAME || env.AZURE_STORAGE_ACCOUNT;
  if (!found) throw invalid("environment: AZURE_STORAGE_ACCOUNT_NAME is missing; name a connection");
  const account = checkedAccount(found, (why) => invalid(`environment: the account ${why}`));
  const endpoint = blobEndpoint(account);
  return { account, endpoint, credentials: credentialsOfEnv(env), encryptionScope: undefined };
}

function credentialsOfEnv(env: Env): AzureCredentials {
  if (env.AZURE_STORAGE_ANON?.toLowerCase() === "true") return { kind: "anonymous" };
  const key = env.AZURE_STORAGE_ACCOUNT_KEY || env.AZURE_STORAGE_KEY;
  if (key) return { kind: "shared-key", key: new Secret(withoutLineEnd(key)) };
  const token = env.AZURE_STORAGE_SAS_TOKEN?.replace(/^\?/, "");
  return token ? { kind: "sas", token: new Secret(withoutLineEnd(token)) } : DEFAULT_CHAIN;
}

// The address of a storage account.

export interface Address {
  readonly endpoint: string | undefined;
  /** The SAS from the address. */
  readonly sas: Secret | undefined;
}

type Wrong = (why: string) => Error;

/** Returns the account's name unchanged if it is valid in an address and in a signature. */
function checkedAccount(account: string, wrong: Wrong): string {
  if (/^[\w-]{1,63}$/.test(account)) return account;
  throw wrong("is not the name of a storage account");
}

/** Returns an account's address in the public cloud. */
function blobEndpoint(account: string): string {
  return `https://${account}.blob.core.windows.net`;
}

/**
 * Returns the address in `account_host`, else in the connection's host: a URL, a host name, or only an account's name.
 */
function addressIn(connection: Connection, extra: FieldReader): Address | undefined {
  const host = extra.text("account_host");
  if (host !== undefined) return addressOf(host, (why) => extra.wrong("account_host", why));
  return connection.host ? addressOf(connection.host, (why) => connectionError(connection, `host ${why}`)) : undefined;
}

function addressOf(text: string, wrong: Wrong): Address {
  const [place = "", query] = text.split(/\?(.*)/s);
  const sas = query && /(^|&)sig=/.test(query) ? new Secret(query) : undefined;
  if (query && !sas) throw wrong("must not carry a query other than a SAS");
  const named = /^[a-z0-9]+$/i.test(place) ? `${place}.blob.core.windows.net` : place;
  const endpoint = endpointOf(named.includes("://") ? named : `https://${named}`, wrong);
  return { endpoint: endpoint.replace(/^(https?:\/\/[^./]+)\.dfs\./, "$1.blob."), sas };
}

/** Parses a SAS, with or without `?`, or a whole SAS URL, of which only the account's address is used. */
function splitSas(text: string | undefined, wrong: Wrong): { endpoint?: string; token: Secret } | undefined {
  if (text === undefined) return undefined;
  if (!/^https?:\/\//i.test(text)) return { token: new Secret(text.replace(/^\?/, "")) };
  const { endpoint, sas } = addressOf(text, wrong);
  if (!sas || !endpoint) throw wrong("is an address without a SAS");
  return { endpoint: serviceOf(endpoint), token: sas };
}

/** Removes the container and blob that a SAS URL may name; the first segment may be the account. */
function serviceOf(endpoint: string): string {
  const { origin, hostname, pathname } = new URL(endpoint);
  return labelOf(hostname) ? origin : origin + pathname.split("/").slice(0, 2).join("/");
}

/**
 * Returns the account in the address: the first label of an Azure host, else (emulators) the first segment of the path.
 */
function accountOf(endpoint: string | undefined): string | undefined {
  if (endpoint === undefined) return undefined;
  const { hostname, pathname } = new URL(endpoint);
  return labelOf(hostname) ?? (pathname.split("/")[1] || undefined);
}

/** Refuses an address with more than the service in it, to which the container would be added a second time. */
function checkService(endpoint: string, account: string | undefined, wrong: Wrong): void {
  const { hostname, pathname } = new URL(endpoint);
  const [first, ...more] = pathname.split("/").filter(Boolean);
  if (first === undefined || (first === account && more.length === 0 && !labelOf(hostname))) return;
  throw wrong("must not name a container; the container comes from the path");
}

function labelOf(host: string): string | undefined {
  return /^([^.]+)\.(blob|privatelink|z\d+)\./.exec(host)?.[1];
}

// Azure's connection strings: `AccountName=…;AccountKey=…;EndpointSuffix=core.windows.net`.

type Parts = ReadonlyMap<string, string>;

/** The storage emulator's account and key, which Microsoft publishes. */
const EMULATOR: Parts = new Map([
  ["accountname", "devstoreaccount1"],
  ["accountkey", "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="],
  ["blobendpoint", "http://127.0.0.1:10000/devstoreaccount1"],
]);

const KNOWN = new Set([
  ...["accountname", "accountkey", "sharedaccesssignature", "blobendpoint", "endpointsuffix"],
  ...["defaultendpointsprotocol", "usedevelopmentstorage"],
]);

/** Endpoints of other services and of read-only copies. */
const IGNORED = /^((queue|table|file|dfs)(secondary)?|blobsecondary)endpoint$/;

/** Returns account, endpoint and credentials of a connection string; `wrong` creates the error from the reason. */
function parseConnectionString(
  text: Secret,
  wrong: Wrong,
): { account: string; endpoint: string; credentials: AzureCredentials } {
  const stated = partsOf(text.reveal(), wrong);
  const parts = stated.get("usedevelopmentstorage")?.toLowerCase() === "true" ? EMULATOR : stated;
  const endpoint = endpointIn(parts, wrong);
  const found = parts.get("accountname") ?? accountOf(endpoint);
  if (!found && !parts.get("sharedaccesssignature")) throw wrong("names no account");
  const account =
    found && checkedAccount(found, () => wrong("has an AccountName that is not the name of a storage account"));
  checkService(endpoint, account, (why) => wrong(`has a BlobEndpoint that ${why}`));
  return { account: account ?? "", endpoint, credentials: credentialsIn(parts, wrong) };
}

function partsOf(text: string, wrong: Wrong): Parts {
  const pairs = text.split(";").filter((part) => part.trim() !== "");
  return new Map(pairs.map((pair) => partOf(pair, wrong)));
}

function partOf(pair: string, wrong: Wrong): [string, string] {
  const [name, value] = cut(pair, "=");
  const known = name.trim().toLowerCase();
  if (value === undefined) throw wrong("is not a list of Name=Value separated by ;");
  // What is no plain word may be a part of a secret.
  const shown = /^[a-z]{1,40}$/.test(known) ? `: ${name.trim()}` : "";
  if (!KNOWN.has(known) && !IGNORED.test(known)) throw wrong(`has a part that is not known${shown}`);
  return [known, value.trim()];
}

function endpointIn(parts: Parts, wrong: Wrong): string {
  const stated = parts.get("blobendpoint");
  if (stated) return endpointOf(stated, (why) => wrong(`has a BlobEndpoint that ${why}`));
  const account = parts.get("accountname");
  if (!account) throw wrong("names neither AccountName nor BlobEndpoint");
  const protocol = parts.get("defaultendpointsprotocol") || "https";
  const suffix = parts.get("endpointsuffix") || "core.windows.net";
  if (suffix.startsWith(".")) throw wrong("has an EndpointSuffix that starts with a dot; write core.windows.net");
  if (!/^[\w-]+$/.test(account) || !/^[\w.-]+$/.test(suffix))
    throw wrong("has an account or suffix that make no address");
  const address = `${protocol}://${account}.blob.${suffix}`;
  return endpointOf(address, () => wrong("has a protocol other than http and https"));
}

function credentialsIn(parts: Parts, wrong: Wrong): AzureCredentials {
  const [key, sas] = [parts.get("accountkey"), parts.get("sharedaccesssignature")];
  if (key && sas) throw wrong("has both AccountKey and SharedAccessSignature");
  if (key) return { kind: "shared-key", key: new Secret(key) };
  if (sas) return { kind: "sas", token: new Secret(sas.replace(/^\?/, "")) };
  throw wrong("has neither AccountKey nor SharedAccessSignature");
}

// The credentials that sign requests to Azure.

export type AzureCredentials =
  /** The account's key, in base64. */
  | { readonly kind: "shared-key"; readonly key: Secret }
  /** Without `?`. */
  | { readonly kind: "sas"; readonly token: Secret }
  | {
      readonly kind: "service-principal";
      readonly tenantId: string;
      readonly clientId: string;
      readonly clientSecret: Secret;
      /** Starts with `https://`; undefined for the public cloud's. */
      readonly authority: string | undefined;
      readonly additionalTenants: readonly string[];
    }
  | { readonly kind: "managed-identity"; readonly clientId: string }
  | {
      readonly kind: "workload-identity";
      readonly tenantId: string;
      readonly clientId: string;
      /** Undefined for the path in the environment. */
      readonly tokenFile: string | undefined;
      readonly authority: string | undefined;
    }
  /** The credential chain of Azure's own library, and the identities it should use. */
  | {
      readonly kind: "default";
      readonly managedIdentityClientId: string | undefined;
      readonly workloadIdentityClientId: string | undefined;
      readonly workloadIdentityTenantId: string | undefined;
    }
  | { readonly kind: "anonymous" };

/** Azure's own chain without a named identity. */
const DEFAULT_CHAIN: AzureCredentials = {
  kind: "default",
  managedIdentityClientId: undefined,
  workloadIdentityClientId: undefined,
  workloadIdentityTenantId: undefined,
};

export interface CredentialFacts {
  readonly connection: Connection;
  readonly extra: FieldReader;
  readonly env: Env;
  readonly tenant: string | undefined;
  readonly sas: Secret | undefined;
  readonly endpoint: string;
}

/** Returns the credentials in the fields; refuses more than one kind. Anonymous only on request. */
function azureCredentials(facts: CredentialFacts): AzureCredentials {
  const anonymous = facts.extra.flag("anon") === true;
  const stated = [principal(facts), sharedKey(facts), sasOf(facts), identityOf(facts)];
  const [first, second] = stated.filter((found) => found !== undefined);
  if (anonymous) return { kind: "anonymous" };
  if (first && second)
    throw connectionError(facts.connection, `it has credentials of two kinds, ${first.kind} and ${second.kind}`);
  return first ?? DEFAULT_CHAIN;
}

/** With a tenant, login and password are a client's id and secret; otherwise the password is the account's key. */
function principal({ connection, extra, tenant, endpoint }: CredentialFacts): AzureCredentials | undefined {
  const config = extra.object("client_secret_auth_config");
  const stated = config.text("authority");
  const additionalTenants = config.list("additionally_allowed_tenants") ?? [];
  config.done();
  if (tenant === undefined) return undefined;
  const [clientId, clientSecret] = [connection.login, passwordOf(connection)];
  if (!clientId || !clientSecret) {
    throw connectionError(connection, "with tenant_id, login and password must be the client's id and secret");
  }
  const authority = stated === undefined ? authorityOf(endpoint) : `https://${stated.replace(/^https:\/\//, "")}`;
  return { kind: "service-principal", tenantId: tenant, clientId, clientSecret, authority, additionalTenants };
}

/** Sovereign clouds have their own login endpoint. */
function authorityOf(endpoint: string): string | undefined {
  if (isBelow(endpoint, "usgovcloudapi.net")) return "https://login.microsoftonline.us";
  return isBelow(endpoint, "chinacloudapi.cn") ? "https://login.chinacloudapi.cn" : undefined;
}

function sharedKey({ connection, extra, tenant }: CredentialFacts): AzureCredentials | undefined {
  const stated = extra.secret("account_key");
  const key = stated ?? (tenant === undefined ? passwordOf(connection) : undefined);
  return key && { kind: "shared-key", key };
}

function passwordOf({ password }: Connection): Secret | undefined {
  const text = withoutLineEnd(password?.reveal() ?? "");
  return text ? new Secret(text) : undefined;
}

function sasOf({ sas }: CredentialFacts): AzureCredentials | undefined {
  return sas && { kind: "sas", token: sas };
}

/** A single identity is used directly; a managed and a workload identity together configure the default chain. */
function identityOf(facts: CredentialFacts): AzureCredentials | undefined {
  const managed = facts.extra.text("managed_identity_client_id");
  const client = facts.extra.text("workload_identity_client_id");
  const tenant = facts.extra.text("workload_identity_tenant_id");
  const isWorkload = client !== undefined || tenant !== undefined;
  if (managed === undefined) return isWorkload ? workload(facts, client, tenant) : undefined;
  if (!isWorkload) return { kind: "managed-identity", clientId: managed };
  const identities = { managedIdentityClientId: managed, workloadIdentityClientId: client };
  return { kind: "default", ...identities, workloadIdentityTenantId: tenant };
}

function workload(
  { connection, env, endpoint }: CredentialFacts,
  client: string | undefined,
  tenant: string | undefined,
): AzureCredentials {
  const [tenantId, clientId] = [tenant ?? env.AZURE_TENANT_ID, client ?? env.AZURE_CLIENT_ID];
  if (!tenantId || !clientId)
    throw connectionError(connection, "a workload identity needs its client id and tenant id");
  const tokenFile = env.AZURE_FEDERATED_TOKEN_FILE || undefined;
  return { kind: "workload-identity", tenantId, clientId, tokenFile, authority: authorityOf(endpoint) };
}
