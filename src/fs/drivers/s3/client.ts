/** Sends signed requests to one bucket. */

import { createHash } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { invalid } from "../../../errors.js";
import type { ObjectAttributes, ObjectInfo } from "../../driver/driver.js";
import { openHttp, originOf } from "../../http/client.js";
import type { HttpError } from "../../http/errors.js";
import type {
  HttpClient,
  HttpOptions,
  HttpRequest,
  HttpResponse,
  HttpText,
  Origin,
  ServiceProtocol,
  SignedRequest,
} from "../../http/types.js";
import { type AccessKeys, encodeKey, type SignableRequest, SigV4, UNSIGNED_PAYLOAD } from "../../signing/sigv4.js";
import type { S3Encryption, S3Options } from "./connection.js";
import type { S3Credentials } from "./connection-credentials.js";
import { aboutTime, EXPIRED, explain, isErrorBody, isRetryable, isThrottled } from "./errors.js";
import type { Profile } from "./profile.js";

/** A request to the bucket or to one of its objects. */
export interface S3Request {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Another bucket of the same endpoint. */
  bucket?: string;
  /** Empty for the bucket itself. */
  key: string;
  /** From `canonicalQuery`. */
  query?: string;
  /** Lower-case names. */
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array | undefined;
  signal: AbortSignal | undefined;
  /** Milliseconds without a byte, for requests that take the server longer than usual. */
  idleTimeoutMs?: number;
  maxAttempts?: number;
}

const NONE: Readonly<Record<string, string>> = {};

/** The successes of each method; https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html */
const STATUSES: Readonly<Record<S3Request["method"], readonly number[]>> = {
  GET: [200],
  HEAD: [200],
  PUT: [200],
  POST: [200],
  DELETE: [204],
};
/** A range of the whole object may come as 200, which its `Content-Range` shows. */
const RANGED: readonly number[] = [206, 200];

function statusesOf({ method, headers = NONE }: S3Request): readonly number[] {
  return method === "GET" && headers.range !== undefined ? RANGED : STATUSES[method];
}

/** The default region. */
export const USUAL_REGION = "us-east-1";

/** The credentials and location of a client. */
export interface ClientOptions
  extends Pick<S3Options, "region" | "endpoint" | "addressing">,
    Partial<Pick<S3Options, "requesterPays">> {
  readonly keys: CredentialProvider;
}

export async function openClient(
  bucket: string,
  options: ClientOptions,
  transport: Omit<HttpOptions, "protocol" | "service">,
): Promise<S3Client> {
  const client = new S3Client(bucket, options);
  await client.connect(transport);
  return client;
}

/** Sends the requests of the verbs. */
export interface BucketClient {
  send(ask: S3Request): Promise<HttpResponse>;
  text(ask: S3Request): Promise<HttpText>;
  close(): void;
}

/** Returns the request for the transport; `prepare` builds each attempt. */
export function httpRequest(ask: S3Request, prepare: HttpRequest["prepare"]): HttpRequest {
  const { signal, idleTimeoutMs, maxAttempts } = ask;
  return { prepare, signal, idleTimeoutMs, maxAttempts, statuses: statusesOf(ask) };
}

/** Returns the protocol of S3, with `recover` for refusals. */
export function s3Service(recover: ServiceProtocol["recover"] & {}): ServiceProtocol {
  return {
    parseError: explain,
    isErrorBody: isErrorBody,
    isRetryable: isRetryable,
    declined: isThrottled,
    aboutTime,
    recover,
  };
}

/** Returns whether the server refused the keys of a request as expired. */
export function hasExpired({ code = "", method, status }: HttpError, headers: IncomingHttpHeaders): boolean {
  // The response to HEAD has no body that could report an expired token.
  return EXPIRED.includes(code) || (method === "HEAD" && status === 400 && !headers.etag);
}

export class S3Client implements BucketClient {
  readonly #bucket: string;
  readonly #options: ClientOptions;
  readonly #keys: CredentialProvider;
  readonly #common: Readonly<Record<string, string>>;
  #http!: HttpClient;
  #address: Address;
  #region: string;
  #signer: SigV4;

