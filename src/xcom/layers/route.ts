/**
 * Combines several backends: a function chooses where a value is stored, and reads go to the backend that owns the
 * reference.
 */
import { checkOptions, type ErrorCode, failure, invalid, isStorageError, type StorageError } from "../../errors.js";
import type { Abortable } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import { pathBelow } from "../keys/base.js";
import type { Owner } from "../keys/layout.js";
import type { LoadOptions, XComBackend } from "../options.js";
import { type Asked, aliasTarget, type LocatableBackend, referencesTo } from "./located.js";
import { jsonSize } from "./retention-rules.js";

/** A backend that returns the objects of a row, as all of ours do. */
export type RoutedBackend = XComBackend &
  Pick<LocatableBackend, "pathsOf" | "refersTo"> &
  Partial<Pick<LocatableBackend, "objectOf" | "referencesTo">>;

/** Context for a routing decision, beside the value. */
export interface RouteContext {
  owner: Owner;
  key: string;
  /** Bytes of the value as Python's JSON, which thresholds also use; undefined for a value that is not JSON. */
  size(): Promise<number | undefined>;
}

export interface RouteOptions<Name extends string> {
  /** All backends ever written to; reads search each. Rows without a reference belong to the first. */
  backends: Readonly<Record<Name, RoutedBackend>>;
  /** Chooses the backend that stores a value. */
  route(value: unknown, context: RouteContext): NoInfer<Name> | Promise<NoInfer<Name>>;
}

/**
 * Returns a backend that routes values by type, size, Dag, task or key. A reader with the same backends reads all of
 * them, whatever its own route. It takes any of our layers, including another router.
 */
export function routeXComs<Name extends string>(options: RouteOptions<Name>): RoutedBackend {
  checkOptions("routeXComs", options, { backends: true, route: true });
  return new Routed(options);
}

class Routed implements RoutedBackend {
  readonly #backends: ReadonlyMap<string, RoutedBackend>;
  readonly #route: (value: unknown, context: RouteContext) => string | Promise<string>;

