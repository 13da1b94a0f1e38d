/** Values by their digest, the latest ones, up to a number of bytes. */
export class ByteCache {
  readonly #max: number;
  readonly #kept = new Map<string, Uint8Array>();
  #bytes = 0;

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

  set(digest: string, bytes: Uint8Array): void {
    if (bytes.byteLength > this.#max) return;
    this.delete(digest);
    this.#kept.set(digest, new Uint8Array(bytes));
    this.#bytes += bytes.byteLength;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#max) return;
      this.delete(oldest);
    }
  }

  delete(digest: string): void {
    this.#bytes -= this.#kept.get(digest)?.byteLength ?? 0;
    this.#kept.delete(digest);
  }

  clear(): void {
    this.#kept.clear();
    this.#bytes = 0;
  }
}
