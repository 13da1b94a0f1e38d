/** Which strings of a metadata row are references to objects. */
import { isInstance } from "../brand.js";
import { failure, invalid } from "../errors.js";
import { StoragePath, schemesAlike } from "../path.js";
import type { AliasReader } from "./features.js";
import { pathBelow, prefixOf, restBelow, roomBelow } from "./keys/base.js";
import { checkOwner, type ExpectedOwner, idsOf, type KeyLayout, type ParsedKey, segmentsOf } from "./keys/layout.js";

/** The rules by which a backend recognises references. */
export interface ReferenceRules {
  base: StoragePath;
  /** The layouts below the base; if several match one path, any of them may own it. */
  layouts: readonly KeyLayout[];
  readAlias?: AliasReader | undefined;
  /** Whether deletes include the targets of aliases. */
  purgeAliases: boolean;
}

type ParsedPlaces = { layout: KeyLayout; place: ParsedKey<string> }[];

/**
 * Returns the object that a row refers to; undefined if the row holds a value.
 *
 * A reference has the scheme, connection, bucket and path of the base followed by one of the layouts, or the prefix of
 * an alias. Throws InvalidArgument if only the connection differs, and PermissionDenied if `owner` is given and the
 * object belongs to another.
 */
export function readReference(
  stored: unknown,
  known: ReferenceRules,
  owner?: ExpectedOwner | undefined,
): StoragePath | undefined {
  if (typeof stored !== "string") return undefined;
  const { base, layouts } = known;
  const rest = restBelow(base, stored);
  const found = rest === undefined ? [] : placesOf(rest, layouts);
  if (found.length === 0) return known.readAlias?.resolve(stored, known, owner) ?? checkConnection(stored, known);
  const path = pathBelow(base, rest!);
  if (owner) checkOwned(found, owner, base, path);
  return path;
}

/** Returns the object to delete for a row: its target, unless that is an alias and aliases are read-only. */
export function readPurged(
  stored: unknown,
  known: ReferenceRules,
  owner?: ExpectedOwner | undefined,
): StoragePath | undefined {
  checkRow(stored);
  if (!known.purgeAliases && typeof stored === "string" && known.readAlias?.matches(stored)) return undefined;
  return readReference(stored, known, owner);
}

export function placesOf(rest: string, layouts: readonly KeyLayout[]): ParsedPlaces {
  const segments = segmentsOf(rest);
  if (!segments) return [];
  return layouts.flatMap((layout) => {
    const place = layout.parseKey(segments);
    return place ? [{ layout, place }] : [];
  });
}

export function checkOwned(found: ParsedPlaces, owner: ExpectedOwner, base: StoragePath, path: StoragePath): void {
  checkOwner(owner);
  if (found.some(({ layout, place }) => layout.isOwned(place, owner, roomBelow(base)))) return;
  const detail = `the reference ${path} is of ${found[0]!.place.owner}, not of ${idsOf(owner).join("/")}`;
  throw failure("PermissionDenied", detail);
}

/** The same path under another connection is certainly a reference, but these credentials do not apply to it. */
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
  const fix = `give the backend the path ${start}${id === undefined ? "" : `${id}@`}${bucket}/${key} to read it`;
  throw invalid(`the reference is of ${theirs}, this backend's base is ${base}; ${fix}`);
}

/** Refuses a path in place of a row: it would be taken for a value. */
export function checkRow(stored: unknown): void {
  if (isInstance<StoragePath>(stored, "StoragePath")) throw invalid("a row has the path as text; pass String(path)");
}

/** Returns whether a string must be stored as an object because a reader could take it for a reference. */
export function looksLikeReference(text: string, { base, readAlias }: ReferenceRules): boolean {
  return looksLikeAirflowReference(text, base) || readAlias?.matches(text) === true;
}

/**
 * Returns whether Airflow would take this string for a reference: a scheme of the same provider, then bucket and base
 * path, then the end or a slash. Airflow checks neither connection nor layout.
 */
export function looksLikeAirflowReference(text: string, base: StoragePath): boolean {
  // Python's urlsplit drops these characters before parsing.
  const cleaned = text.replace(/^[\0-\x20]+/, "").replace(/[\t\r\n]/g, "");
  const colon = cleaned.indexOf(":");
  const scheme = cleaned.slice(0, Math.max(0, colon)).toLowerCase();
  if (!schemesAlike(scheme, base.scheme)) return false;
  const rest = cleaned.slice(colon + 1).replace(/^\/+/, "");
  const end = rest.search(/[/?#]|$/);
  const target = rest.slice(rest.lastIndexOf("@", end) + 1).replace(/^\/+/, "");
  const wanted = [base.bucket, base.key].filter((part) => part !== "").join("/");
  return `${target}/`.startsWith(`${wanted}/`);
}

/** Returns the key below the base for a path in the same bucket of the same provider; undefined elsewhere. */
export function keyInside(path: StoragePath, base: StoragePath): string | undefined {
  if (path.bucket !== base.bucket || !schemesAlike(path.scheme, base.scheme)) return undefined;
  const start = prefixOf(base);
  return path.key.startsWith(start) ? path.key.slice(start.length) : undefined;
}
