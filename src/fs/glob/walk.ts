/** Finds the keys of a bucket that match a pattern, in as few list requests as can be planned. */
import type { Driver, DriverListEntry, DriverListOptions } from "../driver/driver.js";
import { compileGlob, type Glob } from "./pattern.js";

export { compileGlob, type Glob, type GlobKind } from "./pattern.js";

const LINK_TO_DIRECTORY = "a link to a directory";

type Lister = Pick<Driver, "list">;
interface Options extends Pick<DriverListOptions, "followLinks" | "unlisted"> {
  signal?: AbortSignal | undefined;
  /** Receives each link to a directory that could contain more matches. */
  skipped?: ((link: DriverListEntry) => void) | undefined;
}

/**
 * Yields the objects and directories whose keys match `pattern` (see {@link compileGlob}), each once.
 *
 * A pattern with `**` is one flat listing from its literal prefix. With wildcards in the last segment only it is one
 * listing by delimiter. With wildcards before that it starts flat and continues directory by directory once a whole
 * page of keys lay in one directory. An object that only marks a directory counts as that directory.
 */
export function globKeys(
  driver: Lister,
  pattern: string,
  options: Options = {},
): AsyncGenerator<DriverListEntry, void, undefined> {
  const walk = new Walk(driver, compileGlob(pattern), options);
  return walk.start();
}

class Walk {
  readonly #driver: Lister;
  readonly #glob: Glob;
  readonly #options: Options;

  constructor(driver: Lister, glob: Glob, options: Options) {
    this.#driver = driver;
    this.#glob = glob;
    this.#options = options;
  }

  start(): AsyncGenerator<DriverListEntry, void, undefined> {
    const { kind } = this.#glob;
    if (kind === "flat") return this.#flat();
    return kind === "middle" ? this.#middle() : this.#below("", 0);
  }

  async *#flat(): AsyncGenerator<DriverListEntry, void, undefined> {
    const seen = new Seen();
    for await (const page of this.#list(this.#glob.literalPrefix, undefined)) yield* this.#matching(page, seen);
  }

  async *#middle(): AsyncGenerator<DriverListEntry, void, undefined> {
    const { literalPrefix } = this.#glob;
    const seen = new Seen();
    const child = new Child(literalPrefix.length);
    for await (const page of this.#list(literalPrefix, undefined)) {
      child.enter(page);
      for (const item of this.#matching(page, seen)) {
        child.found(item.key);
        yield item;
      }
      if (child.crowded) break;
    }
    if (child.crowded) yield* this.#descent(child);
  }

  /** Continues directory by directory from the child that the flat listing got stuck in. */
  async *#descent({ before, matched }: Child): AsyncGenerator<DriverListEntry, void, undefined> {
    const { segments, literalPrefix } = this.#glob;
    const wild = segments.findIndex(({ literal }) => !literal);
    const directory = literalPrefix.slice(0, literalPrefix.lastIndexOf("/") + 1);
    for await (const item of this.#below(directory, wild, before)) if (!matched.has(item.key)) yield item;
  }

  *#matching(page: readonly DriverListEntry[], seen: Seen): Generator<DriverListEntry, void, undefined> {
    for (const item of page) {
      this.#see(item);
      for (const one of seen.add(item)) if (this.#glob.matches(lastSegment(one.key))) yield one;
    }
  }

  /** Yields the matches from segment `index` on in a directory that matches itself. */
  async *#below(
    directory: string,
    index: number,
    startAfter?: string,
  ): AsyncGenerator<DriverListEntry, void, undefined> {
    const { segments } = this.#glob;
    const wild = segments.findIndex(({ literal }, at) => at >= index && !literal);
    const last = wild < 0 ? segments.length - 1 : wild;
    const between = segments.slice(index, last).map(({ literalPrefix }) => `${literalPrefix}/`);
    const base = directory + between.join("");
    for await (const item of this.#children(base, last, startAfter)) {
      if (last === segments.length - 1) {
        yield item;
        continue;
      }
      this.#see(item);
      if (item.type === "directory") yield* this.#below(item.key, last + 1);
    }
  }

  /** Yields the entries of the directory `base` that match segment `index`. */
  async *#children(
    base: string,
    index: number,
    startAfter: string | undefined,
  ): AsyncGenerator<DriverListEntry, void, undefined> {
    const segment = this.#glob.segments[index]!;
    const prefix = base + segment.literalPrefix;
    for await (const page of this.#list(prefix, "/", startAfter)) {
      for (const item of page) {
        if (item.key !== base && segment.matches(lastSegment(item.key.slice(base.length)))) yield item;
      }
      const end = page.at(-1)?.key;
      if (segment.literal && end !== undefined && isPast(end, prefix)) return;
    }
  }

  #list(prefix: string, delimiter: "/" | undefined, startAfter?: string): AsyncIterable<readonly DriverListEntry[]> {
    const { signal, followLinks } = this.#options;
    const others = true;
    const unlisted = this.#unlisted;
    return this.#driver.list(prefix, { delimiter, startAfter, versions: false, others, followLinks, unlisted, signal });
  }

  /** Reports an unlisted entry only if it, or something below it, could have matched. */
  readonly #unlisted = (key: string, error: unknown): void => {
    if ((key.endsWith("/") && this.#leads(lastSegment(key))) || this.#glob.matches(lastSegment(key)))
      this.#options.unlisted?.(key, error);
  };

  #see(item: DriverListEntry): void {
    const { type, detail, key } = item;
    if (type === "other" && detail === LINK_TO_DIRECTORY && this.#leads(key)) this.#options.skipped?.(item);
  }

  /** Returns whether a key below this one could match. */
  #leads(key: string): boolean {
    const { kind, segments } = this.#glob;
    if (kind === "flat") return true;
    const names = key.split("/");
    return names.length < segments.length && names.every((name, i) => segments[i]!.matches(name));
  }
}

