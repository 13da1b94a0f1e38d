/** Pages of a listing that wait for their consumer, in little memory. */
import type { DriverListEntry } from "./driver/driver.js";

/** What an entry may have to be packed; others, such as versions, remain as they are. */
const FIELDS: ReadonlySet<string> = new Set(["key", "type", "size", "modified", "etag", "storageClass"]);
/** Stands for the length of an etag that is missing. */
const NONE = 0xffffffff;
/** Different storage classes of a page: they are numbered in a byte. */
const MAX_CLASSES = 256;

/**
 * A page of files as bytes outside of V8's heap, a fifth of its size as entries. Thirty pages that wait would otherwise be
 * 30,000 entries: V8 copies them in each collection of young objects, and then keeps them until its next full one.
 */
export class PackedPage {
  readonly #texts: Buffer;
  /** The lengths of key and etag of each entry. */
  readonly #lengths: Uint32Array;
  /** Size and time of each entry. */
  readonly #numbers: Float64Array;
  readonly #classOf: Uint8Array;
  readonly #classes: readonly (string | undefined)[];

  private constructor(page: readonly DriverListEntry[], text: string, classes: (string | undefined)[]) {
    this.#texts = Buffer.from(text);
    this.#lengths = new Uint32Array(2 * page.length);
    this.#numbers = new Float64Array(2 * page.length);
    this.#classOf = new Uint8Array(page.length);
    this.#classes = classes;
    for (const [index, { key, size, modified, etag, storageClass }] of page.entries()) {
      this.#lengths[2 * index] = key.length;
      this.#lengths[2 * index + 1] = etag?.length ?? NONE;
      this.#numbers[2 * index] = size!;
      this.#numbers[2 * index + 1] = modified!.getTime();
      this.#classOf[index] = classes.indexOf(storageClass);
    }
  }

  /** Packs a page; returns undefined if an entry has other fields than files have, or lacks one that they have. */
  static of(page: readonly DriverListEntry[]): PackedPage | undefined {
    const texts: string[] = [];
    const classes: (string | undefined)[] = [];
    for (const entry of page) {
      if (!isPackable(entry)) return undefined;
      if (!classes.includes(entry.storageClass)) classes.push(entry.storageClass);
      texts.push(entry.key, entry.etag ?? "");
    }
    const text = texts.join("");
    return classes.length <= MAX_CLASSES && text.isWellFormed() ? new PackedPage(page, text, classes) : undefined;
  }

  /** Returns the entries, made anew. */
  entries(): DriverListEntry[] {
    const text = this.#texts.toString();
    const entries: DriverListEntry[] = [];
    let at = 0;
    for (let index = 0; index < this.#classOf.length; index++) {
      const key = text.slice(at, at + this.#lengths[2 * index]!);
      at += key.length;
      const entry: DriverListEntry = { key, type: "file", size: this.#numbers[2 * index]! };
      entry.modified = new Date(this.#numbers[2 * index + 1]!);
      const length = this.#lengths[2 * index + 1]!;
      if (length !== NONE) {
        entry.etag = text.slice(at, at + length);
        at += length;
      }
      const storageClass = this.#classes[this.#classOf[index]!];
      if (storageClass !== undefined) entry.storageClass = storageClass;
      entries.push(entry);
    }
    return entries;
  }
}

function isPackable(entry: DriverListEntry): boolean {
  for (const name in entry) if (!FIELDS.has(name)) return false;
  return entry.type === "file" && entry.size !== undefined && entry.modified !== undefined;
}
