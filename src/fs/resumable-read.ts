/** One version of one object, and reads of it that survive a dropped connection. */

import { constants } from "node:buffer";
import { pause } from "../concurrency.js";
import { type ErrorCode, failure, isStorageError } from "../errors.js";
import { abortable, type ByteStream, collect } from "../streams.js";
import type { ObjectDriver, ObjectInfo } from "./driver/driver.js";

/** The maximum number of resumes in a row without a single byte in between. */
const MAX_RESUMES = 5;

/** Milliseconds before the second fruitless resume; doubled for each further one. */
const PAUSE_MS = 100;

/** The range of a read, and the version. */
export interface ReadRequest {
  /** First byte. */
  start: number;
  /** Byte after the last, or undefined for the end of the object. */
  end: number | undefined;
  ifMatch: string | undefined;
  version: string | undefined;
  signal: AbortSignal | undefined;
}

/** A read whose first response has arrived. */
export interface OpenedRead {
  pinned: ResumableRead;
  info: ObjectInfo;
  /** From `start` to the requested end, clamped to the size of the object. */
  body: ResumableBody;
}

/** Sends the first request of a read, for the bytes before `until`; its response pins the version of all later ones. */
export async function openRead(
  driver: ObjectDriver,
  key: string,
  wanted: ReadRequest,
  until = wanted.end,
): Promise<OpenedRead> {
  const { start, ifMatch, version, signal } = wanted;
  const { info, body } = await driver.read(key, { start, end: until, ifMatch, version, signal });
  const pinned = new ResumableRead(driver, key, info, version, signal);
  return { pinned, info, body: new ResumableBody(pinned, start, clampEnd(until, info.size), body) };
}

/** Clamps the end of a range to an object of `size` bytes. */
export function clampEnd(end: number | undefined, size: number): number {
  return Math.min(end ?? size, size);
}

export class ResumableRead {
  constructor(
    readonly driver: Pick<ObjectDriver, "read" | "codeOf">,
    readonly key: string,
    readonly info: ObjectInfo,
    readonly version: string | undefined,
    readonly signal: AbortSignal | undefined,
  ) {}

  /**
   * Whether later requests can be pinned to this version. Times are not enough: they are in whole seconds, within which
   * an object may be replaced.
   */
  get isCertain(): boolean {
    return this.info.etag !== undefined || this.version !== undefined;
  }

  /** Sends one request for this version. Throws `ObjectChanged` if it is no longer the current one. */
  async request(start: number, end: number): Promise<ByteStream> {
    const { driver, key, info, version, signal } = this;
    const ifMatch = info.etag;
    const answer = await driver.read(key, { start, end, ifMatch, version, signal }).catch((error) => {
      throw GONE.has(this.codeOf(error)) ? objectChangedError(error) : error;
    });
    if (answer.info.etag === info.etag && answer.info.size === info.size) return answer.body;
    await answer.body[Symbol.asyncIterator]().return?.();
    throw objectChangedError();
  }

  codeOf(error: unknown): ErrorCode {
    if (isStorageError(error)) return error.code;
    return this.driver.codeOf(error, { op: "read", ifAbsent: false, ifMatch: this.info.etag !== undefined });
  }
}

/** Returns the same version, for tasks that end with another signal. */
export function withSignal(signal: AbortSignal, { driver, key, info, version }: ResumableRead): ResumableRead {
  return new ResumableRead(driver, key, info, version, signal);
}

const GONE: ReadonlySet<ErrorCode> = new Set(["PreconditionFailed", "ObjectChanged", "NotFound"]);
const PASSING: ReadonlySet<ErrorCode> = new Set(["Unavailable", "Timeout"]);

function objectChangedError(cause?: unknown): Error {
  return failure("ObjectChanged", "the object was replaced or deleted while it was read", { cause });
}

/** A range of one version: exactly its bytes, from as many requests as needed, one at a time. */
export class ResumableBody implements ByteStream, AsyncIterator<Uint8Array> {
  readonly #pinned: ResumableRead;
  readonly #end: number;
  #at: number;
  #bytes: AsyncIterator<Uint8Array> | undefined;
  #fruitless = 0;
  #over = false;

