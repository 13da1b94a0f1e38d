/** One connection to a server and the request that it carries, on a bare socket. */
import type { Socket } from "node:net";
import type { ResponseHead } from "./response-head.js";
import { ResponseParser } from "./response-parser.js";
import type { BodySink, ResponseListener } from "./transport.js";

const READ_BYTES = 64 * 1024;
/** Reads into a rest smaller than this would be many. */
const LEAST_READ_BYTES = 16 * 1024;
/** Until the first probe of an idle connection, as with Node's client. */
const KEEP_ALIVE_MS = 1000;
const HELD_BYTES = 48 * 1024;
/** Bodies up to this size are sent with their head as one piece. */
const JOINED_BYTES = 16 * 1024;

/**
 * What every connection reads heads and short bodies into: a read and its callback are one step, so that no other
 * connection comes between them.
 */
const shared = Buffer.allocUnsafeSlow(READ_BYTES);

/** Where a connection goes when it is free, or closed. */
export interface ConnectionOwner {
  free(connection: Connection): void;
  closed(connection: Connection): void;
}

/** Opens the socket; `onread` is for `net.connect` or `tls.connect`. */
export type SocketOpener = (onread: OnRead | undefined) => Socket;

/** Bun and Deno have no `onread`, by which a socket reads into memory of ours. */
const IS_NODE = !process.versions.bun && !process.versions.deno;

export interface OnRead {
  buffer: () => Uint8Array;
  callback: (bytes: number, buffer: Uint8Array) => boolean;
}

export class Connection {
  readonly socket: Socket;
  readonly #owner: ConnectionOwner;
  readonly #parser = new ResponseParser(this);
  #listener: ResponseListener | undefined;
  #sink: BodySink | undefined;
  /** Bytes of the body that are handed on together with those that follow them in memory, by the end of the turn. */
  #held: Buffer | undefined;

  #data: Buffer = shared;
  #paused = false;
  #keepAlive = false;
  #sent = false;
  #closed = false;
  /** `performance.now()` from which the server may close it, by its own word. */
  expires = Number.POSITIVE_INFINITY;

