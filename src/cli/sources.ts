/** Paths on the command line: wildcards stand for what they match. */
import { lstat } from "node:fs/promises";
import { failure, isStorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import { ONLY_BELOW, type Session } from "./command.js";
import { printable, put } from "./format.js";

/**
 * Returns the pattern that an argument is. Undefined for one without wildcards, and for the name of anything that is
 * there: an object, a directory, or a link, wherever it leads. Only what was typed is a pattern, never the path of the
 * working directory.
 */
export async function patternOf(session: Session, text: string): Promise<StoragePath | undefined> {
  if (!/[*?[{]/.test(text)) return undefined;
  return (await isThere(session, session.path(text))) ? undefined : session.pattern(text);
}

async function isThere({ storage, signal }: Session, path: StoragePath): Promise<boolean> {
  if (path.scheme === "file" || path.scheme === "local") {
    return lstat(`/${path.key}`).then(
      () => true,
      () => false,
    );
  }
  if (path.key === "" || (await storage.exists(path, { signal }))) return true;
  return hasBelow({ storage, signal }, path);
}

async function hasBelow({ storage, signal }: Pick<Session, "storage" | "signal">, path: StoragePath): Promise<boolean> {
  for await (const _ of storage.list(path, { limit: 1, signal })) return true;
  return false;
}

/**
 * Runs `work` on one object. If there is none, but something below its name, NotFound says so, and `fix` what to do: a
 * store without directories cannot.
 */
export async function onOneObject<T>(session: Session, path: StoragePath, fix: string, work: () => Promise<T>) {
  try {
    return await work();
  } catch (error) {
    // Of files, the message tells a directory already.
    const isMissing = isStorageError(error, "NotFound") && error.path === String(path) && path.bucket !== "";
    if (!isMissing || !(await hasBelow(session, path).catch(() => false))) throw error;
    throw failure("NotFound", `${ONLY_BELOW}${fix}`).at(error.op, error.path);
  }
}

/**
 * Returns the paths that the arguments stand for: each itself, or the objects that match its wildcards, with directories
 * if `recursive`. What has these characters in its name is found by its name, and nothing else is then matched.
 * Throws NotFound if nothing matches, unless `force`.
 */
export async function expandSources(
  session: Session,
  texts: readonly string[],
  { recursive = false, force = false }: { recursive?: boolean | undefined; force?: boolean } = {},
): Promise<StoragePath[]> {
  const found: StoragePath[] = [];
  for (const text of texts) {
    const pattern = await patternOf(session, text);
    if (pattern) found.push(...(await matches(session, pattern, { recursive, force })));
    else found.push(session.path(text));
  }
  return found;
}

/** Returns the objects that match, as `expanded` does. */
export async function matches(
  session: Session,
  pattern: StoragePath,
  { recursive = false, force = false }: { recursive?: boolean | undefined; force?: boolean },
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