  /** Use {@link openClient}. */
  constructor(bucket: string, options: ClientOptions) {
    this.#bucket = bucket;
    this.#options = options;
    this.#region = options.region ?? USUAL_REGION;
    this.#address = addressOf(options, bucket, this.#region);
    this.#signer = new SigV4(this.#region, "s3");
    this.#keys = options.keys;
    this.#common = options.requesterPays ? { "x-amz-request-payer": "requester" } : NONE;
  }

  async connect(transport: Omit<HttpOptions, "protocol" | "service">): Promise<void> {
    const service = s3Service((error, headers) => this.#recover(error, headers));
    this.#http = await openHttp({ ...transport, protocol: this.#address.origin.protocol, service });
  }

  send(ask: S3Request): Promise<HttpResponse> {
    return this.#http.send(this.#request(ask));
  }

  text(ask: S3Request): Promise<HttpText> {
    return this.#http.text(this.#request(ask));
  }

  /** Returns keys and location for requests that another client sends. */
  async signing() {
    const { origin, path } = this.#address;
    const keys = await this.#keys.current();
    return { origin, path, keys, common: this.#common, signer: this.#signer, now: this.#http.now() };
  }

  close(): void {
    this.#http.close();
  }

  #request(ask: S3Request): HttpRequest {
    return httpRequest(ask, (now) => this.#prepare(ask, now));
  }

  #prepare(ask: S3Request, now: number): SignedRequest | Promise<SignedRequest> {
    const keys = this.#keys.current();
    return keys instanceof Promise ? keys.then((found) => this.#signed(ask, found, now)) : this.#signed(ask, keys, now);
  }

  #signed(ask: S3Request, keys: AccessKeys | undefined, now: number): SignedRequest {
    const { method, key, query = "", headers = NONE, body } = ask;
    const { origin, path: bucket } = this.#addressFor(ask.bucket);
    const path = bucket + encodeKey(key);
    const all = this.#common === NONE ? headers : { ...this.#common, ...headers };
    const signable: SignableRequest = {
      method,
      host: origin.host,
      path,
      query,
      headers: all,
      payload: UNSIGNED_PAYLOAD,
    };
    return {
      method,
      origin,
      path: query ? `${path}?${query}` : path,
      headers: keys ? this.#signer.sign(signable, keys, now) : all,
      body,
    };
  }

  #addressFor(bucket = this.#bucket): Address {
    return bucket === this.#bucket ? this.#address : addressOf(this.#options, bucket, this.#region);
  }

  async #recover(error: HttpError, headers: IncomingHttpHeaders): Promise<boolean> {
    if (this.#isElsewhere(error)) return this.#move(error.hint);
    return hasExpired(error, headers) && this.#keys.renew();
  }

  #isElsewhere({ status, hint }: HttpError): boolean {
    return hint !== undefined && hint !== this.#region && [301, 307, 400, 403].includes(status);
  }

  /** Signs for the bucket's own region from now on. Only AWS's own host follows; another endpoint stays. */
  #move(region = ""): boolean {
    if (!/^[a-z0-9-]{1,64}$/.test(region)) return false;
    this.#region = region;
    this.#signer = new SigV4(region, "s3");
    this.#address = addressOf(this.#options, this.#bucket, region);
    return true;
  }
}

// The location of a bucket.

interface Address {
  origin: Origin;
  /** Path of the bucket, with a trailing slash; encoded keys follow. */
  path: string;
}

type Place = Pick<S3Options, "endpoint" | "addressing">;

/** Returns the location of `bucket` at an endpoint, or in AWS's `region` without one. */
export function addressOf({ endpoint, addressing }: Place, bucket: string, region: string): Address {
  const origin = originOf(endpoint ?? amazon(region));
  const path = `${origin.base}/`;
  // Without a bucket: the account.
  if (!inHost(addressing, bucket, origin)) return { origin, path: path + encodeKey(bucket && `${bucket}/`) };
  const at = `${bucket}.`;
  return { origin: { ...origin, hostname: at + origin.hostname, host: at + origin.host }, path };
}

