/** Describes a file as an object. */
import type { BigIntStats } from "node:fs";
import { type FileHandle, lstat } from "node:fs/promises";
import { failure } from "../../../errors.js";
import { contentTypeOf } from "../../driver/content.js";
import type { ObjectInfo } from "../../driver/driver.js";
import { openToRead } from "./disk.js";
import type { PathResolver } from "./paths.js";

const UNKNOWN_TYPE = "application/octet-stream";

/**
 * Returns an etag that changes with every write: a replacement is a different inode, and writes stamp their own time of
 * modification. Unlike the time of status change, it ignores hard links and changes of permissions.
 */
export function etagOf({ ino, mtimeNs, size }: BigIntStats): string {
  return `"${[ino, mtimeNs, size].map((number) => number.toString(36)).join("-")}"`;
}

/** A file's metadata, which are all known. */
export type FileInfo = ObjectInfo & Required<Pick<ObjectInfo, "modified" | "etag">>;

export function infoOf(key: string, stats: BigIntStats): FileInfo {
  const modified = new Date(Number(stats.mtimeMs));
  return {
    key,
    size: Number(stats.size),
    modified,
    etag: etagOf(stats),
    contentType: contentTypeOf(key) ?? UNKNOWN_TYPE,
  };
}

export async function statOf(places: PathResolver, key: string): Promise<FileInfo> {
  const stats = await lstat(await places.real(places.named(key)), { bigint: true });
  return infoOf(key, regular(stats));
}

/** Returns the open file with the metadata of that very file, whatever happens to its name meanwhile. */
export async function openObject(
  places: PathResolver,
  key: string,
  signal: AbortSignal | undefined,
): Promise<{ file: FileHandle; stats: BigIntStats }> {
  const file = await openToRead(await places.real(places.named(key)), signal);
  try {
    return { file, stats: regular(await file.stat({ bigint: true })) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

function regular(stats: BigIntStats): BigIntStats {
  if (stats.isFile()) return stats;
  throw failure(
    "NotFound",
    stats.isDirectory()
      ? "a directory is not an object; list it, or copy it with recursive (-r)"
      : "it is no regular file",
  );
}
