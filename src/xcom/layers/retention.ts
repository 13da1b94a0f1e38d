/** Places values of different lifetimes apart: a layer around one backend for each class. */
import { isInstance } from "../../brand.js";
import { checkOptions } from "../../errors.js";
import type { Abortable, Storage } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { refuse, withOperation } from "../errors.js";
import { printedBase, restBelow } from "../keys/base.js";
import type { Owner } from "../keys/layout.js";
import type { LoadOptions } from "../options.js";
import { looksLikeAirflowReference } from "../reference.js";
import { type LocatableBackend, type ObjectStorageBackend, referencesTo, unaliased } from "./located.js";
import type { Replicas } from "./replicate.js";
import { type Classify, classIn, classifier, type RetentionRule, segmentOf } from "./retention-rules.js";

export interface RetentionOptions {
  /** The common base path of all classes, which stock Airflow is configured with. */
  path: StoragePath | string;
  /**
   * Returns the backend, or the replicas, for objects below a path; called for `path` itself and for each class's path.
   */
  backend: (path: StoragePath) => ObjectStorageBackend | Replicas;
  /** Values without a matching rule go below the base, without a class. */
  rules: readonly RetentionRule[];
}

/**
 * Puts each object below the path of its retention class, `<base>/retention=<class>`, so that bucket rules can expire
 * classes after different times: `lifecyclePolicy` and `stowage lifecycle print` generate them.
 *
 * References of every class are read and purged, including classes that no rule names any more. `withRetention` goes
 * around `replicate`, and a layer with several base paths around `withRetention`.
 */
export function withRetention(options: RetentionOptions): Retention {
  checkOptions("withRetention", options, { path: true, backend: true, rules: true });
  return new Retention(options);
}

export class Retention implements LocatableBackend {
  readonly storage: Storage;
  readonly path: StoragePath;
  readonly #make: RetentionOptions["backend"];
  readonly #classify: Classify;
  readonly #base: LocatableBackend;
  /** The classes that the rules name. */
  readonly #classes: ReadonlyMap<string, LocatableBackend>;

  /** @internal Use {@link withRetention}. */
  constructor({ path, backend, rules }: RetentionOptions) {
    if (typeof backend !== "function") refuse("backend must be a function that makes the backend for a path");
    this.path = printedBase(path);
    if (this.path.parts.some((segment) => classIn(segment) !== undefined))
      refuse(`the path ${this.path} is one of a retention class; give the base path above it`);
    this.#make = backend;
    this.#classify = classifier(rules);
    this.#base = makeBackend(backend, this.path);
    this.#classes = new Map(rules.map(({ class: name }) => [name, makeBackend(backend, this.#pathOf(name))]));
    this.storage = this.#base.storage;
  }

  storeValue(owner: Owner, key: string, value: unknown, options: Abortable = {}): Promise<unknown> {
    return withOperation("storeValue", this.path, async () => {
      if (classIn(String(owner.dagId)) !== undefined)
        refuse(`the Dag id ${owner.dagId} would be taken for a retention class`);
      const name = await this.#classify(owner, key, value, options.signal);
      // Below its own path a class would not notice that this string has to become an object.
      const plain = name === undefined || (typeof value === "string" && looksLikeAirflowReference(value, this.path));
      const backend = plain ? this.#base : this.#classes.get(name)!;
      return backend.storeValue(owner, key, value, options);
    });
  }

  loadValue(stored: unknown, options: LoadOptions = {}): Promise<unknown> {
    return withOperation("loadValue", this.path, async () => {
      const text = this.#unaliased(stored);
      return this.#backendOf(text).loadValue(text, options);
    });
  }

  purge(stored: unknown, options: LoadOptions = {}): Promise<boolean> {
    return withOperation("purge", this.path, async () => {
      const text = this.#purged(stored);
      return this.#backendOf(text).purge(text, options);
    });
  }

  pathsOf(stored: unknown, options: LoadOptions = {}): StoragePath[] {
    const text = this.#purged(stored);
    return this.#backendOf(text).pathsOf(text, options);
  }

  refersTo(stored: unknown, options: LoadOptions = {}): boolean {
    return this.objectOf(stored, options) !== undefined;
  }

  objectOf(stored: unknown, options: LoadOptions = {}): StoragePath | undefined {
    const text = this.#unaliased(stored);
    return this.#backendOf(text).objectOf(text, options);
  }

  referencesTo(path: StoragePath): string[] {
    return [this.#base, ...this.#classes.values()].flatMap((backend) => referencesTo(backend, path));
  }

  #pathOf(name: string): StoragePath {
    return this.path.join(segmentOf(name));
  }

  /** An alias that leads below the base is the reference of its class, which knows the copies. */
  #unaliased(stored: unknown): unknown {
    const isOwn = typeof stored === "string" && restBelow(this.path, stored) !== undefined;
    return isOwn ? stored : unaliased(this, this.#base, stored);
  }

  #purged(stored: unknown): unknown {
    const text = this.#unaliased(stored);
    const isKept = text !== stored && this.#base.pathsOf(stored).length === 0;
    return isKept ? stored : text;
  }

  #backendOf(stored: unknown): LocatableBackend {
    const below = typeof stored === "string" ? restBelow(this.path, stored) : undefined;
    const name = below === undefined ? undefined : classIn(below);
    if (name === undefined) return this.#base;
    return this.#classes.get(name) ?? makeBackend(this.#make, this.#pathOf(name));
  }
}

function makeBackend(make: RetentionOptions["backend"], path: StoragePath): LocatableBackend {
  const backend: unknown = make(path);
  if (
    !(
      isInstance<ObjectStorageBackend>(backend, "XComObjectStorageBackend") || isInstance<Replicas>(backend, "Replicas")
    )
  )
    refuse(
      "backend makes something else than a backend or replicas; put other layers around withRetention(), not inside",
    );
  if (!backend.path.equals(path))
    refuse(`backend was asked for ${path} and made one for ${backend.path}; use its argument`);
  return backend;
}
