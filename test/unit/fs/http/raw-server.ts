/** A server that answers with bytes, right or wrong, and a client on sockets. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { openHttp, originOf } from "../../../../src/fs/http/client.js";
import { openSockets } from "../../../../src/fs/http/sockets.js";
import type { HttpOptions, HttpRequest } from "../../../../src/fs/http/types.js";

export interface RawServer {
  port: number;
  sockets: Set<Socket>;
  close(): void;
}

/** Calls `answer` for each request, whose body it does not read. */
export async function rawServer(answer: (socket: Socket, request: string) => void): Promise<RawServer> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    let seen = "";
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (data) => {
      seen += data.toString("latin1");
      if (!seen.includes("\r\n\r\n")) return;
      const request = seen;
      seen = "";
      answer(socket, request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** A client on sockets, and its requests. */
export async function socketClient(port: number, options: Partial<HttpOptions> = {}) {
  const origin = originOf(`http://127.0.0.1:${port}`);
  const service = { parseError: () => ({}) };
  const http = await openHttp({ protocol: "http:", service, openSockets, maxAttempts: 1, ...options });
  const request = (method = "GET", more: Partial<HttpRequest> = {}): HttpRequest => ({
    prepare: () => ({ method, origin, path: "/", headers: {} }),
    ...more,
  });
  return { http, origin, request };
}
