/**
 * Google Cloud Storage: by the connection of a path, by a key or token, or by the caller's own client.
 *
 * @packageDocumentation
 */
import { Secret } from "../../../connections/index.js";
import { checkOptions, failure, invalid, type OptionNames } from "../../../errors.js";
import { type AccessToken, CachedAccessToken } from "../../driver/cached-credentials.js";
import { type DriverFactory, withOwnCredentials } from "../../driver/driver.js";
import { anonymous, openTokens, type Tokens } from "./credentials.js";
import { gcsDriver } from "./driver.js";
import { connect, GOOGLE, openGcs, placeOf } from "./open.js";
import { clientDriver, clientServer, clientTokens, type GoogleClient } from "./sdk.js";

export type { DriverFactory } from "../../driver/driver.js";

/** One way to sign in to Google Cloud Storage. */
export interface GcsKeys {
  /** A service account's key: Google's JSON, as text or as an object. Needs `google-auth-library`. */
  keyfile?: string | object | undefined;
  /** Returns an access token and its expiry; called again before that. */
  token?: (() => Promise<AccessToken>) | undefined;
  /** @default Google's own */
  endpoint?: string | undefined;
  /** The billed project, for requester pays. */
  payer?: string | undefined;
  /** The Cloud KMS key that encrypts new objects. @default that of the bucket */
  kmsKeyName?: string | undefined;
}

/** The part of a client of `@google-cloud/storage` that is used. */
export interface GoogleStorageLike {
  readonly apiEndpoint: string;
  readonly authClient: object;
}

export interface GcsClientOptions {
  /** The billed project, for requester pays. */
  payer?: string | undefined;
  /** The Cloud KMS key that encrypts new objects. @default that of the bucket */
  kmsKeyName?: string | undefined;
}

export interface Gcs {
  /**
   * Opens the buckets of paths with their connections. The etag of an object is its generation, and so is its version.
   * Everything but anonymous access needs `google-auth-library`.
   */
  (): DriverFactory;
  /** Opens buckets with a key file or tokens; ignores the connection in the path. */
  (keys: GcsKeys): DriverFactory;
  /**
   * Opens buckets through a client of `@google-cloud/storage`, with its credentials, interceptors and retries; ignores
   * the connection in the path. Reads use only its credentials. The client does not cancel an aborted request: a write
   * of up to 8 MiB in flight may still be stored.
   *
   * @example createStorage({ drivers: [gcs.fromClient(new Storage())] })
   */
  fromClient(client: GoogleStorageLike, options?: GcsClientOptions): DriverFactory;
}

/** Google Cloud Storage, for `createStorage`. */
export const gcs: Gcs = /* @__PURE__ */ Object.assign(
  (...given: [] | [keys: GcsKeys]): DriverFactory =>
    given.length === 0 ? { schemes: SCHEMES, open: openGcs } : byKeys(given[0]),
  { fromClient },
);

const SCHEMES: readonly string[] = ["gs", "gcs"];
const SCOPE = "https://www.googleapis.com/auth/devstorage.read_write";
const NAMES: OptionNames<GcsKeys> = { keyfile: true, token: true, endpoint: true, payer: true, kmsKeyName: true };

function byKeys(keys: GcsKeys): DriverFactory {
  checkOptions("gcs", keys, NAMES);
  const { keyfile, token, endpoint = GOOGLE, payer, kmsKeyName } = keys;
  if ((keyfile === undefined) === (token === undefined)) throw invalid("gcs needs exactly one of keyfile and token");
  let found: Promise<Tokens> | undefined;
  const open = withOwnCredentials(async (bucket, _connection, shared) => {
    found ??= token
      ? Promise.resolve(issued(token))
      : openTokens({ credentials: keyOf(keyfile), scopes: [SCOPE], project: undefined });
    found.catch(() => {
      found = undefined;
    });
    const place = placeOf(bucket, endpoint, { payer, kmsKeyName });
    return gcsDriver(await connect(endpoint, place, await found, shared), shared);
  });
  return { schemes: SCHEMES, open };
}

function keyOf(keyfile: string | object | undefined) {
  const text = typeof keyfile === "string" ? keyfile : JSON.stringify(keyfile);
  return { kind: "keyfile", keyfile: new Secret(text) } as const;
}

function issued(token: () => Promise<AccessToken>): Tokens {
  const cache = new CachedAccessToken(token);
  const signer = async () => {
    throw failure("Unsupported", "a token cannot sign; gcs({ keyfile }) can");
  };
  return { ...anonymous, signer, bearer: () => cache.current(), renew: (refused) => cache.renew(refused) };
}

function fromClient(client: GoogleStorageLike, options: GcsClientOptions = {}): DriverFactory {
  checkOptions("gcs.fromClient", options, { payer: true, kmsKeyName: true });
  if (typeof client?.apiEndpoint !== "string") throw invalid("gcs.fromClient needs a Storage of @google-cloud/storage");
  const own = client as GoogleClient;
  const open = withOwnCredentials(async (bucket, _connection, shared) => {
    const place = placeOf(bucket, own.apiEndpoint, options);
    const reads = await connect(own.apiEndpoint, place, clientTokens(own, place.google), shared);
    return clientDriver(own, clientServer(own, place, shared), reads, shared);
  });
  return { schemes: SCHEMES, open };
}
