/**
 * What a test left open. Take a look before, do the work, close everything, and look again:
 *
 *     const leaks = watchLeaks({ folders: [root] });
 *     ... open, use, storage.close() ...
 *     expect(await leaks.found()).toEqual([]);
 *
 * Uploads that were begun on a server are another matter: see `openUploads` of a bucket.
 */
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Closing takes a few turns of the event loop; longer than this is a leak. */
const PATIENCE = 2000;
const DESCRIPTORS = "/proc/self/fd";

export interface Leaks {
  /** Names of what is open or there now and was not at the start; waits up to 2 s for it to go away. */
  found(): Promise<string[]>;
}

/**
 * Notes the sockets and files that this process has open, and the files in `folders`. Where the system does not list
 * open files (it does on Linux), only the folders are watched.
 */
export function watchLeaks({ folders = [] }: { folders?: readonly string[] } = {}): Leaks {
  const before = new Set(everything(folders));
  const fresh = () => everything(folders).filter((name) => !before.has(name));
  return {
    found: async () => {
      const deadline = Date.now() + PATIENCE;
      while (fresh().length > 0 && Date.now() < deadline) await sleep(20);
      return fresh();
    },
  };
}

function everything(folders: readonly string[]): string[] {
  return [...openDescriptors(), ...folders.flatMap(filesIn)];
}

/** Sockets as `socket:[inode]`, files by path; an inode tells two sockets on one number apart. */
function openDescriptors(): string[] {
  if (!existsSync(DESCRIPTORS)) return [];
  return readdirSync(DESCRIPTORS)
    .map(targetOf)
    .filter((target) => target.startsWith("socket:") || target.startsWith("/"))
    .filter((target) => !target.startsWith("/dev/") && !target.startsWith("/proc/"));
}

function targetOf(descriptor: string): string {
  try {
    return readlinkSync(join(DESCRIPTORS, descriptor));
  } catch {
    return "";
  }
}

function filesIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => `file ${join(entry.parentPath ?? entry.path, entry.name)}`);
}
