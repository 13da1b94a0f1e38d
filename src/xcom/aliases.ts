/** References that other XCom classes left in rows; a prefix identifies each kind. */
import { invalid, type StorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import type { BaseAndLayouts, ReadAliases, XComFeatures } from "./features.js";
import { asPath, pathBelow, startBelow } from "./keys/base.js";
import { type ExpectedOwner, segmentsOf } from "./keys/layout.js";
import { checkOwned, keyInside, placesOf } from "./reference.js";

interface Alias {
  prefix: string;
  base: StoragePath;
}

/** Implements the backend's option `readAliases`. */
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

/** Checks the aliases against each other and against the base of new references. */
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

function checkAlias(prefix: string, path: StoragePath | string): Alias {
  if (!/^[A-Za-z][A-Za-z0-9+._-]*:\/\/([^\s]*\/)?$/.test(prefix))
    throw refuse(prefix, 'a prefix reads "xcom_s3://", or longer with a slash at its end');
  const base = asPath(path);
  if (base.key !== "" && !segmentsOf(base.key))
    throw refuse(prefix, `its base ${base} has an empty segment, "." or ".."`);
  return { prefix, base };
}

const LIKE_AN_ALIAS =
  "a text that begins with a prefix of readAliases would be read as a reference; " +
  "give the backend a threshold >= 0, so that it becomes an object, or send it in an array or an object";

/** The target of a row, and its path below the alias's base. */
interface Target {
  path: StoragePath;
  base: StoragePath;
  below: string;
}

/** Returns undefined for any other text, and for a path that leaves the alias's base. */
function targetOf(stored: string, aliases: readonly Alias[]): Target | undefined {
  const alias = aliases.find(({ prefix }) => stored.startsWith(prefix));
  if (!alias) return undefined;
  const { base } = alias;
  const below = stored.slice(alias.prefix.length);
  return segmentsOf(below) && { path: pathBelow(base, below), base, below };
}

/**
 * Resolves an alias. Below the backend's own base, under any connection, only a path with a layout is an XCom object. A
 * path with a layout identifies its owner; any other old name does not.
 */
function resolve(target: Target | undefined, { base, layouts }: BaseAndLayouts, owner: ExpectedOwner | undefined) {
  if (!target) return undefined;
  const inside = keyInside(target.path, base);
  const found = placesOf(inside ?? target.below, layouts);
  if (inside !== undefined && found.length === 0) return undefined;
  if (owner && found.length > 0) checkOwned(found, owner, inside === undefined ? target.base : base, target.path);
  // The same object by the base's connection, so that layers around the backend recognise it.
  return inside === undefined ? target.path : pathBelow(base, inside);
}

function refuse(prefix: string, detail: string): StorageError {
  return invalid(`readAliases ${JSON.stringify(prefix.slice(0, 100))}: ${detail}`);
}
