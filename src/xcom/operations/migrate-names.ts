/** The texts by which rows name the objects of a migration. */
import { invalid } from "../../errors.js";
import type { StoragePath } from "../../path.js";
import type { FoundReference } from "../../references.js";
import type { ReadAliases } from "../features.js";
import { asPath, pathBelow, printedBase, restBelow } from "../keys/base.js";
import { parseObjectKey } from "../keys/layout.js";
import { withoutClass } from "../stored.js";
import { PathNames } from "./path-names.js";

export class MigratedNames {
  readonly #to: StoragePath;
  readonly #bases: readonly StoragePath[];
  readonly #aliases: readonly (readonly [prefix: string, base: StoragePath])[];
  readonly #names: PathNames;

  constructor(
    from: StoragePath,
    to: StoragePath,
    as: readonly (StoragePath | string)[] = [],
    aliases: ReadAliases = {},
  ) {
    this.#to = to;
    this.#bases = [from, ...as.map(printedBase)];
    this.#aliases = Object.entries(aliases).map(([prefix, base]) => [prefix, asPath(base)]);
    this.#names = new PathNames(from, as, aliases);
  }

  /** Returns the key below `from` of a text that is a reference by one of the names, and so can be replaced. */
  below({ text, isInside = false }: FoundReference): string | undefined {
    if (isInside) return undefined;
    const texts = [text, ...this.#unaliased(text)];
    const keys = texts.flatMap((one) => this.#bases.map((base) => restBelow(base, one)));
    return keys.find((key) => key !== undefined && isObject(key));
  }

  /** Returns whether a text that cannot be replaced names an object below `from` nevertheless. */
  isOther({ text }: FoundReference): boolean {
    // Buckets of two providers can have one name.
    return restBelow(this.#to, text) === undefined && this.#names.below(text).some(isObject);
  }

  #unaliased(text: string): string[] {
    const own = this.#aliases.filter(([prefix]) => text.startsWith(prefix));
    return own.map(([prefix, base]) => String(pathBelow(base, text.slice(prefix.length))));
  }
}

function isObject(key: string): boolean {
  return parseObjectKey(withoutClass(key)) !== undefined;
}

/** Throws InvalidArgument for other names of `from` that lie at `to`: their references would move to themselves. */
export function checkNamesApart(to: StoragePath, as: readonly (StoragePath | string)[]): void {
  for (const one of as.map(printedBase))
    if (one.isRelativeTo(to) || to.isRelativeTo(one)) throw invalid(`as and to of migrate, ${one} and ${to}, overlap`);
}
