/**
 * Combines several backends: a function chooses where a value is stored, and reads go to the backend that owns the
 * reference.
 */
import { type ErrorCode, invalid, isStorageError, type StorageError } from "../../errors.js";
import type { Abortable } from "../../fs/index.js";
import type { StoragePath } from "../../path.js";
import type { Owner } from "../keys/layout.js";
import type { LoadOptions, XComBackend } from "../options.js";
import type { LocatableBackend } from "./located.js";
import { jsonSize } from "./retention-rules.js";

/** A backend that returns the objects of a row, as all of ours do. */
export type RoutedBackend = XComBackend & Pick<LocatableBackend, "pathsOf" | "refersTo">;

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
    return this.#first(stored, options, (backend) => backend.loadValue(stored, options));
  }

  /** Purges with every backend that owns the row: over one base, only one of them may know of replicas. */
  async purge(stored: unknown, options: LoadOptions = {}): Promise<boolean> {
    const owners = this.#owners(stored, options);
    let purged = false;
    for (const backend of owners.length > 0 ? owners : [this.#backends.values().next().value!])
      purged = (await backend.purge(stored, options)) || purged;
    return purged;
  }

  pathsOf(stored: unknown, options: LoadOptions = {}): StoragePath[] {
    const paths = this.#owners(stored, options).flatMap((backend) => backend.pathsOf(stored, options));
    return [...new Map(paths.map((path) => [String(path), path])).values()];
  }

  refersTo(stored: unknown, options: LoadOptions = {}): boolean {
    return this.#owners(stored, options).length > 0;
  }

  /** Short text that stays in its row must not look like a reference of another backend. */
  #checkRow(stored: unknown, writer: RoutedBackend): void {
    const other = [...this.#backends].find(([, one]) => one !== writer && refers(one, stored, {}) !== false);
    if (!other || refers(writer, stored, {}) === true) return;
    const detail = `the text looks like a reference of the backend ${JSON.stringify(other[0])} and would be read as one`;
    throw refusal(`${detail}; send it in an array or an object, or give the backend of the route threshold 0`);
  }

  /**
   * Returns the result of one of the row's owners; the next is tried if one lacks a part that it needs to read the row,
   * or its copy.
   */
  async #first<T>(stored: unknown, options: LoadOptions, ask: (backend: RoutedBackend) => Promise<T>): Promise<T> {
    const owners = this.#owners(stored, options);
    if (owners.length === 0) return ask(this.#backends.values().next().value!);
    let refused: unknown;
    for (const backend of owners) {
      try {
        return await ask(backend);
      } catch (error) {
        if (!isStorageError(error) || options.signal?.aborted || !NEXT.includes(error.code)) throw error;
        refused ??= error;
      }
    }
    throw refused;
  }

  #owners(stored: unknown, options: LoadOptions): RoutedBackend[] {
    if (typeof stored !== "string") return [];
    const answers = [...this.#backends.values()].map((one) => ({ one, answer: refers(one, stored, options) }));
    const owners = answers.filter(({ answer }) => answer === true).map(({ one }) => one);
    const refusal = answers.find(({ answer }) => typeof answer !== "boolean");
    if (owners.length === 0 && refusal) throw refusal.answer;
    return owners;
  }
}

/** Failures of one owner that another, with replicas for example, may not have. */
const NEXT: readonly ErrorCode[] = ["Unsupported", "NotFound", "Corrupt", "Unavailable", "Timeout", "Throttled"];

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
