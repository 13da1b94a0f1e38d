/** Lists in key order. Memory is bounded by the names of the open directories, since sorting needs them all. */
import { isUtf8 } from "node:buffer";
import type { Dirent } from "node:fs";
import { lstat, opendir, readdir, unlink } from "node:fs/promises";
import { join } from "node:path";
import { failure, isStorageError } from "../../../errors.js";
import type { DriverListEntry, DriverListOptions } from "../../driver/driver.js";
import { byUtf8, isAfter } from "../../driver/listing.js";
import { ifGone, isErrno, retryOnEmfile } from "./disk.js";
import { type FileInfo, infoOf } from "./object.js";
import { type PathResolver, UNFINISHED } from "./paths.js";

const PAGE = 1000;
/** The number of entries checked in parallel. */
const TOGETHER = 64;

/** Milliseconds without a write after which a `.stowage-tmp-…` counts as left by a killed process: a week. */
const ABANDONED = 7 * 24 * 3600 * 1000;

interface Child {
  key: string;
  path: string;
  type: "file" | "directory" | "link" | "other";
  /** For a directory: the real paths of it and its parents, so that a link back to one of them is not followed. */
  chain: readonly string[];
  /** For an entry that is neither file nor directory. */
  detail?: string;
}

/** An open directory: its real path, the key prefix of its entries, and the way to it. */
interface Level {
  directory: string;
  base: string;
  partial: string;
  chain: readonly string[];
}

/**
 * Yields pages of the entries below `prefix`. Lists a link as the file it leads to inside the root. Links to
 * directories, dangling links, links out of the root and special files are `other` entries if requested; with
 * `followLinks` a link to a directory inside the root is that directory, unless it leads back to one that contains it.
 */
export function listFiles(
  places: PathResolver,
  prefix: string,
  options: DriverListOptions,
): AsyncGenerator<DriverListEntry[]> {
  return new Walk(places, options).pages(prefix);
}

class Walk {
  readonly #places: PathResolver;
  readonly #options: DriverListOptions;

  constructor(places: PathResolver, options: DriverListOptions) {
    this.#places = places;
    this.#options = options;
  }

