/** References below the path of `fsck`, which the listing of that path answers without a request for each. */
import { codecs } from "../../codecs/index.js";
import type { StoragePath } from "../../path.js";
import type { FoundReference } from "../../references.js";
import { pathBelow, prefixOf } from "../keys/base.js";
import { keyIn, sizeIn } from "./candidates.js";
import { flat } from "./reference-keys.js";
import { type Batches, LineSorter, type RunFolder } from "./sorted-lines.js";

/** A reference that leads to an object below the path. */
export interface OwnReference {
  reference: FoundReference;
  path: StoragePath;
}

/** References below a path, sorted by the key of their object. */
export class ListedReferences {
  readonly #path: StoragePath;
  readonly #sorter: LineSorter;
  #count = 0;

  constructor(path: StoragePath, folder: RunFolder) {
    this.#path = path;
    this.#sorter = new LineSorter(folder);
  }

  /** Adds a reference; returns false, and adds none, if no line can have its key. */
  async add({ reference, path }: OwnReference): Promise<boolean> {
    const key = path.key.slice(prefixOf(this.#path).length);
    if (/[\0\n]/.test(key) || !key.isWellFormed()) return false;
    const { text, where, plainSize = null } = reference;
    // The number keeps references apart that occur several times.
    const rest = [this.#count, where, plainSize, ...(text === String(path) ? [] : [text])];
    this.#count += 1;
    const full = this.#sorter.add(`${key}\0${JSON.stringify(rest)}`);
    if (full) await full;
    return true;
  }

  /**
   * Goes through the references and the objects of a listing, and calls `settle` with the size of each object that is as
   * its reference says. Yields all others: their object may have been written since it was listed.
   */
  async *unsettled(objects: Batches, settle: (size: number) => void): AsyncGenerator<OwnReference, void, undefined> {
    const listed = flat(objects);
    let line = await listed.next();
    for await (const lines of this.#sorter.batches()) {
      for (const one of lines) {
        const key = keyIn(one);
        while (line !== undefined && keyIn(line) < key) line = listed.at() ?? (await listed.next());
        const own = this.#ownIn(key, one);
        const size = line !== undefined && keyIn(line) === key ? sizeIn(line) : undefined;
        if (size !== undefined && isOfSize(own, size)) settle(size);
        else yield own;
      }
    }
  }

  #ownIn(key: string, line: string): OwnReference {
    const path = pathBelow(this.#path, key);
    const [, where, plainSize, text = String(path)] = JSON.parse(line.slice(key.length + 1));
    return { path, reference: { text, where, ...(plainSize === null ? {} : { plainSize }) } };
  }
}

/** Whether the listed size is the one that the reference states; that of a compressed object tells nothing. */
function isOfSize({ path, reference: { plainSize } }: OwnReference, size: number): boolean {
  return plainSize === undefined || plainSize === size || codecs.forSuffix(path.name) !== undefined;
}
