/** The proxies do what their faults say: a fault that does not happen would let the fault suites pass for nothing. */
import { createServer, request as requestHttp, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import * as faults from "../support/faults.js";
import { watchLeaks } from "../support/leaks.js";
import { operationOf } from "../support/operations.js";
import { recordingProxy, through } from "../support/proxy.js";

const OBJECT = Buffer.from(Array.from({ length: 100_000 }, (_, index) => index % 251));
const executed: string[] = [];
let origin: Server;
let target: string;

beforeAll(async () => {
  origin = createServer(async (request, response) => {
    let size = 0;
    for await (const chunk of request) size += chunk.length;
    executed.push(`${request.method} ${request.url} ${size} ${request.headers.host}`);
    const range = /bytes=(\d+)-(\d+)/.exec(request.headers.range ?? "");
    const [start, end] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, OBJECT.length];
    const body = OBJECT.subarray(start, end);
    const headers = { "content-length": body.length, etag: '"one"', location: `${target}/next?x=1` };
    response.writeHead(range ? 206 : 200, headers).end(body);
  });
  await new Promise<void>((resolve) => origin.listen(0, "127.0.0.1", resolve));
  target = `http://127.0.0.1:${(origin.address() as AddressInfo).port}`;
});
afterEach(() => void executed.splice(0));
afterAll(() => {
  origin.closeAllConnections();
  origin.close();
});

interface Outcome {
  status?: number;
  headers?: NodeJS.Dict<string | string[]>;
  body: Buffer;
  error?: string;
}

/** One request without any retry; the body as far as it came and how it ended. */
function ask(url: string, options: { method?: string; body?: Buffer; range?: string; patience?: number } = {}) {
  const { method = "GET", body, range, patience = 5000 } = options;
  return new Promise<Outcome>((resolve) => {
    const got: Outcome = { body: Buffer.alloc(0) };
    const headers = range ? { range } : {};
    const outgoing = requestHttp(url, { method, headers, agent: false }, (answer) => {
      got.status = answer.statusCode ?? 0;
      got.headers = answer.headers;
      answer.on("data", (chunk: Buffer) => {
        got.body = Buffer.concat([got.body, chunk]);
      });
      answer.on("error", (error: NodeJS.ErrnoException) => resolve({ ...got, error: error.code ?? error.message }));
      answer.on("end", () => resolve(got));
    });
    outgoing.on("error", (error: NodeJS.ErrnoException) => resolve({ ...got, error: error.code ?? error.message }));
    setTimeout(() => resolve({ ...got, error: "silence" }), patience).unref();
    outgoing.end(body);
  });
}

describe("recording proxy", () => {
  test("relays both bodies unchanged, keeps the Host header and names itself in Location", async () => {
    const proxy = await recordingProxy(`${target}/account`);
    const { host } = new URL(proxy.endpoint);
    const got = await ask(`${proxy.endpoint}/b/k?x=%2F`, { method: "PUT", body: OBJECT });
    expect(got.body.equals(OBJECT)).toBe(true);
    expect(got.headers?.location).toBe(`http://${host}/next?x=1`);
    expect(executed).toEqual([`PUT /account/b/k?x=%2F ${OBJECT.length} ${host}`]);
    expect(proxy.requests).toMatchObject([{ method: "PUT", operation: "write", status: 200 }]);
    await proxy.close();
  });

  test("through() renames the server everywhere in its record", async () => {
    const proxy = await recordingProxy(`${target}/account`);
    const seen = through(
      { endpoint: `${target}/account`, connection: { extra: { text: `At=${target}/account;` } } },
      proxy,
    );
    expect(JSON.stringify(seen)).not.toContain(target);
    expect(seen.endpoint).toBe(proxy.endpoint);
    await proxy.close();
  });

  test.each([
    ["PUT", "/b/k", {}, "write"],
    ["PUT", "/b/k?partNumber=1&uploadId=u", {}, "part"],
    ["PUT", "/b/k", { "x-amz-copy-source": "/b/x" }, "copy"],
    ["POST", "/b/k?uploads=", {}, "begin"],
    ["POST", "/b/k?uploadId=u", {}, "commit"],
    ["DELETE", "/b/k?uploadId=u", {}, "abort"],
    ["POST", "/b?delete=", {}, "deleteBatch"],
    ["GET", "/b?list-type=2", {}, "list"],
    ["GET", "/b/k", {}, "read"],
    ["GET", "/storage/v1/b/b/o/k?alt=media", {}, "read"],
    ["GET", "/storage/v1/b/b/o/k", {}, "stat"],
    ["GET", "/storage/v1/b/b/o?prefix=o", {}, "list"],
    ["POST", "/upload/storage/v1/b/b/o?uploadType=resumable", {}, "begin"],
    ["PUT", "/upload/storage/v1/b/b/o?uploadType=resumable&upload_id=1", {}, "part"],
    ["POST", "/storage/v1/b/b/o/k/rewriteTo/b/b/o/x", {}, "copy"],
    ["POST", "/batch/storage/v1", {}, "deleteBatch"],
    ["PUT", "/a/c/k?comp=block", { "x-ms-version": "1" }, "part"],
    ["PUT", "/a/c/k?comp=blocklist", { "x-ms-version": "1" }, "commit"],
    ["GET", "/a/c?restype=container&comp=list", { "x-ms-version": "1" }, "list"],
    ["HEAD", "/a/c/k", { "x-ms-version": "1" }, "stat"],
  ])("%s %s is told as an operation", (method, path, headers, operation) => {
    expect(operationOf(method, new URL(path, target), headers)).toBe(operation);
  });
});

