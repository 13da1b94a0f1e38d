/**
 * Azure Blob Storage: by the connection of a path, by keys, or by the caller's own client.
 *
 * @packageDocumentation
 */
import { Secret } from "../../../connections/connection.js";
import { checkOptions, invalid, type OptionNames } from "../../../errors.js";
import { CachedAccessToken } from "../../driver/cached-credentials.js";
import { type DriverFactory, withOwnCredentials } from "../../driver/driver.js";
import { Gate } from "../../driver/sdk-transport.js";
import { openServer } from "./client.js";
import type { AzureCredentials } from "./connection.js";
import { azureDriver } from "./driver.js";
import { openAzure } from "./open.js";
import { issuedBy, type SdkService, sdkDriver } from "./sdk.js";

export type { DriverFactory } from "../../driver/driver.js";

/** An account, and one way to sign in to it. */
export interface AzureKeys {
  account: string;
  /** The account's key, in base64. */
  key?: string | undefined;
  /** A shared access signature, with or without its `?`. */
  sas?: string | undefined;
  /** A source of tokens, such as a credential of `@azure/identity`. */
  credential?: AzureTokenCredential | undefined;
  /** @default `https://<account>.blob.core.windows.net` */
  endpoint?: string | undefined;
  /** The encryption scope of new blobs. @default that of the container */
  encryptionScope?: string | undefined;
}

/** The part of a `TokenCredential` that is used. */
export interface AzureTokenCredential {
  getToken(
    scope: string | string[],
    options?: { tenantId?: string },
  ): Promise<{ token: string; expiresOnTimestamp: number } | null>;
}

/** The part of a client of `@azure/storage-blob` that is used. */
export interface BlobServiceClientLike {
  readonly url: string;
  readonly accountName: string;
  readonly credential: object;
}

export interface AzureClientOptions {
  /** The encryption scope of new blobs. @default that of the container */
  encryptionScope?: string | undefined;
}

export interface Azure {
  /**
   * Opens the containers of paths with their connections. An account key or a SAS needs no package, identities need
   * `@azure/identity`.
   */
  (): DriverFactory;
  /** Opens containers with one of a key, a SAS or a credential; ignores the connection in the path. */
  (keys: AzureKeys): DriverFactory;
  /**
   * Opens containers through a client of `@azure/storage-blob`; ignores the connection in the path. Its pipeline signs
   * and sends; retries and checks are those of the driver.
   *
   * @example createStorage({ drivers: [azure.fromClient(BlobServiceClient.fromConnectionString(text))] })
   */
  fromClient(client: BlobServiceClientLike, options?: AzureClientOptions): DriverFactory;
}

/** Azure Blob Storage, for `createStorage`. */
export const azure: Azure = /* @__PURE__ */ Object.assign(
  (...given: [] | [keys: AzureKeys]): DriverFactory =>
    given.length === 0 ? { schemes: SCHEMES, open: openAzure } : byKeys(given[0]),
  { fromClient },
);

const SCHEMES: readonly string[] = ["abfs", "abfss", "az", "azblob", "wasb", "wasbs"];
const NAMES: OptionNames<AzureKeys> = {
  account: true,
  key: true,
  sas: true,
  credential: true,
  endpoint: true,
  encryptionScope: true,
};
/** Requests in flight; the pipeline itself has no limit. */
const CONNECTIONS = 256;

function byKeys(keys: AzureKeys): DriverFactory {
  checkOptions("azure", keys, NAMES);
  const { account, key, sas, credential, encryptionScope } = keys;
  if (!account) throw invalid("azure needs the name of an account");
  if ([key, sas, credential].filter((one) => one !== undefined).length !== 1)
    throw invalid("azure needs exactly one of key, sas and credential");
  const { endpoint = `https://${account}.blob.core.windows.net` } = keys;
  const credentials: AzureCredentials =
    key !== undefined
      ? { kind: "shared-key", key: new Secret(key) }
      : sas !== undefined
        ? { kind: "sas", token: new Secret(sas.replace(/^\?/, "")) }
        : { kind: "anonymous" };
  const options = { account, endpoint, credentials, encryptionScope };
  const token = credential && new CachedAccessToken(issuedBy(credential));
  const open = withOwnCredentials(async (bucket, _connection, shared) =>
    azureDriver(await openServer(bucket, options, shared, token), shared),
  );
  return { schemes: SCHEMES, open };
}

function fromClient(client: BlobServiceClientLike, options: AzureClientOptions = {}): DriverFactory {
  checkOptions("azure.fromClient", options, { encryptionScope: true });
  if (typeof client?.url !== "string" || typeof client.credential !== "object")
    throw invalid("azure.fromClient needs a BlobServiceClient of @azure/storage-blob");
  const gate = new Gate(() => CONNECTIONS);
  const open = withOwnCredentials((bucket, _connection, shared) =>
    sdkDriver(client as SdkService, gate, bucket, options.encryptionScope, shared),
  );
  return { schemes: SCHEMES, open };
}
