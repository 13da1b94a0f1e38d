/** The channel `stowage:request` of node:diagnostics_channel, and what is known there of the operation. */
import { AsyncLocalStorage } from "node:async_hooks";
import { type TracingChannel, tracingChannel } from "node:diagnostics_channel";
import { HttpError } from "../http/errors.js";
import type { HttpClient, HttpHead, HttpRequest, SignedRequest } from "../http/types.js";

/** An event of the channel `stowage:operation`. The same object is published from `start` to `asyncEnd`. */
export interface OperationEvent {
  /** The verb that was called: `write`, `list`, `createBucket`. */
  readonly op: string;
  /** The printed path; undefined if there is none, or if it was refused. Never has a query or a signature. */
  readonly path: string | undefined;
  /** Of `copy`, `move` and `sync`: the printed path of the target. */
  readonly target?: string | undefined;
  /** `s3`, `gs`, `azure`, `file`, `memory`, or the scheme of another driver. */
  readonly provider: string | undefined;
  /** The number of requests so far. */
  requests: number;
  /** The number of times that requests were sent so far, with their repetitions. */
  attempts: number;
  /** Bytes of data that were read or written, where the call has any. */
  bytes?: number | undefined;
  /** Milliseconds from the call to its end, or to the end of the iteration. */
  ms?: number;
  /** The code of a StorageError, else the name of the error. */
  code?: string;
  /** What the caller gets. */
  error?: unknown;
}

/** An event of the channel `stowage:request`: one request, with its repetitions, until the headers of the response. */
export interface RequestEvent {
  /** The operation that it belongs to; undefined for one outside of any. */
  readonly operation: OperationEvent | undefined;
  readonly op: string | undefined;
  readonly path: string | undefined;
  readonly provider: string | undefined;
  /** Of the last attempt, as all that follows; undefined if none was sent. */
  method?: string;
  /** Without the query, which can hold a signature. */
  url?: string;
  /** 0 without a response. */
  status?: number;
  attempts: number;
  /** Bytes of the body that was sent. */
  sentBytes: number;
  /** Bytes of the body that the response promises, or that were read as text; undefined if it does not say. */
  receivedBytes?: number | undefined;
  ms?: number;
  /** The provider's code of a refusal, or Node's of a failed connection. */
  code?: string;
  error?: unknown;
}

/** What an event says of its end. */
interface Ending {
  ms?: number;
  code?: string;
  error?: unknown;
}

const requests = tracingChannel<RequestEvent>("stowage:request") as Channel<RequestEvent>;
const operation = new AsyncLocalStorage<OperationEvent>();

/** The part of a tracing channel that is used; the types of Node 20 lack `hasSubscribers`. */
export type Channel<E extends object> = TracingChannel<E> & { readonly hasSubscribers: boolean };

/** Returns whether requests are observed, and so the operations that they belong to. */
export function isObserved(): boolean {
  return requests.hasSubscribers;
}

/** Runs `work`, so that its requests belong to this operation. */
export function inOperation<T>(event: OperationEvent, work: () => T): T {
  return operation.run(event, work);
}

/** Publishes one call from its start to its end. `ended` adds what the result says. */
export function published<E extends Ending, T>(
  channel: Channel<E & object>,
  event: E & object,
  work: () => Promise<T>,
  ended: (result: T) => void,
): Promise<T> {
  const began = performance.now();
  const end = () => {
    event.ms = performance.now() - began;
    channel.asyncStart.publish(event);
    channel.asyncEnd.publish(event);
  };
  const run = async () => {
    try {
      const result = await work();
      ended(result);
      return result;
    } catch (error) {
      event.error = error;
      event.code = codeOf(error);
      channel.error.publish(event);
      throw error;
    } finally {
      end();
    }
  };
  return channel.start.runStores(event, () => {
    const running = run();
    channel.end.publish(event);
    return running;
  });
}

/** Returns the code of an error, or its name, and never its message. */
export function codeOf(error: unknown): string {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === "string" ? code : typeof name === "string" ? name : typeof error;
}

/** An observed operation counts its requests, also if no one subscribes to them. */
function isRecorded(): boolean {
  return requests.hasSubscribers || operation.getStore() !== undefined;
}

/** Returns a client that sends through `http` and publishes its requests, if anyone subscribes. */
export function observed(http: HttpClient): HttpClient {
  return {
    now: () => http.now(),
    close: () => http.close(),
    send(request) {
      if (!isRecorded()) return http.send(request);
      return publish(
        request,
        (one) => http.send(one),
        ({ body }) => body.expected,
      );
    },
    text(request, max) {
      if (!isRecorded()) return http.text(request, max);
      return publish(
        request,
        (one) => http.text(one, max),
        ({ text }) => Buffer.byteLength(text),
      );
    },
  };
}

function publish<T extends HttpHead>(
  request: HttpRequest,
  send: (request: HttpRequest) => Promise<T>,
  received: (response: T) => number | undefined,
): Promise<T> {
  const of = operation.getStore();
  const { op, path, provider } = of ?? {};
  const event: RequestEvent = { operation: of, op, path, provider, attempts: 0, sentBytes: 0 };
  if (of) of.requests += 1;
  const sent = (out: SignedRequest): SignedRequest => {
    event.attempts += 1;
    if (of) of.attempts += 1;
    describe(event, out);
    return out;
  };
  const prepare = (now: number) => {
    const prepared = request.prepare(now);
    return prepared instanceof Promise ? prepared.then(sent) : sent(prepared);
  };
  const run = async () => {
    try {
      return await send({ ...request, prepare });
    } catch (error) {
      event.status = error instanceof HttpError ? error.status : 0;
      throw error;
    }
  };
  return published(requests, event, run, (response) => {
    event.status = response.status;
    event.receivedBytes = received(response);
  });
}

function describe(event: RequestEvent, { method, origin, path, body }: SignedRequest): void {
  const query = path.indexOf("?");
  event.method = method;
  event.url = `${origin.protocol}//${origin.host}${query < 0 ? path : path.slice(0, query)}`;
  event.sentBytes = !body
    ? 0
    : body instanceof Uint8Array
      ? body.byteLength
      : body.reduce((sum, piece) => sum + piece.byteLength, 0);
}
