/** Connections on bare sockets, kept and reused by origin. */
import type { NetConnectOpts, Socket } from "node:net";
import { Connection, type ConnectionOwner, type SocketOpener } from "./connection.js";
import { requestHead } from "./request-head.js";
import type { OutgoingRequest, ResponseListener, Transport } from "./transport.js";
import type { HttpOptions, Origin, SignedRequest } from "./types.js";

type Tls = typeof import("node:tls");

/**
 * Opens connections on bare sockets, which cost less than Node's client. Returns undefined if requests are to go
 * through a proxy, which only Node's client knows.
 */
export function openSockets(options: HttpOptions, maxSockets: number): Promise<Transport> | undefined {
  return options.env?.NODE_USE_ENV_PROXY === "1" ? undefined : socketTransport(options, maxSockets);
}

async function socketTransport({ protocol, tls }: HttpOptions, limit: number): Promise<Transport> {
  // Imported as an ES module, it would be loaded with all that it exports.
  const net = process.getBuiltinModule("node:net");
  const secure = protocol === "https:" ? await import("node:tls") : undefined;
  const pools = new Map<string, Pool>();
  const opener = (origin: Origin): Pool => {
    const pool: Pool = new Pool(limit, (onread) =>
      secure
        ? openTls(secure, net, origin, pool, { ...tls, onread })
        : net.connect({ host: origin.hostname, port: origin.port ?? 80, onread } as NetConnectOpts),
    );
    pools.set(origin.host, pool);
    return pool;
  };
  return {
    begin(out, listener) {
      const request = new SocketRequest(out, listener);
      (pools.get(out.origin.host) ?? opener(out.origin)).take(request);
      return request;
    },
    close() {
      for (const pool of pools.values()) pool.close();
    },
  };
}

function openTls(
  tls: Tls,
  net: typeof import("node:net"),
  { hostname: host, port = 443 }: Origin,
  pool: Pool,
  options: object,
): Socket {
  const servername = net.isIP(host) ? "" : host;
  const { session } = pool;
  const socket = tls.connect({ ALPNProtocols: ["http/1.1"], session, ...options, host, port, servername });
  socket.on("session", (made) => {
    pool.session = made;
  });
  socket.on("error", () => {
    pool.session = undefined;
  });
  return socket;
}

/** The connections of one origin. */
class Pool implements ConnectionOwner {
  /** The TLS session to resume. */
  session: Buffer | undefined;
  readonly #all = new Set<Connection>();
  readonly #idle: Connection[] = [];
  readonly #waiting: SocketRequest[] = [];
  #closed = false;

  constructor(
    readonly limit: number,
    readonly open: SocketOpener,
  ) {}

  take(request: SocketRequest): void {
    const connection = this.#reusable();
    if (connection) {
      connection.socket.ref();
      request.assign(connection);
    } else if (this.#all.size < this.limit) this.#connect(request);
    else this.#waiting.push(request);
  }

  free(connection: Connection): void {
    const next = this.#next();
    if (next) next.assign(connection);
    else {
      connection.socket.unref();
      this.#idle.push(connection);
    }
  }

  closed(connection: Connection): void {
    this.#all.delete(connection);
    const at = this.#idle.indexOf(connection);
    if (at >= 0) this.#idle.splice(at, 1);
    const next = this.#closed ? undefined : this.#next();
    if (next) this.#connect(next);
  }

  close(): void {
    this.#closed = true;
    for (const connection of [...this.#all]) connection.destroy();
  }

  #connect(request: SocketRequest): void {
    const connection = new Connection(this, this.open);
    this.#all.add(connection);
    request.assign(connection);
  }

  /** The one that was used last, which the server keeps longest. */
  #reusable(): Connection | undefined {
    for (let connection = this.#idle.pop(); connection; connection = this.#idle.pop()) {
      if (connection.socket.writable && connection.expires > performance.now()) return connection;
      connection.destroy();
    }
    return undefined;
  }

  #next(): SocketRequest | undefined {
    let next = this.#waiting.shift();
    while (next?.destroyed) next = this.#waiting.shift();
    return next;
  }
}

class SocketRequest implements OutgoingRequest {
  destroyed = false;
  writableEnded = false;
  readonly #out: SignedRequest;
  readonly #listener: ResponseListener;
  #head: string;
  #connection: Connection | undefined;
  /** What is to be sent when there is a connection. */
  #pending: (() => void) | undefined;

  constructor(out: SignedRequest, listener: ResponseListener) {
    this.#out = out;
    this.#listener = listener;
    this.#head = requestHead(out);
  }

  get socket(): Socket | undefined {
    return this.#connection?.socket;
  }

  assign(connection: Connection): void {
    this.#connection = connection;
    connection.carry(this.#listener, this.#out.method);
    this.#listener.assigned();
    this.#pending?.();
    this.#pending = undefined;
  }

  write(piece: Uint8Array, taken: () => void): void {
    if (this.#connection) this.#connection.write(this.#listener, this.#takeHead(), piece, taken);
    else this.#pending = () => this.write(piece, taken);
  }

  end(body?: Uint8Array): void {
    this.writableEnded = true;
    if (this.#connection) this.#connection.end(this.#listener, this.#takeHead(), body);
    else this.#pending = () => this.end(body);
  }

  destroy(): void {
    this.destroyed = true;
    this.#connection?.abandon(this.#listener);
  }

  #takeHead(): string {
    const head = this.#head;
    this.#head = "";
    return head;
  }
}
