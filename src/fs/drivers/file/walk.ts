/** Listings in the order of keys. Memory is bounded by the names of the directories that are open, since order needs them all. */
import type { Dirent } from "node:fs";
import { lstat, opendir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Info, Item, ListOptions } from "../../driver.js";
import { byUtf8, isAfter } from "../../order.js";
import { isErrno, patiently } from "./io.js";
import { infoOf } from "./object.js";
import { type Places, UNFINISHED } from "./place.js";

const PAGE = 1000;
/** How many entries are looked at together. */
const TOGETHER = 64;

interface Child {
  key: string;
  path: string;
  type: "file" | "directory" | "link";
}

/** Pages of what is below `prefix`. A link is listed when it leads to a file inside the root, and never followed to a directory. */
export async function* listed(places: Places, prefix: string, options: ListOptions): AsyncGenerator<Item[]> {
  let page: Item[] = [];
  for await (const group of groups(childrenOf(places, prefix, options))) {
    options.signal?.throwIfAborted();
    const items = await Promise.all(group.map((child) => itemOf(places, child)));
    page.push(...items.filter((item) => item !== undefined));
    if (page.length < PAGE) continue;
    yield page.slice(0, PAGE);
    page = page.slice(PAGE);
  }
  if (page.length > 0) yield page;
}

async function* groups(children: AsyncIterable<Child>): AsyncGenerator<Child[]> {
  let group: Child[] = [];
  for await (const child of children) {
    if (group.push(child) < TOGETHER) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}

/** Depth first; with a delimiter, one level. */
async function* childrenOf(
  places: Places,
  prefix: string,
  { delimiter, startAfter, signal }: ListOptions,
): AsyncGenerator<Child> {
  const { directory, partial } = places.namedPrefix(prefix);
  const start = await places.real(directory).catch(ifGone);
  if (start === undefined) return;
  const base = prefix.slice(0, prefix.length - partial.length);
  const open = [await sorted(start, base, partial)];
  for (let level = open.at(-1); level; level = open.at(-1)) {
    const child = level.pop();
    if (!child) open.pop();
    else if (child.type !== "directory" || delimiter) {
      if (isAfter(child.key, startAfter)) yield child;
    } else if (isAfter(child.key, startAfter) || startAfter?.startsWith(child.key)) {
      signal?.throwIfAborted();
      open.push(await sorted(child.path, child.key, ""));
    }
  }
}

/** What is in a directory, the first key last; nothing when it is gone. */
async function sorted(directory: string, base: string, partial: string): Promise<Child[]> {
  const entries = (await patiently(() => readdir(directory, { withFileTypes: true })).catch(ifGone)) ?? [];
  const children = entries
    .filter(({ name }) => name.startsWith(partial))
    .flatMap((entry) => childOf(directory, base, entry) ?? []);
  return children.sort((a, b) => byUtf8(b.key, a.key));
}

function childOf(directory: string, base: string, entry: Dirent): Child | undefined {
  const { name } = entry;
  // A backslash is refused in keys, so that what is listed can be read.
  if (name.startsWith(UNFINISHED) || name.includes("\\")) return undefined;
  const path = join(directory, name);
  // With its delimiter a directory sorts where the keys below it do.
  if (entry.isDirectory()) return { key: `${base}${name}/`, path, type: "directory" };
  if (entry.isFile()) return { key: base + name, path, type: "file" };
  return entry.isSymbolicLink() ? { key: base + name, path, type: "link" } : undefined;
}

async function itemOf(places: Places, { key, path, type }: Child): Promise<Item | undefined> {
  if (type === "directory") return (await holdsFile(path)) ? { key, type } : undefined;
  const real = type === "link" ? await places.real(path).catch(() => undefined) : path;
  const stats = real === undefined ? undefined : await lstat(real, { bigint: true }).catch(ifGone);
  return stats?.isFile() ? fileItem(infoOf(key, stats)) : undefined;
}

function fileItem({ key, size, modified, etag }: Info): Item {
  return { key, type: "file", size, modified, etag };
}

/** Whether there is a file at any depth: a directory without one does not exist to us. An unreadable one may have. */
async function holdsFile(directory: string): Promise<boolean> {
  const below: string[] = [];
  try {
    for await (const entry of await patiently(() => opendir(directory))) {
      if (entry.name.startsWith(UNFINISHED)) continue;
      if (entry.isFile()) return true;
      if (entry.isDirectory()) below.push(join(directory, entry.name));
    }
  } catch (error) {
    if (isErrno(error, "EACCES")) return true;
    if (!isErrno(error, "ENOENT")) throw error;
  }
  for (const path of below) if (await holdsFile(path)) return true;
  return false;
}

function ifGone(error: unknown): undefined {
  if (!isErrno(error, "ENOENT", "ENOTDIR")) throw error;
}
