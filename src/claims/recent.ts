/** What one instance knows of objects: those that need no request to be stored again, and those that are damaged. */
import { orAbort } from "../streams.js";

/** Of one DigestObjects: the latest paths, of either kind. A path is about 200 bytes. */
const MAX_RECENT = 1000;

interface Stored {
  /** When the store began, as milliseconds since 1970. */
  at: number;
  /** From then on the object is written again. */
  freshUntil: number;
}

/**
 * Remembers what was stored. A path is forgotten with every deletion that this instance makes or learns of; deletions by
 * others, in this process or not, are why it is only believed for a while.
 */
export class RecentObjects {
  readonly #stored = new Map<string, Stored>();
  /** Stores that have begun, by path. */
  readonly #underWay = new Map<string, Promise<void>>();
  /** Paths of objects that a read found damaged: the next store overwrites them, whatever the provider states. */
  readonly #damaged = new Set<string>();
  /** Counts what was deleted, or found missing or damaged: a store that was under way meanwhile is not remembered. */
  #deletions = 0;

  /**
   * Runs `store` unless the object was stored less than `ms` milliseconds ago and is still young, or is being stored and
   * then is. `store` returns the time from which on the object is to be written again.
   */
  async unlessStored(
    path: string,
    { ms, signal }: { ms: number; signal: AbortSignal | undefined },
    store: () => Promise<number>,
  ): Promise<void> {
    if (ms === 0) return void (await store());
    signal?.throwIfAborted();
    const earlier = this.#underWay.get(path);
    // Its failure is reported to its own caller.
    if (earlier) await orAbort(earlier, signal).catch(() => signal?.throwIfAborted());
    if (this.#has(path, ms)) return;
    const { at, deletions } = { at: Date.now(), deletions: this.#deletions };
    const storing = store().then((freshUntil) => {
      if (deletions === this.#deletions) this.#remember(path, { at, freshUntil });
    });
    this.#underWay.set(path, storing);
    try {
      await storing;
    } finally {
      if (this.#underWay.get(path) === storing) this.#underWay.delete(path);
    }
  }

  /** Takes in that a read has found the object missing. */
  forget(path: string): void {
    this.#deletions += 1;
    this.#stored.delete(path);
  }

  /** Takes in that a read has found other bytes than the name states. */
  markDamaged(path: string): void {
    this.forget(path);
    this.#damaged.add(path);
    dropOldest(this.#damaged);
  }

  isDamaged(path: string): boolean {
    return this.#damaged.has(path);
  }

  /** Takes in that the object was overwritten. */
  markSound(path: string): void {
    this.#damaged.delete(path);
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

  #has(path: string, ms: number): boolean {
    const found = this.#stored.get(path);
    if (found === undefined) return false;
    const now = Date.now();
    // A clock that was set back says nothing.
    return now >= found.at && now - found.at < ms && now < found.freshUntil;
  }

  #remember(path: string, stored: Stored): void {
    this.#stored.delete(path);
    this.#stored.set(path, stored);
    dropOldest(this.#stored);
  }
}

function dropOldest(paths: Map<string, unknown> | Set<string>): void {
  const [oldest] = paths.keys();
  if (paths.size > MAX_RECENT) paths.delete(oldest!);
}
