/** The one upload engine: a body goes in one request or in parts, in parallel, in bounded memory, whole or not at all. */
import { constants } from "node:buffer";
import { failure } from "../errors.js";
import { byteBudget } from "./budget.js";
import { orAbort } from "./bytes.js";
import type { Budget, Bytes, Receipt } from "./driver.js";
import { type Limits, type PartSizes, partSizes } from "./plan.js";
import { Source } from "./source.js";
import { Stop } from "./stop.js";

export type { Limits } from "./plan.js";

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

/** Where one body goes: one key with its conditions and headers. */
export interface Target<P> {
  readonly limits: Limits;
  /** The whole body, at most `limits.single` bytes, in one request. */
  whole(data: Uint8Array, size: number, signal: AbortSignal): Promise<Receipt>;
  /** Not abortable: a request cut off here leaves a session that nobody knows. The engine aborts it when it comes. */
  begin(): Promise<Session<P>>;
}

/** An upload in parts that nobody sees until `commit`. */
export interface Session<P> {
  /** Called for `limits.parallel` parts at once; with 1, strictly in order. */
  part(part: Part, signal: AbortSignal): Promise<P>;
  /** `parts` in the order of the body. Resolves a lost answer itself, else fails with CommitUnknown. */
  commit(parts: readonly P[], size: number, signal: AbortSignal): Promise<Receipt>;
  /** Called once, after every part has settled, unless `commit` has resolved. Its failure is not reported. */
  abort(): Promise<void>;
}

export interface UploadOptions {
  budget: Budget;
  /** Exact byte length when known. */
  size: number | undefined;
  signal: AbortSignal | undefined;
  onProgress: ((bytes: number) => void) | undefined;
}

/** A piece of the body in a buffer of its own, or of a body that was in memory already. */
interface Piece extends Part {
  readonly release: () => void;
}

/** Bytes read of a body of unknown size before it takes a part's worth from the budget. */
const LOOK_AHEAD = 64 * 2 ** 10;

/** Milliseconds that a failed upload waits for its own cleaning up. */
const GRACE_MS = 5_000;

/**
 * Sends `body` to `target`. Bodies up to `limits.single` bytes are one request (of unknown size: up to one part, if
 * that is less). The first error wins, cancels the other parts and aborts the session; an abort of `signal` rejects
 * with its reason. A chunk that is the whole body of known `size` is sent without a copy; all others are copied.
 */
export async function upload<P>(body: Bytes, target: Target<P>, options: UploadOptions): Promise<Receipt> {
  const stop = new Stop(options.signal);
  const source = new Source(body, stop.signal);
  const transfer = new Transfer(target, stop, options.onProgress);
  try {
    return await run(source, transfer, options);
  } catch (error) {
    stop.now(error);
    await atMost(GRACE_MS, Promise.all([source.close(), transfer.undo()]));
    throw stop.signal.reason;
  } finally {
    stop.free();
  }
}

async function run<P>(source: Source, transfer: Transfer<P>, options: UploadOptions): Promise<Receipt> {
  const { limits, signal } = transfer;
  for await (const piece of pieces(source, limits, { ...options, signal })) {
    if (piece.index === 0 && piece.last && piece.size <= limits.single) return transfer.whole(piece);
    await transfer.send(piece);
  }
  return transfer.commit();
}

/** At least one piece, the last marked. Every piece must be released. */
async function* pieces(
  source: Source,
  limits: Limits,
  { budget, size, signal }: UploadOptions & { signal: AbortSignal },
): AsyncGenerator<Piece> {
  const cut = sizesFor(limits, size);
  const memory = size === undefined ? undefined : await source.entire(size);
  if (memory) {
    await ends(source, memory.byteLength, size);
    return yield* slices(memory, cut);
  }
  let last = false;
  for (let index = 0, offset = 0; !last; index++) {
    const left = size === undefined ? Number.POSITIVE_INFINITY : size - offset;
    const piece = await filled(source, Math.min(cut(index), left), budget, signal, index === 0 && size === undefined);
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
    throw failure("InvalidArgument", `size says ${size} bytes, the body has ${offset}`);
  }
  if (size !== undefined) throw failure("InvalidArgument", `size says ${size} bytes, the body has more`);
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

async function filled(
  source: Source,
  capacity: number,
  budget: Budget,
  signal: AbortSignal,
  mayBeSmall: boolean,
): Promise<Filled> {
  const ahead = mayBeSmall ? await source.fill(room(Math.min(LOOK_AHEAD, capacity))) : undefined;
  if (ahead && (ahead.byteLength === capacity || !(await source.more()))) return { data: ahead, release: () => {} };
  const release = await budget.take(capacity, signal);
  try {
    const data = room(capacity);
    if (ahead) data.set(ahead);
    const rest = await source.fill(data.subarray(ahead?.byteLength ?? 0));
    return { data: data.subarray(0, (ahead?.byteLength ?? 0) + rest.byteLength), release };
  } catch (error) {
    release();
    throw error;
  }
}

/** Never from Node's shared pool, and not cleared: every byte that is sent has been written. */
function room(bytes: number): Uint8Array {
  return Buffer.allocUnsafeSlow(bytes);
}

/** The requests of one upload. */
class Transfer<P> {
  readonly limits: Limits;
  readonly signal: AbortSignal;
  readonly #lanes: Budget;
  readonly #parts: P[] = [];
  readonly #running = new Set<Promise<void>>();
  #begun: Promise<Session<P>> | undefined;
  #size = 0;
  #accepted = 0;

  constructor(
    readonly target: Target<P>,
    readonly stop: Stop,
    readonly onProgress: ((bytes: number) => void) | undefined,
  ) {
    this.limits = target.limits;
    this.signal = stop.signal;
    this.#lanes = byteBudget(target.limits.parallel, Number.POSITIVE_INFINITY);
  }

  async whole({ data, size, release }: Piece): Promise<Receipt> {
    try {
      const receipt = await orAbort(this.target.whole(data, size, this.signal), this.signal);
      this.#accept(size);
      return receipt;
    } finally {
      release();
    }
  }

  /** Resolves when the piece is on its way, which is when a lane was free. */
  async send(piece: Piece): Promise<void> {
    try {
      this.#begun ??= this.target.begin();
      const session = await orAbort(this.#begun, this.signal);
      const leave = await this.#lanes.take(1, this.signal);
      this.#size += piece.size;
      this.#run(this.#part(session, piece, leave));
    } catch (error) {
      piece.release();
      throw error;
    }
  }

  async commit(): Promise<Receipt> {
    await Promise.all(this.#running);
    this.signal.throwIfAborted();
    const session = await this.#begun!;
    return session.commit(this.#parts, this.#size, this.signal);
  }

  /** Leaves nothing at the provider. The reason of the failure is elsewhere, so a failure here is not told. */
  async undo(): Promise<void> {
    await Promise.all(this.#running);
    try {
      await (await this.#begun)?.abort();
    } catch {}
  }

  async #part(session: Session<P>, piece: Piece, leave: () => void): Promise<void> {
    const { release, ...part } = piece;
    try {
      this.#parts[part.index] = await session.part(part, this.signal);
      this.#accept(part.size);
    } catch (error) {
      this.stop.now(error);
    } finally {
      release();
      leave();
    }
  }

  #run(task: Promise<void>): void {
    this.#running.add(task);
    void task.then(() => this.#running.delete(task));
  }

  #accept(bytes: number): void {
    this.#accepted += bytes;
    this.onProgress?.(this.#accepted);
  }
}

async function atMost(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds);
  });
  await Promise.race([work, late]);
  clearTimeout(timer);
}