  constructor(owner: ConnectionOwner, open: SocketOpener) {
    this.#owner = owner;
    if (IS_NODE)
      this.socket = open({ buffer: () => this.#next(), callback: (bytes, data) => this.#read(bytes, data as Buffer) });
    else {
      this.socket = open(undefined);
      this.socket.on("data", (data: Buffer) => this.#read(data.length, data) || this.socket.pause());
    }
    this.socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
    this.socket.on("error", (error) => this.#fail(error));
    this.socket.on("end", () => this.#end());
    this.socket.on("close", () => this.#fail(hangUp()));
  }

  /** Sends a request; the body follows by `write` and `end`. */
  carry(listener: ResponseListener, method: string): void {
    this.#listener = listener;
    this.#sent = false;
    this.#parser.expect(method);
  }

  /** Sends the head, if it is not empty, and a piece of the body. */
  write(listener: ResponseListener, head: string, piece: Uint8Array, taken: () => void): void {
    if (this.#listener !== listener) return;
    if (head) this.socket.write(head, "latin1");
    this.socket.write(piece, taken);
  }

  /** Sends the rest of a request. */
  end(listener: ResponseListener, head: string, body: Uint8Array | undefined): void {
    if (this.#listener !== listener) return;
    this.#sent = true;
    if (!body?.byteLength) {
      if (head) this.socket.write(head, "latin1");
    } else if (head && body.byteLength <= JOINED_BYTES) {
      const all = Buffer.allocUnsafe(head.length + body.byteLength);
      all.write(head, "latin1");
      all.set(body, head.length);
      this.socket.write(all);
    } else {
      this.socket.cork();
      if (head) this.socket.write(head, "latin1");
      this.socket.write(body);
      this.socket.uncork();
    }
  }

  /** Closes the connection if it still carries this request. */
  abandon(listener: ResponseListener): void {
    if (this.#listener !== listener) return;
    this.#forget();
    this.destroy();
  }

  destroy(): void {
    this.socket.destroy();
    this.#close();
  }

  head({ status, headers, framing, keepAlive }: ResponseHead): void {
    this.#keepAlive = keepAlive;
    const seconds = /(?:^|[,\s])timeout=(\d+)/i.exec(headers["keep-alive"]?.toString() ?? "")?.[1];
    if (seconds) this.expires = performance.now() + Number(seconds) * 1000 - 1000;
    const listener = this.#listener;
    if (!listener) return;
    const source = { pause: () => this.#pause(listener), resume: () => this.#resume(listener) };
    this.#sink = listener.responded(status, headers, typeof framing === "number" ? framing : undefined, source);
  }

  body(data: Buffer, start: number, end: number): void {
    const piece = data.subarray(start, end);
    // TLS decrypts 16 KiB at a time: one piece of several records costs its readers a quarter.
    const held = this.#joined(data.buffer === shared.buffer ? Buffer.from(piece) : piece);
    if (held.length >= HELD_BYTES || this.#parser.left === 0) this.#flush(held);
    else {
      if (!this.#held) setImmediate(this.#turnEnds);
      this.#held = held;
    }
  }

  complete(): void {
    // Given up in the middle of a read.
    if (this.#closed) return;
    this.#flush(this.#held);
    const sink = this.#sink;
    this.#forget();

    if (this.#keepAlive && this.#sent && this.socket.writableLength === 0) this.#owner.free(this);
    else this.destroy();
    sink?.end();
  }

  /** The buffer of the next read: one of its own only for a long body, whose chunks are handed on without a copy. */
  #next(): Uint8Array {
    if (this.#parser.left < LEAST_READ_BYTES) this.#data = shared;
    else if (this.#data === shared || this.#data.length < LEAST_READ_BYTES)
      this.#data = Buffer.allocUnsafeSlow(READ_BYTES);
    return this.#data;
  }

  #read(bytes: number, buffer: Buffer): boolean {
    if (this.#closed) return false;
    if (buffer !== shared) this.#data = buffer.subarray(bytes);
    try {
      this.#parser.read(buffer, bytes);
    } catch (error) {
      this.#fail(error as Error);
      this.destroy();
      return false;
    }
    return !this.#paused;
  }

  #pause(listener: ResponseListener): void {
    if (this.#listener === listener) this.#paused = true;
  }

  #resume(listener: ResponseListener): void {
    if (this.#listener !== listener || !this.#paused) return;
    this.#paused = false;
    this.socket.resume();
  }

  #end(): void {
    this.#keepAlive = false;
    if (!this.#parser.end()) this.#fail(hangUp());
  }

  /** Returns the bytes held and those that follow them as one piece; hands on those held if they are elsewhere. */
  #joined(piece: Buffer): Buffer {
    const held = this.#held;
    if (!held) return piece;
    const { buffer, byteOffset, length } = held;
    if (buffer === piece.buffer && byteOffset + length === piece.byteOffset)
      return Buffer.from(buffer, byteOffset, length + piece.length);
    this.#flush(held);
    return piece;
  }

  readonly #turnEnds = () => this.#flush(this.#held);

  #flush(held: Buffer | undefined): void {
    this.#held = undefined;
    if (held) this.#sink?.push(held);
  }

  #fail(error: Error): void {
    this.#flush(this.#held);
    const listener = this.#listener;
    this.#forget();
    this.destroy();
    listener?.failed(error);
  }

  #forget(): void {
    this.#listener = undefined;
    this.#sink = undefined;
    this.#held = undefined;
    this.#paused = false;
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.closed(this);
  }
}

function hangUp(): Error {
  return Object.assign(new Error("socket hang up"), { code: "ECONNRESET" });
}