function amazon(region: string): string {
  return `https://s3.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

const LABEL = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;

/** Returns whether the bucket is in the host: no wildcard certificate covers a name with a dot. */
function inHost(addressing: Place["addressing"], bucket: string, { protocol }: Origin): boolean {
  if (addressing === "path") return false;
  const fits = LABEL.test(protocol === "http:" ? bucket.replaceAll(".", "") : bucket);
  if (addressing === "virtual" && !fits) throw invalid("this bucket's name cannot be part of a host");
  return fits;
}

// Static access keys.

/** A source of access keys. */
export interface CredentialProvider {
  /** Undefined: requests are unsigned. A promise only if the keys must be found or renewed first. */
  current(): AccessKeys | undefined | Promise<AccessKeys>;
  /** Renews keys that the provider has refused; returns whether there are others now. */
  renew(): Promise<boolean>;
}

/** Credentials that contain their keys. */
export type Stated = Extract<S3Credentials, { kind: "static" | "anonymous" }>;
/** Credentials that have to be found first. */
export type ProvidedCredentials = Exclude<S3Credentials, Stated>;

export function isLazy(credentials: S3Credentials): credentials is ProvidedCredentials {
  return credentials.kind !== "static" && credentials.kind !== "anonymous";
}

export function staticCredentials(credentials: Stated): CredentialProvider {
  if (credentials.kind === "anonymous") return fixedKeys(undefined);
  const { accessKeyId, secretAccessKey, sessionToken } = credentials;
  return fixedKeys({ accessKeyId, secretAccessKey: secretAccessKey.reveal(), sessionToken: sessionToken?.reveal() });
}

export function fixedKeys(keys: AccessKeys | undefined): CredentialProvider {
  return { current: () => keys, renew: async () => false };
}

/** The context of all verbs of the driver. */
export interface Bucket {
  readonly name: string;
  readonly client: BucketClient;
  readonly profile: Profile;
  readonly encryption: EncryptionHeaders;
  /** Whether writes send CRC32, and reads request it. */
  readonly checksums: { readonly write: boolean; readonly read: boolean };
  /** Whether the service lists in key order. @default true */
  readonly ordered?: boolean;
  /** The attributes besides content type and metadata; small bundles have none of them. */
  readonly attributes?: AttributeHeaders;
  /** The endpoint. */
  readonly origin?: Pick<Origin, "protocol" | "hostname">;
}

/** Converts attributes to headers, and back. */
export interface AttributeHeaders {
  headersOf(attributes: ObjectAttributes, bucket: Bucket): Headers;
  addTo(info: ObjectInfo, headers: IncomingHttpHeaders): void;
}

type Headers = Readonly<Record<string, string>>;

/** The headers of server-side encryption. */
export interface EncryptionHeaders {
  /** For requests that create an object. */
  readonly create: Headers;
  /** For reads and parts: the customer's own key. */
  readonly use: Headers;
  /** For the source of a copy. */
  readonly source: Headers;
}

export const NO_ENCRYPTION: EncryptionHeaders = { create: {}, use: {}, source: {} };

const SSE = "x-amz-server-side-encryption";

export function encryptionHeaders(encryption: S3Encryption | undefined): EncryptionHeaders {
  if (!encryption) return NO_ENCRYPTION;
  if (encryption.kind === "s3") return { create: { [SSE]: "AES256" }, use: {}, source: {} };
  if (encryption.kind === "kms") return { create: managed(encryption), use: {}, source: {} };
  const key = encryption.key.reveal();
  const use = customer(SSE, key);
  return { create: use, use, source: customer(`x-amz-copy-source-${SSE.slice("x-amz-".length)}`, key) };
}

function managed({ algorithm, keyId, bucketKey }: Extract<S3Encryption, { kind: "kms" }>): Headers {
  return {
    [SSE]: algorithm,
    ...(keyId === undefined ? {} : { [`${SSE}-aws-kms-key-id`]: keyId }),
    ...(bucketKey === undefined ? {} : { [`${SSE}-bucket-key-enabled`]: String(bucketKey) }),
  };
}

/** `key`: 32 bytes in base64. */
function customer(prefix: string, key: string): Headers {
  return {
    [`${prefix}-customer-algorithm`]: "AES256",
    [`${prefix}-customer-key`]: key,
    [`${prefix}-customer-key-md5`]: createHash("md5").update(key, "base64").digest("base64"),
  };
}