  constructor({ backends, route }: RouteOptions<string>) {
    this.#backends = new Map(Object.entries(backends));
    this.#route = route;
    if (this.#backends.size === 0) throw refusal("there is no backend; give those that values can go to");
    if (typeof route !== "function") throw refusal("route must be a function that returns the name of a backend");
    for (const [name, backend] of this.#backends)
      if (typeof backend?.pathsOf !== "function" || typeof backend.refersTo !== "function")
        throw refusal(`backend ${JSON.stringify(name)} cannot tell its references; give one of stowage's own`);
    for (const [name, backend] of this.#backends) checkPrefixes(name, backend, this.#backends);
  }

  async storeValue(owner: Owner, key: string, value: unknown, options: Abortable = {}): Promise<unknown> {
    options.signal?.throwIfAborted();
    const name = await this.#route(value, { owner, key, size: () => jsonSize(value, options.signal) });
    const backend = this.#backends.get(name);
    if (!backend)
      throw refusal(`route gave ${JSON.stringify(name)}; there is ${[...this.#backends.keys()].join(", ")}`);
    const stored = await backend.storeValue(owner, key, value, options);
    this.#checkRow(stored, backend);
    return stored;
  }

  async loadValue(stored: unknown, options: LoadOptions = {}): Promise<unknown> {
    const readers = this.#owners(stored, options);
    let refused: unknown;
    for (const { backend, text } of readers) {
      try {
        const value = await backend.loadValue(text, options);
        // `onMissing: "reference"` returns the reference of an object that is gone.
        if (value !== text || readers.length === 1) return value;
        refused ??= failure("NotFound", "the object is missing or damaged").at("loadValue", text);
      } catch (error) {
        if (!isStorageError(error) || options.signal?.aborted || !NEXT.includes(error.code)) throw error;
        refused ??= error;
      }
    }
    if (readers.length > 0) throw refused;
    return this.#default.loadValue(stored, options);
  }

  /** Purges with every backend that owns the row: over one base, only one of them may know of replicas. */
  async purge(stored: unknown, options: LoadOptions = {}): Promise<boolean> {
    const owners = this.#owners(stored, options, true);
    if (owners.length === 0) return this.#default.purge(stored, options);
    let purged = false;
    for (const { backend, text } of owners) purged = (await backend.purge(text, options)) || purged;
    return purged;
  }

  pathsOf(stored: unknown, options: LoadOptions = {}): StoragePath[] {
    const paths = this.#owners(stored, options, true).flatMap(({ backend, text }) => backend.pathsOf(text, options));
    return [...new Map(paths.map((path) => [String(path), path])).values()];
  }

  refersTo(stored: unknown, options: LoadOptions = {}): boolean {
    return this.#owners(stored, options).length > 0;
  }

  objectOf(stored: unknown, options: LoadOptions = {}): StoragePath | undefined {
    const [owner] = this.#owners(stored, options);
    return owner?.backend.objectOf?.(owner.text, options);
  }

  referencesTo(path: StoragePath): string[] {
    return [...this.#backends.values()].flatMap((backend) => referencesTo(backend, path));
  }

  /** The backend of rows without a reference. */
  get #default(): RoutedBackend {
    return this.#backends.values().next().value!;
  }

  /** Short text that stays in its row must not look like a reference of another backend. */
  #checkRow(stored: unknown, writer: RoutedBackend): void {
    const other = [...this.#backends].find(([, one]) => one !== writer && refers(one, stored, {}) !== false);
    if (!other || refers(writer, stored, {}) === true) return;
    const detail = `the text looks like a reference of the backend ${JSON.stringify(other[0])} and would be read as one`;
    throw refusal(`${detail}; send it in an array or an object, or give the backend of the route threshold 0`);
  }

  /**
   * Returns every backend that owns a row, each with its text for the object: one that cannot read the row, or has no
   * copy of the object, may have neighbours that can. Throws what forbids the row if there are none.
   */
  #owners(stored: unknown, options: LoadOptions, purging = false): Owning[] {
    if (typeof stored !== "string") return [];
    const readers = [...this.#backends.values()];
    return referring(
      readers.flatMap((reader) => this.#names(reader, stored, purging)),
      options,
    );
  }

  /**
   * An alias may lead below the base of any backend, by any connection: those that have the object there as their own
   * know its owner and its copies, and take the place of the reader. No backend purges an alias that is only read.
   */
  #names(reader: RoutedBackend, stored: string, purging: boolean): Owning[] {
    const asRead = { backend: reader, text: stored };
    const target = refers(reader, stored, {}) === true ? aliasTarget(reader, stored) : undefined;
    if (!target) return [asRead];
    if (purging && reader.pathsOf(stored).length === 0) return [];
    const owners = [...this.#backends.values()].flatMap((backend) =>
      referencesTo(backend, target).flatMap((text) => (backend.refersTo(text) ? [{ backend, text }] : [])),
    );
    return owners.length > 0 ? owners : [asRead];
  }
}

interface Owning {
  backend: RoutedBackend;
  /** The row, or the backend's own reference to the object of an alias. */
  text: string;
}

/** Failures of one owner that another, with replicas for example, may not have. */
const NEXT: readonly ErrorCode[] = ["Unsupported", "NotFound", "Corrupt", "Unavailable", "Timeout", "Throttled"];

/** Refuses a backend that reads the references of another as an alias: each must have one meaning. */
function checkPrefixes(name: string, { path }: Asked, backends: ReadonlyMap<string, RoutedBackend>): void {
  // No name of an object, so that only an alias takes it for one.
  const probe = path && String(pathBelow(path, "x"));
  const other = [...backends].find(([, backend]) => aliasTarget(backend, probe));
  if (!other) return;
  const detail = `readAliases of ${JSON.stringify(other[0])} has a prefix that covers ${path}, the base of ${JSON.stringify(name)}`;
  throw refusal(`${detail}; leave that alias out, or the backend of the base`);
}

/** Returns those whose text is a reference; if there are none, throws what forbids one: first of all its owner. */
function referring(asked: readonly Owning[], options: LoadOptions): Owning[] {
  const answers = asked.map((one) => ({ one, answer: refers(one.backend, one.text, options) }));
  const found = answers.flatMap(({ one, answer }) => (answer === true ? [one] : []));
  const refusals = answers.flatMap(({ answer }) => (typeof answer === "boolean" ? [] : [answer]));
  const first = refusals.find(({ code }) => code === "PermissionDenied") ?? refusals[0];
  if (found.length === 0 && first) throw first;
  return found;
}

/** Returns whether a row is a reference of the backend, or the error that forbids it. */
function refers(backend: RoutedBackend, stored: unknown, options: LoadOptions): boolean | StorageError {
  try {
    return backend.refersTo(stored, options);
  } catch (error) {
    if (isStorageError(error)) return error;
    throw error;
  }
}

function refusal(detail: string): StorageError {
  return invalid(`routeXComs: ${detail}`);
}
