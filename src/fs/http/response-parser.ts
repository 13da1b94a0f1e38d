/** Reads the responses of one connection from bytes that arrive in any pieces. */
import { checkTrailer, MAX_HEAD_BYTES, ProtocolError, parseHead, type ResponseHead } from "./response-head.js";

const MAX_INTERIM = 16;
const MAX_CHUNK_LINE = 1024;
/** With extensions, which nobody sends, as long as they are plain names and values. */
const CHUNK_SIZE = /^([\da-f]{1,12})(?:;[!#$%&'*+\-.^_`|~\w]+(?:=[!#$%&'*+\-.^_`|~\w]+)?)*$/i;
const END = Buffer.from("\r\n\r\n");
const START = Buffer.from("HTTP/1.");
const CR = 13;
const LF = 10;

/** What the parser reports, in order. */
export interface ResponseHandler {
  head(head: ResponseHead): void;
  /** Bytes of the body: `data` from `start` to `end`, which are the connection's own. */
  body(data: Buffer, start: number, end: number): void;
  complete(): void;
}

type State = "idle" | "head" | "length" | "close" | "size" | "chunk" | "chunk-end" | "trailers";

export class ResponseParser {
  #state: State = "idle";
  #method = "";
  /** The part of a head or of a line that has arrived. */
  #held: Buffer | undefined;
  #heldBytes = 0;
  /** Bytes of the body, or of the chunk, to come. */
  #left = 0;
  #interim = 0;
  #trailerBytes = 0;
  #over = false;

  constructor(readonly handler: ResponseHandler) {}

  /** Expects the response to a request. */
  expect(method: string): void {
    this.#method = method;
    this.#interim = 0;
    this.#state = "head";
  }

  /** Bytes of the body that are to come without anything between them, as far as it is known. */
  get left(): number {
    return this.#state === "close"
      ? Number.POSITIVE_INFINITY
      : this.#state === "chunk" || this.#state === "length"
        ? this.#left
        : 0;
  }

  /** Takes the next bytes. Throws {@link ProtocolError}. */
  read(data: Buffer, length: number): void {
    let at = 0;
    while (at < length) {
      switch (this.#state) {
        case "head":
          at = this.#readHead(data, at, length);
          break;
        case "length":
        case "chunk":
          at = this.#readBody(data, at, length);
          break;
        case "close":
          this.handler.body(data, at, length);
          return;
        case "idle":
          // Also if they are behind the body: what follows an answer may be somebody else's.
          throw new ProtocolError("bytes came that no request asked for");
        default:
          at = this.#readLine(data, at, length);
      }
    }
    if (this.#over) this.#report();
  }

  /** The server has ended the connection. Returns whether this ended the response. */
  end(): boolean {
    if (this.#state !== "close") return false;
    this.#complete();
    this.#report();
    return true;
  }

  #readHead(data: Buffer, from: number, to: number): number {
    if (this.#heldBytes === 0) {
      const end = data.indexOf(END, from);
      // Behind `to` there may be bytes of earlier reads.
      if (end >= 0 && end + END.length <= to) {
        if (end - from > MAX_HEAD_BYTES) overflow();
        this.#accept(data.toString("latin1", from, end));
        return end + 4;
      }
    }
    const before = this.#heldBytes;
    const held = this.#hold(data, from, to, MAX_HEAD_BYTES + 4);
    const end = held.subarray(0, this.#heldBytes).indexOf(END, Math.max(0, before - 3));
    if (end >= 0) {
      this.#heldBytes = 0;
      this.#accept(held.toString("latin1", 0, end));
      return from + end + 4 - before;
    }
    if (this.#heldBytes > MAX_HEAD_BYTES) overflow();
    this.#checkPartial(held, before);
    return to;
  }

  /** Refuses at once what can never become a head, so that nobody waits for its end. */
  #checkPartial(held: Buffer, before: number): void {
    const end = this.#heldBytes;
    if (
      before < START.length &&
      START.compare(held, 0, Math.min(START.length, end), 0, Math.min(START.length, end)) !== 0
    )
      throw new ProtocolError("the response is not HTTP/1");
    for (let i = held.indexOf(LF, before); i >= 0 && i < end; i = held.indexOf(LF, i + 1)) {
      if (held[i - 1] !== CR) throw new ProtocolError("a line does not end with CR LF");
    }
  }

  /** Adds bytes to those held, up to `max` in all. */
  #hold(data: Buffer, from: number, to: number, max: number): Buffer {
    const size = Math.min(max, this.#heldBytes + to - from);
    if (!this.#held || this.#held.length < size) {
      const larger = Buffer.allocUnsafeSlow(Math.min(MAX_HEAD_BYTES + 4, Math.max(1024, 2 * size)));
      this.#held?.copy(larger, 0, 0, this.#heldBytes);
      this.#held = larger;
    }
    data.copy(this.#held, this.#heldBytes, from, from + size - this.#heldBytes);
    this.#heldBytes = size;
    return this.#held;
  }

  #accept(text: string): void {
    this.#held = undefined;
    const head = parseHead(text, this.#method);
    if (head.status === 101) throw new ProtocolError("the server switches to a protocol that nobody asked for");
    if (head.status < 200) {
      if (++this.#interim > MAX_INTERIM) throw new ProtocolError("too many interim responses");
      return;
    }
    const { framing } = head;
    this.#left = typeof framing === "number" ? framing : 0;
    this.#state = framing === "chunked" ? "size" : framing === "close" ? "close" : "length";
    this.#trailerBytes = 0;
    this.handler.head(head);
    if (framing === 0) this.#complete();
  }

  #readBody(data: Buffer, from: number, to: number): number {
    const end = Math.min(to, from + this.#left);
    this.#left -= end - from;
    const over = this.#left === 0;
    this.handler.body(data, from, end);
    if (over && this.#state === "length") this.#complete();
    else if (over) this.#state = "chunk-end";
    return end;
  }

  /** Reads a line of the chunked coding: a size, the end of a chunk, or a trailer. */
  #readLine(data: Buffer, from: number, to: number): number {
    const limit = this.#state === "trailers" ? MAX_HEAD_BYTES : MAX_CHUNK_LINE;
    const found = data.indexOf(LF, from);
    const end = found >= 0 && found < to ? found + 1 : to;
    if (this.#heldBytes + end - from > limit) throw new ProtocolError("a line of the chunked body is too long");
    let line: string;
    if (end === found + 1 && this.#heldBytes === 0) line = data.toString("latin1", from, end);
    else {
      const held = this.#hold(data, from, end, limit);
      if (end !== found + 1) return end;
      line = held.toString("latin1", 0, this.#heldBytes);
      this.#heldBytes = 0;
    }
    if (!line.endsWith("\r\n")) throw new ProtocolError("a line does not end with CR LF");
    this.#takeLine(line.slice(0, -2));
    return end;
  }

  #takeLine(line: string): void {
    if (this.#state === "chunk-end") {
      if (line !== "") throw new ProtocolError("a chunk is longer than its size");
      this.#state = "size";
    } else if (this.#state === "size") {
      const [, size] = CHUNK_SIZE.exec(line) ?? badSize();
      this.#left = Number.parseInt(size!, 16);
      this.#state = this.#left === 0 ? "trailers" : "chunk";
    } else if (line === "") this.#complete();
    else {
      this.#trailerBytes += line.length;
      if (this.#trailerBytes > MAX_HEAD_BYTES) overflow();
      checkTrailer(line);
    }
  }

  #complete(): void {
    this.#state = "idle";
    this.#over = true;
  }

  #report(): void {
    this.#over = false;
    this.handler.complete();
  }
}

function badSize(): never {
  throw new ProtocolError("the size of a chunk is not a number");
}

function overflow(): never {
  throw new ProtocolError("the headers are too long", "HPE_HEADER_OVERFLOW");
}
