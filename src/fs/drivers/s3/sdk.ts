/**
 * A bucket on the caller's own `S3Client`. Every verb is that of the driver; the client locates the bucket, signs and
 * sends: its endpoint rules (FIPS, access points, directory buckets), its signer and its request handler with their
 * agents and proxies, but without its retries and middleware.
 */
import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { failure } from "../../../errors.js";
import type {
  Driver,
  DriverContext,
  DriverSignedUrl,
  DriverSignOptions,
  ResponseHeaders,
} from "../../driver/driver.js";
import { type ClientRequestOptions, type ClientResponse, clientHttp, Gate } from "../../driver/sdk-transport.js";
import { originOf } from "../../http/client.js";
import type { HttpError } from "../../http/errors.js";
import type { HttpClient, HttpResponse, HttpText, Origin, SignedRequest } from "../../http/types.js";
import { encodeKey, UNSIGNED_PAYLOAD } from "../../signing/sigv4.js";
import { bucketService } from "./buckets.js";
import { type BucketClient, hasExpired, httpRequest, NO_ENCRYPTION, type S3Request, s3Service } from "./client.js";
import { s3Driver } from "./driver.js";
import { CHECKSUM, checksumOf } from "./object.js";
import { AMAZON, type Profile } from "./profile.js";

/** The part of an `S3Client` that is used. */
export interface SdkS3 {
  readonly config: SdkConfig;
  readonly middlewareStack: { clone(): Stack };
}

interface SdkConfig {
  readonly requestHandler: {
    handle(request: SdkRequest, options: { abortSignal: AbortSignal }): Promise<{ response: SdkResponse }>;
    httpHandlerConfigs?(): { httpAgent?: { maxSockets?: number }; httpsAgent?: { maxSockets?: number } };
  };
  region?(): Promise<string>;
  signer(scheme?: AuthScheme): Promise<Signer>;
  credentials(options?: { forceRefresh: boolean }): Promise<object>;
  readonly s3ExpressIdentityProvider?: {
    getS3ExpressIdentity(credentials: object, where: { Bucket: string }): Promise<{ sessionToken?: string }>;
  };
  readonly followRegionRedirects?: boolean | (() => Promise<boolean>);
  requestChecksumCalculation?(): Promise<string>;
  responseChecksumValidation?(): Promise<string>;
}

interface Stack {
  add(middleware: Middleware, options: { step: "build"; name: string }): void;
}
type Middleware = (next: unknown, context: { endpointV2?: Endpoint }) => (args: unknown) => Promise<unknown>;

interface SdkRequest {
  method: string;
  protocol: string;
  hostname: string;
  port: number | undefined;
  path: string;
  query: Record<string, string>;
  headers: Record<string, string>;
  body?: ClientRequestOptions["body"];
}
interface SdkResponse {
  statusCode: number;
  headers: Record<string, string>;
  body?: Readable | ReadableStream<Uint8Array>;
}
interface Signer {
  sign(request: SdkRequest, options: SignOptions): Promise<SdkRequest>;
  signWithCredentials?(request: SdkRequest, credentials: object, options: SignOptions): Promise<SdkRequest>;
}
interface SignOptions {
  signingDate: Date;
  signingRegion?: string | undefined;
  signingService?: string | undefined;
}

/** The client's destination for a request, and its way of signing. */
interface Endpoint {
  url: URL;
  headers?: Record<string, string[]>;
  properties?: { authSchemes?: readonly AuthScheme[]; backend?: string };
}
interface AuthScheme {
  name: string;
  signingName?: string;
  signingRegion?: string;
  signingRegionSet?: readonly string[];
}

type Library = typeof import("@aws-sdk/client-s3");

/** Assumed connections of a request handler that does not state them: the default of the SDK's own. */
const CONNECTIONS = 50;

/** Returns the gate of a client, one for all of its buckets. */
export function gateOf({ config: { requestHandler } }: SdkS3): Gate {
  return new Gate(() => {
    const { httpsAgent, httpAgent } = requestHandler.httpHandlerConfigs?.() ?? {};
    return (httpsAgent ?? httpAgent)?.maxSockets ?? CONNECTIONS;
  });
}

