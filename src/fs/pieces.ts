/** Cuts a body into the pieces in which it goes out. */
import { constants } from "node:buffer";
import { wrongSize } from "./bytes.js";
import type { Budget } from "./driver.js";
import { type Limits, type PartSizes, partSizes } from "./plan.js";
import type { Source } from "./source.js";

/** One part on its way. `data` stays as it is until `part` settles, so that it can be sent again. */
export interface Part {
  /** Counted from 0. */
  readonly index: number;
  /** Of the first byte in the body. */
  readonly offset: number;
  readonly size: number;
  readonly data: Uint8Array;
  /** Whether the body ends with it. */
  readonly last: boolean;
}

/** A piece of the body in a buffer of its own, or of a body that was in memory already. */
export interface Piece extends Part {
  readonly release: () => void;
}

/** Bytes read of a body of unknown size before it takes a part's worth from the budget. */
const LOOK_AHEAD = 64 * 2 ** 10;

/** At least one piece, the last marked. Every piece must be released. */
export async function* pieces(
  source: Source,
  limits: Limits,
  budget: Budget,
  size: number | undefined,
): AsyncGenerator<Piece> {
  const cut = sizesFor(limits, size);
  const memory = size === undefined ? undefined : await source.entire(size);
  if (memory) {
    await ends(source, memory.byteLength, size);
    return yield* slices(memory, cut);
  }
  const filler = new Filler(source, budget);
  let last = false;
  for (let index = 0, offset = 0; !last; index++) {
    const left = size === undefined ? Number.POSITIVE_INFINITY : size - offset;
    const piece = await filler.fill(Math.min(cut(index), left), index === 0 && size === undefined);
    offset += piece.data.byteLength;
    try {
      last = await ends(source, offset, size);
    } catch (error) {
      piece.release();
      throw error;
    }
    yield { ...piece, index, offset: offset - piece.data.byteLength, size: piece.data.byteLength, last };
  }
}

function sizesFor(limits: Limits, size: number | undefined): PartSizes {
  if (size !== undefined && size <= limits.single) return () => size;
  return partSizes({ ...limits, largest: Math.min(limits.largest, constants.MAX_LENGTH) }, size);
}

/** A known size says by itself that more is to come; only the supposed end is checked, before the last part is sent. */
async function ends(source: Source, offset: number, size: number | undefined): Promise<boolean> {
  if (size !== undefined && offset < size && !source.ended) return false;
  if (!(await source.more())) {
    if (size === undefined || offset === size) return true;
    throw wrongSize(size, offset);
  }
  if (size !== undefined) throw wrongSize(size, "more");
  return false;
}

function* slices(data: Uint8Array, cut: PartSizes): Generator<Piece> {
  let offset = 0;
  for (let index = 0; index === 0 || offset < data.byteLength; index++) {
    const part = data.subarray(offset, offset + cut(index));
    const last = offset + part.byteLength === data.byteLength;
    yield { index, offset, size: part.byteLength, data: part, last, release: () => {} };
    offset += part.byteLength;
  }
}

type Filled = Pick<Piece, "data" | "release">;

/** Fills pieces from a source. One buffer is kept for the next piece, so that a long upload leaves few to the collector. */
class Filler {
  #spare: Uint8Array | undefined;

  constructor(
    readonly source: Source,
    readonly budget: Budget,
  ) {}

  /** At most `capacity` bytes; `mayBeSmall` when the body may end long before. */
  async fill(capacity: number, mayBeSmall: boolean): Promise<Filled> {
    const ahead = mayBeSmall ? await this.source.fill(room(Math.min(LOOK_AHEAD, capacity))) : NOTHING;
    if (mayBeSmall && (ahead.byteLength === capacity || !(await this.source.more())))
      return { data: ahead, release() {} };
    const free = await this.budget.take(capacity, this.source.signal);
    const buffer = this.#buffer(capacity);
    const release = () => {
      this.#spare = buffer;
      free();
    };
    try {
      buffer.set(ahead);
      const rest = await this.source.fill(buffer.subarray(ahead.byteLength, capacity));
      return { data: buffer.subarray(0, ahead.byteLength + rest.byteLength), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #buffer(bytes: number): Uint8Array {
    const spare = this.#spare;
    this.#spare = undefined;
    return spare && spare.byteLength >= bytes ? spare : room(bytes);
  }
}

const NOTHING = new Uint8Array(0);

/** Never from Node's shared pool, and not cleared: every byte that is sent has been written. */
function room(bytes: number): Uint8Array {
  return Buffer.allocUnsafeSlow(bytes);
}