  constructor(pinned: ResumableRead, start: number, end: number, bytes?: ByteStream) {
    this.#pinned = pinned;
    this.#at = start;
    this.#end = Math.max(start, end);
    this.#bytes = bytes?.[Symbol.asyncIterator]();
  }

  /** The number of bytes still to come. */
  get left(): number {
    return this.#end - this.#at;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Uint8Array>> {
    if (this.#over) return Promise.resolve(this.#done());
    return this.#bytes ? this.#pull(this.#bytes) : this.#connect().then((bytes) => this.#pull(bytes));
  }

  async return(): Promise<IteratorResult<Uint8Array>> {
    this.#over = true;
    await this.#bytes?.return?.();
    return { done: true, value: undefined };
  }

  async #connect(): Promise<AsyncIterator<Uint8Array>> {
    const body = await this.#pinned.request(this.#at, this.#end);
    this.#bytes = body[Symbol.asyncIterator]();
    // The reader may have left while the request was in flight.
    if (this.#over) await this.#bytes.return?.();
    return this.#bytes;
  }

  /** Returns the next chunk or the end. Bare promises, since this runs per chunk and small objects are one chunk. */
  #pull(bytes: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array>> {
    return bytes.next().then(this.#came, this.#broken);
  }

  readonly #came = (
    step: IteratorResult<Uint8Array>,
  ): IteratorResult<Uint8Array> | Promise<IteratorResult<Uint8Array>> => {
    const { left } = this;
    if (step.done)
      return left > 0 ? this.#broken(failure("Unavailable", `the body ended ${left} bytes early`)) : this.#done();
    if (step.value.byteLength > left) return this.#tooLong();
    this.#at += step.value.byteLength;
    this.#fruitless = 0;
    return step;
  };

  async #tooLong(): Promise<never> {
    await this.return();
    throw failure("Corrupt", "the provider sent more bytes than the object or the range has");
  }

  /** Resumes at the byte reached, if that can help. */
  readonly #broken = async (error: unknown): Promise<IteratorResult<Uint8Array>> => {
    const { signal } = this.#pinned;
    signal?.throwIfAborted();
    if (!PASSING.has(this.#pinned.codeOf(error)) || !this.#pinned.isCertain) throw error;
    if (this.left === 0) return this.#done();
    this.#fruitless += 1;
    if (this.#fruitless > MAX_RESUMES) throw error;
    this.#bytes = undefined;
    if (this.#fruitless > 1) await pause(PAUSE_MS * 2 ** (this.#fruitless - 2), signal);
    return this.next();
  };

  #done(): IteratorResult<Uint8Array> {
    this.#over = true;
    return { done: true, value: undefined };
  }
}

// Reads over one connection, resumed after a drop.

/**
 * Returns the info of an object with a body of that one version: resumes at the byte reached when the connection drops,
 * ends early or stalls. Throws `ObjectChanged` if the version is gone by then.
 */
export async function readStream(
  driver: ObjectDriver,
  key: string,
  wanted: ReadRequest,
): Promise<{ info: ObjectInfo; body: ByteStream }> {
  if (wanted.start === wanted.end) return { info: await driver.stat(key, wanted), body: nothing() };
  return openRead(driver, key, wanted);
}

async function* nothing(): ByteStream {}

/**
 * Returns the same bytes in one array, filled in place. Throws `TooLarge` above the maximum array size of this Node.
 */
export async function readAll(driver: ObjectDriver, key: string, wanted: ReadRequest): Promise<Uint8Array> {
  if (wanted.start === wanted.end) return driver.stat(key, wanted).then(() => new Uint8Array(0));
  const opened = await openRead(driver, key, wanted);
  return collect(abortable(opened.body, wanted.signal), { size: await sizeOf(opened, wanted) });
}

/** Returns the number of requested bytes that the object has. */
export async function sizeOf({ info, body }: OpenedRead, { start, end }: ReadRequest): Promise<number> {
  const size = Math.max(0, clampEnd(end, info.size) - start);
  if (size <= constants.MAX_LENGTH) return size;
  await body.return();
  throw failure("TooLarge", `${size} bytes, an array holds ${constants.MAX_LENGTH}; read it as a stream`);
}
