/** Where a value is stored below the base path: Airflow's two key layouts. */
import { createHash, randomUUID } from "node:crypto";
import { failure, type StorageError } from "../errors.js";

/** Which task instance a value belongs to. */
export interface Owner {
  dagId: string;
  runId: string;
  taskId: string;
  /** -1 or left out: not mapped. It is no part of a path. */
  mapIndex?: number | undefined;
  /** The UUID of the task instance that writes, where it is known. */
  tiId?: string | undefined;
}

/** `ti` is the layout of Airflow 3.4, `uuid` the one before. Both are read. */
export type LayoutName = "ti" | "uuid";

/** A place below the base: whose it is, and the segments after the owner's. */
export interface Place {
  layout: LayoutName;
  /** `<dag>/<run>/<task>`, each possibly of several segments. */
  owner: string;
  tail: string;
}

/** Longest key of Amazon S3, in bytes; Airflow keeps the whole path of the `ti` layout below it. */
export const MAX_PATH_BYTES = 1024;
/** Airflow hashes a quoted key above this many characters. */
const MAX_NAME = 200;
/** Airflow never shortens an id of this many bytes. */
const SHORTEST_ID = 8;

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const SUFFIX = "(?:\\.(?:zip|bz2|gz|lzma|xz|lz4|zst))?";
const UUID_LEAF = new RegExp(`^${UUID}${SUFFIX}$`);
const TI_INSTANCE = new RegExp(`^(?:ti|write)-${UUID}$`);
const TI_LEAF = new RegExp(`^(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2}){0,${MAX_NAME}}\\.json${SUFFIX}$`);

/**
 * A new place for a value, as segments joined by `/`. `suffix` is the codec's, `limit` the most bytes that it may
 * have. InvalidArgument for ids or keys that make no path.
 */
export function newPlace(layout: LayoutName, owner: Owner, key: string, suffix: string, limit: number): string {
  checkOwner(owner);
  checkText("the key", key);
  const { dagId, runId, taskId } = owner;
  if (layout === "uuid") return `${dagId}/${runId}/${taskId}/${randomUUID()}${suffix}`;
  const tail = `${instance(owner.tiId)}/${nameOf(key)}.json${suffix}`;
  return `${ownerPath(owner, tail, limit)}/${tail}`;
}

/** What a path below the base says, undefined when it has none of the layouts. */
export function readPlace(below: string): Place | undefined {
  const segments = below.split("/");
  if (!isPrintable(below) || segments.some(isHollow)) return undefined;
  const leaf = segments.at(-1)!;
  if (segments.length >= 4 && UUID_LEAF.test(leaf)) return place("uuid", segments, 1);
  const ti = segments.length >= 5 && TI_INSTANCE.test(segments.at(-2)!) && TI_LEAF.test(leaf);
  return ti ? place("ti", segments, 2) : undefined;
}

function place(layout: LayoutName, segments: readonly string[], leafs: number): Place {
  return { layout, owner: segments.slice(0, -leafs).join("/"), tail: segments.slice(-leafs).join("/") };
}

/** Whether this owner would have written there; ids are shortened as its writer does. */
export function isOwned({ layout, owner, tail }: Place, by: Owner, limit: number): boolean {
  checkOwner(by);
  return owner === (layout === "ti" ? ownerPath(by, tail, limit) : `${by.dagId}/${by.runId}/${by.taskId}`);
}

/** InvalidArgument unless the ids make a path of which no segment is empty, `.` or `..`. */
export function checkOwner(owner: Owner): void {
  for (const name of ["dagId", "runId", "taskId"] as const) {
    checkText(name, owner[name]);
    if (owner[name].split("/").some(isHollow)) {
      throw invalid(`${name} ${JSON.stringify(owner[name].slice(0, 100))} has a segment that is empty, "." or ".."`);
    }
  }
}

function checkText(name: string, text: unknown): void {
  if (typeof text !== "string") throw invalid(`${name} must be a string, not ${text === null ? "null" : typeof text}`);
  if (!isPrintable(text)) throw invalid(`${name} has a NUL, TAB, CR, LF or half a character`);
}

function isPrintable(text: string): boolean {
  return text.isWellFormed() && !/[\0\t\r\n]/.test(text);
}

function isHollow(segment: string): boolean {
  return segment === "" || segment === "." || segment === "..";
}

/** The key as a file name: percent-quoted, or its SHA-256 where that is too long. */
function nameOf(key: string): string {
  // Dots alone would be the directory itself or its parent.
  const quoted = /^\.+$/.test(key) ? "%2E".repeat(key.length) : quote(key);
  return quoted.length <= MAX_NAME ? quoted : createHash("sha256").update(key, "utf8").digest("hex");
}

/** As Python's `quote(text, safe="")`. */
function quote(text: string): string {
  const percent = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!*'()]/g, percent);
}

function instance(tiId: string | undefined): string {
  if (tiId === undefined) return `write-${randomUUID()}`;
  const id = String(tiId).toLowerCase();
  if (!TI_INSTANCE.test(`ti-${id}`))
    throw invalid("tiId is the UUID of the task instance; leave it out when it is not known");
  return `ti-${id}`;
}

/** The ids as a path that leaves room for `tail`: the longest id loses its last character until all fits. */
function ownerPath({ dagId, runId, taskId }: Owner, tail: string, limit: number): string {
  const ids = [dagId, runId, taskId];
  const bytes = ids.map((id) => Buffer.byteLength(id, "utf8"));
  let excess = sum(bytes) + ids.length + Buffer.byteLength(tail, "utf8") - limit;
  while (excess > 0) {
    const longest = bytes.indexOf(Math.max(...bytes));
    if (bytes[longest]! <= SHORTEST_ID)
      throw invalid("the base path and the key leave no room for the ids; use a shorter base");
    const cut = lastCharacter(ids[longest]!);
    ids[longest] = ids[longest]!.slice(0, -cut.length);
    bytes[longest]! -= Buffer.byteLength(cut, "utf8");
    excess -= Buffer.byteLength(cut, "utf8");
  }
  checkOwner({ dagId: ids[0]!, runId: ids[1]!, taskId: ids[2]! });
  return ids.join("/");
}

function lastCharacter(text: string): string {
  const unit = text.charCodeAt(text.length - 1);
  return text.slice(unit >= 0xdc00 && unit <= 0xdfff ? -2 : -1);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, next) => total + next, 0);
}

function invalid(detail: string): StorageError {
  return failure("InvalidArgument", detail);
}
