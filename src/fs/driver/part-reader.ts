/** Cuts a body into the parts of an upload. */
import { constants } from "node:buffer";
import type { MemoryLimiter } from "../../concurrency.js";
import { failure } from "../../errors.js";
import { type ByteStream, wrongSize } from "../../streams.js";

/** One part in transit. `data` is unchanged until `uploadPart` settles, so that it can be sent again. */
export interface Part {
  /** Counted from 0. */
  readonly index: number;
  /** Offset of the first byte in the body. */
  readonly offset: number;
  readonly size: number;
  readonly data: Uint8Array;
  /** Whether it ends the body. */
  readonly last: boolean;
}

/** A piece of the body in its own buffer, or of a body that was in memory already. */
export interface ReadPart extends Part {
  readonly release: () => void;
}

/** Bytes read of a body of unknown size before it takes memory for a part from the budget. */
const LOOK_AHEAD = 64 * 2 ** 10;

/** Yields at least one piece, the last one marked. The caller must release every piece. */
export async function* readParts(
  source: BufferedReader,
  limits: UploadLimits,
  limiter: MemoryLimiter,
  size: number | undefined,
): AsyncGenerator<ReadPart> {
  const cut = sizesFor(limits, size);
  const memory = size === undefined ? undefined : await source.entire(size);
  if (memory) {
    await isEnd(source, memory.byteLength, size);
    return yield* slices(memory, cut);
  }
  const filler = new PartReader(source, limiter);
  let last = false;
  for (let index = 0, offset = 0; !last; index++) {
    const left = size === undefined ? Number.POSITIVE_INFINITY : size - offset;
    const piece = await filler.fill(Math.min(cut(index), left), index === 0 && size === undefined);
    offset += piece.data.byteLength;
    try {
      last = await isEnd(source, offset, size);
    } catch (error) {
      piece.release();
      throw error;
    }
    yield { ...piece, index, offset: offset - piece.data.byteLength, size: piece.data.byteLength, last };
  }
}

function sizesFor(limits: UploadLimits, size: number | undefined): PartSizes {
  if (size !== undefined && size <= limits.maxSinglePut) return () => size;
  return partSizes({ ...limits, maxPartSize: Math.min(limits.maxPartSize, constants.MAX_LENGTH) }, size);
}

/**
 * Returns whether the body ends. If the size is known, reads ahead only at the expected end, before the last part.
 */
async function isEnd(source: BufferedReader, offset: number, size: number | undefined): Promise<boolean> {
  if (size !== undefined && offset < size && !source.ended) return false;
  if (!(await source.more())) {
    if (size === undefined || offset === size) return true;
    throw wrongSize(size, offset);
  }
  if (size !== undefined) throw wrongSize(size, "more");
  return false;
}

function* slices(data: Uint8Array, cut: PartSizes): Generator<ReadPart> {
  let offset = 0;
  for (let index = 0; index === 0 || offset < data.byteLength; index++) {
    const part = data.subarray(offset, offset + cut(index));
    const last = offset + part.byteLength === data.byteLength;
    yield { index, offset, size: part.byteLength, data: part, last, release: () => {} };
    offset += part.byteLength;
  }
}

type Filled = Pick<ReadPart, "data" | "release">;

/** Fills pieces from a source, each in a buffer of the limiter. */
class PartReader {
  constructor(
    readonly source: BufferedReader,
    readonly limiter: MemoryLimiter,
  ) {}

  /** Reads at most `capacity` bytes; `mayBeSmall` if the body may end long before. */
  async fill(capacity: number, mayBeSmall: boolean): Promise<Filled> {
    const ahead = mayBeSmall ? await this.source.fill(allocate(Math.min(LOOK_AHEAD, capacity))) : NOTHING;
    if (mayBeSmall && (ahead.byteLength === capacity || !(await this.source.more())))
      return { data: ahead, release() {} };
    const { data: buffer, release } = await this.limiter.acquireBuffer(capacity, this.source.signal);
    try {
      buffer.set(ahead);
      const rest = await this.source.fill(buffer.subarray(ahead.byteLength, capacity));
      return { data: buffer.subarray(0, ahead.byteLength + rest.byteLength), release };
    } catch (error) {
      release();
      throw error;
    }
  }
}

const NOTHING = new Uint8Array(0);

/** Never from Node's shared pool, and not zeroed: the driver overwrites every byte before it sends it. */
function allocate(bytes: number): Uint8Array {
  return Buffer.allocUnsafeSlow(bytes);
}

const MIB = 2 ** 20;

/** The limits of a provider for one upload. */
export interface UploadLimits {
  /** Largest body sent in one request, in bytes. A body of unknown size is read ahead no further than one part. */
  readonly maxSinglePut: number;
  /** Default size of a part in bytes; a multiple of `partAlignment`. */
  readonly partSize: number;
  /** Largest part that the provider accepts, in bytes. */
  readonly maxPartSize: number;
  /** The maximum number of parts of one upload. */
  readonly maxParts: number;
  /** Every part but the last is a multiple of this many bytes. */
  readonly partAlignment: number;
  /** The maximum number of parts in flight. */
  readonly concurrency: number;
  /** Whether all parts but the last must have the same size, as on R2. */
  readonly uniformParts: boolean;
}

