/** Connections on bare sockets: what is kept, what is closed, and servers that do what none should. */
import { afterEach, describe, expect, it } from "vitest";
import { collect } from "../../../../src/streams.js";
import { type RawServer, rawServer, socketClient } from "./raw-server.js";

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const open: { close(): void }[] = [];
afterEach(() => {
  for (const one of open.splice(0).reverse()) one.close();
});

async function setup(
  answer: Parameters<typeof rawServer>[0],
  options: Parameters<typeof socketClient>[1] = {},
): Promise<{ server: RawServer } & Awaited<ReturnType<typeof socketClient>>> {
  const server = await rawServer(answer);
  const client = await socketClient(server.port, options);
  open.push(server, client.http);
  return { server, ...client };
}

const textOf = async (answer: { body: AsyncIterable<Uint8Array> }) =>
  Buffer.from(await collect(answer.body)).toString();
const turn = (ms = 20) => new Promise((resolve) => setTimeout(resolve, ms));

async function until(done: () => boolean): Promise<void> {
  for (const limit = performance.now() + 5000; !done() && performance.now() < limit; ) await turn(5);
  expect(done()).toBe(true);
}

describe("a kept connection", () => {
  it("carries 10,000 requests, 64 at once, on no more sockets than that, and none is left", async () => {
    const seen = new Set<unknown>();
    const { http, request, server } = await setup((socket) => {
      seen.add(socket);
      socket.write(OK);
    });
    let left = 10_000;
    const lane = async () => {
      while (left-- > 0) expect(await textOf(await http.send(request()))).toBe("ok");
    };
    await Promise.all(Array.from({ length: 64 }, lane));
    expect(seen.size).toBeLessThanOrEqual(64);
    http.close();
    await until(() => server.sockets.size === 0);
  });

  it("that the server closes while it is idle costs no request an attempt", async () => {
    const { http, request, server } = await setup((socket) => void socket.write(OK));
    const other = await setup((socket) => void socket.write(OK));
    for (let i = 0; i < 20; i++) {
      const answer = await http.send(request());
      expect([answer.attempts, await textOf(answer)]).toEqual([1, "ok"]);
      const [socket] = server.sockets;
      if (i % 2 === 0) socket!.end();
      else socket!.destroy();
      await until(() => server.sockets.size === 0);
      // By the time of another answer the end has arrived here.
      await textOf(await other.http.send(other.request()));
    }
  });

  it("that the server closes at the next request is tried again like any lost answer, on another", async () => {
    let count = 0;
    const { http, request } = await setup(
      (socket) => {
        if (++count === 2) socket.destroy();
        else socket.write(OK);
      },
      { maxAttempts: 2 },
    );
    await textOf(await http.send(request()));
    const answer = await http.send(request());
    expect([answer.attempts, await textOf(answer)]).toEqual([2, "ok"]);
  });

  it("is not used again after the seconds that the server keeps it", async () => {
    const { http, request, server } = await setup(
      (socket) => void socket.write(OK.replace("\r\n", "\r\nKeep-Alive: timeout=1, max=5\r\n")),
    );
    for (let i = 0; i < 3; i++) await textOf(await http.send(request()));
    await until(() => server.sockets.size === 1);
  });

  it.each([
    ["Connection: close", OK.replace("\r\n", "\r\nConnection: close\r\n")],
    ["Connection: x, Close", OK.replace("\r\n", "\r\nConnection: x, Close\r\n")],
    ["HTTP/1.0", OK.replace("HTTP/1.1", "HTTP/1.0")],
  ])("is closed after %s", async (_, answer) => {
    const seen = new Set<unknown>();
    const { http, request, server } = await setup((socket) => {
      seen.add(socket);
      socket.write(answer);
    });
    for (let i = 0; i < 3; i++) expect(await textOf(await http.send(request()))).toBe("ok");
    expect(seen.size).toBe(3);
    await until(() => server.sockets.size === 0);
  });

  it("is closed when bytes come that nobody asked for, which are no answer to the next request", async () => {
    const evil = OK.replace("ok", "no");
    let count = 0;
    const { http, request, server } = await setup((socket) => {
      socket.write(OK);
      if (++count === 1) setTimeout(() => socket.write(evil), 5);
    });
    expect(await textOf(await http.send(request()))).toBe("ok");
    await until(() => server.sockets.size === 0);
    expect(await textOf(await http.send(request()))).toBe("ok");
  });

  it("waits for a free one when all are in use, and an abort takes it out of the line", async () => {
    const asked: string[] = [];
    const { http, request, server } = await setup(
      (socket, text) => {
        asked.push(text.split(" ")[0]!);
        setTimeout(() => socket.write(OK), 20);
      },
      { maxSockets: 1 },
    );
    const stop = new AbortController();
    const first = http.send(request());
    const second = http.send(request("PUT", { signal: stop.signal }));
    const third = http.send(request());
    stop.abort(new Error("enough"));
    await expect(second).rejects.toThrow("enough");
    expect(await Promise.all([first, third].map(async (one) => textOf(await one)))).toEqual(["ok", "ok"]);
    expect([asked, server.sockets.size]).toEqual([["GET", "GET"], 1]);
  });
});

