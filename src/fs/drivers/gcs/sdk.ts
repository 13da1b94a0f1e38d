/** A bucket on a client of the official package, with its user's whole configuration. */
import type { Storage as GoogleClient } from "@google-cloud/storage";
import { failure } from "../../../errors.js";
import { orAbort } from "../../../streams.js";
import type { Driver, DriverContext, DriverSignedUrl, DriverSignOptions } from "../../driver/driver.js";
import { upload } from "../../driver/upload.js";
import { originOf } from "../../http/client.js";
import { type HttpError, networkError, responseError, unexpectedResponse } from "../../http/errors.js";
import type { HttpClient, HttpRequest, HttpText } from "../../http/types.js";
import { CHECKSUMS, ENCRYPTIONS, encryptedPlace, setAttributes } from "./attributes.js";
import { bucketService } from "./buckets.js";
import { type ObjectLocation, OK, Server } from "./client.js";
import { copyObject } from "./copy.js";
import { anonymous, type Tokens } from "./credentials.js";
import { deleteObjects } from "./delete.js";
import { codeOf } from "./errors.js";
import { listObjects } from "./list.js";
import { ATTRIBUTES } from "./object.js";
import { readObject, statObject } from "./read.js";
import { checkResponseHeaders, uploadHeaders } from "./sign.js";
import { Upload } from "./write.js";

export type { GoogleClient };

/** The client's response: the body is already parsed if it was JSON. */
interface ClientAnswer {
  statusCode: number;
  headers: HttpText["headers"];
}
interface ClientError extends Error {
  /** A status, or Node's code of the failure. */
  code?: number | string;
  errors?: readonly { reason?: string }[];
  response?: ClientAnswer;
}

/**
 * Returns the bucket on the client's own requests. Each is one event of `stowage:request`, with one attempt: the client
 * repeats a request without reporting it.
 */
export function clientServer(client: GoogleClient, place: ObjectLocation, { observe }: DriverContext): Server {
  const http: HttpClient = {
    now: Date.now,
    text: (request) => orAbort(sendText(client, request), request.signal),
    send: () => Promise.reject(failure("Unsupported", "objects are read on this library's own transport")),
    close() {},
  };
  return new Server(place, observe ? observe(http) : http, originOf(client.apiEndpoint), anonymous);
}

async function sendText(client: GoogleClient, request: HttpRequest): Promise<HttpText> {
  const { statuses = OK, maxAttempts } = request;
  const { method, origin, path, headers, body } = await request.prepare(Date.now());
  const options = {
    method,
    uri: `${origin.protocol}//${origin.host}${path}`,
    headers: { ...headers },
    ...(body && { body: body instanceof Uint8Array ? Buffer.from(body) : Buffer.concat(body) }),
    ...(maxAttempts !== undefined && { maxRetries: maxAttempts - 1 }),
  };
  return new Promise((resolve, reject) => {
    client.request(options, (error, found, response) => {
      const answered = (error ? (error as ClientError).response : response) as ClientAnswer | undefined;
      if (answered && statuses.includes(answered.statusCode)) {
        const { statusCode: status, headers } = answered;
        resolve({ status, headers, text: error ? "" : textOf(found), attempts: 1, ambiguous: true });
      } else if (error) reject(asHttpError(method, error));
      else reject(unexpectedResponse(method, answered?.statusCode ?? 0, "unexpected status for this request"));
    });
  });
}

function textOf(body: unknown): string {
  return typeof body === "string" ? body : JSON.stringify(body ?? {});
}

/** Keeps only the message: the client's errors carry requests with their tokens. */
function asHttpError(method: string, error: ClientError): HttpError {
  const { code, errors, message } = error;
  const converted =
    typeof code === "number"
      ? responseError(method, code, { code: errors?.[0]?.reason, detail: message }, undefined)
      : networkError(method, error);
  // The client retries by itself without reporting it.
  converted.ambiguous = true;
  converted.suspected = true;
  return converted;
}

/**
 * Returns the driver on a client. `reads` has the client's credentials on this library's own transport: when one stream
 * of the client (7.22) is left early, its others on the same connections stop for good, without an error.
 */
export function clientDriver(client: GoogleClient, api: Server, reads: Server, shared: DriverContext): Driver {
  const { uploads } = shared;
  return {
    attributes: ATTRIBUTES,
    attributesOnCopy: ATTRIBUTES,
    checksums: CHECKSUMS,
    encryption: {
      names: ENCRYPTIONS,
      customerKeyOnCopy: true,
      driver(call) {
        const place = encryptedPlace(api.place, call, reads.origin);
        return clientDriver(client, api.at(place), reads.at(place), shared);
      },
    },
    stat: (key, options) => statObject(api, key, options),
    list: (prefix, options) => listObjects(api, prefix, options),
    read: (key, options) => readObject(reads, key, options),
    write: async (key, body, options) => {
      const { size, signal, onProgress } = options;
      return upload(body, new Upload(api, key, options), { limiter: uploads, size, signal, onProgress });
    },
    copy: (from, to, options) => copyObject(api, from, to, options),
    setAttributes: (key, attributes, options) => setAttributes(api, key, attributes, options),
    delete: (objects, { signal }) => deleteObjects(api, objects, signal),
    signedUrl: (key, options) => signObject(client, api, key, options),
    signedPost: async () => {
      throw failure("Unsupported", "forms are signed with the key of a connection, or by generateSignedPostPolicyV4");
    },
    buckets: bucketService(api, () => client.getProjectId().catch(() => undefined)),
    codeOf,
    close: async () => reads.close(),
  };
}

/** Returns the tokens of a client. It sends none to a custom endpoint, unless configured to. */
export function clientTokens(client: GoogleClient, google: boolean): Tokens {
  const { useAuthWithCustomEndpoint } = client as { useAuthWithCustomEndpoint?: boolean };
  if (!google && !useAuthWithCustomEndpoint) return anonymous;
  return { ...anonymous, bearer: async () => (await client.authClient.getAccessToken()) ?? undefined };
}

const ACTIONS: Partial<Record<DriverSignOptions["method"], "read" | "write" | "delete">> = {
  GET: "read",
  PUT: "write",
  DELETE: "delete",
};

async function signObject(
  client: GoogleClient,
  { place }: Server,
  key: string,
  options: DriverSignOptions,
): Promise<DriverSignedUrl> {
  const { method, expiresIn, contentType, responseHeaders = {} } = options;
  const { bucket, payer } = place;
  const action = ACTIONS[method];
  if (!action) throw failure("Unsupported", `the client of Google signs no ${method}`);
  checkResponseHeaders(responseHeaders);
  const headers = uploadHeaders(options);
  const { "content-type": _, ...extensionHeaders } = headers;
  try {
    const [signed] = await client
      .bucket(bucket)
      .file(key)
      .getSignedUrl({
        version: "v4",
        action,
        ...(contentType !== undefined && { contentType }),
        ...(responseHeaders.contentType !== undefined && { responseType: responseHeaders.contentType }),
        ...(responseHeaders.contentDisposition !== undefined && {
          responseDisposition: responseHeaders.contentDisposition,
        }),
        extensionHeaders,
        expires: Date.now() + expiresIn * 1000,
        ...(payer !== undefined && { queryParams: { userProject: payer } }),
      });
    return { url: signed, headers };
  } catch (error) {
    throw failure("Unsupported", `this client cannot sign: ${(error as Error).message}`);
  }
}