/** Returns a bucket on the official client. The caller keeps the client: closing the driver leaves it open. */
export async function sdkDriver(
  { client, gate, name, profile }: { client: SdkS3; gate: Gate; name: string; profile: Profile },
  shared: DriverContext,
): Promise<Driver> {
  const library = await loadSdk();
  const sender = await SdkClient.open(client, library, gate, name, shared);
  const bucket = {
    ...{ name, client: sender, profile, encryption: NO_ENCRYPTION, origin: sender.origin },
    checksums: await checksumsOf(client.config, profile),
    // Names of directory buckets have this suffix; only they are not listed in order.
    ordered: !name.endsWith("--x-s3"),
  };
  return s3Driver(bucket, shared, {
    signedUrl: (key, options) => presigned(client, library, name, key, options),
    async signedPost() {
      throw failure("Unsupported", "forms are signed with keys: use s3(keys), or @aws-sdk/s3-presigned-post");
    },
    buckets: bucketService({
      open: () => SdkClient.open(client, library, gate, "", shared),
      region: await client.config.region?.(),
      amazon: profile === AMAZON,
    }),
  });
}

async function checksumsOf(config: SdkConfig, { checksums }: Profile) {
  const [write, read] = await Promise.all([
    config.requestChecksumCalculation?.(),
    config.responseChecksumValidation?.(),
  ]);
  const WHEN_REQUIRED = "WHEN_REQUIRED";
  return { write: checksums && write !== WHEN_REQUIRED, read: checksums && read !== WHEN_REQUIRED };
}

async function loadSdk(): Promise<Library> {
  try {
    return await import("@aws-sdk/client-s3");
  } catch (cause) {
    throw failure("Unsupported", "s3.fromClient needs a package: npm install @aws-sdk/client-s3", { cause });
  }
}

class SdkClient implements BucketClient {
  readonly #client: SdkS3;
  readonly #library: Library;
  readonly #bucket: string;
  readonly #endpoints = new Map<string, Promise<Endpoint>>();
  origin!: Pick<Origin, "protocol" | "hostname">;
  #http!: HttpClient;
  /** The actual region of the bucket, if the client follows. */
  #region: string | undefined;

  private constructor(client: SdkS3, library: Library, bucket: string) {
    this.#client = client;
    this.#library = library;
    this.#bucket = bucket;
  }

  static async open(
    client: SdkS3,
    library: Library,
    gate: Gate,
    bucket: string,
    shared: DriverContext,
  ): Promise<SdkClient> {
    const opened = new SdkClient(client, library, bucket);
    const { url } = await opened.#endpoint(bucket, false);
    const protocol = url.protocol as "http:" | "https:";
    opened.origin = { protocol, hostname: url.hostname };
    const service = s3Service((error, headers) => opened.#recover(error, headers));
    opened.#http = clientHttp(protocol, service, gate, shared, (request) => send(client, protocol, request));
    return opened;
  }

  send(ask: S3Request): Promise<HttpResponse> {
    return this.#http.send(httpRequest(ask, (now) => this.#signed(ask, now)));
  }

  text(ask: S3Request): Promise<HttpText> {
    return this.#http.text(httpRequest(ask, (now) => this.#signed(ask, now)));
  }

  close(): void {
    this.#http.close();
  }

  async #signed(ask: S3Request, now: number): Promise<SignedRequest> {
    const { method, key, query = "", bucket = this.#bucket, body } = ask;
    // The session of a directory bucket cannot read another bucket.
    const endpoint = await this.#endpoint(bucket, ask.headers?.["x-amz-copy-source"] !== undefined);
    const origin = originOf(endpoint.url.href);
    const path = `${origin.base}/${encodeKey(key)}`;
    const headers = { ...headersFor(endpoint, ask), host: origin.host };
    const request = { method, ...whereOf(origin), path, query: queryOf(query), headers };
    const signed = await this.#sign(request, endpoint, bucket, now).catch(throwCredentialsError);
    const { host: _, ...rest } = signed.headers;
    return { method, origin, path: query ? `${path}?${query}` : path, headers: rest, body };
  }

  async #sign(request: SdkRequest, endpoint: Endpoint, bucket: string, now: number): Promise<SdkRequest> {
    const { config } = this.#client;
    const scheme = endpoint.properties?.authSchemes?.[0];
    const signer = await config.signer(scheme);
    const signingDate = new Date(now);
    if (scheme?.name === "sigv4-s3express" && config.s3ExpressIdentityProvider && signer.signWithCredentials) {
      const credentials = await config.credentials();
      const identity = await config.s3ExpressIdentityProvider.getS3ExpressIdentity(credentials, { Bucket: bucket });
      if (identity.sessionToken) request.headers["x-amz-s3session-token"] = identity.sessionToken;
      return signer.signWithCredentials(request, identity, { signingDate });
    }
    const signingRegion = scheme?.name === "sigv4a" ? scheme.signingRegionSet?.join(",") : scheme?.signingRegion;
    return signer.sign(request, { signingDate, signingRegion, signingService: scheme?.signingName });
  }