describe("fault proxy", () => {
  async function meets(fault: faults.Fault, options: Parameters<typeof ask>[1] = {}) {
    const proxy = await faults.faultProxy(target, [{ fault }]);
    const got = await ask(`${proxy.endpoint}/b/k`, options);
    const after = await ask(`${proxy.endpoint}/b/k`);
    expect(proxy.pending()).toEqual([]);
    expect(after.body.equals(OBJECT)).toBe(true);
    expect(proxy.requests.map((request) => request.fault)).toEqual([fault.name, undefined]);
    await proxy.close();
    return got;
  }

  test("answers for the server without asking it", async () => {
    const got = await meets(faults.answer(429, { headers: { "retry-after": "1" }, body: "slow" }));
    expect(got).toMatchObject({ status: 429, headers: { "retry-after": "1" } });
    expect(executed).toHaveLength(1);
  });
  test("okWithError is a success by status and an error by body", async () => {
    const got = await meets(faults.okWithError("SlowDown"));
    expect([got.status, String(got.body)]).toEqual([200, expect.stringContaining("<Code>SlowDown</Code>")]);
  });
  test("skewed shows another clock", async () => {
    const got = await meets(faults.skewed(3600));
    expect(Date.parse(String(got.headers?.date)) - Date.now()).toBeGreaterThan(3_500_000);
  });
  test("resetBeforeHeaders and resetRequest break off before the server hears of it", async () => {
    expect(await meets(faults.resetBeforeHeaders())).toMatchObject({ error: "ECONNRESET" });
    const got = await meets(faults.resetRequest(1000), { method: "PUT", body: OBJECT });
    expect(got.error).toMatch(/ECONNRESET|EPIPE/);
    expect(executed).toEqual([expect.stringContaining("GET"), expect.stringContaining("GET")]);
  });
  test("loseAnswer and answerAfter hide that the server has done it", async () => {
    expect(await meets(faults.loseAnswer(), { method: "PUT", body: OBJECT })).toMatchObject({ error: "ECONNRESET" });
    expect(await meets(faults.answerAfter(500), { method: "PUT", body: OBJECT })).toMatchObject({ status: 500 });
    expect(executed.filter((line) => line.startsWith("PUT"))).toHaveLength(2);
  });
  test("resetBody delivers what came before it", async () => {
    const got = await meets(faults.resetBody(40_000));
    expect(got.error).toMatch(/ECONNRESET|aborted/);
    expect(got.body.equals(OBJECT.subarray(0, 40_000))).toBe(true);
  });
  test("truncateBody ends short of Content-Length, truncateChunked ends well", async () => {
    const short = await meets(faults.truncateBody(40_000));
    expect([short.body.length, short.headers?.["content-length"]]).toEqual([40_000, "100000"]);
    expect(short.error).toBeDefined();
    const chunked = await meets(faults.truncateChunked(40_000));
    expect([chunked.body.length, chunked.error, chunked.headers?.["content-length"]]).toEqual([
      40_000,
      undefined,
      undefined,
    ]);
  });
  test("extendBody and wrongLength put more on the wire than was promised", async () => {
    expect(await wire(faults.extendBody(10))).toMatchObject({ promised: 100_000, sent: 100_010 });
    expect(await wire(faults.wrongLength(99_990))).toMatchObject({ promised: 99_990, sent: 100_000 });
  });
  test("the stalls give nothing more and keep the connection", async () => {
    const patience = 300;
    expect(await meets(faults.stallHeaders(), { patience })).toMatchObject({ error: "silence" });
    expect((await meets(faults.stallBody(40_000), { patience })).body.length).toBe(40_000);
    const got = await meets(faults.stallRequest(0), { method: "PUT", body: OBJECT, patience });
    expect(got).toMatchObject({ error: "silence" });
  });
  test("trickle keeps the pace", async () => {
    const got = await meets(faults.trickle(1000), { patience: 450 });
    expect(got.body.length).toBeGreaterThan(0);
    expect(got.body.length).toBeLessThanOrEqual(500);
  });
  test("corruptBody changes one byte and no length", async () => {
    const { body } = await meets(faults.corruptBody(70_000));
    const wrong = [...body.entries()].filter(([at, byte]) => byte !== OBJECT[at]).map(([at]) => at);
    expect([body.length, wrong]).toEqual([OBJECT.length, [70_000]]);
  });
  test("wholeInstead answers a range with all of it and the server's etag", async () => {
    const got = await meets(faults.wholeInstead(OBJECT), { range: "bytes=10-19" });
    expect(got).toMatchObject({ status: 200, headers: { etag: '"one"' } });
    expect(got.headers).not.toHaveProperty("content-range");
    expect(got.body.equals(OBJECT)).toBe(true);
  });
  test("changeHeaders, changeBody, delay and during change what they say", async () => {
    expect((await meets(faults.changeHeaders({ etag: '"two"' }))).headers).toMatchObject({ etag: '"two"' });
    expect(String((await meets(faults.changeBody(() => "other"))).body)).toBe("other");
    const begun = Date.now();
    await meets(faults.delay(100));
    expect(Date.now() - begun).toBeGreaterThanOrEqual(99);
    await meets(faults.during(() => void executed.push("hook")));
    expect(executed.at(-3)).toBe("hook");
  });
  test("rules choose by operation, spare the first and run out", async () => {
    const fault = faults.answer(503);
    const proxy = await faults.faultProxy(target, [{ on: { operation: "write" }, skip: 1, times: 2, fault }]);
    expect(proxy.pending()).toEqual(["answer(503)"]);
    const statuses = [];
    for (const method of ["PUT", "GET", "PUT", "PUT", "PUT"]) {
      statuses.push((await ask(`${proxy.endpoint}/b/k`, { method })).status);
    }
    expect(statuses).toEqual([200, 200, 503, 503, 200]);
    expect(proxy.operations()).toEqual({ write: 4, read: 1 });
    expect(proxy.pending()).toEqual([]);
    await proxy.close();
  });

  /** What is promised and what is sent, seen below HTTP. */
  async function wire(fault: faults.Fault): Promise<{ promised: number; sent: number }> {
    const proxy = await faults.faultProxy(target, [{ fault }]);
    const { port } = new URL(proxy.endpoint);
    const socket = connect(Number(port), "127.0.0.1");
    socket.write("GET /b/k HTTP/1.1\r\nhost: x\r\n\r\n");
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk);
    const all = Buffer.concat(chunks);
    const body = all.indexOf("\r\n\r\n") + 4;
    await proxy.close();
    return {
      promised: Number(/content-length: (\d+)/i.exec(String(all.subarray(0, body)))?.[1]),
      sent: all.length - body,
    };
  }
});

test("the leak checker names a socket that stays open and forgets one that was closed", async () => {
  const leaks = watchLeaks();
  const socket = connect(Number(new URL(target).port), "127.0.0.1");
  await new Promise((resolve) => socket.once("connect", resolve));
  expect((await leaks.found()).filter((name) => name.startsWith("socket:")).length).toBeGreaterThan(0);
  socket.destroy();
  origin.closeAllConnections();
  expect(await leaks.found()).toEqual([]);
});
