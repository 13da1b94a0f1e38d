/** Sends the requests of one container. */
import type { IncomingHttpHeaders } from "node:http";
import { invalid } from "../../../errors.js";
import { CachedAccessToken } from "../../driver/cached-credentials.js";
import type { DriverContext } from "../../driver/driver.js";
import { openHttp, originOf } from "../../http/client.js";
import type {
  HttpClient,
  HttpRequest,
  HttpResponse,
  HttpText,
  Origin,
  ServiceProtocol,
  SignedRequest,
} from "../../http/types.js";
import { AZURE_VERSION, type SharedKeyRequest, sharedKey } from "../../signing/shared-key.js";
import { encodeComponent, encodeKey } from "../../signing/sigv4.js";
import type { AzureCredentials, AzureOptions } from "./connection.js";
import { issuerOf } from "./credentials.js";
import { aboutTime, explain } from "./errors.js";

/** A request before it is signed. */
export interface AzureRequest {
  method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Empty for the container itself. */
  key: string;
  /** Another container of the account. */
  bucket?: string;
  /** Undefined values are omitted. */
  query?: Readonly<Record<string, string | undefined>>;
  /** Lower-case names; undefined values are omitted. */
  headers?: Readonly<Record<string, string | undefined>>;
  body?: Uint8Array | undefined;
  signal: AbortSignal | undefined;
  /** Accepted statuses, if not the usual one of the method. */
  statuses?: readonly number[];
  maxAttempts?: number;
}

/** https://learn.microsoft.com/rest/api/storageservices/blob-service-rest-api */
const STATUSES: Readonly<Record<AzureRequest["method"], readonly number[]>> = {
  GET: [200],
  HEAD: [200],
  PUT: [201],
  POST: [202],
  DELETE: [202],
};

/** Opens a container. With `token`, signs requests with that alone. */
export async function openServer(
  bucket: string,
  options: AzureOptions,
  { env, observe, openSockets }: Pick<DriverContext, "env" | "observe" | "openSockets">,
  token?: CachedAccessToken,
): Promise<Server> {
  const { account, endpoint, credentials, encryptionScope } = options;
  const origin = originOf(endpoint);
  const access = token ? tokenAccess(token) : await accessOf(account, credentials);
  const http = await openHttp({ protocol: origin.protocol, service: azureService(access), env, observe, openSockets });
  return new Server({ account, bucket, origin, access, http, encryption: scopeHeaders(encryptionScope) });
}

/** Returns the protocol of the service; replaces a token that it refuses. */
export function azureService(access: Access): ServiceProtocol {
  const recover: ServiceProtocol["recover"] = async ({ status }, headers, { headers: { authorization } }) =>
    status === 401 && authorization !== undefined && (await access.renew(authorization, headers));
  return { parseError: explain, aboutTime, recover };
}

interface ServerParts {
  account: string;
  bucket: string;
  origin: Origin;
  access: Access;
  http: HttpClient;
  encryption: EncryptionHeaders;
}

type Headers = Readonly<Record<string, string>>;

/** The headers of encryption. */
export interface EncryptionHeaders {
  /** For requests that create an object: an encryption scope, or a customer's key. */
  readonly create: Headers;
  /** For the others about objects with a customer's key. */
  readonly use: Headers;
}

export function scopeHeaders(scope: string | undefined): EncryptionHeaders {
  return { create: scope === undefined ? {} : { "x-ms-encryption-scope": scope }, use: {} };
}

export class Server {
  readonly account: string;
  readonly bucket: string;
  readonly origin: Origin;
  readonly access: Access;
  readonly encryption: EncryptionHeaders;
  readonly #http: HttpClient;

  constructor({ account, bucket, origin, access, http, encryption }: ServerParts) {
    this.account = account;
    this.bucket = bucket;
    this.origin = origin;
    this.access = access;
    this.encryption = encryption;
    this.#http = http;
  }

