/** Room for output before the first growth. */
const FIRST = 256 * 1024;

/**
 * Decoded bytes, of which the last `reach` stay readable for back references. It grows with the content, not with the
 * reach that a header promises, up to a quarter more than `reach`.
 */
export class History {
  bytes: Uint8Array;
  /** Of the same memory. */
  view: DataView;
  /** Where the next byte goes. */
  at = 0;
  /** Where the readable bytes begin. */
  low = 0;
  readonly #reach: number;
  readonly #room: number;

  /** `room` is the most that is asked for at once. */
  constructor(reach: number, room: number) {
    this.#reach = reach;
    this.#room = room;
    this.bytes = new Uint8Array(Math.min(FIRST, this.#most()));
    this.view = viewOf(this.bytes);
  }

  /** Makes place for `count` more bytes. Positions before are void after it: the bytes may have moved. */
  reserve(count: number): void {
    if (this.at + count <= this.bytes.byteLength) return;
    if (this.bytes.byteLength < this.#most()) this.#grow(count);
    if (this.at + count > this.bytes.byteLength) this.#slide();
  }

  /** A copy of what was written from `from` on, for handing on. */
  since(from: number): Uint8Array {
    return this.bytes.slice(from, this.at);
  }

  #most(): number {
    return this.#reach + Math.max(this.#reach >> 2, 2 * this.#room, FIRST);
  }

  #grow(count: number): void {
    const larger = new Uint8Array(Math.min(this.#most(), Math.max(2 * this.bytes.byteLength, this.at + count)));
    larger.set(this.bytes.subarray(0, this.at));
    this.bytes = larger;
    this.view = viewOf(larger);
  }

  #slide(): void {
    const from = Math.max(0, this.at - this.#reach);
    this.bytes.copyWithin(0, from, this.at);
    this.at -= from;
    this.low = Math.max(0, this.low - from);
  }
}

/**
 * Copies `length` bytes from `distance` back to `at`, repeating them when they overlap. Short copies by four bytes are
 * inlined where the decoders need them most: a call costs more than they do.
 */
export function copyMatch(bytes: Uint8Array, at: number, distance: number, length: number): void {
  let from = at - distance;
  if (distance >= length) bytes.copyWithin(at, from, from + length);
  else if (distance === 1) bytes.fill(bytes[from]!, at, at + length);
  else for (let to = at, end = at + length; to < end; ) bytes[to++] = bytes[from++]!;
}

/** The same memory, for numbers of several bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