/** Derives directories from a flat listing, where they are only the common prefix of neighbours. */
class Seen {
  #previous = "";

  /** Yields the directories that begin at this item, outermost first, and the item unless it is only their marker. */
  *add(item: DriverListEntry): Generator<DriverListEntry, void, undefined> {
    const { key } = item;
    for (let slash = key.indexOf("/"); slash >= 0; slash = key.indexOf("/", slash + 1)) {
      const directory = key.slice(0, slash + 1);
      if (!this.#previous.startsWith(directory)) yield { key: directory, type: "directory" };
    }
    this.#previous = key;
    if (!key.endsWith("/")) yield item;
  }
}

/** The current directory of a flat listing, one level below its start. */
class Child {
  /** Whether two pages in a row lay entirely in it, so that the first was a full one. */
  crowded = false;
  /** The last key before it. */
  before: string | undefined;
  /** The matches in it. */
  readonly matched = new Set<string>();
  readonly #depth: number;
  #name: string | undefined;
  #last: string | undefined;
  #whole = false;

  constructor(depth: number) {
    this.#depth = depth;
  }

  enter(page: readonly DriverListEntry[]): void {
    const first = page[0];
    if (!first) return;
    const whole = this.#of(first.key) === this.#of(page.at(-1)!.key);
    this.crowded = whole && this.#whole && this.#of(first.key) === this.#name;
    this.#whole = whole;
    for (const { key } of page) this.#move(key);
  }

  found(key: string): void {
    if (this.#name !== undefined && key.startsWith(this.#name)) this.matched.add(key);
  }

  #move(key: string): void {
    if (this.#of(key) !== this.#name) {
      this.#name = this.#of(key);
      this.before = this.#last;
      this.matched.clear();
    }
    this.#last = key;
  }

  #of(key: string): string {
    return key.slice(0, key.indexOf("/", this.#depth) + 1) || key;
  }
}

function lastSegment(key: string): string {
  return key.endsWith("/") ? key.slice(0, -1) : key;
}

/** Returns whether a listing by delimiter at `key` can no longer yield `name` or the directory `name/`. */
function isPast(key: string, name: string): boolean {
  return key.length > name.length && key.charCodeAt(name.length) >= 0x2f;
}
