/** Where a value is stored below the base path: what a layout is, and Airflow's two. */
import { createHash, randomUUID } from "node:crypto";
import { invalid } from "../../errors.js";
import { isCompressed } from "../settings.js";

// Ids and keys as parts of a path.

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
const MAX_NAME = 200;
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

function checkText(name: string, text: unknown): void {
  if (typeof text !== "string") throw invalid(`${name} must be a string, not ${text === null ? "null" : typeof text}`);
  if (!isPrintable(text)) throw invalid(`${name} has a NUL, TAB, CR, LF or half a character`);
}

function isPrintable(text: string): boolean {
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

function byteLength(text: string): number {
  return Buffer.byteLength(text, "utf8");
}

export function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, next) => total + next, 0);
}

// The last segment of an object's path: a stem, perhaps the digest of its bytes, and what it holds by two suffixes.

/** How the name of an object ends. */
export interface NameEnding {
  /** SHA-256 of the stored bytes, in lower-case hexadecimal. */
  digest?: string | undefined;
  /** The serializer's suffix. */
  suffix: string;
  /** The codec's suffix, empty without one. */
  codec: string;
}

export interface ObjectName extends NameEnding {
  stem: string;
}

/** Most bytes of a name that has a digest; file systems take 255. */
export const MAX_LEAF = 240;

const DIGEST = /~sha256-([0-9a-f]{64})$/;
const LAST_SUFFIX = /\.[a-z0-9][a-z0-9_@+-]{0,30}$/;

export function endingText({ digest, suffix, codec }: NameEnding): string {
  return `${digest === undefined ? "" : `~sha256-${digest}`}${suffix}${codec}`;
}

/** Whether a stem would be read as one with a digest. */
function looksDigested(stem: string): boolean {
  return DIGEST.test(stem);
}

/** The parts of a name; `suffix` is empty when it has none. */
export function parseObjectName(name: string): ObjectName {
  const codec = isCompressed(name) ? name.slice(name.lastIndexOf(".")) : "";
  const bare = name.slice(0, name.length - codec.length);
  const suffix = isCompressed(bare) ? "" : (LAST_SUFFIX.exec(bare)?.[0] ?? "");
  const stem = bare.slice(0, bare.length - suffix.length);
  const digest = DIGEST.exec(stem)?.[1];
  return { stem: digest === undefined ? stem : stem.replace(DIGEST, ""), digest, suffix, codec };
}

/** `ti` is the layout of Airflow 3.4, `uuid` the one before. Both are read. */
export type LayoutName = "ti" | "uuid";

/** A place below the base: whose it is, and the segments after the owner's. */
export interface ParsedKey<Name extends string = LayoutName> {
  layout: Name;
  /** `<dag>/<run>/<task>`, each possibly of several segments; with a key template those of its ids. */
  owner: string;
  tail: string;
}

/** How paths below the base are made and told. Ids and segments are checked before it is asked. */
export interface KeyLayout<Name extends string = string> {
  readonly name: Name;
  /** A new place, as segments joined by `/`; `limit` is the most bytes that it may have. */
  newKey(owner: Owner, key: string, ending: NameEnding, limit: number): string;
  /** What a path says, undefined when this layout did not make it. */
  parseKey(segments: readonly string[]): ParsedKey<Name> | undefined;
  /** Whether this owner would have written there; ids are shortened as its writer does. */
  isOwned(place: ParsedKey<Name>, by: Owner, limit: number): boolean;
}

/** Longest key of Amazon S3, in bytes; Airflow keeps the whole path of the `ti` layout below it. */
export const MAX_PATH_BYTES = 1024;

export const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}";
const WHOLE_UUID = new RegExp(`^${UUID}$`);
const TI_INSTANCE = new RegExp(`^(?:ti|write)-${UUID}$`);
const QUOTED = new RegExp(`^(?:[A-Za-z0-9_.~-]|%[0-9A-F]{2}){0,${MAX_NAME}}$`);

export const tiLayout: KeyLayout<"ti"> = {
  name: "ti",
  newKey(owner, key, ending, limit) {
    const end = endingText(ending);
    const tail = `${instance(owner.tiId)}/${nameOf(key, MAX_LEAF - end.length)}${end}`;
    return `${ownerPath(owner, tail, limit)}/${tail}`;
  },
  parseKey(segments) {
    if (segments.length < 5 || !TI_INSTANCE.test(segments.at(-2)!)) return undefined;
    const { stem, suffix } = parseObjectName(segments.at(-1)!);
    return suffix !== "" && QUOTED.test(stem) ? place("ti", segments, 2) : undefined;
  },
  isOwned: ({ owner, tail }, by, limit) => owner === ownerPath(by, tail, limit),
};

export const uuidLayout: KeyLayout<"uuid"> = {
  name: "uuid",
  newKey({ dagId, runId, taskId }, _key, ending) {
    // Airflow's own objects in this layout have no suffix for JSON.
    const suffix = ending.suffix === ".json" ? "" : ending.suffix;
    return `${dagId}/${runId}/${taskId}/${randomUUID()}${endingText({ ...ending, suffix })}`;
  },
  parseKey(segments) {
    const isUuid = segments.length >= 4 && WHOLE_UUID.test(parseObjectName(segments.at(-1)!).stem);
    return isUuid ? place("uuid", segments, 1) : undefined;
  },
  isOwned: ({ owner }, { dagId, runId, taskId }) => owner === `${dagId}/${runId}/${taskId}`,
};

export const AIRFLOW_LAYOUTS = [uuidLayout, tiLayout] as const;

/** A new place for a value. InvalidArgument for ids or keys that make no path. */
export function newObjectKey(layout: KeyLayout, owner: Owner, key: string, ending: NameEnding, limit: number): string {
  checkOwner(owner);
  checkText("the key", key);
  return layout.newKey(owner, key, ending, limit);
}

/** What a path below the base says, undefined when it has none of Airflow's layouts. */
export function parseObjectKey(below: string): ParsedKey | undefined {
  const segments = segmentsOf(below);
  return segments && (uuidLayout.parseKey(segments) ?? tiLayout.parseKey(segments));
}

/** The segments of a path below a base; undefined when one is empty, `.` or `..`, or has what no path holds. */
export function segmentsOf(below: string): string[] | undefined {
  const segments = below.split("/");
  return isPrintable(below) && !segments.some(isHollow) ? segments : undefined;
}

function place<Name extends LayoutName>(layout: Name, segments: readonly string[], leafs: number): ParsedKey<Name> {
  return { layout, owner: segments.slice(0, -leafs).join("/"), tail: segments.slice(-leafs).join("/") };
}

function instance(tiId: string | undefined): string {
  if (tiId === undefined) return `write-${randomUUID()}`;
  const id = String(tiId).toLowerCase();
  if (!WHOLE_UUID.test(id)) throw invalid("tiId is the UUID of the task instance; leave it out when it is not known");
  return `ti-${id}`;
}

/** The ids as a path that leaves room for `tail`. */
function ownerPath(owner: Owner, tail: string, limit: number): string {
  const ids = [owner.dagId, owner.runId, owner.taskId];
  const excess = sum(ids.map(byteLength)) + ids.length + byteLength(tail) - limit;
  if (excess <= 0) return ids.join("/");
  const [dagId, runId, taskId] = shortened(ids, excess, byteLength) as [string, string, string];
  checkOwner({ dagId, runId, taskId });
  return `${dagId}/${runId}/${taskId}`;
}
