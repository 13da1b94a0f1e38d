/** Writes bits, the most significant first. Full bytes are handed out, the rest stays. */
export class BitWriter {
  #bytes = new Uint8Array(64 * 1024);
  #filled = 0;
  #bits = 0;
  #count = 0;

  /** Writes the lowest `count` bits of `value`, up to 24. */
  write(count: number, value: number): void {
    if (this.#filled + 8 > this.#bytes.byteLength) this.#grow();
    this.#bits = (this.#bits << count) | value;
    this.#count += count;
    while (this.#count >= 8) {
      this.#count -= 8;
      this.#bytes[this.#filled++] = this.#bits >>> this.#count;
    }
  }

  /** 32 bits. */
  writeWord(value: number): void {
    this.write(16, value >>> 16);
    this.write(16, value & 0xffff);
  }

  /** The bytes that are full. */
  drain(): Uint8Array {
    const out = this.#bytes.slice(0, this.#filled);
    this.#filled = 0;
    return out;
  }

  /** All of it, zeros up to a whole byte. */
  finish(): Uint8Array {
    if (this.#count > 0) this.write(8 - this.#count, 0);
    return this.drain();
  }

  #grow(): void {
    const larger = new Uint8Array(2 * this.#bytes.byteLength);
    larger.set(this.#bytes);
    this.#bytes = larger;
  }
}
