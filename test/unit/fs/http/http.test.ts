import { execFile } from "node:child_process";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { promisify } from "node:util";
import { build } from "esbuild";
import { afterEach, describe, expect, it } from "vitest";
import { openHttp, originOf } from "../../../../src/fs/http/client.js";
import { codeOfHttp, HttpError, IncompleteBodyError } from "../../../../src/fs/http/errors.js";
import type { HttpClient, HttpOptions, HttpRequest, ServiceProtocol } from "../../../../src/fs/http/types.js";
import { collect } from "../../../../src/streams.js";

type Handler = (request: IncomingMessage, response: ServerResponse, count: number) => void;

const open: { server: Server; sockets: Set<Socket>; http?: HttpClient }[] = [];

const plain: ServiceProtocol = {
  parseError: (_status, headers, text) => ({
    code: text.split(" ")[0] || undefined,
    detail: text,
    requestId: headers["x-request-id"] as string | undefined,
  }),
};

interface Setup {
  http: HttpClient;
  server: Server;
  sockets: Set<Socket>;
  seen: string[];
  get(path?: string, more?: Partial<HttpRequest>): HttpRequest;
  put(body: Uint8Array | readonly Uint8Array[], more?: Partial<HttpRequest>): HttpRequest;
}

/** A server that answers by `handler` (counted from 1) and a client for it. */
async function setup(handler: Handler, options: Partial<HttpOptions> = {}): Promise<Setup> {
  const sockets = new Set<Socket>();
  const seen: string[] = [];
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    seen.push(`${request.method} ${request.url}`);
    handler(request, response, seen.length);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = originOf(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const http = await openHttp({ protocol: "http:", service: plain, ...options });
  open.push({ server, sockets, http });
  return {
    http,
    server,
    sockets,
    seen,
    get: (path = "/", more = {}) => ({ prepare: () => ({ method: "GET", origin, path, headers: {} }), ...more }),
    put: (body, more = {}) => ({ prepare: () => ({ method: "PUT", origin, path: "/", headers: {}, body }), ...more }),
  };
}

afterEach(() => {
  for (const { server, sockets, http } of open.splice(0)) {
    http?.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

async function errorOf(promise: Promise<unknown>): Promise<HttpError> {
  const error = await promise.then(
    () => undefined,
    (reason) => reason,
  );
  expect(error).toBeInstanceOf(HttpError);
  return error;
}

const until = async (done: () => boolean, ms = 1000) => {
  const limit = performance.now() + ms;
  while (!done() && performance.now() < limit) await new Promise((resolve) => setTimeout(resolve, 5));
  expect(done()).toBe(true);
};

describe("http: an answer", () => {
  it("has status, headers and the body's bytes, and the connection serves the next request", async () => {
    const { http, get, sockets } = await setup((_, response) => response.end("hello"));
    for (let i = 0; i < 3; i++) {
      const { status, headers, body, attempts, ambiguous } = await http.send(get());
      expect([status, headers["content-length"], attempts, ambiguous]).toEqual([200, "5", 1, false]);
      expect(Buffer.from(await collect(body)).toString()).toBe("hello");
    }
    expect(sockets.size).toBe(1);
  });

  it("streams 32 MiB whole to a slow consumer, who holds back the server", async () => {
    let written = 0;
    const chunk = Buffer.alloc(1 << 20, 7);
    const { http, get } = await setup((_, response) => {
      const more = () => {
        while (written < 32 << 20) {
          written += chunk.length;
          if (!response.write(chunk)) return response.once("drain", more);
        }
        return response.end();
      };
      more();
    });
    const { body } = await http.send(get());
    const first = await body.next();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(written).toBeLessThan(16 << 20);
    let length = first.value?.length ?? 0;
    for await (const piece of body) length += piece.length;
    expect(length).toBe(32 << 20);
  });

  it("R15: small bodies that nobody reads hold no connection", async () => {
    const { http, get, sockets } = await setup((_, response) => response.end(Buffer.alloc(1000)), { maxSockets: 2 });
    for (let i = 0; i < 20; i++) await http.send(get());
    expect(sockets.size).toBeLessThanOrEqual(2);
  });

  it("R15: without a body frees its connection at once, and the next request of many takes it", async () => {
    const { http, put, sockets } = await setup((request, response) => request.resume().on("end", () => response.end()));
    for (let i = 0; i < 20; i++) expect((await http.send(put(Buffer.alloc(1000)))).body.expected).toBe(0);
    expect(sockets.size).toBe(1);
  });

  it("R17: leaving a large body early closes its connection, a small rest is read and the connection kept", async () => {
    const { http, get, sockets } = await setup((request, response) => {
      response.end(Buffer.alloc(request.url === "/large" ? 64 << 20 : 30_000));
    });
    for await (const _ of (await http.send(get("/large"))).body) break;
    await until(() => sockets.size === 0);
    for await (const _ of (await http.send(get("/small"))).body) break;
    await (await http.send(get("/small"))).body.text(1 << 20);
    expect(sockets.size).toBe(1);
  });

  it("is thrown as HttpError with code, request id and no query when its status is not accepted", async () => {
    const { http, get, seen } = await setup((_, response) => {
      response.writeHead(403, { "x-request-id": "R1" }).end("AccessDenied  not\nyours");
    });
    const error = await errorOf(http.send(get("/k?X-Amz-Signature=canary")));
    expect(error).toMatchObject({ status: 403, code: "AccessDenied", requestId: "R1", attempts: 1, ambiguous: false });
    expect(error.message).toBe("GET 403 AccessDenied: AccessDenied not yours [request R1]");
    expect(seen.length).toBe(1);
    expect(codeOfHttp(error)).toBe("PermissionDenied");
  });

  it("with another status is an answer where the request accepts it", async () => {
    const { http, get } = await setup((_, response) => response.writeHead(308).end());
    expect((await http.send(get("/", { accept: [308] }))).status).toBe(308);
  });

  it("F20: redirects are not followed", async () => {
    const { http, get, seen } = await setup((_, response) => response.writeHead(307, { location: "/other" }).end());
    expect((await errorOf(http.send(get()))).status).toBe(307);
    expect(seen).toEqual(["GET /"]);
  });

  it("with headers over 64 KiB is refused", async () => {
    const { http, get } = await setup((_, response) => response.writeHead(200, { big: "x".repeat(70_000) }).end(), {
      maxAttempts: 1,
    });
    expect((await errorOf(http.send(get()))).code).toBe("HPE_HEADER_OVERFLOW");
  });

  it("of an error is read up to 64 KiB only", async () => {
    let length = 0;
    const service: ServiceProtocol = {
      parseError: (_s, _h, text) => {
        length = text.length;
        return {};
      },
    };
    const { http, get } = await setup((_, response) => response.writeHead(404).end(Buffer.alloc(8 << 20, 65)), {
      service,
    });
    expect((await errorOf(http.send(get()))).status).toBe(404);
    expect(length).toBe(64 * 1024);
  });

  it("read as text over the limit is TooLarge", async () => {
    const { http, get } = await setup((_, response) => response.end("x".repeat(1000)));
    await expect(http.text(get(), 999)).rejects.toMatchObject({ code: "TooLarge" });
    expect((await http.text(get(), 1000)).text.length).toBe(1000);
  });
});

describe("http: a request body", () => {
  it.each([0, 1, 256 * 1024, 256 * 1024 + 1, 5_000_001])("of %i bytes arrives whole with its length", async (size) => {
    const got: Buffer[] = [];
    let length: string | undefined;
    const { http, put } = await setup((request, response) => {
      length = request.headers["content-length"];
      request.on("data", (chunk: Buffer) => got.push(chunk));
      request.on("end", () => response.end());
    });
    const data = Buffer.alloc(size, "abcdefg");
    await http.send(put(data));
    expect(length).toBe(String(size));
    expect(Buffer.concat(got).equals(data)).toBe(true);
  });

  it("may come in pieces", async () => {
    let text = "";
    const { http, put } = await setup(async (request, response) => {
      for await (const chunk of request) text += chunk;
      response.end();
    });
    await http.send(put([Buffer.from("ab"), Buffer.alloc(0), Buffer.from("cd")]));
    expect(text).toBe("abcd");
  });

  it("F7: is sent again from its buffer when the connection breaks", async () => {
    const data = Buffer.alloc(3_000_000, 3);
    let length = 0;
    const { http, put } = await setup((request, response, count) => {
      if (count === 1) return request.once("data", () => request.socket.destroy());
      request.on("data", (chunk: Buffer) => {
        length += chunk.length;
      });
      return request.on("end", () => response.end());
    });
    expect(await http.send(put(data))).toMatchObject({ attempts: 2, ambiguous: true });
    expect(length).toBe(3_000_000);
  });

  it("that is refused before it is sent whole ends with the refusal", async () => {
    const { http, put } = await setup((_, response) => response.writeHead(412).end("PreconditionFailed"));
    expect((await errorOf(http.send(put(Buffer.alloc(64 << 20))))).status).toBe(412);
  });

  it("that is answered, without a body, before it is sent whole closes the connection", async () => {
    const { http, put, sockets } = await setup((_, response) => response.writeHead(200, { "content-length": 0 }).end());
    expect((await http.send(put(Buffer.alloc(64 << 20)))).status).toBe(200);
    await until(() => [...sockets].every(({ destroyed }) => destroyed));
  });

  it("with a header that no line can carry is InvalidArgument and sends nothing", async () => {
    const { http, get, seen } = await setup((_, response) => response.end());
    const request = get();
    const bad = { prepare: () => ({ ...request.prepare(0), headers: { "x-a": "1\r\nx-b: 2" } }) as never };
    await expect(http.send(bad)).rejects.toMatchObject({ code: "InvalidArgument" });
    expect(seen).toEqual([]);
  });
});

describe("http: retries", () => {
  it("F1: 500 and 503 pass, each try is prepared anew, and the count is told", async () => {
    const { http, get } = await setup((_, response, count) => {
      if (count <= 2) response.writeHead(count === 1 ? 500 : 503).end();
      else response.end("ok");
    });
    let prepared = 0;
    const request = get();
    const prepare = (now: number) => {
      prepared++;
      return request.prepare(now);
    };
    const result = await http.send({ prepare });
    expect([result.attempts, prepared, result.ambiguous]).toEqual([3, 3, true]);
  });

  it("F3: Retry-After is honoured", async () => {
    const times: number[] = [];
    const { http, get } = await setup((_, response, count) => {
      times.push(performance.now());
      if (count === 1) response.writeHead(429, { "retry-after": "1" }).end();
      else response.end();
    });
    expect(await http.send(get())).toMatchObject({ attempts: 2, ambiguous: false });
    expect(times[1]! - times[0]!).toBeGreaterThan(950);
  });

  it("F2: end with the last failure and its attempts", async () => {
    const { http, get, seen } = await setup((_, response) => response.writeHead(503).end("SlowDown"), {
      maxAttempts: 3,
    });
    expect(await errorOf(http.send(get()))).toMatchObject({ attempts: 3, status: 503, code: "SlowDown" });
    expect(seen.length).toBe(3);
  });

  it("F2: cost tokens, so that a storm does not multiply the requests", async () => {
    const { http, get, seen } = await setup((_, response) => response.writeHead(500).end(), { maxAttempts: 2 });
    await Promise.all(Array.from({ length: 200 }, () => errorOf(http.send(get()))));
    expect(seen.length).toBe(200 + 100);
  });

  it.each([400, 403, 404, 409, 412, 501])("F19: %i is final", async (status) => {
    const { http, get, seen } = await setup((_, response) => response.writeHead(status).end());
    await errorOf(http.send(get()));
    expect(seen.length).toBe(1);
  });

  it("F5: a connection that breaks before the answer is tried again", async () => {
    const { http, get } = await setup((request, response, count) => {
      if (count === 1) request.socket.destroy();
      else response.end();
    });
    expect(await http.send(get())).toMatchObject({ attempts: 2 });
  });

  it("are not made where the request says so", async () => {
    const { http, get, seen } = await setup((_, response) => response.writeHead(500).end());
    expect(await errorOf(http.send(get("/", { maxAttempts: 1 })))).toMatchObject({ attempts: 1, ambiguous: true });
    expect(seen.length).toBe(1);
  });

  it("F17: a clock that is minutes off is corrected from the server's, once", async () => {
    const server = Date.now() + 3_600_000;
    const { http, get, seen } = await setup((_, response, count) => {
      response.setHeader("date", new Date(server).toUTCString());
      response.writeHead(count === 1 ? 403 : 200).end();
    });
    const times: number[] = [];
    const request = get();
    const prepare = (now: number) => {
      times.push(now);
      return request.prepare(now);
    };
    await http.send({ prepare });
    expect(Math.abs(times[1]! - server)).toBeLessThan(5000);
    expect(seen.length).toBe(2);
    expect(Math.abs(http.now() - server)).toBeLessThan(5000);
  });

  it("F18: what the provider can fix is sent again at once, three times at most", async () => {
    let mended = 0;
    const service: ServiceProtocol = { ...plain, recover: ({ code }) => code === "ExpiredToken" && ++mended > 0 };
    const { http, get, seen } = await setup((_, response) => response.writeHead(400).end("ExpiredToken"), { service });
    await errorOf(http.send(get()));
    expect([mended, seen.length]).toEqual([3, 4]);
  });

  it("F4: a failure hidden in a 200 counts as 500", async () => {
    const service: ServiceProtocol = { ...plain, isErrorBody: (text) => text.startsWith("InternalError") };
    const { http, get } = await setup((_, response, count) => response.end(count === 1 ? "InternalError" : "fine"), {
      service,
    });
    expect(await http.text(get())).toMatchObject({ text: "fine", attempts: 2 });
  });

  it("F8: a text that is cut is fetched again", async () => {
    const { http, get } = await setup((request, response, count) => {
      response.writeHead(200, { "content-length": "10" });
      if (count > 1) return response.end("0123456789");
      return response.write("012", () => request.socket.end());
    });
    expect(await http.text(get())).toMatchObject({ text: "0123456789", attempts: 2 });
  });
});

describe("http: a body that goes wrong", () => {
  const cut = async (handler: Handler, options: Partial<HttpOptions> = {}, expected?: number) => {
    const { http, get } = await setup(handler, options);
    const { body } = await http.send(get());
    if (expected !== undefined) body.expect(expected);
    let length = 0;
    try {
      for await (const chunk of body) length += chunk.length;
    } catch (error) {
      expect(error).toBeInstanceOf(IncompleteBodyError);
      return { length, kind: (error as IncompleteBodyError).kind };
    }
    return { length, kind: "whole" };
  };

  it("F6: a reset is an IncompleteBodyError after the bytes that came", async () => {
    const result = await cut((request, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("0123", () => setTimeout(() => request.socket.resetAndDestroy(), 20));
    });
    expect(result).toEqual({ length: 4, kind: "reset" });
  });

  it("F8: a clean end before the promised length is an IncompleteBodyError", async () => {
    const result = await cut((request, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("0123", () => request.socket.end());
    });
    expect(result).toEqual({ length: 4, kind: "reset" });
  });

  it("F9: a chunked body that is cut, or shorter than known, is an IncompleteBodyError", async () => {
    const dropped = await cut((request, response) => response.write("0123", () => request.socket.end()));
    expect(dropped.kind).toBe("reset");
    const short = await cut((_, response) => response.write("0123", () => response.end()), {}, 10);
    expect(short).toEqual({ length: 4, kind: "short" });
    const late = await cut((_, response) => response.write("0123", () => setTimeout(() => response.end(), 20)), {}, 10);
    expect(late).toEqual({ length: 4, kind: "short" });
  });

  it("F10: more than promised is never delivered", async () => {
    const long = await cut((_, response) => response.write("0123456789", () => response.end("x")), {}, 10);
    expect(long.kind).toBe("long");
    const raw = await cut((request) => {
      request.socket.end("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n0123456789");
    });
    expect(raw.length).toBeLessThanOrEqual(4);
  });

  it("F12: silence while the consumer waits is an IncompleteBodyError within the idle time", async () => {
    const start = performance.now();
    const handler: Handler = (_, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("0123");
    };
    expect(await cut(handler, { idleTimeoutMs: 150 })).toEqual({ length: 4, kind: "stalled" });
    // A busy machine is late, but not by seconds.
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it("F12: a consumer that takes its time is no silence", async () => {
    const { http, get } = await setup((_, response) => response.end(Buffer.alloc(4 << 20)), { idleTimeoutMs: 100 });
    const { body } = await http.send(get());
    let length = 0;
    for await (const chunk of body) {
      length += chunk.length;
      if (length < 200_000) await new Promise((resolve) => setTimeout(resolve, 250));
    }
    expect(length).toBe(4 << 20);
  });
});

describe("http: time", () => {
  it("F12: no answer is a timeout, tried three times at most", async () => {
    const { http, get, seen } = await setup(() => {}, { idleTimeoutMs: 60 });
    const error = await errorOf(http.send(get()));
    expect(error).toMatchObject({ kind: "timeout", code: "IDLE_TIMEOUT", attempts: 3, ambiguous: true });
    expect(codeOfHttp(error)).toBe("Timeout");
    expect(seen.length).toBe(3);
  });

  it("a request may be more patient than its client", async () => {
    const { http, get } = await setup((_, response) => setTimeout(() => response.end(), 400), {
      idleTimeoutMs: 60,
      connectTimeoutMs: 60,
    });
    expect(await http.send(get("/", { idleTimeoutMs: 5000 }))).toMatchObject({ attempts: 1 });
  });

  it("the total limit ends a request whose bytes keep coming", async () => {
    const { http, get } = await setup(
      (_, response) => {
        const timer = setInterval(() => response.write("x"), 20);
        response.on("close", () => clearInterval(timer));
      },
      { requestTimeoutMs: 200 },
    );
    const { body } = await http.send(get());
    await expect(collect(body)).rejects.toMatchObject({ kind: "timeout", code: "DEADLINE" });
  });

  it("waiting for a connection of the client's own limit is no timeout", async () => {
    const { http, get } = await setup((_, response) => setTimeout(() => response.end(), 150), {
      maxSockets: 1,
      idleTimeoutMs: 200,
      connectTimeoutMs: 100,
    });
    const all = await Promise.all(Array.from({ length: 4 }, () => http.send(get())));
    expect(all.map(({ attempts }) => attempts)).toEqual([1, 1, 1, 1]);
  });

  it("F30: nobody listens, no such host, no TLS: typed, TLS without a retry", async () => {
    const { http, server } = await setup((_, response) => response.end(), { maxAttempts: 2 });
    const port = (server.address() as AddressInfo).port;
    const to = (url: string): HttpRequest => ({
      prepare: () => ({ method: "GET", origin: originOf(url), path: "/", headers: {} }),
    });
    expect(await errorOf(http.send(to("http://127.0.0.1:9")))).toMatchObject({
      kind: "network",
      code: "ECONNREFUSED",
      attempts: 2,
      ambiguous: false,
    });
    expect(await errorOf(http.send(to("http://nowhere.invalid")))).toMatchObject({ kind: "network", ambiguous: false });
    const secure = await openHttp({ protocol: "https:", service: plain });
    expect(await errorOf(secure.send(to(`https://127.0.0.1:${port}`)))).toMatchObject({ kind: "tls", attempts: 1 });
    secure.close();
  });
});

describe("http: F33 an abort", () => {
  const reason = new Error("the user's reason");
  const aborted = async (run: (signal: AbortSignal) => Promise<unknown>, sockets: Set<Socket>) => {
    const controller = new AbortController();
    const running = run(controller.signal).catch((error) => error);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const start = performance.now();
    controller.abort(reason);
    expect(await running).toBe(reason);
    expect(performance.now() - start).toBeLessThan(1000);
    await until(() => sockets.size === 0);
  };

  it("while waiting for the answer rejects with its reason and closes the connection", async () => {
    const { http, get, sockets } = await setup(() => {});
    await aborted((signal) => http.send(get("/", { signal })), sockets);
  });

  it("while reading the body", async () => {
    const { http, get, sockets } = await setup((_, response) => response.write("x"));
    await aborted(async (signal) => collect((await http.send(get("/", { signal }))).body), sockets);
  });

  it("while sending the body", async () => {
    const { http, put, sockets } = await setup((request) => {
      request.pause();
      setTimeout(() => request.resume(), 200);
    });
    await aborted((signal) => http.send(put(Buffer.alloc(64 << 20), { signal })), sockets);
  });

  it("while waiting to try again", async () => {
    const { http, get, sockets } = await setup((_, response) =>
      response.writeHead(503, { "retry-after": "30", connection: "close" }).end(),
    );
    await aborted((signal) => http.send(get("/", { signal })), sockets);
  });

  it("before the start sends nothing", async () => {
    const { http, get, seen } = await setup((_, response) => response.end());
    await expect(http.send(get("/", { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    expect(seen).toEqual([]);
  });

  it("leaves no listener on the signal", async () => {
    const { http, get } = await setup((_, response) => response.end("x"));
    const { signal } = new AbortController();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, args);
    };
    signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, args);
    };
    await http.text(get("/", { signal }));
    expect(listeners).toBe(0);
  });
});

describe("http: a process", () => {
  it("A05: is not kept alive by idle connections or timers", async () => {
    const { server } = await setup((_, response) => response.end("ok"));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const code = `
      import { openHttp, originOf } from "./src/fs/http/client.ts";
      const origin = originOf(${JSON.stringify(url)});
      const http = await openHttp({ protocol: "http:", service: { parseError: () => ({}) } });
      const request = { prepare: () => ({ method: "GET", origin, path: "/", headers: {} }) };
      await Promise.all([http.text(request), http.text(request)]);
      const done = performance.now();
      process.on("exit", () => console.log(performance.now() - done));`;
    const { outputFiles } = await build({
      stdin: { contents: code, resolveDir: process.cwd(), loader: "ts" },
      bundle: true,
      platform: "node",
      format: "esm",
      write: false,
    });
    const run = promisify(execFile)(process.execPath, ["--input-type=module", "-e", outputFiles[0]!.text]);
    expect(Number((await run).stdout)).toBeLessThan(1000);
  });
});

describe("originOf", () => {
  it("takes host and port apart and refuses anything more", () => {
    expect(originOf("http://127.0.0.1:9000")).toEqual({
      protocol: "http:",
      hostname: "127.0.0.1",
      port: 9000,
      host: "127.0.0.1:9000",
      base: "",
    });
    expect(originOf("https://h/storage/v1/")).toMatchObject({ host: "h", base: "/storage/v1" });
    expect(originOf("https://[::1]:8443/")).toMatchObject({ hostname: "::1", port: 8443, host: "[::1]:8443" });
    expect(originOf("https://s3.example.com:443")).toMatchObject({ port: undefined, host: "s3.example.com" });
    for (const bad of ["ftp://a", "nonsense", "http://u:p@h", "http://h/?a=b"]) {
      expect(() => originOf(bad)).toThrow(expect.objectContaining({ code: "InvalidArgument" }));
    }
  });
});