describe("an answer", () => {
  it("is given up at any byte, and the next request has a connection of its own", async () => {
    const answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let cut = 0;
    const { http, request, server } = await setup((socket, text) => {
      socket.write(text.startsWith("HEAD") ? "HTTP/1.1 200 OK\r\n\r\n" : answer.slice(0, cut));
    });
    for (cut = 0; cut < answer.length; cut++) {
      const stop = new AbortController();
      const sent = http.send(request("GET", { signal: stop.signal })).then(textOf);
      setTimeout(() => stop.abort(new Error("enough")), 3);
      await expect(sent).rejects.toThrow("enough");
      expect((await http.send(request("HEAD"))).status).toBe(200);
    }
    http.close();
    await until(() => server.sockets.size === 0);
  });

  it("that the connection ends at any byte is a failure, unless its body has no other end", async () => {
    const answer = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    let cut = 0;
    const { http, request } = await setup((socket) => void socket.end(answer.slice(0, cut)));
    for (cut = 0; cut < answer.length; cut++) await expect(http.send(request()).then(textOf)).rejects.toThrow();
    expect(await http.send(request()).then(textOf)).toBe("hello");
    const { http: other, request: ask } = await setup((socket) => void socket.end("HTTP/1.1 200 OK\r\n\r\nhello"));
    expect(await other.send(ask()).then(textOf)).toBe("hello");
  });

  it("before the end of the request ends it, and closes the connection", async () => {
    const { http, origin, server } = await setup((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      socket.pause();
    });
    const body = Buffer.alloc(32 << 20);
    const answer = await http.send({ prepare: () => ({ method: "PUT", origin, path: "/", headers: {}, body }) });
    expect(await textOf(answer)).toBe("ok");
    for (const socket of server.sockets) socket.resume();
    await until(() => server.sockets.size === 0);
  });

  it.each(["", "\r\n", "SSH-2.0-x\r\n", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "\x16\x03\x01\0"])(
    "%j is refused at once, not after a timeout",
    async (text) => {
      const { http, request } = await setup((socket) => void (text ? socket.write(text) : socket.end()));
      const begun = performance.now();
      await expect(http.send(request())).rejects.toMatchObject({ name: "HttpError", kind: "network" });
      expect(performance.now() - begun).toBeLessThan(5000);
    },
  );

  it("of small pieces keeps the bytes in order, in memory that no later read touches", async () => {
    const whole = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251));
    const { http, request } = await setup(async (socket) => {
      socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${whole.length}\r\n\r\n`);
      for (let at = 0; at < whole.length; at += 7_001) {
        socket.write(whole.subarray(at, at + 7_001));
        await new Promise(setImmediate);
      }
    });
    const bodies = await Promise.all(Array.from({ length: 8 }, async () => collect((await http.send(request())).body)));
    for (const body of bodies) expect(Buffer.compare(Buffer.from(body), whole)).toBe(0);
  });
});

it("refuses what no request can carry, without the value", async () => {
  const { http, origin } = await setup((socket) => void socket.write(OK));
  const send = (path: string, headers: Record<string, string>) =>
    http.send({ prepare: () => ({ method: "GET", origin, path, headers }) });
  await expect(send("/", { "x-a": "secret\r\nx-b: 1" })).rejects.toMatchObject({ code: "InvalidArgument" });
  await expect(send("/", { "x-a": "secret\r\nx-b: 1" })).rejects.not.toThrow("secret");
  await expect(send("/a b", {})).rejects.toMatchObject({ code: "InvalidArgument" });
  await expect(send("/", { "x-a": "\u0100" })).rejects.toMatchObject({ code: "InvalidArgument" });
});
