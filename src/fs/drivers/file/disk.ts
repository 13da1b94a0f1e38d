/** The driver's disk operations, one small step each. */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { pause } from "../../../concurrency.js";
import { type ErrorCode, failure } from "../../../errors.js";
import type { ByteStream } from "../../../streams.js";

/** Maximum size in bytes of a chunk of a read. */
export const CHUNK = 256 * 1024;
/** A read of at most this many bytes is one chunk instead, which an upload sends as it is. */
const AT_ONCE = 1024 * 1024;
/** Bytes into which small chunks of a write are gathered: a call to the disk costs more than a copy of 64 KiB. */
const GATHER = 1024 * 1024;
/** Chunks from this size on are written as they arrive. */
const LARGE = 256 * 1024;
/** Initial size of the gathering buffer. */
const FIRST = 64 * 1024;
/** Maximum bytes read of a file that states no size, or a wrong one, such as those of /proc and /sys. */
const UNSIZED = 64 * 1024 * 1024;
/** Milliseconds to wait for a file descriptor while the process has none left. */
const DESCRIPTOR_WAIT = 10_000;

export function isErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && "code" in error && codes.includes(error.code as string);
}

/** Returns undefined for something that does not exist; rethrows every other failure. */
export function ifGone(error: unknown): undefined {
  if (!isErrno(error, "ENOENT", "ENOTDIR")) throw error;
}

/** Runs `work`, and again while the process or the system is out of file descriptors. */
export async function retryOnEmfile<T>(work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let waited = 0, next = 5; ; waited += next, next = Math.min(2 * next, 250)) {
    try {
      return await work();
    } catch (error) {
      if (!isErrno(error, "EMFILE", "ENFILE") || waited >= DESCRIPTOR_WAIT) throw error;
    }
    await pause(next, signal);
  }
}

/** Opens for reading. NONBLOCK: opening a named pipe would otherwise hang until a process writes to it. */
export function openToRead(path: string, signal: AbortSignal | undefined): Promise<FileHandle> {
  return retryOnEmfile(() => open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK), signal);
}

/** Returns the bytes [start, end) of an open file, each chunk in its own buffer. Ending early closes the file. */
export function chunksOf(file: FileHandle, start: number, end: number): ByteStream {
  let at = start;
  const most = end - start <= AT_ONCE ? AT_ONCE : CHUNK;
  const done = async () => {
    at = end;
    await file.close();
    return { done: true as const, value: undefined };
  };
  const next = async () => {
    if (at >= end) return done();
    const into = Buffer.allocUnsafeSlow(Math.min(most, end - at));
    const { bytesRead } = await file
      .read(into, 0, into.byteLength, at)
      .catch((error) => file.close().then(() => Promise.reject(error)));
    if (bytesRead === 0) return done();
    at += bytesRead;
    return { done: false as const, value: into.subarray(0, bytesRead) };
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: done }) };
}

/** Yields the same bytes, gathering many small chunks into fewer. A chunk is valid until the next is requested. */
export async function* coalesce(body: ByteStream): ByteStream {
  let buffer: Buffer = Buffer.alloc(0);
  let used = 0;
  for await (const chunk of body) {
    const large = chunk.byteLength >= LARGE;
    if (used > 0 && (large || used + chunk.byteLength > GATHER)) {
      yield buffer.subarray(0, used);
      used = 0;
    }
    if (large) yield chunk;
    else {
      buffer = roomFor(chunk, buffer, used);
      buffer.set(chunk, used);
      used += chunk.byteLength;
    }
  }
  if (used > 0) yield buffer.subarray(0, used);
}

/** Returns `buffer`, or a larger copy: the first is small, since a single small chunk is the common case. */
function roomFor(chunk: Uint8Array, buffer: Buffer, used: number): Buffer {
  if (used + chunk.byteLength <= buffer.byteLength) return buffer;
  const larger = Buffer.allocUnsafeSlow(used + chunk.byteLength > FIRST ? GATHER : FIRST);
  larger.set(buffer.subarray(0, used));
  return larger;
}

export async function writeAll(file: FileHandle, data: Uint8Array): Promise<void> {
  for (let at = 0; at < data.byteLength; ) at += (await file.write(data, at)).bytesWritten;
}

/** Opens a directory, so that its names can be made durable. */
export function openDirectory(path: string, signal?: AbortSignal): Promise<FileHandle> {
  return retryOnEmfile(() => open(path, constants.O_RDONLY | constants.O_DIRECTORY), signal);
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await openDirectory(path);
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Returns the bytes [start, end) of an open file in one array; fewer if it ends before. */
export async function readUpTo(file: FileHandle, start: number, end: number): Promise<Buffer> {
  const into = Buffer.allocUnsafeSlow(Math.max(0, end - start));
  let length = 0;
  while (length < into.byteLength) {
    const { bytesRead } = await file.read(into, length, into.byteLength - length, start + length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return into.subarray(0, length);
}

/** Reads to the end, for files whose size means nothing. */
export async function readToEnd(file: FileHandle): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let length = 0; ; ) {
    const chunk = await readUpTo(file, length, length + CHUNK);
    length += chunk.byteLength;
    if (length > UNSIZED) throw failure("TooLarge", `a file that states no size has more than ${UNSIZED} bytes`);
    chunks.push(chunk);
    if (chunk.byteLength < CHUNK) return Buffer.concat(chunks, length);
  }
}

const CODES: Readonly<Record<string, ErrorCode>> = {
  ENOENT: "NotFound",
  ENOTDIR: "NotFound",
  EISDIR: "NotFound",
  EEXIST: "AlreadyExists",
  EACCES: "PermissionDenied",
  EPERM: "PermissionDenied",
  EROFS: "PermissionDenied",
  // O_NOFOLLOW fails so for a name that has just become a link; also a loop of links.
  ELOOP: "PermissionDenied",
  ENAMETOOLONG: "InvalidArgument",
  EILSEQ: "InvalidArgument",
  EFBIG: "TooLarge",
  EXDEV: "Unsupported",
  ENOTSUP: "Unsupported",
  EOPNOTSUPP: "Unsupported",
  ETIMEDOUT: "Timeout",
};

/** ENOSPC, EDQUOT, EMFILE, EIO, ESTALE and unknown codes may be transient: Unavailable. */
export function codeOfErrno(error: unknown): ErrorCode {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  return CODES[code] ?? "Unavailable";
}
