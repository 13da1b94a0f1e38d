/** Which strings of a metadata row are references to objects. */
import { failure, invalid } from "../errors.js";
import { providerOf, StoragePath, schemesOf } from "../path.js";
import type { AliasReader } from "./features.js";
import { pathBelow, prefixOf, restBelow, roomBelow } from "./keys/base.js";
import { checkOwner, type KeyLayout, type Owner, type ParsedKey, segmentsOf } from "./keys/layout.js";

/** What a backend takes for references. */
export interface ReferenceRules {
  base: StoragePath;
  /** The layouts below the base; where several tell the same path, any of them may own it. */
  layouts: readonly KeyLayout[];
  readAlias?: AliasReader | undefined;
  /** Whether what an alias leads to is deleted too. */
  purgeAliases: boolean;
}

type Found = { layout: KeyLayout; place: ParsedKey<string> }[];

/**
 * The object that a row refers to; undefined when what it holds is a value.
 *
 * A reference has scheme, connection, bucket and path of the base, and below it one of the layouts; or the prefix of
 * an alias. InvalidArgument when only the connection is another, PermissionDenied when `owner` is given and the object
 * is another's.
 */
export function readReference(
  stored: unknown,
  known: ReferenceRules,
  owner?: Owner | undefined,
): StoragePath | undefined {
  if (typeof stored !== "string") return undefined;
  const { base, layouts } = known;
  const rest = restBelow(base, stored);
  const found = rest === undefined ? [] : placesOf(rest, layouts);
  if (rest === undefined || found.length === 0)
    return readAliased(stored, known, owner) ?? checkConnection(stored, known);
  const path = pathBelow(base, rest);
  if (owner) checkOwned(found, owner, base, path);
  return path;
}

/** The object to delete for a row: what it refers to, unless that is an alias and aliases are only read. */
export function readPurged(stored: unknown, known: ReferenceRules, owner?: Owner | undefined): StoragePath | undefined {
  if (!known.purgeAliases && typeof stored === "string" && known.readAlias?.(stored)) return undefined;
  return readReference(stored, known, owner);
}

/**
 * What an alias leads to. Below the backend's own base, whatever the connection, only what has a layout is an object of
 * an XCom. Where the path has a layout, it tells the owner; any other old name does not.
 */
function readAliased(stored: string, { base, layouts, readAlias }: ReferenceRules, owner: Owner | undefined) {
  const alias = readAlias?.(stored);
  if (!alias) return undefined;
  const inside = keyInside(alias.path, base);
  const found = placesOf(inside ?? alias.below, layouts);
  if (inside !== undefined && found.length === 0) return undefined;
  if (owner && found.length > 0) checkOwned(found, owner, inside === undefined ? alias.base : base, alias.path);
  // The same object by the connection of the base, so that layers around the backend know it.
  return inside === undefined ? alias.path : pathBelow(base, inside);
}

/** The key below the base, of a path in the same bucket of the same provider; undefined elsewhere. */
function keyInside(path: StoragePath, base: StoragePath): string | undefined {
  if (path.bucket !== base.bucket || !schemesAlike(path.scheme, base.scheme)) return undefined;
  const start = prefixOf(base);
  if (!path.key.startsWith(start)) return undefined;
  return path.key.slice(start.length);
}

function placesOf(rest: string, layouts: readonly KeyLayout[]): Found {
  const segments = segmentsOf(rest);
  if (!segments) return [];
  return layouts.flatMap((layout) => {
    const place = layout.parseKey(segments);
    return place ? [{ layout, place }] : [];
  });
}

function checkOwned(found: Found, owner: Owner, base: StoragePath, path: StoragePath): void {
  checkOwner(owner);
  if (found.some(({ layout, place }) => layout.isOwned(place, owner, roomBelow(base)))) return;
  const detail = `the reference ${path} is of ${found[0]!.place.owner}, not of ${owner.dagId}/${owner.runId}/${owner.taskId}`;
  throw failure("PermissionDenied", detail);
}

/** The same path under another connection is surely a reference, but not one that these credentials are for. */
function checkConnection(stored: string, { base, layouts }: ReferenceRules): undefined {
  const start = `${base.scheme}://`;
  const slash = stored.indexOf("/", start.length);
  if (!stored.startsWith(start) || slash < 0) return;
  const at = stored.lastIndexOf("@", slash);
  const id = at < start.length ? undefined : stored.slice(start.length, at);
  if (id === base.connectionId) return;
  const bare = start + stored.slice(at < start.length ? start.length : at + 1);
  const { scheme, bucket, key } = base;
  const rest = restBelow(StoragePath.of({ scheme, bucket, key }), bare);
  if (rest === undefined || placesOf(rest, layouts).length === 0) return;
  const theirs = id === undefined ? "no connection" : `the connection ${JSON.stringify(id)}`;
  const mend = `give the backend the path ${start}${id === undefined ? "" : `${id}@`}${bucket}/${key} to read it`;
  throw invalid(`the reference is of ${theirs}, this backend's base is ${base}; ${mend}`);
}

/** Whether a string has to become an object, because a reader could take it for a reference. */
export function looksLikeReference(text: string, { base, readAlias }: ReferenceRules): boolean {
  return looksLikeAirflowReference(text, base) || readAlias?.(text) !== undefined;
}

/**
 * Whether Airflow would take this string for a reference: scheme of the same provider, then bucket and base path, then
 * the end or a slash. It looks at neither connection nor layout.
 */
export function looksLikeAirflowReference(text: string, base: StoragePath): boolean {
  // What Python's urlsplit drops before it looks.
  const cleaned = text.replace(/^[\0-\x20]+/, "").replace(/[\t\r\n]/g, "");
  const colon = cleaned.indexOf(":");
  const scheme = cleaned.slice(0, Math.max(0, colon)).toLowerCase();
  if (!schemesAlike(scheme, base.scheme)) return false;
  const rest = cleaned.slice(colon + 1).replace(/^\/+/, "");
  const end = rest.search(/[/?#]|$/);
  const target = rest.slice(rest.lastIndexOf("@", end) + 1).replace(/^\/+/, "");
  const wanted = [base.bucket, base.key].filter((part) => part !== "").join("/");
  return target.startsWith(wanted) && (target.length === wanted.length || target[wanted.length] === "/");
}

function schemesAlike(scheme: string, other: string): boolean {
  const provider = providerOf(other);
  return scheme === other || (provider !== undefined && schemesOf(provider).includes(scheme));
}