  /** Returns the same server for calls with another encryption. */
  with(encryption: EncryptionHeaders): Server {
    const { account, bucket, origin, access } = this;
    return new Server({ account, bucket, origin, access, http: this.#http, encryption });
  }

  send(ask: AzureRequest): Promise<HttpResponse> {
    return this.#http.send(this.#request(ask));
  }

  text(ask: AzureRequest): Promise<HttpText> {
    return this.#http.text(this.#request(ask));
  }

  /** Returns the server's time, milliseconds since 1970. */
  now(): number {
    return this.#http.now();
  }

  close(): void {
    this.#http.close();
  }

  /**
   * Returns the encoded path of an object, or of a container without a key. Throws InvalidArgument for a key that the
   * service would change.
   */
  path(key: string, bucket = this.bucket): string {
    const container = `${this.origin.base}/${encodeComponent(bucket)}`;
    return key === "" ? container : `${container}/${encodeKey(checkKeyUnchanged(key))}`;
  }

  /** Returns the URL of an object for the service itself, which reads a copy's source with it. */
  address(key: string, bucket: string): string {
    const { protocol, host } = this.origin;
    const { query } = this.access;
    return `${protocol}//${host}${this.path(key, bucket)}${query && `?${query}`}`;
  }

  #request(ask: AzureRequest): HttpRequest {
    const { method, signal, statuses = STATUSES[method], maxAttempts } = ask;
    return { prepare: (now: number) => this.#prepare(ask, now), signal, statuses, maxAttempts };
  }

  #prepare(ask: AzureRequest, now: number): SignedRequest | Promise<SignedRequest> {
    const { method, key, bucket, body } = ask;
    const path = this.path(key, bucket);
    const query = pairs(ask.query ?? {});
    const headers = omitUndefined({
      ...ask.headers,
      "x-ms-date": new Date(now).toUTCString(),
      "x-ms-version": AZURE_VERSION,
    });
    const request = { method, path, query, headers, length: body?.byteLength ?? 0 };
    const out = { method, origin: this.origin, path: withQuery(path, query, this.access.query), headers, body };
    const header = this.access.authorize(request);
    return header instanceof Promise ? header.then((value) => authorize(out, value)) : authorize(out, header);
  }
}

function authorize(
  out: SignedRequest & { headers: Record<string, string> },
  header: string | undefined,
): SignedRequest {
  if (header !== undefined) out.headers.authorization = header;
  return out;
}

function pairs(query: Readonly<Record<string, string | undefined>>): [string, string][] {
  return Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
}

export function omitUndefined(headers: Readonly<Record<string, string | undefined>>): Record<string, string> {
  return Object.fromEntries(pairs(headers));
}

export function withQuery(path: string, query: readonly (readonly [string, string])[], more: string): string {
  const own = query.map(([name, value]) => `${name}=${encodeComponent(value)}`);
  const all = more ? [...own, more] : own;
  return all.length > 0 ? `${path}?${all.join("&")}` : path;
}

// The authorization of a request: a signature, a SAS, a token, or none.

export interface Access {
  /** Returns the `Authorization` header of a request; undefined for none. */
  authorize(request: SharedKeyRequest): string | undefined | Promise<string | undefined>;
  /** Returns the same for a call inside a batch, if different. */
  authorizeInBatch?(request: SharedKeyRequest): string;
  /** Added to every query: encoded, without `?`. */
  readonly query: string;
  /** The account's key, which alone can sign for others. */
  readonly key: Uint8Array | undefined;
  /** Returns whether a request that was refused with this header can be sent again with another. */
  renew(refused: string, headers: IncomingHttpHeaders): Promise<boolean>;
}

export const NOTHING: Access = { authorize: () => undefined, query: "", key: undefined, renew: async () => false };

/** Loads `@azure/identity` only if an identity must sign in. */
async function accessOf(account: string, credentials: AzureCredentials): Promise<Access> {
  switch (credentials.kind) {
    case "anonymous":
      return NOTHING;
    case "sas":
      return { ...NOTHING, query: credentials.token.reveal() };
    case "shared-key": {
      const key = Buffer.from(credentials.key.reveal(), "base64");
      return { ...NOTHING, authorize: (request) => sharedKey(account, key, request), key };
    }
    default:
      return tokenAccess(new CachedAccessToken(await issuerOf(credentials)));
  }
}

export function tokenAccess(token: CachedAccessToken): Access {
  return { ...NOTHING, authorize: () => bearer(token), renew: (refused) => token.renew(refused.slice(BEARER)) };
}

const BEARER = "Bearer ".length;

function bearer(token: CachedAccessToken): string | Promise<string> {
  const current = token.current();
  return current instanceof Promise ? current.then((text) => `Bearer ${text}`) : `Bearer ${current}`;
}

/** Control characters and backslashes, and segments that end with a dot, including `.` and `..`. */
const RENAMED = /[\u0000-\u001f\u007f-\u009f\\]|\.(?:\/|$)/;

/**
 * Returns the key if the service keeps it unchanged. It accepts others too, but stores them under another name, over an
 * object that may exist there: `a/../b` as `b`, `./a` as `a`, `a.` as `a`, `a\b` as `a/b`, in every encoding.
 * https://learn.microsoft.com/rest/api/storageservices/naming-and-referencing-containers--blobs--and-metadata and
 * https://github.com/Azure/azure-sdk-for-rust/issues/5275
 */
export function checkKeyUnchanged(key: string): string {
  if (!RENAMED.test(key)) return key;
  throw invalid(
    "Azure would store the key under another name: it takes no control character, no backslash, and no dot at the end of a segment",
  );
}
