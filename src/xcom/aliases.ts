/** References that other XCom classes left in rows, each kind told by its prefix. */
import { invalid, type StorageError } from "../errors.js";
import type { StoragePath } from "../path.js";
import type { AliasReader, ReadAliases, XComFeatures } from "./features.js";
import { asPath, pathBelow, startBelow } from "./keys/base.js";
import { segmentsOf } from "./keys/layout.js";

interface Alias {
  prefix: string;
  base: StoragePath;
}

/** Reads the option `readAliases` of a backend. */
export const readAliases: XComFeatures = {
  readAliases(aliases, base) {
    const checked = checkAliases(aliases, base);
    return (stored) => readAlias(stored, checked);
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

/** The object that such a row refers to; undefined for any other text, and for a path that leads elsewhere. */
function readAlias(stored: string, aliases: readonly Alias[]): ReturnType<AliasReader> {
  const alias = aliases.find(({ prefix }) => stored.startsWith(prefix));
  if (!alias) return undefined;
  const { base } = alias;
  const below = stored.slice(alias.prefix.length);
  return segmentsOf(below) && { path: pathBelow(base, below), base, below };
}

function refuse(prefix: string, detail: string): StorageError {
  return invalid(`readAliases ${JSON.stringify(prefix.slice(0, 100))}: ${detail}`);
}