  async #recover(error: HttpError, headers: IncomingHttpHeaders): Promise<boolean> {
    const { config } = this.#client;
    const { hint, status } = error;
    if (hint !== undefined && hint !== this.#region && [301, 307, 400, 403].includes(status)) {
      const { followRegionRedirects: follows = false } = config;
      if (!(typeof follows === "function" ? await follows() : follows)) return false;
      this.#region = hint;
      this.#endpoints.clear();
      return true;
    }
    if (!hasExpired(error, headers)) return false;
    await config.credentials({ forceRefresh: true }).catch(throwCredentialsError);
    return true;
  }

  #endpoint(bucket: string, sessionless: boolean): Promise<Endpoint> {
    const name = `${sessionless}:${bucket}`;
    let found = this.#endpoints.get(name);
    if (!found) {
      found = this.#resolve(bucket, sessionless);
      this.#endpoints.set(name, found);
      found.catch(() => this.#endpoints.delete(name));
    }
    return found;
  }

  /** Resolves a command that is not sent, since the client's endpoint may come from a profile or the environment. */
  async #resolve(Bucket: string, sessionless: boolean): Promise<Endpoint> {
    const command = this.#command(Bucket, sessionless);
    const stack = this.#client.middlewareStack.clone();
    const take: Middleware = (_next, context) => async () => ({ response: {}, output: context.endpointV2 });
    stack.add(take, { step: "build", name: "stowageEndpoint" });
    const { config } = this.#client;
    const region = this.#region;
    const moved = region === undefined ? config : { ...config, region: async () => region };
    const handler = command.resolveMiddleware(stack, moved, {});
    const { output } = await handler({ input: command.input }).catch(throwCredentialsError);
    if (output) return output;
    throw failure("Unsupported", "this client of @aws-sdk/client-s3 does not say where a bucket is");
  }

  #command(Bucket: string, sessionless: boolean): SdkCommand {
    const { HeadObjectCommand, CopyObjectCommand, ListBucketsCommand } = this.#library;
    const place = { Bucket, Key: "-" };
    const command =
      Bucket === ""
        ? new ListBucketsCommand({})
        : sessionless
          ? new CopyObjectCommand({ ...place, CopySource: "-/-" })
          : new HeadObjectCommand(place);
    return command as unknown as SdkCommand;
  }
}

interface SdkCommand {
  readonly input: object;
  resolveMiddleware(stack: Stack, config: object, options: object): (args: object) => Promise<{ output?: Endpoint }>;
}

function headersFor({ headers = {}, properties }: Endpoint, ask: S3Request): Record<string, string> {
  const all: Record<string, string> = { ...ask.headers, "x-amz-content-sha256": UNSIGNED_PAYLOAD };
  for (const name in headers) all[name.toLowerCase()] = headers[name]!.join(", ");
  // Directory buckets do not support Content-MD5.
  if (properties?.backend === "S3Express" && ask.body && all["content-md5"] !== undefined) {
    delete all["content-md5"];
    all[CHECKSUM] = checksumOf(ask.body);
  }
  return all;
}

