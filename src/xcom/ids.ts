/** Ids and keys as parts of a path. */

import { createHash } from "node:crypto";
import { invalid } from "../errors.js";
import { looksDigested } from "./leaf.js";

/** Which task instance a value belongs to. */
export interface Owner {
  dagId: string;
  runId: string;
  taskId: string;
  /** -1 or left out: not mapped. Of the layouts only a key template can have it. */
  mapIndex?: number | undefined;
  /** The UUID of the task instance that writes, where it is known. */
  tiId?: string | undefined;
}

/** Airflow hashes a quoted key above this many characters. */
export const MAX_NAME = 200;
/** Airflow never shortens an id of this many bytes. */
const SHORTEST_ID = 8;

/** InvalidArgument unless the ids make a path of which no segment is empty, `.` or `..`. */
export function checkOwner(owner: Owner): void {
  for (const name of ["dagId", "runId", "taskId"] as const) {
    checkText(name, owner[name]);
    if (owner[name].split("/").some(isHollow)) {
      throw invalid(`${name} ${JSON.stringify(owner[name].slice(0, 100))} has a segment that is empty, "." or ".."`);
    }
  }
}

export function checkText(name: string, text: unknown): void {
  if (typeof text !== "string") throw invalid(`${name} must be a string, not ${text === null ? "null" : typeof text}`);
  if (!isPrintable(text)) throw invalid(`${name} has a NUL, TAB, CR, LF or half a character`);
}

export function isPrintable(text: string): boolean {
  return text.isWellFormed() && !/[\0\t\r\n]/.test(text);
}

export function isHollow(segment: string): boolean {
  return segment === "" || segment === "." || segment === "..";
}

/** The key as a file name: percent-quoted, or its SHA-256 where that has more than `max` bytes. */
export function nameOf(key: string, max = MAX_NAME): string {
  const quoted = quotedId(key);
  const fits = quoted.length <= Math.min(max, MAX_NAME) && !looksDigested(quoted);
  return fits ? quoted : createHash("sha256").update(key, "utf8").digest("hex");
}

/** A text as one segment, from which it can be told: everything but `A-Z a-z 0-9 _ . ~ -` is percent-quoted. */
export function quotedId(text: string): string {
  // Dots alone would be the directory itself or its parent.
  return /^\.+$/.test(text) ? "%2E".repeat(text.length) : quote(text);
}

/** As Python's `quote(text, safe="")`. */
function quote(text: string): string {
  const percent = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!*'()]/g, percent);
}

/** The ids without `excess` bytes, at least: the longest loses its last character until that is so. Airflow's rule. */
export function shortened(ids: readonly string[], excess: number, sizeOf: (id: string) => number): string[] {
  const short = [...ids];
  const sizes = short.map(sizeOf);
  let left = excess;
  while (left > 0) {
    const longest = sizes.indexOf(Math.max(...sizes));
    const size = sizes[longest] ?? 0;
    const cut = withoutLastCharacter(short[longest] ?? "");
    if (size <= SHORTEST_ID || cut === "")
      throw invalid("the base path and the key leave no room for the ids; use a shorter base");
    short[longest] = cut;
    sizes[longest] = sizeOf(cut);
    left -= size - sizeOf(cut);
  }
  return short;
}

function withoutLastCharacter(text: string): string {
  const unit = text.charCodeAt(text.length - 1);
  return text.slice(0, unit >= 0xdc00 && unit <= 0xdfff ? -2 : -1);
}

export function byteLength(text: string): number {
  return Buffer.byteLength(text, "utf8");
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, next) => total + next, 0);
}
