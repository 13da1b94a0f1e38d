/** References that other XCom classes left in rows, each kind told by its prefix. */
import { invalid, type StorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import type { BaseAndLayouts, ReadAliases, XComFeatures } from "./features.js";
import { asPath, pathBelow, prefixOf, startBelow } from "./keys/base.js";
import { type Owner, segmentsOf } from "./keys/layout.js";
import { checkOwned, placesOf, schemesAlike } from "./reference.js";

interface Alias {
  prefix: string;
  base: StoragePath;
}

/** Reads the option `readAliases` of a backend. */
export const readAliases: XComFeatures = {
  readAliases(aliases, base) {
    const checked = checkAliases(aliases, base);
    return {
      matches: (stored) => targetOf(stored, checked) !== undefined,
      resolve: (stored, rules, owner) => resolve(targetOf(stored, checked), rules, owner),
      checkText(text) {
        if (targetOf(text, checked)) throw invalid(LIKE_AN_ALIAS);
      },
    };
  },
};

/** The aliases, checked against each other and against the base of new references. */
function checkAliases(aliases: ReadAliases, base: StoragePath): readonly Alias[] {
  const checked = Object.entries(aliases).map(([prefix, at]) => checkAlias(prefix, at));
  const taken = [startBelow(base)];
  for (const { prefix } of checked) {
    const other = taken.find((one) => one.startsWith(prefix) || prefix.startsWith(one));
    if (other) throw refuse(prefix, `it overlaps with ${JSON.stringify(other)}; a reference must have one meaning`);
    taken.push(prefix);
  }
  return checked;
}

function checkAlias(prefix: string, at: StoragePath | string): Alias {
  if (!/^[A-Za-z][A-Za-z0-9+._-]*:\/\/([^\s]*\/)?$/.test(prefix))
    throw refuse(prefix, 'a prefix reads "xcom_s3://", or longer with a slash at its end');
  const base = asPath(at);
  if (base.key !== "" && !segmentsOf(base.key))
    throw refuse(prefix, `its base ${base} has an empty segment, "." or ".."`);
  return { prefix, base };
}

const LIKE_AN_ALIAS =
  "a text that begins with a prefix of readAliases would be read as a reference; " +
  "give the backend a threshold >= 0, so that it becomes an object, or send it in an array or an object";

/** Where a row leads, and what of it is below the base of the alias. */
interface Target {
  path: StoragePath;
  base: StoragePath;
  below: string;
}

/** Undefined for any other text, and for a path that leads elsewhere. */
function targetOf(stored: string, aliases: readonly Alias[]): Target | undefined {
  const alias = aliases.find(({ prefix }) => stored.startsWith(prefix));
  if (!alias) return undefined;
  const { base } = alias;
  const below = stored.slice(alias.prefix.length);
  return segmentsOf(below) && { path: pathBelow(base, below), base, below };
}

/**
 * What an alias leads to. Below the backend's own base, whatever the connection, only what has a layout is an object of
 * an XCom. Where the path has a layout, it tells the owner; any other old name does not.
 */
function resolve(target: Target | undefined, { base, layouts }: BaseAndLayouts, owner: Owner | undefined) {
  if (!target) return undefined;
  const inside = keyInside(target.path, base);
  const found = placesOf(inside ?? target.below, layouts);
  if (inside !== undefined && found.length === 0) return undefined;
  if (owner && found.length > 0) checkOwned(found, owner, inside === undefined ? target.base : base, target.path);
  // The same object by the connection of the base, so that layers around the backend know it.
  return inside === undefined ? target.path : pathBelow(base, inside);
}

/** The key below the base, of a path in the same bucket of the same provider; undefined elsewhere. */
function keyInside(path: StoragePath, base: StoragePath): string | undefined {
  if (path.bucket !== base.bucket || !schemesAlike(path.scheme, base.scheme)) return undefined;
  const start = prefixOf(base);
  return path.key.startsWith(start) ? path.key.slice(start.length) : undefined;
}

function refuse(prefix: string, detail: string): StorageError {
  return invalid(`readAliases ${JSON.stringify(prefix.slice(0, 100))}: ${detail}`);
}
