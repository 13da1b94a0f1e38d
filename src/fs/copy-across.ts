/** Copies that leave the provider, and what proves that a source is not its own copy. */
import { createHash, getFips } from "node:crypto";
import { type MemoryLimiter, pause } from "../concurrency.js";
import { failure, isStorageError } from "../errors.js";
import type { ByteStream } from "../streams.js";
import { copiedAttributes } from "./attributes.js";
import type { ObjectInfo } from "./driver/driver.js";
import { CallerError, type Operation, type ResolvedObject } from "./operation.js";
import type { CopyOptions, ObjectState } from "./options.js";
import { readParallel } from "./parallel-read.js";
import { writeObject } from "./write.js";

/**
 * Streams one version of the source, with its content type and, where the target can keep it, its metadata; returns its
 * info. Compares the bytes with the MD5 that the source's provider states, before anything is stored, and then with the
 * size and MD5 that the target's provider states, in one more request unless the etag of the write is that MD5. Without
 * an MD5 it compares only the size. `limiter` limits what a large source is read ahead.
 */
export async function copyAcross(
  source: ResolvedObject,
  target: ResolvedObject,
  options: CopyOptions,
  convertError: (error: unknown) => unknown,
  { move, limiter }: { move: boolean; limiter: MemoryLimiter },
): Promise<Copied> {
  const { ifAbsent, ifMatch, signal, onProgress } = options;
  const whole = { start: 0, end: undefined, version: undefined, parallel: undefined, limiter, ifMatch, signal };
  const { info, body } = await readParallel(source.driver, source.key, whole).catch((error) => {
    throw new CallerError(convertError(error));
  });
  const { size } = info;
  const print = new Md5Stream();
  const sent = convertErrors(verifyMd5(info, body, print), convertError);
  try {
    if (move) await waitUntilDistinct(info, signal);
    const tagged = await withTags(source, info, signal).catch((error) => {
      throw new CallerError(convertError(error));
    });
    const { contentType, metadata, ...more } = copiedAttributes(tagged, target.driver, options);
    const writing = { contentType, metadata, size, ifAbsent, signal, onProgress };
    const { etag } = await writeObject(target, sent, writing, more);
    if (!move && print.isEtag(etag)) return { info };
    const stored = await target.driver.stat(target.key, { version: undefined, signal });
    checkStored(stored, { etag, size, print });
    return { info, stored };
  } finally {
    // A refused write has not begun to read.
    await body[Symbol.asyncIterator]().return?.();
  }
}

/** Returns the same with the tags, if the object has any. */
async function withTags({ key, driver }: ResolvedObject, info: ObjectInfo, signal: AbortSignal | undefined) {
  if (!info.tagCount) return info;
  const { tags } = await driver.stat(key, { version: info.version, tags: true, signal });
  return { ...info, tags };
}

/** The source as copied, and the target as stored; the latter is always known of a move. */
export interface Copied {
  info: ObjectInfo;
  stored?: ObjectInfo;
}

/** Milliseconds after which modification times differ by a second, even where one has whole seconds only. */
const DISTINCT_MS = 2100;

/**
 * Waits until the source is older than that: if the target is the same object by another connection, the copy then
 * shows in the source's time. Versions show it in any case.
 */
export async function waitUntilDistinct(
  { version, modified }: ObjectInfo,
  signal: AbortSignal | undefined,
): Promise<void> {
  // Without a time, nothing would show after a wait either.
  if (version !== undefined || modified === undefined) return;
  const left = DISTINCT_MS - (Date.now() - modified.getTime());
  if (left > 0) await pause(Math.min(left, DISTINCT_MS), signal);
}

/** Returns whether the times are the same, as far as they are known. */
export function sameSecond(a: Date | undefined, b: Date | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  return Math.abs(a.getTime() - b.getTime()) < 1000;
}

async function* verifyMd5({ md5 }: ObjectInfo, body: ByteStream, print: Md5Stream): ByteStream {
  yield* print.of(body);
  if (print.differs(md5)) throw failure("Corrupt", "the bytes that came do not have the MD5 that the provider states");
}

interface Sent {
  etag: string | undefined;
  size: number;
  print: Md5Stream;
}

