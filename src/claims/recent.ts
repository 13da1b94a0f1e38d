/** The paths of objects that are known to be there, so that a repeated store needs no request. */

/** Of one DigestObjects: the latest ones. A path is about 200 bytes. */
const MAX_RECENT = 1000;

interface Stored {
  /** When the store began, as milliseconds since 1970. */
  at: number;
  /** From then on the object is written again. */
  freshUntil: number;
}

/**
 * Remembers what was stored. A path is forgotten with every deletion that this process makes or learns of; deletions by
 * others are why it is only believed for a while.
 */
export class RecentObjects {
  readonly #stored = new Map<string, Stored>();
  /** Counts deletions: what was under way during one is not remembered. */
  #deletions = 0;

  /** Returns whether the object was stored less than `ms` milliseconds ago, and is still young. */
  has(path: string, ms: number): boolean {
    const found = this.#stored.get(path);
    if (found === undefined) return false;
    const now = Date.now();
    // A clock that was set back says nothing.
    return now >= found.at && now - found.at < ms && now < found.freshUntil;
  }

  /** Call before a store begins; the function that it returns remembers the object, once it is there. */
  begin(path: string): (freshUntil: number) => void {
    const { at, deletions } = { at: Date.now(), deletions: this.#deletions };
    return (freshUntil) => {
      if (deletions !== this.#deletions) return;
      this.#stored.delete(path);
      this.#stored.set(path, { at, freshUntil });
      const [oldest] = this.#stored.keys();
      if (this.#stored.size > MAX_RECENT) this.#stored.delete(oldest!);
    };
  }

  forget(path: string): void {
    this.#stored.delete(path);
  }

  /** Runs a deletion of one object, or of any number: what is stored before its end is not remembered. */
  async deleting<T>(path: string | undefined, work: () => Promise<T>): Promise<T> {
    const forget = () => {
      this.#deletions += 1;
      if (path === undefined) this.#stored.clear();
      else this.#stored.delete(path);
    };
    forget();
    try {
      return await work();
    } finally {
      forget();
    }
  }
}
