/** What is published of operations and requests, and what is not. */
import { context, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { describe, expect, test } from "vitest";
import { instrument } from "../../../src/otel.js";
import { hostile, type Script } from "../../hostile/support.js";
import { describeOn, useBucket } from "../../servers/use.js";
import { ended, useChannels } from "../../support/channels.js";
import { useStorages } from "../../support/storages.js";

const open = useStorages();
const { ends, operations, requests } = useChannels();

async function s3(script: Script) {
  const { endpoint, asked } = await hostile(script);
  const extra = { endpoint_url: endpoint, provider: "minio" };
  const storage = open({
    connections: { it: { type: "aws", login: "user", password: "canary-password", extra } },
    env: {},
  });
  return { storage, asked, host: new URL(endpoint).host };
}

describe("stowage:operation", () => {
  test("has the verb, the path, the provider, the bytes and the time of each call", async () => {
    const told = operations();
    const storage = open({ env: {} });
    await storage.write("memory://bucket/a", "text");
    expect(await storage.text("memory://bucket/a")).toBe("text");
    await storage.copy("memory://bucket/a", "memory://bucket/b");
    await storage.delete(["memory://bucket/b"]);
    expect(ended(told)).toMatchObject([
      { op: "write", path: "memory://bucket/a", provider: "memory", bytes: 4, ms: expect.any(Number), requests: 0 },
      { op: "text", bytes: 4 },
      { op: "copy", path: "memory://bucket/a", target: "memory://bucket/b" },
      { op: "delete", path: "memory://bucket/b" },
    ]);
    expect(told.slice(0, 4).map(({ when }) => when)).toEqual(["start", "end", "asyncStart", "asyncEnd"]);
  });

  test("counts a verb that is made of others once", async () => {
    const told = operations();
    const storage = open({ env: {} }).at("memory://bucket/base");
    await storage.update("count", () => "1");
    await storage.json("count");
    await new Response(storage.readable("count")).text();
    const writable = storage.writable("pushed").getWriter();
    await writable.write(Buffer.from("x"));
    await writable.close();
    expect(ended(told).map(({ op, path }) => [op, path])).toEqual([
      ["update", "memory://bucket/base/count"],
      ["json", "memory://bucket/base/count"],
      ["read", "memory://bucket/base/count"],
      ["write", "memory://bucket/base/pushed"],
    ]);
  });

  test("an iteration ends when it is over, is left, or fails", async () => {
    const told = operations();
    const storage = open({ env: {} });
    for (const name of ["a", "b", "c"]) await storage.write(`memory://bucket/${name}`, name);
    told.length = 0;
    for await (const _ of storage.list("memory://bucket/")) break;
    for await (const _ of storage.glob("memory://bucket/*"));
    for await (const _ of storage.list("memory://bucket/").byPage({ size: 2 }));
    for await (const _ of storage.read("memory://bucket/a"));
    await expect(storage.read("memory://bucket/none")[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      code: "NotFound",
      op: "read",
    });
    expect(ended(told).map(({ op, code, bytes }) => [op, code, bytes])).toEqual([
      ["list", undefined, undefined],
      ["glob", undefined, undefined],
      ["list", undefined, undefined],
      ["read", undefined, 1],
      ["read", "NotFound", 0],
    ]);
    const before = told.length;
    storage.read("memory://bucket/a");
    storage.list("memory://bucket/");
    expect(told.length).toBe(before);
  });

  test("a failure has its code; the caller's own error has its name", async () => {
    const told = operations();
    const storage = open({ env: {} });
    await expect(storage.stat("memory://bucket/none")).rejects.toThrow();
    const own = (async function* () {
      yield Buffer.from("x");
      throw new SyntaxError("mine");
    })();
    await expect(storage.write("memory://bucket/a", own)).rejects.toThrow("mine");
    await expect(storage.stat("s3://user:canary-password@bucket/a")).rejects.toThrow(/InvalidArgument/);
    expect(ended(told)).toMatchObject([
      { op: "stat", code: "NotFound" },
      { op: "write", code: "SyntaxError" },
      { op: "stat", code: "InvalidArgument", path: undefined, provider: undefined },
    ]);
    expect(JSON.stringify(told)).not.toContain("canary");
  });

  test("progress of a write still reaches its caller", async () => {
    operations();
    const seen: number[] = [];
    await open({ env: {} }).write("memory://bucket/a", "text", { onProgress: (bytes) => seen.push(bytes) });
    expect(seen.at(-1)).toBe(4);
  });

  test("verbs about buckets have names of their own", async () => {
    const told = operations();
    const { storage } = await s3(({ method }) => (method === "GET" ? { body: LIST } : {}));
    await storage.buckets("s3://it@").create("abc");
    for await (const _ of storage.buckets("s3://it@").list());
    expect(ended(told).map(({ op, path, provider, requests }) => [op, path, provider, requests])).toEqual([
      ["createBucket", "s3://it@abc", "s3", 1],
      ["listBuckets", "s3://it@", "s3", 1],
    ]);
  });

  test("nothing is published to nobody, and a listener may come and go", async () => {
    const storage = open({ env: {} });
    const told = operations();
    ends.splice(0)[0]!();
    await storage.write("memory://bucket/a", "text");
    expect(told).toEqual([]);
  });
});
const LIST = "<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>";

describe("stowage:request", () => {
  test("has the operation, the address without a query, the status, the bytes and every attempt", async () => {
    const told = requests();
    const { storage, host } = await s3((_, count) =>
      count === 1
        ? { status: 503 }
        : { headers: { etag: '"e"', "last-modified": "Sun, 01 Feb 2026 00:00:00 GMT" }, body: "text" },
    );
    expect(await storage.text("s3://it@bucket/a", { version: "v1" })).toBe("text");
    expect(ended(told)).toMatchObject([
      {
        op: "text",
        path: "s3://it@bucket/a",
        provider: "s3",
        method: "GET",
        url: `http://${host}/bucket/a`,
        status: 200,
        attempts: 2,
        sentBytes: 0,
        receivedBytes: 4,
        ms: expect.any(Number),
        operation: { requests: 1, attempts: 2 },
      },
    ]);
  });

  test("a refusal has the provider's code, and a signed link is in no event", async () => {
    const both = [operations(), requests()];
    const { storage } = await s3(() => ({ status: 403, body: "<Error><Code>AccessDenied</Code></Error>" }));
    await expect(storage.write("s3://it@bucket/a", "text")).rejects.toMatchObject({ code: "PermissionDenied" });
    const { url } = await storage.signedUrl("s3://it@bucket/a");
    expect(ended(both[1]!)).toMatchObject([
      { op: "write", method: "PUT", status: 403, code: "AccessDenied", sentBytes: 4 },
    ]);
    const text = JSON.stringify(both);
    expect(text).not.toContain(new URL(url).searchParams.get("X-Amz-Signature")!);
    expect(text).not.toMatch(/X-Amz|authorization|canary-password|Signature/i);
  });

  test("requests of a read that is iterated elsewhere belong to it", async () => {
    const told = requests();
    const { storage } = await s3(() => ({
      headers: { etag: '"e"', "last-modified": "Sun, 01 Feb 2026 00:00:00 GMT" },
      body: "text",
    }));
    const body = storage.read("s3://it@bucket/a");
    await storage.write("memory://bucket/b", body);
    expect(ended(told).map(({ op, path }) => [op, path])).toEqual([["read", "s3://it@bucket/a"]]);
  });
});

describe("OpenTelemetry", () => {
  function recorded() {
    const spans = new InMemorySpanExporter();
    const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
    const points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter: points, exportIntervalMillis: 3_600_000 });
    const meterProvider = new MeterProvider({ readers: [reader] });
    ends.push(instrument({ tracerProvider, meterProvider }));
    const measured = async () => {
      await meterProvider.forceFlush();
      return points
        .getMetrics()
        .at(-1)!
        .scopeMetrics.flatMap(({ metrics }) => metrics);
    };
    return { spans, measured, tracer: tracerProvider.getTracer("test") };
  }

  test("a call is a span, with its requests below it, by the semantic conventions", async () => {
    const { spans, measured } = recorded();
    const { storage, host } = await s3((_, count) => (count === 1 ? { status: 503 } : { headers: { etag: '"e"' } }));
    await storage.write("s3://it@bucket/a", "text");
    const [request, operation] = spans.getFinishedSpans();
    expect(operation).toMatchObject({
      name: "stowage write",
      kind: SpanKind.INTERNAL,
      attributes: {
        "stowage.operation.name": "write",
        "stowage.provider": "s3",
        "stowage.path": "s3://it@bucket/a",
        "stowage.operation.bytes": 4,
        "stowage.operation.requests": 1,
      },
    });
    expect(request).toMatchObject({
      name: "PUT",
      kind: SpanKind.CLIENT,
      attributes: {
        "http.request.method": "PUT",
        "http.response.status_code": 200,
        "http.request.resend_count": 1,
        "http.request.body.size": 4,
        "url.full": `http://${host}/bucket/a`,
        "url.scheme": "http",
        "server.address": "127.0.0.1",
        "server.port": Number(host.split(":")[1]),
      },
    });
    expect(request!.parentSpanContext?.spanId).toBe(operation!.spanContext().spanId);
    expect(request!.spanContext().traceId).toBe(operation!.spanContext().traceId);
    const metrics = await measured();
    const found = Object.fromEntries(
      metrics.map(({ descriptor: { name, unit }, dataPoints }) => [name, { unit, dataPoints }]),
    );
    expect(found["http.client.request.duration"]).toMatchObject({
      unit: "s",
      dataPoints: [
        {
          attributes: { "http.request.method": "PUT", "http.response.status_code": 200, "server.address": "127.0.0.1" },
          value: { count: 1 },
        },
      ],
    });
    expect(found["http.client.request.duration"]!.dataPoints[0]!.attributes).not.toHaveProperty("url.full");
    expect(found["stowage.client.operation.io"]).toMatchObject({ unit: "By", dataPoints: [{ value: 4 }] });
    expect(found["stowage.client.operation.duration"]!.dataPoints[0]!.attributes).not.toHaveProperty("stowage.path");
  });

  test("a failure is an error with a type, and nothing is recorded after the end", async () => {
    const { spans, measured } = recorded();
    const { storage } = await s3(() => ({ status: 404, body: "<Error><Code>NoSuchKey</Code></Error>" }));
    await expect(storage.text("s3://it@bucket/a")).rejects.toThrow();
    const [request, operation] = spans.getFinishedSpans();
    expect(request).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { "error.type": "NoSuchKey" },
    });
    expect(operation).toMatchObject({
      status: { code: SpanStatusCode.ERROR },
      attributes: { "error.type": "NotFound" },
    });
    const duration = (await measured()).find(
      ({ descriptor }) => descriptor.name === "stowage.client.operation.duration",
    );
    expect(duration!.dataPoints[0]!.attributes).toMatchObject({ "error.type": "NotFound" });
    ends.splice(0)[0]!();
    await storage.exists("s3://it@bucket/a");
    expect(spans.getFinishedSpans()).toHaveLength(2);
  });

  test("options that do not exist are named", () => {
    expect(() => instrument({ traceProvider: trace } as never)).toThrow(/traceProvider/);
    expect(context.active()).toBeDefined();
  });
});

await describeOn("minio", "observed on MinIO", (server) => {
  const bucket = useBucket(server);
  test("an upload in parts and a read of it in ranges are one operation each", async () => {
    const told = operations();
    const sent = requests();
    const storage = open({ connections: { it: server.connection }, env: {} });
    const at = `s3://it@${bucket().name}/large`;
    const data = Buffer.alloc(20 * 2 ** 20, 1);
    await storage.write(at, data);
    expect(data.equals(await storage.bytes(at, { parallel: 4 }))).toBe(true);
    const [write, read] = ended(told);
    expect(write).toMatchObject({ op: "write", bytes: data.byteLength });
    expect(write!.requests).toBeGreaterThan(3);
    expect(read).toMatchObject({ op: "bytes", bytes: data.byteLength });
    expect(ended(sent).filter(({ op }) => op === "write")).toHaveLength(write!.requests as number);
    expect(ended(sent).filter(({ op }) => op === "bytes")).toHaveLength(read!.requests as number);
    expect(JSON.stringify(ended(sent))).not.toMatch(/uploadId|X-Amz|\?/);
  });
});