function checkStored(stored: ObjectInfo, { etag, size, print }: Sent): void {
  if (stored.size !== size)
    throw failure("ObjectChanged", `the copy has ${stored.size} bytes, the source ${size}; another writer was there`);
  if (!print.differs(stored.md5)) return;
  if (etag !== undefined && etag !== stored.etag) throw failure("ObjectChanged", "another writer was there");
  throw failure("Corrupt", "the copy does not have the MD5 of what was sent; the source is as it was");
}

/**
 * Throws `ObjectChanged` if the source is not what was copied, or if nothing proves that source and copy are different
 * objects, so that a move deletes nothing without a copy. Two connections, or two names of a bucket, can lead to one
 * object. Then the copy has changed the source: its etag or version, or its time by the difference between the two.
 */
export async function checkApart(
  { key, driver }: ResolvedObject,
  { info, stored }: Copied,
  signal: AbortSignal | undefined,
): Promise<void> {
  const found = await driver.stat(key, { version: undefined, signal });
  if (!isSame(found, info)) throw failure("ObjectChanged", CHANGED);
  if (info.version !== undefined || !sameSecond(stored?.modified, info.modified)) return;
  throw failure("ObjectChanged", "source and copy may be the same object; the source was kept");
}

const CHANGED = "the source changed while it was moved; it is kept beside its copy";

/** The time helps where etags repeat for equal content; headers have whole seconds, listings and JSON are finer. */
export function isSame(found: ObjectState, { etag, version, modified }: ObjectState): boolean {
  if (found.etag !== etag) return false;
  if (found.version !== undefined && version !== undefined) return found.version === version;
  if (etag === undefined && (modified === undefined || found.modified === undefined)) return false;
  return sameSecond(found.modified, modified);
}

/**
 * Deletes a moved source if it still is what was copied: in one step where the provider can, else after a check right
 * before. Throws `ObjectChanged` otherwise. Succeeds if it is gone.
 */
export async function deleteUnchanged(
  call: Operation,
  source: ResolvedObject,
  was: ObjectState,
  signal: AbortSignal | undefined,
): Promise<void> {
  const convertError = (error: unknown) =>
    isStorageError(error, "PreconditionFailed") ? failure("ObjectChanged", CHANGED, { cause: error }) : error;
  return call.run(() => deleteIfSame(call, source, was, signal), convertError);
}

/** Deletes an object in this state only; throws `PreconditionFailed` for another. Succeeds if it is gone. */
export async function deleteIfSame(
  call: Operation,
  { key, driver }: Pick<ResolvedObject, "key" | "driver">,
  was: ObjectState,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (driver.deleteIfMatch && was.etag !== undefined) return driver.deleteIfMatch(key, was.etag, { signal });
  const found = await statIfThere(call, { key, driver }, signal);
  if (found === undefined) return;
  if (!isSame(found, was)) throw failure("PreconditionFailed", "the object is another one by now");
  await driver.delete([{ key }], { signal });
}

export async function statIfThere(
  call: Operation,
  { key, driver }: Pick<ResolvedObject, "key" | "driver">,
  signal: AbortSignal | undefined,
): Promise<ObjectInfo | undefined> {
  return driver.stat(key, { version: undefined, signal }).catch((error: unknown) => {
    const converted = call.toStorageError(error);
    if (!isStorageError(converted, "NotFound")) throw converted;
    return undefined;
  });
}

/** Yields the same bytes; converts a failure into one of the read, which the write treats as from its caller's body. */
async function* convertErrors(bytes: ByteStream, convertError: (error: unknown) => unknown): ByteStream {
  try {
    yield* bytes;
  } catch (error) {
    throw convertError(error);
  }
}

class Md5Stream {
  /** Node has no MD5 in FIPS mode. */
  readonly #hash = getFips() === 1 ? undefined : createHash("md5");
  #md5: string | undefined;

  /** Yields the same bytes and hashes them. */
  async *of(bytes: ByteStream): ByteStream {
    for await (const chunk of bytes) {
      this.#hash?.update(chunk);
      yield chunk;
    }
    this.#md5 = this.#hash?.digest("hex");
  }

  /** Returns whether the MD5 of the bytes, once complete, differs from `md5`; false if either is unknown. */
  differs(md5: string | undefined): boolean {
    return md5 !== undefined && this.#md5 !== undefined && md5 !== this.#md5;
  }

  /** Returns whether `etag` is the MD5 of the bytes, as S3's are for objects in one part without a key of their own. */
  isEtag(etag: string | undefined): boolean {
    return this.#md5 !== undefined && etag === `"${this.#md5}"`;
  }
}
