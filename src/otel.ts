/**
 * OpenTelemetry spans and metrics of every Storage of this process, made of the channels `stowage:operation` and
 * `stowage:request` of `node:diagnostics_channel`. Needs `@opentelemetry/api`.
 *
 * @packageDocumentation
 */
import { type TracingChannel, tracingChannel } from "node:diagnostics_channel";
import {
  type Attributes,
  type Context,
  context,
  type Meter,
  metrics,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from "@opentelemetry/api";
import { checkOptions } from "./errors.js";
import type { OperationEvent, RequestEvent } from "./fs/index.js";

export type { OperationEvent, RequestEvent } from "./fs/index.js";

/**
 * Types of this door need no package: a `TracerProvider` and a `MeterProvider` of `@opentelemetry/api` have these
 * methods.
 */
export interface InstrumentOptions {
  /** A `TracerProvider`. @default the global one */
  tracerProvider?: { getTracer(name: string): object } | undefined;
  /** A `MeterProvider`. @default the global one */
  meterProvider?: { getMeter(name: string): object } | undefined;
}

const SCOPE = "stowage";

/**
 * Begins to record, and returns a function that ends it. A call of a Storage is a span `stowage <verb>`; each of its
 * requests is an HTTP client span below it. The metrics are `http.client.request.duration`,
 * `stowage.client.operation.duration` and `stowage.client.operation.io`.
 *
 * @example const stop = instrument();
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  checkOptions("instrument", options, { tracerProvider: true, meterProvider: true });
  const { tracerProvider = trace, meterProvider = metrics } = options;
  const recorder = new Recorder(tracerProvider.getTracer(SCOPE) as Tracer, meterProvider.getMeter(SCOPE) as Meter);
  const ends = [
    recorder.follow(tracingChannel<OperationEvent>("stowage:operation"), operationSpan, recorder.operation),
    recorder.follow(tracingChannel<RequestEvent>("stowage:request"), requestSpan, recorder.request),
  ];
  return () => {
    for (const end of ends) end();
  };
}

interface SpanOfEvent {
  name: string;
  kind: SpanKind;
  attributes: Attributes;
}

interface Ended {
  ms?: number;
  code?: string;
}

type Listener = (event: unknown) => void;

class Recorder {
  readonly #tracer: Tracer;
  readonly #spans = new WeakMap<object, Span>();
  readonly operation: (event: OperationEvent, span: Span) => void;
  readonly request: (event: RequestEvent, span: Span) => void;

  constructor(tracer: Tracer, meter: Meter) {
    this.#tracer = tracer;
    const requests = histogram(meter, "http.client.request.duration", "Duration of HTTP client requests.");
    const operations = histogram(meter, "stowage.client.operation.duration", "Duration of calls of a Storage.");
    const io = meter.createCounter("stowage.client.operation.io", {
      unit: "By",
      description: "Bytes of data that were read or written.",
    });
    this.operation = (event, span) => {
      const attributes = operationMetric(event);
      operations.record(seconds(event), attributes);
      if (event.bytes !== undefined) {
        io.add(event.bytes, attributes);
        span.setAttribute("stowage.operation.bytes", event.bytes);
      }
      span.setAttribute("stowage.operation.requests", event.requests);
    };
    this.request = (event, span) => {
      const attributes = requestAttributes(event);
      const { "url.full": _, ...common } = attributes;
      requests.record(seconds(event), common);
      span.setAttributes({
        ...attributes,
        ...(event.attempts > 1 && { "http.request.resend_count": event.attempts - 1 }),
        "http.request.body.size": event.sentBytes,
        ...(event.receivedBytes !== undefined && { "http.response.body.size": event.receivedBytes }),
      });
      if (event.method !== undefined) span.updateName(event.method);
    };
  }

  /** Makes a span of each event of a channel. */
  follow<E extends object>(
    channel: TracingChannel<E>,
    spanOf: (event: E) => SpanOfEvent,
    record: (event: E, span: Span) => void,
  ): () => void {
    const start = (event: E) => {
      const { name, ...options } = spanOf(event);
      this.#spans.set(event, this.#tracer.startSpan(name, options, this.#parent(event)));
    };
    const end = (event: E) => {
      const span = this.#spans.get(event);
      if (!span) return;
      this.#spans.delete(event);
      const { code } = event as Ended;
      record(event, span);
      if (code !== undefined) {
        span.setAttribute("error.type", code);
        span.setStatus({ code: SpanStatusCode.ERROR, message: code });
      }
      span.end();
    };
    const subscribers = { start: start as Listener, asyncEnd: end as Listener };
    channel.start.subscribe(subscribers.start);
    channel.asyncEnd.subscribe(subscribers.asyncEnd);
    return () => {
      channel.start.unsubscribe(subscribers.start);
      channel.asyncEnd.unsubscribe(subscribers.asyncEnd);
    };
  }

  /** Returns the context of the operation that an event belongs to, or the active one. */
  #parent(event: object): Context {
    const { operation } = event as { operation?: object };
    const span = operation && this.#spans.get(operation);
    if (span) return trace.setSpan(context.active(), span);
    return context.active();
  }
}

function histogram(meter: Meter, name: string, description: string) {
  // The boundaries that the semantic conventions advise for durations of HTTP requests.
  const explicitBucketBoundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
  return meter.createHistogram(name, { unit: "s", description, advice: { explicitBucketBoundaries } });
}

function seconds({ ms = 0 }: Ended): number {
  return ms / 1000;
}

function operationSpan({ op, path, target, provider }: OperationEvent): SpanOfEvent {
  const attributes: Attributes = { "stowage.operation.name": op };
  if (provider !== undefined) attributes["stowage.provider"] = provider;
  if (path !== undefined) attributes["stowage.path"] = path;
  if (target !== undefined) attributes["stowage.target"] = target;
  return { name: `stowage ${op}`, kind: SpanKind.INTERNAL, attributes };
}

function operationMetric({ op, provider, code }: OperationEvent): Attributes {
  return {
    "stowage.operation.name": op,
    ...(provider !== undefined && { "stowage.provider": provider }),
    ...(code !== undefined && { "error.type": code }),
  };
}

/** The method and the address are known when the request is built, which is after the start. */
function requestSpan(): SpanOfEvent {
  return { name: "HTTP", kind: SpanKind.CLIENT, attributes: {} };
}

function requestAttributes({ method, url, status, code }: RequestEvent): Attributes {
  const { hostname = "", port = "", protocol = "" } = url === undefined ? {} : new URL(url);
  return {
    ...(method !== undefined && { "http.request.method": method }),
    ...(url !== undefined && {
      "url.full": url,
      "url.scheme": protocol.slice(0, -1),
      "server.address": hostname,
      "server.port": Number(port || (protocol === "https:" ? 443 : 80)),
    }),
    ...(status !== undefined && status > 0 && { "http.response.status_code": status }),
    ...(code !== undefined && { "error.type": code }),
  };
}
