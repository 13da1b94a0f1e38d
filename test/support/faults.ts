/**
 * A proxy that does to chosen requests what networks and servers do on bad days.
 *
 *     const proxy = await faultProxy(server.endpoint, [
 *       { on: { operation: "read" }, fault: resetBody(100_000) },                    // the first read
 *       { on: { method: "PUT" }, skip: 1, times: 2, fault: answer(503) },            // the second and third PUT
 *       { on: (r) => r.url.searchParams.has("partNumber"), times: Infinity, fault: delay(20) },
 *     ]);
 *     const seen = through(server, proxy);       // from proxy.ts
 *     ...
 *     expect(proxy.pending()).toEqual([]);       // every planted fault has happened
 *     proxy.plant({ ... });                      // rules may be added while it runs; earlier rules go first
 *
 * A request meets the first rule that matches it and is not used up, or none and is relayed. Everything of the
 * recording proxy is there too: `requests` (with the name of the fault each one met), `operations()`, `connections()`.
 *
 * Faults, by what the server knows of the request:
 *   never sent on      answer(status, …)  okWithError()  skewed(seconds)  resetBeforeHeaders()  resetRequest(bytes)
 *                      stallRequest(bytes)
 *   sent on, executed  loseAnswer()  answerAfter(status, …)
 *   answer spoiled     resetBody(bytes)  truncateBody(bytes)  truncateChunked(bytes)  extendBody(bytes)
 *                      stallHeaders()  stallBody(bytes)  trickle(bytesPerSecond)  corruptBody(offset)
 *                      wholeInstead(object)  wrongLength(length)  changeHeaders({ … })  changeBody(change)
 *   answer intact      delay(milliseconds)  during(hook)
 *
 * Faults are plain values, so a property test can draw them; `name` shows what was drawn.
 */
