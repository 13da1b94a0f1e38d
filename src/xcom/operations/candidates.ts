/** What a sweep may delete: objects below a path that have its layout and are old enough. */
import { isBatchError, isStorageError } from "../../errors.js";
import type { ListEntry, Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { ObjectLayout } from "../../references.js";
import { prefixOf } from "../keys/base.js";
import { classIn } from "../layers/retention-rules.js";
import { withoutClass } from "../stored.js";
import { keyBelow } from "./airflow-layout.js";
import { tellSome, type Watched } from "./progress.js";
import type { LineSorter } from "./sorted-lines.js";
import { keepFailure, type SweepReport } from "./sweep-report.js";

/** An object as it was listed. */
export interface Candidate {
  /** Its key below the path. */
  below: string;
  size: number;
  modified: Date;
  etag: string;
}

/** A part of the objects: those of every `of`th folder. `index` counts from 1. */
export interface SweepShard {
  index: number;
  of: number;
}

export interface Listing extends Watched {
  storage: Storage;
  path: StoragePath;
  /** The path below which the ids begin. */
  base: StoragePath;
  layout: ObjectLayout;
  shard: SweepShard;
  /** Objects younger than this are left alone. */
  graceMs: number;
  /** Whether objects of the layout that are no candidates get a line too, without an etag. @default false */
  all?: boolean | undefined;
  signal: AbortSignal | undefined;
}

/** Milliseconds by which an object's time may be ahead of this machine's clock. */
const CLOCKS_MS = 300_000;

/** Adds every candidate to the sorter as a line, and counts what it passes over. */
export async function collectCandidates(listing: Listing, sorter: LineSorter, report: SweepReport): Promise<void> {
  const now = Date.now();
  let bytes = 0;
  const progress = () => ({ phase: "list", count: report.listed, bytes }) as const;
  for await (const entry of entriesOf(listing, report)) {
    report.listed += 1;
    bytes += entry.size ?? 0;
    tellSome(listing, progress());
    const candidate = candidateOf(entry, listing, now, report);
    if (candidate) report.considered += 1;
    const line = candidate ? lineOf(candidate) : listing.all && otherLine(entry, listing);
    const full = line ? sorter.add(line) : undefined;
    if (full) await full;
  }
  listing.onProgress?.(progress());
}

function candidateOf(
  { path, size, modified, etag, type }: ListEntry,
  { path: top, base, layout, graceMs }: Listing,
  now: number,
  report: SweepReport,
): Candidate | undefined {
  const key = keyBelow(base, path.key);
  const isKnown = type === "file" && layout.parse(key) !== undefined && isSwept(layout, key);
  if (!isKnown || size === undefined || !isTag(etag)) {
    report.unknown += 1;
    return undefined;
  }
  const time = modified?.getTime() ?? now;
  if (time > Date.now() + CLOCKS_MS) report.future += 1;
  else if (modified === undefined || now - time < graceMs) report.young += 1;
  else return { below: path.key.slice(prefixOf(top).length), size, modified, etag };
  return undefined;
}

function isSwept(layout: ObjectLayout, key: string): boolean {
  return layout.isSwept?.(key) ?? true;
}

/** Without an etag nothing tells whether it is the same object later. */
function isTag(etag: string | undefined): etag is string {
  return etag !== undefined && etag !== "" && !/[\0\n\r]/.test(etag);
}

/** Yields all objects of the shard. A folder below that cannot be listed is a failure of the report, and no end. */
function entriesOf(listing: Listing, report: SweepReport): AsyncGenerator<ListEntry, void, undefined> {
  const { path, shard } = listing;
  const entries = shard.of === 1 ? recursive(listing, path) : foldersOf(listing, path, report);
  return listed(entries, path, listing, report);
}

/** Yields the entries of a folder, and counts what could not be listed. Throws if that is the path of the sweep. */
async function* listed(
  entries: AsyncIterable<ListEntry>,
  folder: StoragePath,
  { path, signal }: Listing,
  report: SweepReport,
): AsyncGenerator<ListEntry, void, undefined> {
  try {
    yield* entries;
  } catch (error) {
    signal?.throwIfAborted();
    const isBatch = isBatchError(error);
    if (!isBatch && (folder === path || !isStorageError(error))) throw error;
    report.failed += isBatch ? error.failureCount : 1;
    const failures = isBatch ? error.failures : [{ path: String(folder), error }];
    for (const failed of failures) keepFailure(report.failures, failed);
  }
}

function recursive({ storage, signal }: Listing, path: StoragePath) {
  return storage.list(path, { recursive: true, ordered: false, signal });
}

/** Yields what is in the shard's folders; the folders of retention classes are divided too. */
async function* foldersOf(
  listing: Listing,
  folder: StoragePath,
  report: SweepReport,
): AsyncGenerator<ListEntry, void, undefined> {
  const { storage, path, shard, signal } = listing;
  for await (const entry of storage.list(folder, { signal })) {
    // A name that is empty would lead to the folder itself.
    if (entry.path.key.length <= folder.key.length + 1) continue;
    const below = entry.path.relativeTo(path);
    if (entry.type === "directory" && classIn(`${below}/`) !== undefined && folder === path)
      yield* listed(foldersOf(listing, entry.path, report), entry.path, listing, report);
    else if (!isInShard(`${below}/`, shard)) continue;
    else if (entry.type === "directory") yield* listed(recursive(listing, entry.path), entry.path, listing, report);
    else yield entry;
  }
}

/** Returns whether an object is of a shard: its first folder decides, or that in the folder of a retention class. */
export function isInShard(below: string, { index, of }: SweepShard): boolean {
  if (of === 1) return true;
  const rest = withoutClass(below);
  return hashOf(rest.slice(0, rest.indexOf("/"))) % of === index - 1;
}

/** FNV-1a, of UTF-16 code units. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}

// Lines begin with the key and NUL, which no key has, so that their order is that of the keys.

/**
 * Returns the line of an object that is no candidate: one with an etag is too young, and its line ends with NUL.
 * Undefined for what has no name of the layout, or no size.
 */
function otherLine({ path, type, size, etag }: ListEntry, { path: top, base, layout }: Listing): string | undefined {
  const below = path.key.slice(prefixOf(top).length);
  const key = keyBelow(base, path.key);
  const isKnown = type === "file" && layout.parse(key) !== undefined;
  if (!isKnown || size === undefined || /[\0\n]/.test(below)) return undefined;
  return `${below}\0${size}${isTag(etag) && isSwept(layout, key) ? "\0" : ""}`;
}

/** Whether a line is that of a candidate, or of an object that is too young for one. */
export function hasTag(line: string): boolean {
  return line.includes("\0", line.indexOf("\0") + 1);
}

export function isYoung(line: string): boolean {
  return line.endsWith("\0");
}

function lineOf({ below, size, modified, etag }: Candidate): string {
  return `${below}\0${size}\0${modified.getTime()}\0${etag}`;
}

export function candidateIn(line: string): Candidate {
  const [below = "", size, time, etag = ""] = line.split("\0");
  return { below, size: Number(size), modified: new Date(Number(time)), etag };
}

/** Returns the size of the object of a line. */
export function sizeIn(line: string): number {
  return Number(line.split("\0", 2)[1]);
}

/** Returns the key at the start of a line. */
export function keyIn(line: string): string {
  return line.slice(0, line.indexOf("\0"));
}
