/** Copies one object of a migration, as it is or with another codec, and compares the copy. */
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { codecs } from "../../codecs/index.js";
import { failure, isStorageError, type StorageError } from "../../errors.js";
import type { Abortable, Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { ByteStream } from "../../streams.js";
import { endingText, parseObjectName } from "../keys/layout.js";
import { suffixOf, type XComCompression } from "../settings.js";
import { type FoundObject, findObject, haveSameBytes, sha256 } from "./same-bytes.js";
import type { RunFolder } from "./sorted-lines.js";

export interface Copying extends Abortable {
  storage: Storage;
  /** Undefined: bytes as they are. */
  compression: XComCompression | null | undefined;
  dryRun: boolean;
  /** For objects whose name has a digest, which is known only when they are encoded. */
  folder: RunFolder;
}

/** What became of an object. */
export interface Copied {
  /** The new place. */
  target: StoragePath;
  /** Whether it was copied now; `false` if it was there. */
  copied: boolean;
  /** Bytes of the source. */
  size: number;
}

/** Returns whether an object gets another codec, and so another name. */
export function isRecoded({ name }: StoragePath, { compression }: Pick<Copying, "compression">): boolean {
  return compression !== undefined && parseObjectName(name).codec !== suffixOf(compression);
}

/** Returns the name with the suffix of another codec. With a digest it is another one with each object's bytes. */
export function recodedName(name: string, compression: XComCompression | null, digest: string | undefined): string {
  const { stem, suffix } = parseObjectName(name);
  return `${stem}${endingText({ digest, suffix, codec: suffixOf(compression) })}`;
}

/**
 * Why there is nothing to copy. `unproven`: an object is at the new place, and nothing tells whether it is the copy of
 * the one that is gone.
 */
export type Absence = "missing" | "unproven";

/** Copies an object to a place, or to that place with another codec, and compares both. */
export function copyObject(source: StoragePath, target: StoragePath, copying: Copying): Promise<Copied | Absence> {
  if (!isRecoded(source, copying)) return copyBytes(source, target, copying);
  const { digest } = parseObjectName(source.name);
  return digest === undefined ? recode(source, target, copying) : recodeWithDigest(source, target, copying);
}

async function copyBytes(
  source: StoragePath,
  target: StoragePath,
  { storage, dryRun, signal }: Copying,
): Promise<Copied | Absence> {
  const [from, to] = await Promise.all([findObject(storage, source, signal), findObject(storage, target, signal)]);
  if (!from) return to ? provenByName(storage, to, signal) : "missing";
  const isThere = to !== undefined;
  if (!isThere && !dryRun) {
    await storage.copy(source, target, { ifMatch: from.etag, ifAbsent: true, signal }).catch(passOver("AlreadyExists"));
  }
  if (isThere) await checkSame(storage, from, to, signal);
  else if (!dryRun) {
    // The source anew, too: it may have been overwritten while it was copied.
    const states = await Promise.all([storage.stat(source, { signal }), storage.stat(target, { signal })]);
    await checkSame(storage, ...states, signal);
  }
  return { target, copied: !isThere, size: from.size };
}

/** Without its source, only a digest in its name tells that an object is the one that the row means. */
async function provenByName(
  storage: Storage,
  { path, etag, size }: FoundObject,
  signal: AbortSignal | undefined,
): Promise<Copied | Absence> {
  const { digest } = parseObjectName(path.name);
  if (digest === undefined) return "unproven";
  if ((await sha256(storage.read(path, { ifMatch: etag, signal }))) !== digest) throw other(path);
  return { target: path, copied: false, size };
}

async function recode(
  source: StoragePath,
  target: StoragePath,
  { storage, compression, dryRun, signal }: Copying,
): Promise<Copied | Absence> {
  const at = target.parent.join(recodedName(source.name, compression!, undefined));
  const [from, to] = await Promise.all([findObject(storage, source, signal), findObject(storage, at, signal)]);
  if (!from) return to ? "unproven" : "missing";
  if (dryRun) return { target: at, copied: to === undefined, size: from.size };
  const decoded = (info: FoundObject) => storage.read(info.path, { compression: "infer", ifMatch: info.etag, signal });
  if (!to) {
    const { metadata } = from;
    const options = { compression: compression!, ifAbsent: true, metadata, signal };
    await storage.write(at, decoded(from), options).catch(passOver("AlreadyExists"));
  }
  const written = to ?? (await storage.stat(at, { signal }));
  const [before, after] = await Promise.all([sha256(decoded(from)), sha256(decoded(written))]);
  if (before !== after) throw other(at);
  return { target: at, copied: to === undefined, size: from.size };
}

/** Encodes into a temporary file, whose digest names the object. */
async function recodeWithDigest(
  source: StoragePath,
  target: StoragePath,
  { storage, compression, dryRun, folder, signal }: Copying,
): Promise<Copied | Absence> {
  const from = await findObject(storage, source, signal);
  // Without the source nothing tells the name of the copy.
  if (!from) return "missing";
  if (dryRun) return { target, copied: true, size: from.size };
  const file = await folder.newFile();
  const decoded = storage.read(source, { compression: "infer", ifMatch: from.etag, signal });
  const encoded = compression ? codecs.get(compression).encode(decoded) : decoded;
  const hash = createHash("sha256");
  await pipeline(encoded, hashing(hash), createWriteStream(file, { mode: 0o600 }), signal ? { signal } : {});
  const digest = hash.digest("hex");
  const at = target.parent.join(recodedName(source.name, compression!, digest));
  const to = await findObject(storage, at, signal);
  if (!to) {
    const { metadata } = from;
    const options = { compression: null, ifAbsent: true, metadata, signal };
    await storage.write(at, createReadStream(file), options).catch(passOver("AlreadyExists"));
  }
  if ((await sha256(storage.read(at, { signal }))) !== digest) throw other(at);
  return { target: at, copied: to === undefined, size: from.size };
}

function hashing(hash: ReturnType<typeof createHash>) {
  return async function* (chunks: AsyncIterable<Uint8Array>): ByteStream {
    for await (const chunk of chunks) {
      hash.update(chunk);
      yield chunk;
    }
  };
}

function passOver(code: StorageError["code"]): (error: unknown) => void {
  return (error) => {
    if (!isStorageError(error, code)) throw error;
  };
}

/** Throws Corrupt unless both objects have the same bytes. */
async function checkSame(
  storage: Storage,
  from: FoundObject,
  to: FoundObject,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (!(await haveSameBytes(storage, from, to, signal))) throw other(to.path);
}

function other(path: StoragePath): StorageError {
  return failure("Corrupt", `${path} has other bytes; it was not replaced, and the row stays`);
}
