/** What a `wasb` or `adls` connection and the environment say about Azure Blob. Pure: no file, no request, no package. */
import { invalid } from "../../errors.js";
import type { Connection } from "../connection.js";
import { Secret } from "../secret.js";
import type { Env } from "../source.js";
import { accountOf, addressIn, blobEndpoint, checkedAccount, splitSas } from "./azure-address.js";
import { parseConnectionString } from "./azure-connection-string.js";
import { type AzureCredentials, azureCredentials, DEFAULT_CHAIN } from "./azure-credentials.js";
import { FieldReader } from "./fields.js";
import { checkKind, MICROSOFT, refused } from "./record.js";

export interface AzureOptions {
  /** The storage account, which also signs with its name. */
  readonly account: string;
  /** Of the blob service, without a trailing slash: `https://account.blob.core.windows.net`. */
  readonly endpoint: string;
  readonly credentials: AzureCredentials;
  /** The encryption scope of what is written; undefined for the container's. */
  readonly encryptionScope: string | undefined;
}

/**
 * The options of the Azure driver. Without a connection: the variables `AZURE_STORAGE_*`, with DefaultAzureCredential
 * where they name no credentials. A field that is wrong fails with InvalidArgument, one that cannot be honoured with
 * Unsupported; both are named.
 */
export function azureOptions(connection: Connection | undefined, env: Env): AzureOptions {
  return connection ? optionsOf(connection, env) : optionsOfEnv(env);
}

/** A connection string wins over every other field, as in Airflow. */
function optionsOf(connection: Connection, env: Env): AzureOptions {
  checkKind(connection, MICROSOFT);
  if (connection.port !== undefined) throw refused(connection, "write the port into host, as https://host:port");
  const extra = FieldReader.of(connection, `extra__${connection.type}__`);
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
  if (!found) throw refused(connection, "it names no storage account; write account_name into extra");
  const account = checkedAccount(found, (why) => refused(connection, `its account ${why}`));
  const endpoint = address.endpoint ?? blobEndpoint(account);
  const credentials = azureCredentials({ connection, extra, env, tenant, sas: sas?.token ?? address.sas, endpoint });
  return { account, endpoint, credentials, encryptionScope };
}

/** Older Data Lake connections say `tenant`. */
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
  if (key) return { kind: "shared-key", key: new Secret(key) };
  const token = env.AZURE_STORAGE_SAS_TOKEN?.replace(/^\?/, "");
  return token ? { kind: "sas", token: new Secret(token) } : DEFAULT_CHAIN;
}
