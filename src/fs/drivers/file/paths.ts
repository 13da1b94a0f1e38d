/** Resolves a key to a path below the root, or throws before anything is touched. */
import { mkdir, realpath } from "node:fs/promises";
import { basename, dirname, join, relative, resolve, sep } from "node:path";
import { failure, invalid } from "../../../errors.js";
import { isErrno, syncDirectory } from "./disk.js";

/** The prefix of unfinished writes' names; listings hide them and no key may have such a segment. */
export const UNFINISHED = ".stowage-tmp-";

/**
 * Confines paths: the longest existing part must be inside the root; a symbolic link counts by its target, not its
 * name.
 */
export class PathResolver {
  readonly #root: string;
  #realRoot: string | undefined;

  constructor(root: string) {
    this.#root = resolve(root);
  }

  /** Returns the absolute path that `key` names. Pure. */
  named(key: string): string {
    const path = this.#checked(key);
    if (path === this.#root) throw invalid("the root is a directory");
    return path;
  }

  /** Returns the directory of a listing's prefix and the beginning of a name in it. Pure. */
  namedPrefix(prefix: string): { directory: string; partial: string } {
    const slash = prefix.lastIndexOf("/");
    const partial = prefix.slice(slash + 1);
    if (/[\0\\]/.test(partial)) checkSegment(partial);
    return { directory: slash < 0 ? this.#below(sep) : this.#checked(prefix.slice(0, slash)), partial };
  }

  /** Returns the real path of `path`. Rejects with ENOENT if it does not exist, PermissionDenied if it is outside. */
  async real(path: string): Promise<string> {
    const [root, real] = await Promise.all([this.#rootOnDisk(), realpath(path)]);
    if (isBelow(root, real)) return real;
    throw failure("PermissionDenied", `a symbolic link leads out of ${this.#root}; it is not followed`);
  }

  /** Returns the path with its directory resolved, but not its own name. */
  async own(path: string): Promise<string> {
    return join(await this.real(dirname(path)), basename(path));
  }

  /** Resolves the longest existing part as `real` does, and appends the rest. */
  async resolved(path: string): Promise<string> {
    if (path === this.#root) return this.real(path).catch(() => path);
    try {
      return await this.real(path);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
    return join(await this.resolved(dirname(path)), basename(path));
  }

  /** Returns the real paths of a directory and its parents. */
  async chain(directory: string): Promise<string[]> {
    const real = await this.real(directory);
    if (directory === this.#root) return [real];
    return [...(await this.chain(dirname(directory))), real];
  }

  isRoot(key: string): boolean {
    return `${sep}${key}` === this.#root;
  }

  /** As `real`, for a directory, which it creates if missing. */
  async made(directory: string): Promise<string> {
    try {
      return await this.real(directory);
    } catch (error) {
      if (!isErrno(error, "ENOENT")) throw error;
    }
    if (directory === this.#root) {
      await mkdir(directory, { recursive: true });
      return this.real(directory);
    }
    // Level by level: a recursive mkdir would follow a link out of the root before the check.
    const parent = await this.made(dirname(directory));
    await mkdir(join(parent, basename(directory))).catch(unlessThere);
    await syncDirectory(parent);
    return this.real(directory);
  }

  #checked(key: string): string {
    for (const segment of key.split("/")) checkSegment(segment);
    return this.#below(`${sep}${key}`);
  }

  #below(path: string): string {
    if (isBelow(this.#root, path)) return path;
    throw failure(
      "PermissionDenied",
      `the path is outside of fileRoot ${this.#root}; open the storage with another fileRoot`,
    );
  }

  async #rootOnDisk(): Promise<string> {
    this.#realRoot ??= await realpath(this.#root);
    return this.#realRoot;
  }
}

function checkSegment(segment: string): void {
  if (segment === "") throw invalid("a file has no empty path segment");
  if (segment === "." || segment === "..") throw invalid(`a file has no path segment \`${segment}\``);
  if (/[\0\\]/.test(segment)) throw invalid("a file has no NUL and no backslash in its name");
  if (segment.startsWith(UNFINISHED)) throw invalid(`names with ${UNFINISHED} are unfinished writes`);
}

function isBelow(root: string, path: string): boolean {
  const way = relative(root, path);
  return way !== ".." && !way.startsWith(`..${sep}`);
}

function unlessThere(error: unknown): void {
  if (!isErrno(error, "EEXIST")) throw error;
}
