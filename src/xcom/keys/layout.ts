/** The location of a value below the base path: the layout interface, and Airflow's two layouts. */
import { createHash, randomUUID } from "node:crypto";
import { invalid } from "../../errors.js";
import { isCompressed } from "../settings.js";

// Ids and keys as parts of a path.

/** The task instance that owns a value. */
export interface Owner {
  dagId: string;
  runId: string;
  taskId: string;
  /** -1 or omitted: not mapped. Only a key template can include it. */
  mapIndex?: number | undefined;
  /** The UUID of the writing task instance, if known. */
  tiId?: string | undefined;
}

/** The owner that a reference must belong to. */
export interface ExpectedOwner extends Owner {
  /** Accepts an object of any run of the task. @default false */
  anyRun?: boolean | undefined;
}

/** Airflow hashes a quoted key longer than this many characters. */
const MAX_NAME = 200;
/** Airflow never shortens an id of this many bytes. */
const SHORTEST_ID = 8;

/** Returns the ids in the order in which they form a path. */
export function idsOf({ dagId, runId, taskId }: Owner): string[] {
  return [dagId, runId, taskId];
}

/** Throws InvalidArgument unless the ids form a path without segments that are empty, `.` or `..`. */
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
  if (!isPrintable(text)) throw invalid(`${name} has a NUL, TAB, CR, LF or a lone surrogate`);
}

function isPrintable(text: string): boolean {
  return text.isWellFormed() && !/[\0\t\r\n]/.test(text);
}

export function isHollow(segment: string): boolean {
  return segment === "" || segment === "." || segment === "..";
}

/** Returns the key as a file name: percent-quoted, or its SHA-256 if that has more than `max` bytes. */
export function nameOf(key: string, max = MAX_NAME): string {
  const quoted = quotedId(key);
  const fits = quoted.length <= Math.min(max, MAX_NAME) && !looksDigested(quoted);
  return fits ? quoted : createHash("sha256").update(key, "utf8").digest("hex");
}

/** Returns text as one reversible segment: everything but `A-Z a-z 0-9 _ . ~ -` is percent-quoted. */
export function quotedId(text: string): string {
  // Dots alone would mean the directory itself or its parent.
  return /^\.+$/.test(text) ? "%2E".repeat(text.length) : quote(text);
}

/** As Python's `quote(text, safe="")`. */
function quote(text: string): string {
  const percent = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text).replace(/[!*'()]/g, percent);
}

/** Shortens the ids by at least `excess` bytes: repeatedly drops the last character of the longest. Airflow's rule. */
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

// The last segment of an object's path: a stem, an optional digest of its bytes, and the suffixes of serializer and
// codec.

/** The end of an object's name. */
export interface NameEnding {
  /** SHA-256 of the stored bytes, in lower-case hexadecimal. */
  digest?: string | undefined;
  /** The serializer's suffix. */
  suffix: string;
  /** The codec's suffix; empty without a codec. */
  codec: string;
}

export interface ObjectName extends NameEnding {
  stem: string;
}

/** Maximum bytes of a name with a digest; file systems allow 255. */
export const MAX_LEAF = 240;

const DIGEST = /~sha256-([0-9a-f]{64})$/;
const LAST_SUFFIX = /\.[a-z0-9][a-z0-9_@+-]{0,30}$/;

export function endingText({ digest, suffix, codec }: NameEnding): string {
  return `${digest === undefined ? "" : `~sha256-${digest}`}${suffix}${codec}`;
}

/** Whether a reader would see a digest in a stem. */
function looksDigested(stem: string): boolean {
  return DIGEST.test(stem);
}

/** Returns the parts of a name; `suffix` is empty if it has none. */
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

/** A parsed path below the base: its owner, and the segments after the owner's. */
export interface ParsedKey<Name extends string = LayoutName> {
  layout: Name;
  /** `<dag>/<run>/<task>`, each possibly of several segments; with a key template, the segments of its ids. */
  owner: string;
  tail: string;
}

/** Creates and parses paths below the base. Callers check ids and segments first. */
export interface KeyLayout<Name extends string = string> {
  readonly name: Name;
  /** Whether values can share a name, so that a later one overwrites an earlier one. @default false */
  readonly overwrites?: boolean;
  /** Returns a new location as segments joined by `/`, of at most `limit` bytes. */
  newKey(owner: Owner, key: string, ending: NameEnding, limit: number): string;
  /** Parses a path; returns undefined if this layout did not create it. */
  parseKey(segments: readonly string[]): ParsedKey<Name> | undefined;
  /** Whether this owner would have written to the path; ids are shortened as on write. */
  isOwned(place: ParsedKey<Name>, by: ExpectedOwner, limit: number): boolean;
}

/** Maximum bytes of an Amazon S3 key; Airflow keeps the whole path of the `ti` layout below it. */
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
  isOwned: ({ owner, tail }, by, limit) => owner === ownerPath(inRun(owner, by), tail, limit),
};

export const uuidLayout: KeyLayout<"uuid"> = {
  name: "uuid",
  newKey(owner, _key, ending) {
    // Airflow's own objects in this layout have no suffix for JSON.
    const suffix = ending.suffix === ".json" ? "" : ending.suffix;
    return `${idsOf(owner).join("/")}/${randomUUID()}${endingText({ ...ending, suffix })}`;
  },
  parseKey(segments) {
    const isUuid = segments.length >= 4 && WHOLE_UUID.test(parseObjectName(segments.at(-1)!).stem);
    return isUuid ? place("uuid", segments, 1) : undefined;
  },
  isOwned: ({ owner }, by) => owner === idsOf(inRun(owner, by)).join("/"),
};

/** Returns the owner with the run of a path if any run will do. */
function inRun(path: string, { anyRun, ...owner }: ExpectedOwner): Owner {
  return anyRun ? { ...owner, runId: path.slice(owner.dagId.length + 1, -owner.taskId.length - 1) } : owner;
}

export const AIRFLOW_LAYOUTS = [uuidLayout, tiLayout] as const;

/** Returns a new location for a value. Throws InvalidArgument for ids or keys that do not form a path. */
export function newObjectKey(layout: KeyLayout, owner: Owner, key: string, ending: NameEnding, limit: number): string {
  checkOwner(owner);
  checkText("the key", key);
  return layout.newKey(owner, key, ending, limit);
}

/** Parses a path below the base; returns undefined if it has none of Airflow's layouts. */
export function parseObjectKey(below: string): ParsedKey | undefined {
  const segments = segmentsOf(below);
  return segments && (uuidLayout.parseKey(segments) ?? tiLayout.parseKey(segments));
}

/** Returns the segments of a path below a base; undefined if one is empty, `.` or `..`, or has an illegal character. */
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

/** Returns the ids as a path that leaves room for `tail`. */
function ownerPath(owner: Owner, tail: string, limit: number): string {
  const ids = idsOf(owner);
  const excess = sum(ids.map(byteLength)) + ids.length + byteLength(tail) - limit;
  if (excess <= 0) return ids.join("/");
  const [dagId, runId, taskId] = shortened(ids, excess, byteLength) as [string, string, string];
  const short = { dagId, runId, taskId };
  checkOwner(short);
  return idsOf(short).join("/");
}
