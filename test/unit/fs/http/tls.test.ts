/** TLS on bare sockets: who is trusted, under which name, and what a second connection costs. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openHttp, originOf } from "../../../../src/fs/http/client.js";
import { openSockets } from "../../../../src/fs/http/sockets.js";
import type { HttpClient, HttpOptions } from "../../../../src/fs/http/types.js";
import { collect } from "../../../../src/streams.js";
import { selfSigned } from "../../../servers/certificate.mjs";

describe("TLS on sockets", () => {
  let folder: string;
  let ca: string;
  let server: Server;
  let body: Buffer;
  const clients: HttpClient[] = [];
  const seen: { servername: unknown; protocol: unknown; resumed: boolean }[] = [];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "stowage-tls-"));
    ca = await selfSigned(folder);
    const key = await readFile(join(folder, "private.key"));
    server = createServer({ cert: ca, key, ALPNProtocols: ["h2", "http/1.1"] }, (socket) => answer(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(() => {
    for (const client of clients.splice(0)) client.close();
    seen.length = 0;
  });
  afterAll(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });

  function answer(socket: TLSSocket): void {
    seen.push({ servername: socket.servername, protocol: socket.alpnProtocol, resumed: socket.isSessionReused() });
    socket.on("error", () => {});
    socket.on("data", () => {
      socket.write(`HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: ${body.length}\r\n\r\n`);
      socket.end(body);
    });
  }

  async function client(host: string, tls: HttpOptions["tls"]) {
    const origin = originOf(`https://${host}:${(server.address() as AddressInfo).port}`);
    const service = { parseError: () => ({}) };
    const http = await openHttp({ protocol: "https:", service, openSockets, maxAttempts: 1, tls });
    clients.push(http);
    return () => http.send({ prepare: () => ({ method: "GET", origin, path: "/", headers: {} }) });
  }

  it("names a host but not an address, speaks http/1.1 only, and resumes its session", async () => {
    body = Buffer.from("ok");
    for (const host of ["localhost", "127.0.0.1"]) {
      const get = await client(host, { ca });
      for (let i = 0; i < 3; i++) expect(Buffer.from(await collect((await get()).body)).toString()).toBe("ok");
      expect(seen.map(({ servername }) => servername)).toEqual(Array(3).fill(host === "localhost" && host));
      expect(seen.map(({ protocol }) => protocol)).toEqual(Array(3).fill("http/1.1"));
      expect(seen.map(({ resumed }) => resumed)).toEqual([false, true, true]);
      seen.length = 0;
    }
  });

  it("refuses who is not trusted, unless told not to look", async () => {
    body = Buffer.from("ok");
    await expect((await client("127.0.0.1", {}))()).rejects.toMatchObject({ name: "HttpError", kind: "tls" });
    await expect((await client("127.0.0.2", { ca }))()).rejects.toMatchObject({ name: "HttpError" });
    const careless = await client("127.0.0.1", { rejectUnauthorized: false });
    expect((await careless()).status).toBe(200);
  });

  it("carries 8 MiB unchanged in pieces of several records", async () => {
    body = Buffer.from(Array.from({ length: 8 << 20 }, (_, i) => (i * 7 + (i >> 8)) & 255));
    const answer = await (await client("127.0.0.1", { ca }))();
    const pieces: Uint8Array[] = [];
    for await (const piece of answer.body) pieces.push(piece);
    expect(Buffer.compare(Buffer.concat(pieces), body)).toBe(0);
    expect(pieces.length).toBeLessThan((8 << 20) / 20_000);
  });
});