  async *pages(prefix: string): AsyncGenerator<DriverListEntry[]> {
    let page: DriverListEntry[] = [];
    for await (const group of groups(this.#children(prefix))) {
      this.#options.signal?.throwIfAborted();
      const items = await Promise.all(group.map((child) => this.#item(child)));
      page.push(...items.filter((item) => item !== undefined));
      if (page.length < PAGE) continue;
      yield page.slice(0, PAGE);
      page = page.slice(PAGE);
    }
    if (page.length > 0) yield page;
  }

  /** Depth first; with a delimiter, one level. */
  async *#children(prefix: string): AsyncGenerator<Child> {
    const { delimiter, startAfter, signal, followLinks } = this.#options;
    const { directory, partial } = this.#places.namedPrefix(prefix);
    const start = await this.#places.real(directory).catch(ifGone);
    if (start === undefined) return;
    const base = prefix.slice(0, prefix.length - partial.length);
    const chain = followLinks ? await this.#places.chain(directory) : [];
    const first = await this.#sorted({ directory: start, base, partial, chain });
    const open = [first];
    for (let level = open.at(-1); level; level = open.at(-1)) {
      const child = level.pop();
      if (!child) open.pop();
      else if (child.type !== "directory" || delimiter) {
        if (isAfter(child.key, startAfter)) yield child;
      } else if (isAfter(child.key, startAfter) || startAfter?.startsWith(child.key)) {
        signal?.throwIfAborted();
        const { path, key } = child;
        const inside = this.#sorted({ directory: path, base: key, partial: "", chain: child.chain });
        open.push(await inside.catch((error) => this.#unlisted(key, error)));
      }
    }
  }

  /** Returns the entries of a directory in reverse key order; none if it is gone. */
  async #sorted(level: Level): Promise<Child[]> {
    const { directory, partial } = level;
    const entries = await entriesOf(directory).catch(ifGone);
    const children: Child[] = [];
    for (const { entry, name, exact } of entries ?? []) {
      if (!name.startsWith(partial)) continue;
      if (name.startsWith(UNFINISHED)) await removeIfAbandoned(join(directory, name));
      // Keys may not contain backslashes; listing only valid keys keeps every entry readable.
      else if (!exact || name.includes("\\")) {
        const key = `${level.base}${name}${entry.isDirectory() ? "/" : ""}`;
        this.#unlisted(key, failure("InvalidArgument", UNNAMEABLE));
      } else children.push(await this.#child(level, name, entry));
    }
    return children.sort((a, b) => byUtf8(b.key, a.key));
  }

  async #child({ directory, base, chain }: Level, name: string, entry: Dirent): Promise<Child> {
    const path = join(directory, name);
    const key = base + name;
    if (entry.isFile()) return { key, path, type: "file", chain };
    // A directory with its delimiter sorts where the keys below it do.
    if (entry.isDirectory())
      return { key: `${key}/`, path, type: "directory", chain: this.#options.followLinks ? [...chain, path] : chain };
    if (!entry.isSymbolicLink()) return { key, path, type: "other", chain, detail: kindOf(entry) };
    const link: Child = { key, path, type: "link", chain };
    return this.#options.followLinks ? this.#followed(link) : link;
  }

  async #followed(link: Child): Promise<Child> {
    const { key, path, chain } = link;
    const real = await this.#places.real(path).catch(() => undefined);
    const stats = real === undefined ? undefined : await lstat(real).catch(() => undefined);
    if (real === undefined || !stats?.isDirectory()) return link;
    if (chain.includes(real)) return { ...link, type: "other", detail: "a link to a directory that it lies in" };
    return { key: `${key}/`, path: real, type: "directory", chain: [...chain, real] };
  }

  async #item(child: Child): Promise<DriverListEntry | undefined> {
    const { key, path, type, detail } = child;
    if (this.#options.onlyLinks && type !== "link") return undefined;
    if (type === "directory") return (await holdsSomething(path)) ? { key, type } : undefined;
    if (type === "other") return this.#other(key, detail);
    try {
      const stats = await lstat(type === "link" ? await this.#places.real(path) : path, { bigint: true });
      return stats.isFile() ? fileItem(infoOf(key, stats)) : this.#other(key, `a link to ${kindOf(stats)}`);
    } catch (error) {
      if (type !== "link") return isErrno(error, "ENOENT", "ENOTDIR") ? undefined : this.#unlisted(key, error)[0];
      return (await isThere(path)) ? this.#other(key, linkWords(error)) : undefined;
    }
  }

  #other(key: string, detail = "no regular file"): DriverListEntry | undefined {
    return this.#options.others ? { key, type: "other", detail } : undefined;
  }

  /** Reports what exists and is no entry. Without a listener, a disk error ends the listing. */
  #unlisted(key: string, error: unknown): never[] {
    if (this.#options.unlisted) this.#options.unlisted(key, error);
    else if (!isStorageError(error)) throw error;
    return [];
  }
}

const UNNAMEABLE = "a name that is not UTF-8 or has a backslash cannot be a key; rename it";

async function* groups(children: AsyncIterable<Child>): AsyncGenerator<Child[]> {
  let group: Child[] = [];
  for await (const child of children) {
    if (group.push(child) < TOGETHER) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

interface Named {
  entry: Dirent;
  /** Escaped if not exact. */
  name: string;
  exact: boolean;
}

/**
 * Returns the entries of a directory. Reads names as bytes only if one seems not to be UTF-8, since that takes longer.
 */
async function entriesOf(directory: string): Promise<Named[]> {
  const entries = await retryOnEmfile(() => readdir(directory, { withFileTypes: true }));
  if (!entries.some(({ name }) => name.includes("\ufffd") || !name.isWellFormed()))
    return entries.map((entry) => ({ entry, name: entry.name, exact: true }));
  const raw = await retryOnEmfile(() => readdir(directory, { withFileTypes: true, encoding: "buffer" }));
  return raw.map((entry) => {
    const bytes = entry.name;
    const exact = isUtf8(bytes);
    return { entry: entry as unknown as Dirent, name: exact ? bytes.toString("utf8") : escaped(bytes), exact };
  });
}

/** Returns ASCII unchanged, every other byte as `\xe9`. */
function escaped(bytes: Buffer): string {
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, "0")}`,
  ).join("");
}

type Kind = Pick<Dirent, "isFile" | "isDirectory" | "isFIFO" | "isSocket">;

function kindOf(entry: Kind): string {
  if (entry.isFile()) return "a file";
  if (entry.isDirectory()) return "a directory";
  if (entry.isFIFO()) return "a named pipe";
  return entry.isSocket() ? "a socket" : "a device";
}

function linkWords(error: unknown): string {
  if (isStorageError(error)) return "a link that leads out of the root";
  if (isErrno(error, "ELOOP")) return "a link that leads to itself";
  return isErrno(error, "ENOENT", "ENOTDIR") ? "a link that leads nowhere" : "a link that cannot be followed";
}

async function isThere(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    () => false,
  );
}

/** Removes it during the listing, the only place that finds it. A failure to remove it does not fail the listing. */
async function removeIfAbandoned(path: string): Promise<void> {
  const stats = await lstat(path).catch(() => undefined);
  if (stats?.isFile() && Date.now() - stats.mtimeMs > ABANDONED) await unlink(path).catch(() => {});
}

function fileItem({ key, size, modified, etag }: FileInfo): DriverListEntry {
  return { key, type: "file", size, modified, etag };
}

/**
 * Returns whether there is a file at any depth: a directory without one does not exist to us. An unreadable one may
 * have.
 */
async function holdsSomething(directory: string): Promise<boolean> {
  const below: string[] = [];
  try {
    for await (const entry of await retryOnEmfile(() => opendir(directory))) {
      if (entry.name.startsWith(UNFINISHED)) continue;
      if (!entry.isDirectory()) return true;
      below.push(join(directory, entry.name));
    }
  } catch (error) {
    if (isErrno(error, "EACCES")) return true;
    if (!isErrno(error, "ENOENT")) throw error;
  }
  for (const path of below) if (await holdsSomething(path)) return true;
  return false;
}