/**
 * Returns the bytes of the part with this index, from 0, unless the body ends in it. Throws TooLarge past the last
 * part.
 */
type PartSizes = (index: number) => number;

/**
 * Returns part sizes. A known size gets equal parts, as few bytes each as `maxParts` allows (to the MiB). An unknown
 * one gets parts of 1, 2, 4 and 8 times `partSize` for a tenth of `maxParts` each, then a linear ramp: 10,000 parts
 * from 8 MiB hold 5 TiB, and the first 117 GiB never need more than 64 MiB for one. Throws TooLarge for a size that no
 * plan can hold.
 */
export function partSizes(limits: UploadLimits, size: number | undefined): PartSizes {
  const sizeOf = size === undefined ? growing(limits) : equal(limits, size);
  return (index) => {
    if (index >= limits.maxParts) throw tooMany(limits, sizeOf);
    return sizeOf(index);
  };
}

function equal(limits: UploadLimits, size: number): PartSizes {
  const needed = roundUp(Math.ceil(size / limits.maxParts), Math.min(MIB, limits.partSize));
  const part = capped(limits, Math.max(limits.partSize, needed));
  if (part * limits.maxParts < size) {
    throw failure("TooLarge", `${size} bytes, the limit is ${part * limits.maxParts}`);
  }
  return () => part;
}

function growing(limits: UploadLimits): PartSizes {
  const { partSize, maxParts, uniformParts } = limits;
  if (uniformParts) return () => partSize;
  const step = Math.max(1, Math.floor(maxParts / 10));
  const slope = (0.2634 / 8) * partSize * (10_000 / maxParts);
  return (index) => {
    const doublings = Math.floor(index / step);
    if (doublings < 4) return capped(limits, partSize * 2 ** doublings);
    return capped(limits, partSize * 8 + slope * (index - 4 * step + 1));
  };
}

function capped({ maxPartSize, partAlignment }: UploadLimits, bytes: number): number {
  const most = Math.floor(maxPartSize / partAlignment) * partAlignment;
  return Math.min(roundUp(bytes, partAlignment), most);
}

function roundUp(bytes: number, multiple: number): number {
  return Math.ceil(bytes / multiple) * multiple;
}

function tooMany({ maxParts }: UploadLimits, sizeOf: PartSizes): Error {
  let held = 0;
  for (let index = 0; index < maxParts; index++) held += sizeOf(index);
  return failure("TooLarge", `more than ${held} bytes in ${maxParts} parts; a known size allows larger ones`);
}

/** Pulls a body into buffers of any size. A pending pull rejects when `signal` aborts, even if the body is stuck. */
export class BufferedReader {
  readonly #iterator: AsyncIterator<Uint8Array>;
  /** Ends a pending pull. */
  readonly signal: AbortSignal;
  /** The rest of the last chunk. The producer may reuse its memory once the next is requested. */
  #rest: Uint8Array = NOTHING;
  #ended = false;
  #interrupt: ((reason: unknown) => void) | undefined;

  constructor(body: ByteStream, signal: AbortSignal) {
    this.#iterator = body[Symbol.asyncIterator]();
    this.signal = signal;
    signal.addEventListener("abort", () => this.#interrupt?.(signal.reason), { once: true });
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Waits for the next byte; returns whether there is one. */
  async more(): Promise<boolean> {
    while (this.#rest.byteLength === 0 && !this.#ended) {
      const { done, value } = await this.#next();
      if (done) this.#ended = true;
      else this.#rest = value;
    }
    return this.#rest.byteLength > 0;
  }

  /** Returns the first chunk itself if it alone has all `size` bytes. */
  async entire(size: number): Promise<Uint8Array | undefined> {
    await this.more();
    if (this.#rest.byteLength !== size) return undefined;
    const data = this.#rest;
    this.#rest = NOTHING;
    return data;
  }

  /** Returns the part of `into` that it filled; less than all of it only at the end of the body. */
  async fill(into: Uint8Array): Promise<Uint8Array> {
    let at = 0;
    while (at < into.byteLength && (await this.more())) {
      const taken = this.#rest.subarray(0, into.byteLength - at);
      into.set(taken, at);
      at += taken.byteLength;
      this.#rest = this.#rest.subarray(taken.byteLength);
    }
    return into.subarray(0, at);
  }

  /** Closes the body. Does not wait for a body that is stuck in a pull, which may never answer. */
  async close(): Promise<void> {
    if (this.#ended) return;
    const left = this.#iterator.return?.().catch(() => {});
    if (!this.#interrupt) await left;
  }

  #next(): Promise<IteratorResult<Uint8Array>> {
    this.signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      this.#interrupt = reject;
      this.#iterator.next().then(
        (result) => {
          this.#interrupt = undefined;
          resolve(result);
        },
        (error) => {
          this.#interrupt = undefined;
          this.#ended = true;
          reject(error);
        },
      );
    });
  }
}
