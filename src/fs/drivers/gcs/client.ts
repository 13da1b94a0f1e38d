/** Sends the requests of one bucket. */
import { type ErrorCode, failure, invalid } from "../../../errors.js";
import { HttpError } from "../../http/errors.js";
import { type Document, isDocument, jsonIn } from "../../http/json.js";
import type { HttpClient, HttpRequest, HttpResponse, HttpText, Origin, SignedRequest } from "../../http/types.js";
import { encodeComponent } from "../../signing/sigv4.js";
import type { Tokens } from "./credentials.js";

/** A request before it is signed. */
export interface GcsRequest {
  method: string;
  /** Encoded; with a query only if the server itself has created it. */
  path: string;
  query?: Readonly<Record<string, string | undefined>>;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array | readonly Uint8Array[] | undefined;
  signal: AbortSignal | undefined;
  /** Accepted statuses; only 200 by default. */
  statuses?: readonly number[];
  maxAttempts?: number | undefined;
  idleTimeoutMs?: number;
  /** Sent instead of a repetition. */
  again?: GcsRequest;
}

/** The response to a call, read as text. */
export type Answer = Pick<HttpText, "status" | "headers" | "text">;

/** The location of a bucket. */
export interface ObjectLocation {
  bucket: string;
  /** The common prefix of all request paths. */
  base: string;
  /** The billed project, for requester pays. */
  payer: string | undefined;
  /** Encrypts new objects. */
  kmsKeyName: string | undefined;
  /** The headers of customers' keys, if a call has any. */
  keys?: KeyHeaders | undefined;
  /**
   * Whether this is Google's own service. Emulators lack conditions on copies, and the status query of an upload, which
   * fake-gcs-server takes for its end. Reads use the XML API on Google's own, which alone returns user metadata with
   * the data, and the JSON API elsewhere.
   */
  google: boolean;
}

type Headers = Readonly<Record<string, string>>;

/** The headers of customers' keys. */
export interface KeyHeaders {
  /** For requests that create an object. */
  readonly create: Headers;
  readonly read: Headers;
  /** For the source of a copy. */
  readonly source: Headers;
}

/** The success status of most calls. https://cloud.google.com/storage/docs/json_api/v1/status-codes */
export const OK: readonly number[] = [200];

/** A bucket of one server. */
export class Server {
  /** Whether to try batches of calls; false once the server has refused one. */
  hasBatches = true;
  readonly place: ObjectLocation;
  readonly #http: HttpClient;
  readonly origin: Origin;
  readonly tokens: Tokens;

  constructor(place: ObjectLocation, http: HttpClient, origin: Origin, tokens: Tokens) {
    this.place = place;
    this.#http = http;
    this.origin = origin;
    this.tokens = tokens;
  }

  /** Returns the path of a bucket's objects, or of one of them. */
  objects(key?: string, bucket = this.place.bucket): string {
    return `${this.place.base}/storage/v1${resourcePath(bucket, key)}`;
  }

  /** Returns the path of a copy of one object to another. */
  rewrite(from: { bucket: string; key: string }, to: string): string {
    return `${this.objects(from.key, from.bucket)}/rewriteTo${resourcePath(this.place.bucket, to)}`;
  }

  /** Returns the path of uploads. */
  uploads(): string {
    return `${this.place.base}/upload/storage/v1${resourcePath(this.place.bucket)}`;
  }

  batches(): string {
    return `${this.place.base}/batch/storage/v1`;
  }

  /** Returns the response as JSON. */
  async json(call: GcsRequest): Promise<Document> {
    return parseDocument((await this.text(call)).text);
  }

  /** Returns the same server for calls with another encryption. */
  at(place: ObjectLocation): Server {
    return new Server(place, this.#http, this.origin, this.tokens);
  }

  send(call: GcsRequest): Promise<HttpResponse> {
    return this.#signedIn(call, (request) => this.#http.send(request));
  }

  text(call: GcsRequest): Promise<Answer> {
    return this.#signedIn(call, (request) => this.#http.text(request));
  }

  /** Returns the server's time, milliseconds since 1970. */
  now(): number {
    return this.#http.now();
  }

  close(): void {
    this.#http.close();
  }

  /** Replaces a token that is refused before its expiry, once. */
  async #signedIn<T>(call: GcsRequest, send: (request: HttpRequest) => Promise<T>): Promise<T> {
    const used: { bearer?: string | undefined } = {};
    try {
      return await send(this.#request(call, used));
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== 401 || used.bearer === undefined) throw error;
      if (!(await this.tokens.renew(used.bearer))) throw error;
      return send(this.#request(call, used));
    }
  }

  #request(call: GcsRequest, used: { bearer?: string | undefined }): HttpRequest {
    const { signal, statuses = OK, maxAttempts, idleTimeoutMs, again = call } = call;
    let attempts = 0;
    const signed = (bearer: string | undefined) => {
      used.bearer = bearer;
      return this.#outgoing(attempts++ === 0 ? call : again, bearer);
    };
    const prepare = () => {
      const bearer = this.tokens.bearer();
      return bearer instanceof Promise ? bearer.then(signed) : signed(bearer);
    };
    return { prepare, signal, statuses, maxAttempts, idleTimeoutMs };
  }

  #outgoing({ method, path, query = {}, headers, body }: GcsRequest, bearer: string | undefined): SignedRequest {
    const { payer } = this.place;
    return {
      method,
      origin: this.origin,
      path: `${path}${queryOf(query)}`,
      headers: {
        ...headers,
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(payer !== undefined && { "x-goog-user-project": payer }),
      },
      body,
    };
  }
}

function resourcePath(bucket: string, key?: string): string {
  const all = `/b/${encodeComponent(bucket)}/o`;
  return key === undefined ? all : `${all}/${encodeComponent(checkKey(key))}`;
}

/** Parses a JSON response. A truncated (empty) one must not pass for an object of size 0 or an empty listing. */
export function parseDocument(text: string, otherwise: ErrorCode = "Unavailable"): Document {
  const found = jsonIn(text);
  if (isDocument(found) && Object.keys(found).length > 0) return found;
  throw failure(otherwise, "the server's answer has no content, or is something else than JSON");
}

/** Returns the query with its `?`; empty without parameters. */
export function queryOf(query: Readonly<Record<string, string | undefined>>): string {
  let text = "";
  for (const name in query) {
    const value = query[name];
    if (value !== undefined) text += `${text ? "&" : "?"}${name}=${encodeComponent(value)}`;
  }
  return text;
}

/** Returns the key if it is valid for objects: https://cloud.google.com/storage/docs/objects#naming */
export function checkKey(key: string): string {
  if (key !== "." && key !== "..") return key;
  throw invalid("no object of Google Cloud Storage is named . or ..");
}
