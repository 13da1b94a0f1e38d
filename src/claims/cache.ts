/** Values by their digest, the latest ones, up to a number of bytes. */
export class ByteCache {
  readonly #max: number;
  readonly #kept = new Map<string, Uint8Array>();
  #bytes = 0;
  /** Counts removals: what was read before one may be gone. */
  #removals = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get(digest: string): Uint8Array | undefined {
    const bytes = this.#kept.get(digest);
    if (!bytes) return undefined;
    this.#kept.delete(digest);
    this.#kept.set(digest, bytes);
    // A copy: the caller may change what it gets.
    return new Uint8Array(bytes);
  }

  /** Reads a value and keeps it, unless something was removed meanwhile. */
  async fill(digest: string, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const removals = this.#removals;
    const bytes = await read();
    if (removals === this.#removals) this.#set(digest, bytes);
    return bytes;
  }

  /** Runs a removal of one value, or of any number: nothing that was read before its end is kept. */
  async removing(digest: string | undefined, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } finally {
      this.#removals += 1;
      for (const one of digest === undefined ? [...this.#kept.keys()] : [digest]) this.#delete(one);
    }
  }

  #set(digest: string, bytes: Uint8Array): void {
    if (bytes.byteLength > this.#max) return;
    this.#delete(digest);
    this.#kept.set(digest, new Uint8Array(bytes));
    this.#bytes += bytes.byteLength;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#max) return;
      this.#delete(oldest);
    }
  }

  #delete(digest: string): void {
    this.#bytes -= this.#kept.get(digest)?.byteLength ?? 0;
    this.#kept.delete(digest);
  }
}