function whereOf({ protocol, hostname, port }: { protocol: string; hostname: string; port: number | undefined }) {
  return { protocol, hostname, port };
}

/** Converts a canonical query to the SDK's format. */
function queryOf(text: string): Record<string, string> {
  const query: Record<string, string> = {};
  for (const pair of text ? text.split("&") : []) {
    const [name = "", value = ""] = pair.split("=", 2);
    query[decodeURIComponent(name)] = decodeURIComponent(value);
  }
  return query;
}

async function send({ config }: SdkS3, protocol: string, request: ClientRequestOptions): Promise<ClientResponse> {
  const { method, hostname, port, headers, body, signal } = request;
  const [path = "", query = ""] = request.path.split("?", 2);
  const sent: SdkRequest = { method, protocol, hostname, port, path, query: queryOf(query), headers };
  if (body !== undefined) sent.body = body;
  const { response } = await config.requestHandler.handle(sent, { abortSignal: signal });
  return { status: response.statusCode, headers: response.headers, body: response.body };
}

const OFFLINE = /^(?:EAI_AGAIN|ECONN\w+|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EPIPE|ETIMEDOUT|TimeoutError)$/;

/** Keeps only the reason: the client's errors may hold the whole exchange with the credential provider. */
function throwCredentialsError(error: unknown): never {
  const { code, name = "Error", message = "" } = error as Partial<NodeJS.ErrnoException>;
  const passing = OFFLINE.test(code ?? name);
  throw failure(
    passing ? "Unavailable" : "Unauthenticated",
    `the client cannot sign the request: ${name}: ${message.split("\n")[0]!.slice(0, 300)}`,
  );
}

async function presigned(
  client: SdkS3,
  library: Library,
  Bucket: string,
  Key: string,
  options: DriverSignOptions,
): Promise<DriverSignedUrl> {
  const { getSignedUrl } = await loadPresigner();
  const { method, expiresIn, contentType: ContentType, contentLength: ContentLength, responseHeaders = {} } = options;
  const object = { Bucket, Key };
  const commands = {
    GET: () => new library.GetObjectCommand({ ...object, ...sdkResponse(responseHeaders) }),
    HEAD: () => new library.HeadObjectCommand(object),
    DELETE: () => new library.DeleteObjectCommand(object),
    PUT: () =>
      new library.PutObjectCommand({
        ...object,
        ...(ContentType !== undefined && { ContentType }),
        ...(ContentLength !== undefined && { ContentLength }),
      }),
  };
  const headers: Record<string, string> = {
    ...(ContentType !== undefined && { "content-type": ContentType }),
    ...(ContentLength !== undefined && { "content-length": String(ContentLength) }),
  };
  // Without this, the presigner leaves the content type open.
  const signableHeaders = new Set(Object.keys(headers));
  const url = await getSignedUrl(client as never, commands[method]() as never, { expiresIn, signableHeaders });
  return { url, headers };
}

function sdkResponse(headers: ResponseHeaders) {
  const { contentType, cacheControl, contentDisposition, contentEncoding, contentLanguage } = headers;
  return {
    ...(contentType !== undefined && { ResponseContentType: contentType }),
    ...(cacheControl !== undefined && { ResponseCacheControl: cacheControl }),
    ...(contentDisposition !== undefined && { ResponseContentDisposition: contentDisposition }),
    ...(contentEncoding !== undefined && { ResponseContentEncoding: contentEncoding }),
    ...(contentLanguage !== undefined && { ResponseContentLanguage: contentLanguage }),
  };
}

async function loadPresigner(): Promise<typeof import("@aws-sdk/s3-request-presigner")> {
  try {
    return await import("@aws-sdk/s3-request-presigner");
  } catch (cause) {
    const why = "signing with s3.fromClient needs a package: npm install @aws-sdk/s3-request-presigner";
    throw failure("Unsupported", why, { cause });
  }
}
