/**
 * A container on the caller's own `BlobServiceClient`. Every verb is that of the driver; the client's pipeline signs
 * and sends, with its policies, proxies and transport, but without its retries and redirects.
 */
import { randomUUID } from "node:crypto";
import type { Readable } from "node:stream";
import { failure } from "../../../errors.js";
import { type AccessToken, CachedAccessToken } from "../../driver/cached-credentials.js";
import type { Driver, DriverContext } from "../../driver/driver.js";
import { type ClientRequestOptions, type ClientResponse, clientHttp, type Gate } from "../../driver/sdk-transport.js";
import { originOf } from "../../http/client.js";
import type { Origin } from "../../http/types.js";
import { sharedKey } from "../../signing/shared-key.js";
import { type Access, azureService, NOTHING, Server, scopeHeaders, tokenAccess } from "./client.js";
import { SCOPE, throwCredentialsError } from "./credentials.js";
import { azureDriver } from "./driver.js";

/** The part of a `BlobServiceClient` that is used. */
export interface SdkService {
  readonly url: string;
  readonly accountName: string;
  readonly credential: object;
  /** Missing from its types, which have no request that is not an operation. */
  readonly storageClientContext?: Context;
  readonly pipeline?: { readonly options?: { readonly audience?: string | string[] } };
}

interface Context {
  readonly pipeline: Pipeline;
  sendRequest(request: PipelineRequest): Promise<PipelineResponse>;
}
interface Pipeline {
  clone(): Pipeline;
  removePolicy(which: { name: string } | { phase: string }): unknown;
}
interface PipelineRequest {
  url: string;
  method: string;
  headers: PipelineHeaders;
  body?: ClientRequestOptions["body"];
  abortSignal: AbortSignal;
  requestId: string;
  timeout: number;
  withCredentials: boolean;
  allowInsecureConnection: boolean;
  streamResponseStatusCodes: ReadonlySet<number>;
}
interface PipelineResponse {
  status: number;
  headers: { toJSON(): Record<string, string> };
  readableStreamBody?: Readable;
}

/** Returns a container on the official client. The caller keeps the client: closing the driver leaves it open. */
export async function sdkDriver(
  service: SdkService,
  gate: Gate,
  bucket: string,
  encryptionScope: string | undefined,
  shared: DriverContext,
): Promise<Driver> {
  const address = new URL(service.url);
  const query = address.search.slice(1);
  address.search = "";
  const origin = originOf(address.href);
  const access = { ...accessOf(service), query };
  const context = contextOf(service);
  const protocol = azureService(access);
  const http = clientHttp(origin.protocol, protocol, gate, shared, (request) => send(context, origin, request));
  const { accountName: account } = service;
  const encryption = scopeHeaders(encryptionScope);
  return azureDriver(new Server({ account, bucket, origin, access, http, encryption }), shared);
}

/** Returns the client's pipeline, which sends each request once. */
function contextOf({ storageClientContext: context }: SdkService): Context {
  if (!context?.pipeline) throw failure("Unsupported", "this client is none of @azure/storage-blob 12");
  const pipeline = context.pipeline.clone();
  pipeline.removePolicy({ phase: "Retry" });
  for (const name of ["redirectPolicy", "bearerTokenAuthenticationPolicy"]) pipeline.removePolicy({ name });
  return Object.create(context, { pipeline: { value: pipeline } }) as Context;
}

const EVERY_STATUS: ReadonlySet<number> = new Set([Number.POSITIVE_INFINITY]);

async function send(context: Context, { protocol }: Origin, request: ClientRequestOptions): Promise<ClientResponse> {
  const { method, path, body, signal: abortSignal } = request;
  const { host, ...headers } = request.headers;
  const {
    status,
    headers: found,
    readableStreamBody,
  } = await context.sendRequest({
    ...{ method, url: `${protocol}//${host}${path}`, headers: new PipelineHeaders(headers), abortSignal },
    ...{ requestId: randomUUID(), timeout: 0, withCredentials: false, allowInsecureConnection: protocol === "http:" },
    streamResponseStatusCodes: EVERY_STATUS,
    ...(body && { body }),
  });
  return { status, headers: found.toJSON(), body: readableStreamBody };
}

/** Headers as the policies of a pipeline expect them. */
class PipelineHeaders extends Map<string, string> {
  constructor(headers: Readonly<Record<string, string>>) {
    super();
    for (const name in headers) this.set(name, headers[name]!);
  }

  override get(name: string): string | undefined {
    return super.get(name.toLowerCase());
  }

  override has(name: string): boolean {
    return super.has(name.toLowerCase());
  }

  override set(name: string, value: unknown): this {
    return super.set(name.toLowerCase(), String(value).trim());
  }

  override delete(name: string): boolean {
    return super.delete(name.toLowerCase());
  }

  toJSON(): Record<string, string> {
    return Object.fromEntries(this);
  }
}

interface SharedKey {
  readonly accountName: string;
  readonly accountKey: Uint8Array;
}
interface TokenIssuer {
  getToken(scope: string | string[], options: { tenantId?: string }): Promise<Token | null>;
}
interface Token {
  token: string;
  expiresOnTimestamp: number;
}

/** Signs only calls in a batch, which the pipeline does not see: it signs requests itself, after its other policies. */
function accessOf(service: SdkService): Access {
  const { credential } = service;
  if ("getToken" in credential) return issuedAccess(credential as TokenIssuer, service);
  if (!("accountKey" in credential)) return NOTHING;
  const { accountName, accountKey: key } = credential as unknown as SharedKey;
  return { ...NOTHING, authorizeInBatch: (request) => sharedKey(accountName, key, request), key };
}

/** Returns an issuer of a credential's tokens; calls `tenantOf` each time. */
export function issuedBy(
  credential: TokenIssuer,
  scope: string | string[] = SCOPE,
  tenantOf: () => { tenantId?: string } = () => ({}),
): () => Promise<AccessToken> {
  return async () => {
    const grant = await credential.getToken(scope, tenantOf()).catch(throwCredentialsError);
    if (!grant) throw failure("Unauthenticated", "Azure gave no access token");
    return { token: grant.token, expiresAt: grant.expiresOnTimestamp };
  };
}

function issuedAccess(credential: TokenIssuer, { pipeline }: SdkService): Access {
  let tenant: { tenantId?: string } = {};
  const access = tokenAccess(new CachedAccessToken(issuedBy(credential, pipeline?.options?.audience, () => tenant)));
  return {
    ...access,
    renew(authorization, headers) {
      // An account of another tenant names it in its first refusal.
      const tenantId = /authorization_uri="?https:\/\/[^/\s"]+\/([\w.-]+)\//.exec(
        String(headers["www-authenticate"]),
      )?.[1];
      if (tenantId !== undefined) tenant = { tenantId };
      return access.renew(authorization, headers);
    },
  };
}
