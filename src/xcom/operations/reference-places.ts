/** Which objects the texts of references lead to, for a check: below its path, elsewhere, or nowhere that is known. */
import { StoragePath } from "../../path.js";
import type { NamedObject, ObjectLayout } from "../../references.js";
import type { ReadAliases } from "../features.js";
import { pathBelow, printedBase } from "../keys/base.js";
import { keyBelow } from "./airflow-layout.js";
import { PathNames } from "./path-names.js";
import { pathIn } from "./references.js";

export interface PlaceOptions {
  path?: StoragePath | string | undefined;
  base?: StoragePath | string | undefined;
  as?: readonly (StoragePath | string)[] | undefined;
  also?: readonly (StoragePath | string)[] | undefined;
  aliases?: ReadAliases | undefined;
  layout: ObjectLayout;
}

/** What a text is. `own`: an object to look at. `elsewhere`: one that is not asked for. `value`: no reference. */
export type ReferredPlace =
  | { kind: "own"; path: StoragePath; named: NamedObject }
  | { kind: "elsewhere" }
  | { kind: "value" }
  | { kind: "foreign" | "layout"; detail: string };

export class ReferencePlaces {
  readonly path: StoragePath | undefined;
  readonly base: StoragePath | undefined;
  /** The path, and the other names of it. */
  readonly #own: readonly StoragePath[];
  readonly #also: readonly StoragePath[];
  readonly #aliases: readonly (readonly [prefix: string, base: StoragePath])[];
  readonly #layout: ObjectLayout;
  readonly #names: PathNames | undefined;

  constructor({ path, base = path, as = [], also = [], aliases = {}, layout }: PlaceOptions) {
    this.path = path === undefined ? undefined : printedBase(path);
    this.base = base === undefined ? undefined : printedBase(base);
    this.#own = this.path ? [this.path, ...as.map(printedBase)] : [];
    this.#also = [...(this.base ? [this.base] : []), ...also.map(printedBase)];
    this.#aliases = Object.entries(aliases).map(([prefix, target]) => [prefix, printedBase(target)]);
    this.#layout = layout;
    this.#names = this.path && new PathNames(this.path, as, aliases);
  }

  /** The keys below the path that a text may name, whatever stands around it: they keep objects from being orphans. */
  keysIn(text: string): string[] {
    return this.#names?.below(text) ?? [];
  }

  of(text: string): ReferredPlace {
    const path = this.#aliased(text) ?? pathIn(text);
    if (!path) return { kind: "value" };
    const own = this.#own.find((one) => path.isRelativeTo(one));
    if (own && this.path) return this.#below(pathBelow(this.path, path.relativeTo(own)));
    if (this.#also.some((one) => path.isRelativeTo(one))) return { kind: "elsewhere" };
    const named = this.#layout.parse(path.key);
    if (!named) return { kind: "value" };
    if (!this.path) return { kind: "own", path, named };
    const isSame = this.keysIn(text).length > 0;
    const detail = isSame
      ? `its bucket and key lie below ${this.path}, its scheme or connection is another`
      : `it does not lie below ${this.path}`;
    return { kind: "foreign", detail };
  }

  #below(path: StoragePath): ReferredPlace {
    const named = this.#layout.parse(keyBelow(this.base!, path.key));
    if (named) return { kind: "own", path, named };
    return { kind: "layout", detail: `the rest of its path has no name of the layout ${this.#layout.name}` };
  }

  #aliased(text: string): StoragePath | undefined {
    const [prefix, base] = this.#aliases.find(([start]) => text.startsWith(start)) ?? [];
    return base && StoragePath.parse(String(pathBelow(base, text.slice(prefix!.length))));
  }
}
