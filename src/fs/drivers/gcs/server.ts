/** One bucket as a place to send requests to. */
import { failure } from "../../../errors.js";
import {
  type Http,
  HttpError,
  type HttpRequest,
  type HttpResponse,
  type HttpText,
  type Origin,
  type Outgoing,
} from "../../http.js";
import { encodeComponent } from "../../sign/encode.js";
import type { Tokens } from "./tokens.js";

/** A request before it is signed. */
export interface Call {
  method: string;
  /** Encoded; with a query only where the server itself has made it. */
  path: string;
  query?: Readonly<Record<string, string | undefined>>;
  headers?: Readonly<Record<string, string>>;
  body?: Uint8Array | readonly Uint8Array[] | undefined;
  signal: AbortSignal | undefined;
  /** Statuses that are an answer besides 2xx. */
  accept?: readonly number[];
  tries?: number | undefined;
  idle?: number;
  /** Sent in place of a repetition. */
  again?: Call;
}

export interface ServerOptions {
  bucket: string;
  http: Http;
  origin: Origin;
  tokens: Tokens;
  /** The project that is billed, where the requester pays. */
  payer: string | undefined;
  /** Encrypts what is written. */
  kmsKeyName: string | undefined;
  /** Whether this is Google's own service and not an emulator: see {@link Server.google}. */
  google: boolean;
}

export class Server {
  readonly bucket: string;
  readonly kmsKeyName: string | undefined;
  /**
   * Emulators lack what Google's own service has: conditions on copies, and the question how far an upload has got,
   * which fake-gcs-server takes for its end. Reads go by the XML API on Google's own, which alone gives user metadata
   * with the data, and by the JSON API elsewhere.
   */
  readonly google: boolean;
  readonly origin: Origin;
  readonly tokens: Tokens;
  readonly #http: Http;
  readonly #payer: string | undefined;

  constructor({ bucket, http, origin, tokens, payer, kmsKeyName, google }: ServerOptions) {
    this.bucket = bucket;
    this.origin = origin;
    this.tokens = tokens;
    this.kmsKeyName = kmsKeyName;
    this.google = google;
    this.#http = http;
    this.#payer = payer;
  }

  /** The path of a bucket's objects, or of one of them, in the JSON API. */
  objects(key?: string, bucket = this.bucket): string {
    const all = `${this.origin.base}/storage/v1/b/${encodeComponent(bucket)}/o`;
    return key === undefined ? all : `${all}/${encodeComponent(key)}`;
  }

  /** The path where objects are uploaded to. */
  uploads(): string {
    return `${this.origin.base}/upload/storage/v1/b/${encodeComponent(this.bucket)}/o`;
  }

  send(call: Call): Promise<HttpResponse> {
    return this.#signedIn(call, (request) => this.#http.send(request));
  }

  text(call: Call): Promise<HttpText> {
    return this.#signedIn(call, (request) => this.#http.text(request));
  }

  /** The answer as JSON; an empty one as an empty object. */
  async json<T>(call: Call): Promise<Partial<T>> {
    return parsed((await this.text(call)).text);
  }

  /** By the server's clock, milliseconds since 1970. */
  now(): number {
    return this.#http.now();
  }

  get payer(): string | undefined {
    return this.#payer;
  }

  close(): void {
    this.#http.close();
  }

  /** A token that is refused before its time is replaced, once. */
  async #signedIn<T>(call: Call, send: (request: HttpRequest) => Promise<T>): Promise<T> {
    const used: { bearer?: string | undefined } = {};
    try {
      return await send(this.#request(call, used));
    } catch (error) {
      if (!(error instanceof HttpError) || error.status !== 401) throw error;
      if (!(await this.tokens.renew(used.bearer))) throw error;
      return send(this.#request(call, used));
    }
  }

  #request(call: Call, used: { bearer?: string | undefined }): HttpRequest {
    const { signal, accept, tries, idle, again = call } = call;
    let attempts = 0;
    const signed = (bearer: string | undefined) => {
      used.bearer = bearer;
      return this.#outgoing(attempts++ === 0 ? call : again, bearer);
    };
    const prepare = () => {
      const bearer = this.tokens.bearer();
      return bearer instanceof Promise ? bearer.then(signed) : signed(bearer);
    };
    return { prepare, signal, accept, tries, idle };
  }

  #outgoing({ method, path, query = {}, headers, body }: Call, bearer: string | undefined): Outgoing {
    return {
      method,
      origin: this.origin,
      path: `${path}${queryOf(query)}`,
      headers: {
        ...headers,
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(this.#payer !== undefined && { "x-goog-user-project": this.#payer }),
      },
      body,
    };
  }
}

/** A JSON answer of the server. */
export function parsed<T>(text: string): Partial<T> {
  try {
    return text === "" ? {} : (JSON.parse(text) as Partial<T>);
  } catch {
    throw failure("Unavailable", "the server answered with something else than JSON");
  }
}

function queryOf(query: Readonly<Record<string, string | undefined>>): string {
  let text = "";
  for (const name in query) {
    const value = query[name];
    if (value !== undefined) text += `${text ? "&" : "?"}${name}=${encodeComponent(value)}`;
  }
  return text;
}
