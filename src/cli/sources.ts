/** Paths on the command line: wildcards stand for what they match. */
import { failure } from "../errors.js";
import type { StoragePath } from "../path.js";
import type { Session } from "./command.js";
import { printable, put } from "./format.js";

/** Returns whether a path has a wildcard, so that it can stand for several objects. */
export function hasWildcard({ key }: StoragePath): boolean {
  return /[*?[{]/.test(key);
}

/**
 * Returns the paths that the arguments stand for: each itself, or the objects that match its wildcards, with directories
 * if `recursive`. An object whose name has these characters is found by its name, and nothing else is then matched.
 * Throws NotFound if nothing matches, unless `force`.
 */
export async function expanded(
  session: Session,
  texts: readonly string[],
  { recursive = false, force = false }: { recursive?: boolean | undefined; force?: boolean } = {},
): Promise<StoragePath[]> {
  const found: StoragePath[] = [];
  for (const text of texts) {
    const path = session.path(text);
    if (hasWildcard(path) && !(await session.storage.exists(path, { signal: session.signal })))
      found.push(...(await matches(session, path, { recursive, force })));
    else found.push(path);
  }
  return found;
}

async function matches(
  session: Session,
  pattern: StoragePath,
  { recursive, force }: { recursive: boolean; force: boolean },
): Promise<StoragePath[]> {
  const { storage, signal } = session;
  const found: StoragePath[] = [];
  const skipped = new Set<string>();
  const onSkipped = (path: StoragePath) => void skipped.add(String(path));
  let last: StoragePath | undefined;
  for await (const { path, type } of storage.glob(pattern, { onSkipped, signal })) {
    // What is below a directory that matches comes with it.
    if (recursive && last && path.isRelativeTo(last)) continue;
    if (type === "directory" && recursive) last = path;
    if (type === "file" || (type === "directory" && recursive)) found.push(path);
  }
  for (const path of skipped) await notFollowed(session, path);
  if (found.length === 0 && !force) throw failure("NotFound", "no object matches").at("glob", String(pattern));
  return found;
}

/** Goes to stderr, out of the way of programs that read paths. */
export function notFollowed({ io: { stderr }, json }: Session, path: string): Promise<void> {
  if (json) return put(stderr, `${JSON.stringify({ skipped: path, detail: "a link to a directory" })}\n`);
  return put(stderr, `not followed: ${printable(path)}, a link to a directory; see --follow-links\n`);
}
