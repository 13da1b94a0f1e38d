/** Writes bits, the lowest first, to be read from the end. */
export class BackwardWriter {
  #bytes: Uint8Array;
  #filled = 0;
  #bits = 0;
  #count = 0;

  constructor(room: number) {
    this.#bytes = new Uint8Array(room);
  }

  /** Writes the lowest `count` bits of `value`, up to 24. */
  write(value: number, count: number): void {
    this.#bits |= (value & ((1 << count) - 1)) << this.#count;
    this.#count += count;
    while (this.#count >= 8) {
      this.#put(this.#bits);
      this.#bits >>>= 8;
      this.#count -= 8;
    }
  }

  /** Marks the end with a set bit. All bytes. */
  finish(): Uint8Array {
    this.write(1, 1);
    return this.pad();
  }

  /** Fills the last byte with zeros. All bytes. */
  pad(): Uint8Array {
    if (this.#count > 0) this.#put(this.#bits);
    return this.#bytes.subarray(0, this.#filled);
  }

  #put(byte: number): void {
    if (this.#filled === this.#bytes.byteLength) {
      const larger = new Uint8Array(2 * this.#filled + 64);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#filled++] = byte;
  }
}
