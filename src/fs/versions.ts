import type { Item } from "./driver.js";

/**
 * Turns the versions of each key around, which Google and Azure list oldest first and let run on over pages. Their
 * versions are numbers and timestamps, of which the longer, else the one that sorts later, is the newer.
 */
export class NewestFirst {
  #open: Item[] = [];

  /** What is complete after these rows. */
  add(items: readonly Item[]): Item[] {
    const done: Item[] = [];
    for (const item of items) {
      if (this.#open.length > 0 && this.#open[0]!.key !== item.key) done.push(...this.rest());
      this.#open.push(item);
    }
    return done;
  }

  /** The versions of the last key. */
  rest(): Item[] {
    const versions = this.#open;
    this.#open = [];
    return versions.sort(byAge);
  }
}

function byAge({ version: a = "" }: Item, { version: b = "" }: Item): number {
  if (a.length !== b.length) return b.length - a.length;
  return a < b ? 1 : a > b ? -1 : 0;
}
