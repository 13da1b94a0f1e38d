/** Copies that leave the provider, and copies of whole trees. */
import { failure, invalid } from "../errors.js";
import { StoragePath } from "../path.js";
import { Foreign, type Reached } from "./call.js";
import type { Bytes, Info } from "./driver.js";
import { Fingerprint } from "./fingerprint.js";
import type { At, CopyInit } from "./options.js";
import { resumed } from "./resume.js";
import { writeObject } from "./write.js";

/** How many objects of a tree are copied at the same time. */
const TREE_PARALLEL = 8;

/**
 * Streams one version of the source, whose info it returns, with its content type and, where it can be kept, its
 * metadata. The bytes on their way are compared with the MD5 that the source's provider states, before anything is
 * stored, and with size and MD5 that the target's provider states then; where one states no MD5, only the size is.
 */
export async function copyAcross(
  source: Reached,
  target: Reached,
  init: CopyInit,
  told: (error: unknown) => unknown,
): Promise<Info> {
  const { ifAbsent, ifMatch, signal, onProgress } = init;
  const range = { start: 0, end: undefined, version: undefined };
  const { info, body } = await resumed(source.driver, source.key, { ...range, ifMatch, signal }).catch((error) => {
    throw new Foreign(told(error));
  });
  const metadata = target.driver.metadata ? info.metadata : undefined;
  const { contentType, size } = info;
  const print = new Fingerprint();
  const sent = telling(asStated(info, body, print), told);
  try {
    const { etag } = await writeObject(target, sent, { contentType, metadata, size, ifAbsent, signal, onProgress });
    checkStored(await target.driver.stat(target.key, { version: undefined, signal }), { etag, size, print });
  } finally {
    // A write that is refused has not begun to read.
    await body[Symbol.asyncIterator]().return?.();
  }
  return info;
}

async function* asStated({ md5 }: Info, body: Bytes, print: Fingerprint): Bytes {
  yield* print.of(body);
  if (print.differs(md5)) throw failure("Corrupt", "the bytes that came do not have the MD5 that the provider states");
}

interface Sent {
  etag: string | undefined;
  size: number;
  print: Fingerprint;
}

function checkStored(stored: Info, { etag, size, print }: Sent): void {
  if (stored.size !== size)
    throw failure("ObjectChanged", `the copy has ${stored.size} bytes, the source ${size}; somebody else wrote there`);
  if (!print.differs(stored.md5)) return;
  if (etag !== undefined && etag !== stored.etag) throw failure("ObjectChanged", "somebody else wrote there");
  throw failure("Corrupt", "the copy does not have the MD5 of what was sent; the source is as it was");
}

/**
 * Fails with ObjectChanged when the source is not what was copied, so that a move deletes nothing that has no copy.
 * That it changed can be our own doing: two connections can lead to one object.
 */
export async function unchanged(
  { key, driver }: Reached,
  copied: Info,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (isSame(await driver.stat(key, { version: undefined, signal }), copied)) return;
  throw failure("ObjectChanged", "the source changed while it was moved; it is kept beside its copy");
}

/** The time helps where etags repeat for equal content; headers tell it in seconds, listings and JSON more finely. */
function isSame(found: Info, copied: Info): boolean {
  if (found.etag !== copied.etag) return false;
  if (found.version !== undefined) return found.version === copied.version;
  return Math.abs(found.modified.getTime() - copied.modified.getTime()) < 1000;
}

/** The same bytes; a failure is told as one of the read, and by the write as one of its caller's body. */
async function* telling(bytes: Bytes, told: (error: unknown) => unknown): Bytes {
  try {
    yield* bytes;
  } catch (error) {
    throw told(error);
  }
}

/** What each object of a tree reports its bytes to, so that the caller hears the sum of all. */
export function summed(onProgress: ((bytes: number) => void) | undefined): () => CopyInit["onProgress"] {
  if (!onProgress) return () => undefined;
  let total = 0;
  return () => {
    let own = 0;
    return (bytes) => {
      total += bytes - own;
      own = bytes;
      onProgress(total);
    };
  };
}

interface Verbs {
  /** Everything below a path. */
  entries(at: StoragePath): AsyncIterable<{ path: StoragePath }>;
  /** Copies or moves one object. */
  one(from: StoragePath, to: StoragePath): Promise<void>;
}

/** Copies or moves everything below `from` to the same place below `to`, a few objects at a time. */
export async function transferTree(from: At, to: At, verbs: Verbs): Promise<void> {
  const [a, b] = [from, to].map((at) => (typeof at === "string" ? StoragePath.parse(at) : at)) as [
    StoragePath,
    StoragePath,
  ];
  if (b.isRelativeTo(a) || a.isRelativeTo(b)) throw invalid(`${a} and ${b} lie one in the other`);
  const entries = verbs.entries(a)[Symbol.asyncIterator]();
  let count = 0;
  let failed = false;
  const worker = async () => {
    for (let step = await entries.next(); !step.done && !failed; step = await entries.next()) {
      count += 1;
      await verbs.one(step.value.path, moved(step.value.path, a, b)).catch((error: unknown) => {
        failed = true;
        throw error;
      });
    }
  };
  const workers = Array.from({ length: TREE_PARALLEL }, worker);
  // Nobody is left copying when the caller hears of the first failure.
  await Promise.allSettled(workers);
  await entries.return?.();
  await Promise.all(workers);
  if (count === 0) throw failure("NotFound", "there is nothing below this path").at("copy", String(a));
}

/** `path`, which is below `a`, at the same place below `b`; byte for byte. */
function moved(path: StoragePath, a: StoragePath, b: StoragePath): StoragePath {
  const rest = a.key === "" ? path.key : path.key.slice(a.key.length + 1);
  const { scheme, connectionId, bucket } = b;
  return StoragePath.of({ scheme, connectionId, bucket, key: b.key === "" ? rest : `${b.key}/${rest}` });
}
