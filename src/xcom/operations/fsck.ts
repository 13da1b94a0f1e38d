/** Compares references with the objects that they lead to, and objects with the references that name them. */
import { createHash } from "node:crypto";
import { codecs } from "../../codecs/index.js";
import { forEachConcurrent } from "../../concurrency.js";
import { checkOptions, failure, invalid, isStorageError, type OptionNames } from "../../errors.js";
import { type Abortable, checkCount, type Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { NamedObject, ObjectLayout, ReferenceSource } from "../../references.js";
import { airflowEncoding } from "../encoding/airflow.js";
import { readJson } from "../encoding/json-read.js";
import type { ReadAliases } from "../features.js";
import { pathBelow } from "../keys/base.js";
import { airflowLayout } from "./airflow-layout.js";
import { candidateIn, collectCandidates, hasTag, isYoung } from "./candidates.js";
import { compare } from "./compare.js";
import { ListedReferences, type OwnReference } from "./listed-references.js";
import { tellSome, type Watched } from "./progress.js";
import { addKeys } from "./reference-keys.js";
import { ReferencePlaces } from "./reference-places.js";
import { type Batches, LineSorter, RunFolder } from "./sorted-lines.js";
import { checkLayout, GRACE_MS, HOUR_MS } from "./sweep.js";
import { emptyReport } from "./sweep-report.js";

export interface FsckOptions extends Abortable, Watched {
  storage: Storage;
  /** Where references are. A source that fails ends the check. */
  sources: readonly ReferenceSource[];
  /**
   * The base path, or a folder below `base`: all references are expected there, and objects there that no reference
   * names are problems too. The listing answers for them, unless the check is `deep`; what it does not have is looked at
   * once more. Without it, every reference is looked at wherever it leads, and nothing is listed.
   */
  path?: StoragePath | string | undefined;
  /** The base path, if `path` is a folder below it; references to the rest of it count as `elsewhere`. @default path */
  base?: StoragePath | string | undefined;
  /** Other paths by which references may name the objects below `path`. */
  as?: readonly (StoragePath | string)[] | undefined;
  /** Other bases, such as those of routes: references to them count as `elsewhere` and are no problem. */
  also?: readonly (StoragePath | string)[] | undefined;
  /** The `readAliases` of the backend that reads the references. */
  aliases?: ReadAliases | undefined;
  /** The names of objects. @default those of XComs */
  layout?: ObjectLayout | undefined;
  /** Milliseconds for which an object needs no reference; an hour is added, as in `sweep`. @default 24 hours */
  graceMs?: number | undefined;
  /** Also reads every object: decodes it, parses JSON, and compares size and digest. @default false */
  deep?: boolean | undefined;
  /** References checked in parallel. @default 16 */
  concurrency?: number | undefined;
  /** Called with each problem as it is found, in any order. */
  onProblem?: ((problem: FsckProblem) => void | Promise<void>) | undefined;
}

/**
 * `missing`: there is no object. `size`: it has another size than the reference states. `damaged`: it cannot be decoded
 * or has another digest. `foreign`: the reference does not lie below `path`. `layout`: it does, and is no name of an
 * object. `orphan`: an object that no reference names. `unchecked`: the store refused to answer.
 */
export type FsckProblemKind = "missing" | "size" | "damaged" | "foreign" | "layout" | "orphan" | "unchecked";

export interface FsckProblem {
  /** The reference; of an orphan its path. */
  reference: string;
  /** Where it was found; empty for an orphan. */
  where: string;
  problem: FsckProblemKind;
  detail: string;
}

/** The number of problems of each kind, and what was looked at. */
export interface FsckReport extends Record<FsckProblemKind, number> {
  /** References whose object was looked at. */
  checked: number;
  /** Bytes of these objects, as stored. */
  bytes: number;
  /** References to the rest of `base`, or to a path in `also`. */
  elsewhere: number;
  /** Texts that are no references: values in rows. */
  values: number;
  /** Objects listed below `path`. */
  listed: number;
  /** Of these, objects that have no name of the layout, or no etag: files of other programs. */
  others: number;
  /** Of these, objects that no reference names, and that are within the grace or dated in the future. */
  young: number;
}

const OPTIONS: OptionNames<FsckOptions> = {
  storage: true,
  sources: true,
  path: true,
  base: true,
  as: true,
  also: true,
  aliases: true,
  layout: true,
  graceMs: true,
  deep: true,
  concurrency: true,
  onProblem: true,
  onProgress: true,
  signal: true,
};

const CONCURRENCY = 16;
const WHOLE = { index: 1, of: 1 };

/** A check that runs. */
interface Check extends FsckOptions {
  places: ReferencePlaces;
  layout: ObjectLayout;
  concurrency: number;
  graceMs: number;
  report: FsckReport;
}

/**
 * Looks at the object of every reference, and reports those that are missing, damaged or of another size; with `path`
 * also references that lead elsewhere, and objects that no reference names. Writes nothing. Memory does not grow with
 * the number of references or objects; a reference that occurs several times is checked as often.
 *
 * @example
 * const sources = [airflowReferences(query)];
 * const report = await fsck({ storage, sources, deep: true, onProblem: (problem) => console.log(problem) });
 */
export async function fsck(options: FsckOptions): Promise<FsckReport> {
  const check = checkFsck(options);
  const folder = new RunFolder();
  try {
    const { path } = check.places;
    if (path) await checkBothWays(check, path, folder);
    else await forEachConcurrent(ownReferences(check), check, (own) => look(check, own));
  } finally {
    await folder.remove();
  }
  return check.report;
}

function checkFsck(options: FsckOptions): Check {
  checkOptions("fsck", options, OPTIONS);
  const { sources, path, base, concurrency = CONCURRENCY, graceMs = GRACE_MS, layout = airflowLayout } = options;
  if (!Array.isArray(sources) || sources.length === 0) throw invalid("fsck needs at least one source of references");
  checkCount("concurrency", concurrency, 1);
  if (!Number.isFinite(graceMs) || graceMs < 0) throw invalid(`graceMs of fsck must be 0 or more, not ${graceMs}`);
  for (const name of ["base", "as", "also"] as const)
    if (options[name] !== undefined && path === undefined) throw invalid(`${name} of fsck needs path`);
  checkLayout(layout, graceMs, false);
  const places = new ReferencePlaces({ ...options, layout });
  if (base !== undefined && !places.path?.isRelativeTo(places.base!))
    throw invalid(`path of fsck, ${places.path}, is not below base, ${places.base}`);
  const kinds = { missing: 0, size: 0, damaged: 0, foreign: 0, layout: 0, orphan: 0, unchecked: 0 };
  const report: FsckReport = {
    checked: 0,
    bytes: 0,
    elsewhere: 0,
    values: 0,
    listed: 0,
    others: 0,
    young: 0,
    ...kinds,
  };
  return { ...options, places, layout, concurrency, graceMs: graceMs + HOUR_MS, report };
}

async function found(check: Check, problem: FsckProblem): Promise<void> {
  check.report[problem.problem] += 1;
  await check.onProblem?.(problem);
}

/** What is not yet known to be referred to. */
type Listed = ReturnType<typeof emptyReport>;

async function listObjects(check: Check, objects: LineSorter, listing: Listed): Promise<void> {
  const { storage, places, layout, graceMs, onProgress, signal } = check;
  const { path, base } = places as { path: StoragePath; base: StoragePath };
  await collectCandidates(
    { storage, path, base, layout, shard: WHOLE, graceMs, all: true, onProgress, signal },
    objects,
    listing,
  );
  check.report.listed = listing.listed;
  check.report.others = listing.unknown;
  for (const { path: at, error } of listing.failures)
    await found(check, { reference: at, where: "", problem: "unchecked", detail: reasonOf(error) });
}

/** Checks references and the objects below the path. */
async function checkBothWays(check: Check, path: StoragePath, folder: RunFolder): Promise<void> {
  // Objects first: of what is written later, and its reference, only the reference is looked at.
  const objects = new LineSorter(folder);
  const listing = emptyReport();
  await listObjects(check, objects, listing);
  const sides = { objects, listing, keys: new LineSorter(folder), references: new ListedReferences(path, folder) };
  await forEachConcurrent(ownReferences(check, sides), check, (own) => look(check, own));
  const settle = (size: number) => count(check, size);
  await forEachConcurrent(sides.references.unsettled(objects.batches(), settle), check, (own) => look(check, own));
  await findOrphans(check, sides);
}

/**
 * Yields the references whose object is to be looked at; counts and reports all others, and leaves those for which the
 * listing answers to the sides.
 */
async function* ownReferences(check: Check, sides?: Sides): AsyncGenerator<Own, void, undefined> {
  const { sources, places, deep = false, report, onProgress, signal } = check;
  let read = 0;
  for (const source of sources) {
    for await (const reference of source.references({ signal })) {
      const { text, where, isInside } = reference;
      const place = isInside ? VALUE : places.of(text);
      read += 1;
      if (sides && !deep) tellSome({ onProgress }, { phase: "references", count: read, bytes: 0 });
      if (sides) await addKeys(places.keysIn(text), WHOLE, sides.keys);
      if (place.kind === "value") report.values += 1;
      else if (place.kind === "elsewhere") report.elsewhere += 1;
      else if (place.kind !== "own")
        await found(check, { reference: text, where, problem: place.kind, detail: place.detail });
      else {
        const own = { reference, ...place };
        if (deep || !(await sides?.references.add(own))) yield own;
      }
    }
  }
}

const VALUE = { kind: "value" } as const;

interface Sides {
  objects: LineSorter;
  listing: Listed;
  /** The keys that texts name, whatever stands around them. */
  keys: LineSorter;
  /** The references for which the listing answers. */
  references: ListedReferences;
}

async function findOrphans(check: Check, { objects, keys, listing }: Sides): Promise<void> {
  const { places, onProgress, signal } = check;
  const add = (line: string) => {
    if (isYoung(line)) {
      check.report.young += 1;
      return undefined;
    }
    const { below, size, modified } = candidateIn(line);
    const reference = String(pathBelow(places.path!, below));
    const detail = `no reference names it; ${size} bytes, written ${modified.toISOString()}`;
    return found(check, { reference, where: "", problem: "orphan", detail });
  };
  await compare(taggedIn(objects.batches()), keys.batches(), { add }, { report: listing, onProgress, signal });
}

async function* taggedIn(objects: Batches): AsyncGenerator<readonly string[], void, undefined> {
  for await (const lines of objects) yield lines.filter(hasTag);
}

interface Own extends OwnReference {
  /** Of a reference that may be read. */
  named?: NamedObject;
}

async function look(check: Check, { reference, path, named = {} }: Own): Promise<void> {
  const { storage, deep = false, signal } = check;
  const { text, where, plainSize } = reference;
  const fail = (problem: FsckProblemKind, detail: string) => found(check, { reference: text, where, problem, detail });
  let bytes = 0;
  let other: number | undefined;
  try {
    const { size } = await storage.stat(path, { signal });
    bytes = size;
    const isPlain = codecs.forSuffix(path.name) === undefined;
    let decoded = isPlain ? size : undefined;
    const isOther = () => plainSize !== undefined && decoded !== undefined && decoded !== plainSize;
    if (deep && !isOther()) decoded = await readWhole(storage, path, named, signal);
    if (isOther()) other = decoded;
  } catch (error) {
    signal?.throwIfAborted();
    if (!isStorageError(error)) throw error;
    await fail(PROBLEMS[error.code] ?? "unchecked", reasonOf(error));
  }
  if (other !== undefined) await fail("size", `${other} bytes, the reference states ${plainSize}`);
  count(check, bytes);
}

function count({ report, onProgress }: Check, bytes: number): void {
  report.checked += 1;
  report.bytes += bytes;
  onProgress?.({ phase: "check", count: report.checked, bytes: report.bytes });
}

function reasonOf(error: unknown): string {
  if (!isStorageError(error)) return String(error);
  return `${error.code}${error.detail ? `: ${error.detail}` : ""}`;
}

const PROBLEMS: Partial<Record<string, FsckProblemKind>> = { NotFound: "missing", Corrupt: "damaged" };

/** Reads an object to its end, and returns its decoded size. Throws Corrupt if it is not what its name says. */
async function readWhole(
  storage: Storage,
  path: StoragePath,
  { sha256, of, isJson = false }: NamedObject,
  signal: AbortSignal | undefined,
): Promise<number> {
  const hash = createHash("sha256");
  if (sha256 !== undefined && of === "stored") {
    for await (const chunk of storage.read(path, { signal })) hash.update(chunk);
    checkDigest(hash.digest("hex"), sha256);
  }
  let size = 0;
  const isDigested = sha256 !== undefined && of !== "stored";
  const counted = async function* () {
    for await (const chunk of storage.read(path, { compression: "infer", signal })) {
      size += chunk.byteLength;
      if (isDigested) hash.update(chunk);
      yield chunk;
    }
  };
  if (isJson) await readJson(counted(), airflowEncoding, signal);
  else for await (const _ of counted());
  if (isDigested) checkDigest(hash.digest("hex"), sha256);
  return size;
}

function checkDigest(found: string, sha256: string): void {
  if (found !== sha256) throw failure("Corrupt", "the bytes do not have the digest of the name");
}