import { once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { Operation } from "./operations.js";
import { type Exchange, headersOf, type Recorded, type Recorder, relay, startProxy } from "./proxy.js";

export interface Fault {
  readonly name: string;
  apply(exchange: Exchange): Promise<void>;
}

export interface Rule {
  /** Which requests; all by default. */
  on?: { method?: string; operation?: Operation } | ((request: Recorded) => boolean);
  /** How many matching requests are spared first; 0 by default. */
  skip?: number;
  /** How many matching requests meet the fault; 1 by default. */
  times?: number;
  fault: Fault;
}

export interface FaultProxy extends Recorder {
  plant(...rules: Rule[]): void;
  /** Names of faults that have not yet happened as often as planned; rules with `times: Infinity` never count. */
  pending(): string[];
}

/** Starts a fault proxy in front of `target`; `ca` is the target's authority as PEM where it has its own. */
export async function faultProxy(
  target: string,
  rules: readonly Rule[] = [],
  options: { ca?: string } = {},
): Promise<FaultProxy> {
  const planted = rules.map(armed);
  const proxy = await startProxy(target, {
    ...options,
    answer: async (exchange) => {
      const rule = planted.find((candidate) => candidate.takes(exchange.recorded));
      if (!rule) return relay(exchange, await exchange.forward());
      exchange.recorded.fault = rule.fault.name;
      return rule.fault.apply(exchange);
    },
  });
  return {
    ...proxy,
    plant: (...more) => void planted.push(...more.map(armed)),
    pending: () => planted.filter((rule) => rule.left() > 0).map((rule) => rule.fault.name),
  };
}

function armed({ on = {}, skip = 0, times = 1, fault }: Rule) {
  let spared = 0;
  let met = 0;
  const takes = (request: Recorded): boolean => {
    if (met >= times || !matches(on, request)) return false;
    if (spared < skip) {
      spared += 1;
      return false;
    }
    met += 1;
    return true;
  };
  return { fault, takes, left: () => (Number.isFinite(times) ? times - met : 0) };
}

function matches(on: NonNullable<Rule["on"]>, request: Recorded): boolean {
  if (typeof on === "function") return on(request);
  const { method = request.method, operation = request.operation } = on;
  return method === request.method && operation === request.operation;
}

type Headers = Record<string, string>;

/** Answered by the proxy; the request body is read to its end and thrown away. F1, F2, F3, F18-F21, F24. */
export function answer(status: number, { headers = {}, body = "" }: { headers?: Headers; body?: string } = {}): Fault {
  return {
    name: `answer(${status})`,
    apply: async (exchange) => {
      await drained(exchange.request);
      reply(exchange, status, headers, body);
    },
  };
}

/** Status 200 with an S3 error in the body, as a commit, copy or bulk delete may get. F4. */
export function okWithError(code = "InternalError"): Fault {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>planted</Message></Error>`;
  return named(`okWithError(${code})`, answer(200, { headers: { "content-type": "application/xml" }, body }));
}

/** Refused for a wrong clock; the `Date` header shows the server's, `seconds` ahead of ours. F17. */
export function skewed(seconds: number): Fault {
  const body = "<Error><Code>RequestTimeTooSkewed</Code><Message>planted</Message></Error>";
  const apply = async (exchange: Exchange) => {
    const date = new Date(Date.now() + seconds * 1000).toUTCString();
    return answer(403, { headers: { date, "content-type": "application/xml" }, body }).apply(exchange);
  };
  return { name: `skewed(${seconds})`, apply };
}

/** The connection is reset as soon as the request's headers are there. F5. */
export function resetBeforeHeaders(): Fault {
  return { name: "resetBeforeHeaders()", apply: async ({ response }) => reset(response) };
}

/** The connection is reset once `bytes` of the request's body have arrived, or at its end. F7. */
export function resetRequest(bytes: number): Fault {
  return {
    name: `resetRequest(${bytes})`,
    apply: async ({ request, response }) => {
      await arrived(request, bytes);
      reset(response);
    },
  };
}

/** After `bytes` of the request's body nothing more is read and nothing answered, until the client gives up. F12. */
export function stallRequest(bytes: number): Fault {
  return {
    name: `stallRequest(${bytes})`,
    apply: async ({ request, response }) => {
      await arrived(request, bytes);
      await closed(response);
    },
  };
}

/** Executed by the server; the connection is reset instead of the answer. F22. */
export function loseAnswer(): Fault {
  return {
    name: "loseAnswer()",
    apply: async (exchange) => {
      await drained(await exchange.forward());
      reset(exchange.response);
    },
  };
}

/** Executed by the server; the client gets another answer, such as 500 to a write that took place. F25. */
export function answerAfter(status: number, { headers = {}, body = "" } = {}): Fault {
  return {
    name: `answerAfter(${status})`,
    apply: async (exchange) => {
      await drained(await exchange.forward());
      reply(exchange, status, headers, body);
    },
  };
}

/** The connection is reset after at most `bytes` of the answer's body. F6. */
export function resetBody(bytes: number): Fault {
  return cut(`resetBody(${bytes})`, bytes, async (response) => {
    // What is still in the socket's buffers dies with a reset; give it time to leave.
    await sleep(20);
    reset(response);
  });
}

/** The connection ends cleanly after `bytes` of the answer's body, short of its Content-Length. F8. */
export function truncateBody(bytes: number): Fault {
  return cut(`truncateBody(${bytes})`, bytes, async (response) => void response.socket?.end());
}

/** As {@link truncateBody}, but chunked and well terminated: only Content-Range or a known size can tell. F9. */
export function truncateChunked(bytes: number): Fault {
  const changes = { "content-length": undefined };
  return cut(`truncateChunked(${bytes})`, bytes, async (response) => void response.end(), changes);
}

/** Nothing comes after `bytes` of the answer's body; the connection stays open until the client gives up. F12. */
export function stallBody(bytes: number): Fault {
  return cut(`stallBody(${bytes})`, bytes, closed);
}

/** The request is executed, and the answer never begins. F12. */
export function stallHeaders(): Fault {
  return {
    name: "stallHeaders()",
    apply: async (exchange) => {
      await drained(await exchange.forward());
      await closed(exchange.response);
    },
  };
}

/** `bytes` zeros follow after the answer's body, beyond its Content-Length, and the connection ends. F10. */
export function extendBody(bytes: number): Fault {
  return cut(`extendBody(${bytes})`, Number.POSITIVE_INFINITY, async (response) => {
    await written(response, new Uint8Array(bytes));
    response.socket?.end();
  });
}

/** The answer's body comes at that pace, in ten pieces a second. F13. */
export function trickle(bytesPerSecond: number): Fault {
  const piece = Math.max(1, Math.floor(bytesPerSecond / 10));
  return spoiled(`trickle(${bytesPerSecond})`, async function* (body) {
    for await (const chunk of body) {
      for (let at = 0; at < chunk.length; at += piece) {
        await sleep(100);
        yield chunk.subarray(at, at + piece);
      }
    }
  });
}

/** One bit of the byte at `offset` of the answer's body is flipped; checksums in headers stay right. F14. */
export function corruptBody(offset: number): Fault {
  return spoiled(`corruptBody(${offset})`, async function* (body) {
    let at = 0;
    for await (const chunk of body) {
      const copy = new Uint8Array(chunk);
      const here = offset - at;
      if (here >= 0 && here < copy.length) copy[here] = (copy[here] ?? 0) ^ 1;
      at += copy.length;
      yield copy;
    }
  });
}

/**
 * A server that ignores Range: the answer becomes 200 with the whole of `object`, which the test knows. F16.
 * Dropping the request's header instead would break signatures that cover it.
 */
export function wholeInstead(object: Uint8Array): Fault {
  return {
    name: `wholeInstead(${object.length})`,
    apply: async (exchange) => {
      const upstream = await exchange.forward();
      await drained(upstream);
      const changes = { "content-range": undefined, "content-length": String(object.length) };
      exchange.recorded.status = 200;
      exchange.response.writeHead(200, headersOf(exchange, upstream, changes)).end(object);
    },
  };
}

/** The body is whole, the Content-Length is not its length; the connection ends after it. F11. */
export function wrongLength(length: number): Fault {
  const end = async (response: ServerResponse) => void response.socket?.end();
  return cut(`wrongLength(${length})`, Number.POSITIVE_INFINITY, end, { "content-length": String(length) });
}

/** The answer with other headers, `undefined` for none: another etag, Content-Range, Date. F15, F16, F17. */
export function changeHeaders(changes: Record<string, string | undefined>): Fault {
  const name = `changeHeaders(${Object.keys(changes)})`;
  return { name, apply: async (exchange) => relay(exchange, await exchange.forward(), changes) };
}

/** The answer with another text in its body and the right length: listings gone wrong, broken XML. F27, F28. */
export function changeBody(change: (body: string) => string): Fault {
  return {
    name: "changeBody()",
    apply: async (exchange) => {
      const upstream = await exchange.forward();
      const chunks: Buffer[] = [];
      for await (const chunk of upstream) chunks.push(chunk);
      const body = Buffer.from(change(Buffer.concat(chunks).toString()));
      const headers = headersOf(exchange, upstream, { "content-length": String(body.length) });
      exchange.recorded.status = upstream.statusCode ?? 0;
      exchange.response.writeHead(exchange.recorded.status, headers).end(body);
    },
  };
}

/** The request waits before it is sent on. */
export function delay(milliseconds: number): Fault {
  return during(() => sleep(milliseconds), `delay(${milliseconds})`);
}

/** Something happens before the request is sent on: the object is replaced, a signal aborts. F15, F33. */
export function during(hook: (exchange: Exchange) => unknown, name = "during()"): Fault {
  return {
    name,
    apply: async (exchange) => {
      await hook(exchange);
      await relay(exchange, await exchange.forward());
    },
  };
}

function named(name: string, fault: Fault): Fault {
  return { name, apply: (exchange) => fault.apply(exchange) };
}

/** Relays the head and `bytes` of the body, then does `then` to the connection. */
function cut(
  name: string,
  bytes: number,
  then: (response: ServerResponse) => Promise<void>,
  changes: Record<string, string | undefined> = {},
): Fault {
  const apply = async (exchange: Exchange) => {
    const upstream = await exchange.forward();
    head(exchange, upstream, changes);
    await pour(exchange.response, first(upstream, bytes));
    upstream.destroy();
    await then(exchange.response);
  };
  return { name, apply };
}

/** Relays the answer with its body changed on the way. */
function spoiled(name: string, change: (body: AsyncIterable<Uint8Array>) => AsyncIterable<Uint8Array>): Fault {
  const apply = async (exchange: Exchange) => {
    const upstream = await exchange.forward();
    head(exchange, upstream);
    await pour(exchange.response, change(upstream));
    exchange.response.end();
  };
  return { name, apply };
}

function head(exchange: Exchange, upstream: IncomingMessage, changes: Record<string, string | undefined> = {}): void {
  exchange.recorded.status = upstream.statusCode ?? 0;
  exchange.response.writeHead(exchange.recorded.status, headersOf(exchange, upstream, changes)).flushHeaders();
}

function reply(exchange: Exchange, status: number, headers: Headers, body: string): void {
  exchange.recorded.status = status;
  const length = exchange.recorded.method === "HEAD" ? {} : { "content-length": String(Buffer.byteLength(body)) };
  exchange.response.writeHead(status, { ...length, ...headers });
  exchange.response.end(exchange.recorded.method === "HEAD" ? undefined : body);
}

async function* first(body: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Uint8Array> {
  let left = bytes;
  if (left <= 0) return;
  for await (const chunk of body) {
    yield chunk.subarray(0, left);
    left -= chunk.length;
    if (left <= 0) return;
  }
}

async function pour(response: ServerResponse, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) await written(response, chunk);
}

/** Written and handed to the kernel, or the client is gone. */
async function written(response: ServerResponse, chunk: Uint8Array): Promise<void> {
  if (response.closed) throw new Error("the client is gone");
  await new Promise<void>((resolve) => {
    response.once("close", resolve);
    response.write(chunk, () => {
      response.off("close", resolve);
      resolve();
    });
  });
}

async function arrived(request: IncomingMessage, bytes: number): Promise<void> {
  let seen = 0;
  if (bytes <= 0) return;
  await new Promise<void>((resolve) => {
    request.on("data", (chunk: Uint8Array) => {
      seen += chunk.length;
      if (seen >= bytes) resolve();
    });
    request.once("end", resolve).once("close", resolve);
  });
  request.pause();
}

async function drained(body: IncomingMessage): Promise<void> {
  for await (const _ of body);
}

async function closed(response: ServerResponse): Promise<void> {
  if (!response.closed) await once(response, "close");
}

function reset(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}
